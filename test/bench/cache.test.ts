// The benchmark inside a process: it runs small, finds lru-cache where it is, and does without.
import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { inProject } from '../support/places.js'
import '../support/fresh.js'

/** A cache with lru-cache's interface, in the folder of a test. */
function fakeLruCache(folder: string): string {
  const path = join(folder, 'lru-cache')
  mkdirSync(path)
  writeFileSync(join(path, 'package.json'), '{ "name": "lru-cache", "version": "7.8.9", "main": "index.js" }')
  writeFileSync(join(path, 'index.js'), 'exports.LRUCache = class extends Map { constructor() { super() } }')
  return path
}

function bench(...words: readonly string[]) {
  const { stdout, stderr, status } = spawnSync(process.execPath, [inProject('dist-bench/main.js'), '--cache', ...words],
    { cwd: t.testdirName, encoding: 'utf8' })
  return { stdout, stderr, status }
}

t.testdir({})

t.test('each row shows both caches, and their ratio', async t => {
  const words = ['--quick', '--json', '--rounds', '2', '--seconds', '0.02', '--lru-cache', fakeLruCache(t.testdir({}))]
  const { stdout, stderr, status } = bench(...words)
  t.equal(status, 0, stderr)
  const { facts, results } = JSON.parse(stdout) as {
    facts: Record<string, string>
    results: { skipped?: string, ratio?: { speed: number, cpu: number }, sides: { name: string, operationsPerSecond: number, checksum: number }[] }[]
  }
  t.match(facts['lru-cache'], /^7\.8\.9 /)
  t.equal(facts.node, process.version)
  const measured = results.filter(({ skipped }) => skipped === undefined)
  t.ok(measured.length >= 6)
  for (const { sides, ratio } of measured) {
    t.same(sides.map(({ name }) => name), ['memslab', 'lru-cache'])
    t.ok(ratio!.speed > 0 && ratio!.cpu > 0)
    for (const { operationsPerSecond, checksum } of sides) t.ok(operationsPerSecond > 0 && checksum > 0)
  }
})

t.test('without lru-cache, memslab is measured alone, and the reason is shown', async t => {
  const words = ['--quick', '--rounds', '1', '--seconds', '0.02', '--only', '^get 100 B, a copy$', '--table']
  const { stdout, stderr, status } = bench(...words, '--lru-cache', 'nowhere')
  t.equal(status, 0, stderr)
  t.match(stdout, /^lru-cache +lru-cache was not found .*--lru-cache PATH/m)
  t.match(stdout, /^get 100 B, a copy +memslab +[\d,]+ /m)
  t.match(stdout, /^\| get 100 B, a copy \| memslab \|/m)
  t.notMatch(stdout, /^ +ratio /m)
})

t.test('what has no meaning here is refused', async t => {
  t.match(bench('--threads', '2'), { status: 64, stderr: /--cache goes with neither/ })
})
