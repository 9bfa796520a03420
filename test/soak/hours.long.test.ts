// Hours of mixed load on the built server with four threads, and how its memory, the longest wait of a client that asks for
// nothing much, and its counters went: every minute, as one picture. Some seconds unless MEMSLAB_HOURS says how many hours.
//
//   MEMSLAB_HOURS=2 npm test -- soak/hours        the picture is hours.svg, or where MEMSLAB_HOURS_PICTURE says

import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'

import t from 'tap'

import { spawnServer } from '../clients/server.js'
import { draw } from './chart.js'
import { Load, residentBytes } from './load.js'
import type { WaitReport } from './waits.js'

const HOURS = Number(process.env['MEMSLAB_HOURS'] ?? 0)
const SEED = Number(process.env['MEMSLAB_SEED'] ?? 20261128)
const SECONDS = HOURS > 0 ? HOURS * 3600 : 12
/** A minute, and in short runs so often that the picture shows something. */
const SAMPLE_SECONDS = Math.min(60, Math.max(1, SECONDS / 30))
const MEGABYTES = 64
const MIB = 2 ** 20
/** From here on the memory of a long run is compared: what comes before is compiled code, and memory that is first used. */
const SETTLED_MINUTES = 5
/** By how much the last third may take more than the one before it, in MiB. */
const DRIFT_MIB = 12

interface Sample {
  readonly minute: number
  readonly rssMib: number
  readonly wait: WaitReport
  readonly stats: ReadonlyMap<string, string>
}

t.test('mixed load for hours: nothing is lost, nothing grows', { skip: process.platform !== 'linux' && 'no /proc' }, async t => {
  const server = await spawnServer(t, ['-t', '4', '-m', String(MEGABYTES)])
  const probe = new Worker(new URL('probe.js', import.meta.url), { workerData: { port: server.port } })
  t.teardown(() => probe.terminate())
  const load = new Load(server.port, SEED)
  t.teardown(() => load.destroy())
  const samples: Sample[] = []
  const startedAt = performance.now()
  for (let count = 1; (count - 1) * SAMPLE_SECONDS < SECONDS; count++) {
    await sleep(Math.max(0, startedAt + count * SAMPLE_SECONDS * 1000 - performance.now()))
    load.check()
    probe.postMessage('')
    const [wait] = await once(probe, 'message') as [WaitReport]
    samples.push({
      minute: (performance.now() - startedAt) / 60_000, wait, stats: await load.stats(), rssMib: residentBytes(server.pid) / MIB,
    })
    if (HOURS > 0) picture(samples, process.env['MEMSLAB_HOURS_PICTURE'] ?? 'hours.svg')
  }
  const { keys, found } = await load.end()
  t.ok(found > 0, `of ${keys} keys ${found} are there, with what was stored last`)
  picture(samples, HOURS > 0 ? process.env['MEMSLAB_HOURS_PICTURE'] ?? 'hours.svg' : join(t.testdir({}), 'hours.svg'))
  t.comment(`MEMSLAB_SEED=${SEED}: ${JSON.stringify(load.tally)}`)
  t.comment(`MiB: ${samples.map(({ rssMib }) => Math.round(rssMib)).join(' ')}`)
  t.comment(`longest waits in ms: ${samples.map(({ wait }) => Math.round(wait.longestMs)).join(' ')}`)
  t.ok(samples.every(({ wait }) => wait.count > 0), 'the one who asks for nothing much was answered all the while')
  judge(samples)
})

function judge(samples: readonly Sample[]): void {
  const settled = samples.filter(({ minute }) => minute > SETTLED_MINUTES).map(({ rssMib }) => rssMib)
  const third = Math.floor(settled.length / 3)
  if (third === 0) return
  const growth = median(settled.slice(2 * third)) - median(settled.slice(third, 2 * third))
  t.ok(growth <= DRIFT_MIB, `the last third took ${growth.toFixed(1)} MiB more than the one before`)
}

function median(numbers: readonly number[]): number {
  return [...numbers].sort((one, other) => one - other)[Math.floor(numbers.length / 2)] ?? 0
}

function picture(samples: readonly Sample[], file: string): void {
  const number = (sample: Sample | undefined, name: string): number => Number(sample?.stats.get(name) ?? 0)
  const perSecond = (name: string): number[] => samples.map((sample, index) => {
    const before = samples[index - 1]
    const seconds = (sample.minute - (before?.minute ?? 0)) * 60
    return (number(sample, name) - number(before, name)) / seconds
  })
  writeFileSync(file, draw({
    title: `memslab -t 4 -m ${MEGABYTES}, Node ${process.version}, mixed load, seed ${SEED}`,
    minutes: samples.map(({ minute }) => minute),
    rows: [
      { name: 'memory of the process', unit: 'MiB', values: samples.map(({ rssMib }) => rssMib) },
      { name: 'longest wait for an answer', unit: 'ms', values: samples.map(({ wait }) => wait.longestMs) },
      { name: '99 of 100 waits are below', unit: 'ms', values: samples.map(({ wait }) => wait.p99Ms) },
      { name: 'gets', unit: 'a second', values: perSecond('cmd_get') },
      { name: 'sets', unit: 'a second', values: perSecond('cmd_set') },
      { name: 'evictions', unit: 'a second', values: perSecond('evictions') },
      { name: 'pages moved', unit: 'a second', values: perSecond('slabs_moved') },
      { name: 'items', unit: 'count', values: samples.map(sample => number(sample, 'curr_items')) },
      { name: 'connections', unit: 'count', values: samples.map(sample => number(sample, 'curr_connections')) },
    ],
  }))
}
