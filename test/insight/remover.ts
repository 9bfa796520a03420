// A thread of explain.test.ts: it stores and deletes the same few keys as the others.
import { workerData } from 'node:worker_threads'
import { Mode } from '../../src/store/request.js'
import { type SharedStore } from '../../src/store/store.js'
import { Outcome } from '../../src/store/outcome.js'
import { Prng } from '../support/prng.js'
import { StoreUnderTest } from '../support/store.js'
import { meet } from '../support/threads.js'

export interface RemoverData {
  readonly shared: SharedStore
  readonly gate: Int32Array
  readonly threads: number
  readonly thread: number
  readonly keys: number
  readonly rounds: number
  /** By key: how often a delete of it succeeded. */
  readonly deleted: Int32Array
}

const { shared, gate, threads, thread, keys, rounds, deleted } = workerData as RemoverData
const subject = StoreUnderTest.attach(shared, thread)
subject.store.context.client = { id: thread, address: `tcp:127.0.0.1:${thread}`, clientNumber: 0 }
const prng = new Prng(thread)
const value = Buffer.from('v')
meet(gate, threads)
for (let count = 0; count < rounds; count++) {
  const key = prng.below(keys)
  if (prng.below(2) === 0) subject.put(Mode.Set, `key-${key}`, value)
  else if (subject.delete(`key-${key}`) === Outcome.Deleted) Atomics.add(deleted, key, 1)
}
