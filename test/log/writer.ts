// One of several threads that write to a log at once, see ring.test.ts.
import { workerData } from 'node:worker_threads'
import { GetStatus } from '../../src/log/events.js'
import { Log } from '../../src/log/log.js'
import { Counters } from '../../src/stats/counters.js'
import { ManualClock } from '../support/clock.js'
import { meet } from '../support/threads.js'

interface WriterData {
  readonly memory: SharedArrayBuffer
  readonly counted: SharedArrayBuffer
  readonly ringBytes: number
  readonly threads: number
  readonly thread: number
  readonly gate: Int32Array
  readonly events: number
}

const { memory, counted, ringBytes, threads, thread, gate, events } = workerData as WriterData
const counters = new Counters(counted, 0, threads, thread)
const log = new Log(memory, { ringBytes, threads, thread, clock: new ManualClock(), counters })
meet(gate, threads - 1)
for (let count = 0; count < events; count++) {
  const key = Buffer.from(`${thread}-${count}`)
  log.itemGet(thread, key, 0, key.length, GetStatus.Found, 1, 5)
}
