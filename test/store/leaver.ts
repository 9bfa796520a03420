// A thread of departures.test.ts: it stores keys, each only once, and deletes keys of all threads, while memory is short.
import { workerData } from 'node:worker_threads'
import { Mode } from '../../src/store/request.js'
import { type SharedStore } from '../../src/store/store.js'
import { Outcome } from '../../src/store/outcome.js'
import { Prng } from '../support/prng.js'
import { StoreUnderTest } from '../support/store.js'
import { meet } from '../support/threads.js'

export interface LeaverData {
  readonly shared: SharedStore
  readonly gate: Int32Array
  readonly threads: number
  readonly thread: number
  readonly keys: number
  readonly valueBytes: number
  /** By key of all threads: how often a delete of it succeeded. */
  readonly deleted: Int32Array
}

const { shared, gate, threads, thread, keys, valueBytes, deleted } = workerData as LeaverData
const subject = StoreUnderTest.attach(shared, thread)
const prng = new Prng(thread)
const value = Buffer.alloc(valueBytes, 'v')
meet(gate, threads)
for (let count = 0; count < keys; count++) {
  subject.put(Mode.Set, `key-${(thread - 1) * keys + count}`, value)
  const other = prng.below(threads) * keys + prng.below(count + 1)
  if (subject.delete(`key-${other}`) === Outcome.Deleted) Atomics.add(deleted, other, 1)
}
