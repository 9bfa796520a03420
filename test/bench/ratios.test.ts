// What `--json` has of each row, and that nothing else is on standard output.
import t from 'tap'
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Sample } from '../../bench/load.js'
import type { Result } from '../../bench/measure.js'
import { ratiosOf } from '../../bench/ratios.js'
import type { SavedRun } from '../../bench/saved.js'
import '../support/fresh.js'
import { inProject } from '../support/places.js'

const MEBI = 2 ** 20

t.test('a speed row is the ratio of the lower quartiles of all slices', async t => {
  const result: Result = {
    kind: 'speed',
    workload: { kind: 'speed', name: 'get', command: 'get', connections: 1, depth: 1, keys: 1, valueBytes: 1, megabytes: 64 },
    sides: [
      { server: 'memslab', samples: [sampleOf([3, 6, 9]), sampleOf([12, 15])] },
      { server: 'other', samples: [sampleOf([4, 8, 10]), sampleOf([16, 20])] },
    ],
  }
  t.same(ratiosOf(result), [{
    row: 'get', cost: 'CPU time a request, µs', servers: ['memslab', 'other'], costs: [6, 8], ratio: 0.75,
    spread: { tenth: 4.2 / 5.6, quartile: 0.75, median: 0.9, rounds: [4.5 / 6, 12.75 / 17] },
  }])
})

t.test('everything is a cost: milliseconds, memory, misses', async t => {
  const start: Result = {
    kind: 'start', workload: { kind: 'start', name: 'start', megabytes: 64, threads: 1 },
    sides: [{ server: 'memslab', ms: 150, rssBytes: 0 }, { server: 'other', ms: 300, rssBytes: 0 }],
  }
  t.match(ratiosOf(start), [{ row: 'start', costs: [150, 300], ratio: 0.5 }])

  const idle = (server: string, threads: number, mebibytes: number): { server: string, threads: number, rssBytes: number,
    aboveNodeBytes: number } => ({ server, threads, rssBytes: 0, aboveNodeBytes: mebibytes * MEBI })
  t.match(ratiosOf({
    kind: 'idle', workload: { kind: 'idle', name: 'idle', megabytes: 64, threads: [1, 4] },
    sides: [idle('bare node', 1, 0), idle('memslab', 1, 9), idle('other', 1, 18), idle('memslab', 4, 36), idle('other', 4, 48)],
  }), [
    { row: 'idle, -t 1', costs: [9, 18], ratio: 0.5 },
    { row: 'idle, -t 4', costs: [36, 48], ratio: 0.75 },
  ])

  const held: Result = {
    kind: 'held', workload: { kind: 'held', name: 'held', valueBytes: 10, megabytes: 64 },
    sides: [{ server: 'memslab', items: MEBI }, { server: 'other', items: MEBI / 2 }]
      .map(side => ({ ...side, itemBytes: 0, evictions: 0, rssBytes: 0 })),
  }
  t.match(ratiosOf(held), [{ row: 'held', costs: [64, 128], ratio: 0.5 }], 'twice as many items in the same memory')

  const hits: Result = {
    kind: 'hits', workload: { kind: 'hits', name: 'hits', valueBytes: 10, megabytes: 64, timesMemory: 10, zipfExponent: 1 },
    sides: [{ server: 'memslab', gets: 10, hitRatio: 0.75 }, { server: 'other', gets: 10, hitRatio: 0.5 }],
  }
  t.match(ratiosOf(hits), [{ row: 'hits', costs: [0.25, 0.5], ratio: 0.5 }])
})

t.test('there is no ratio of one server alone, nor to one that takes less than bare Node', async t => {
  const sides = [{ server: 'memslab', ms: 150, rssBytes: 0 }]
  t.same(ratiosOf({ kind: 'start', workload: { kind: 'start', name: 'start', megabytes: 64, threads: 1 }, sides }), [])
  t.same(ratiosOf({
    kind: 'idle', workload: { kind: 'idle', name: 'idle', megabytes: 64, threads: [1] },
    sides: [0, -5 * MEBI, -9 * MEBI].map(aboveNodeBytes => ({ server: 'some', threads: 1, rssBytes: 0, aboveNodeBytes })),
  }), [])
})

t.test('--json prints JSON and nothing else, which --from shows', { skip: isBuilt() ? false : 'dist-bench is missing' },
  async t => {
    const file = join(t.testdir({}), 'out.svg')
    const words = ['--quick', '--json', '--progress', '--only', '^get 100 B, depth 1$', '--command', 'node dist/cli.js']
    const { stdout, stderr, status } = bench([...words, '--svg', file])
    t.equal(status, 0)
    t.match(stderr, /^row 1 of 1, get 100 B, depth 1\n/)
    const run = JSON.parse(stdout) as SavedRun & { results: Result[] }
    t.match(run, {
      format: 1,
      facts: { node: process.version, commit: String, machine: String, date: String, rounds: '1 x 0.05 s in slices' },
      servers: [{ name: 'memslab', version: /^1\.6\./ }, { name: 'other1', command: 'node dist/cli.js', version: /^1\.6\./ }],
      ratios: [{ row: 'get 100 B, depth 1', servers: ['memslab', 'other1'], costs: [Number, Number], ratio: Number }],
      results: [{ kind: 'speed' }],
      targets: Array, failures: [],
    })
    t.ok(existsSync(file))
  })

t.test('arguments that do not go together are refused', async t => {
  t.match(bench(['elsewhere']), { status: 64, stderr: /only --traces takes places/ })
  t.match(bench(['--main', '--traces']), { status: 64, stderr: /--main goes with neither/ })
  t.match(bench(Array.from({ length: 5 }, () => '--from=x')), { status: 64, stderr: /4 times at most/ })
})

function isBuilt(): boolean { return existsSync(inProject('dist-bench/main.js')) }

function bench(words: readonly string[]): { stdout: string, stderr: string, status: number | null } {
  return spawnSync(process.execPath, ['dist-bench/main.js', ...words], { cwd: inProject(''), encoding: 'utf8' })
}

function sampleOf(slices: readonly number[]): Sample {
  return { slices, requests: 1, refused: 0, requestsPerSecond: 1, busy: 1, p50: 1, p99: 1, p999: 1, rssBytes: 1 }
}
