// One of several threads that read all keys of a store again and again until they are told to stop, see crowd.test.ts.
import { workerData } from 'node:worker_threads'
import { type SharedStore } from '../../src/store/store.js'
import { StoreUnderTest } from '../support/store.js'
import { meet } from '../support/threads.js'

/** What a reader works with. */
export interface ReaderData {
  readonly shared: SharedStore
  /** Word 0: who has come; word 1: set when it is time to stop. */
  readonly gate: Int32Array
  readonly threads: number
  readonly thread: number
  readonly keys: number
}

const { shared, gate, threads, thread, keys } = workerData as ReaderData
const subject = StoreUnderTest.attach(shared, thread)
meet(gate, threads)
for (let key = 0; Atomics.load(gate, 1) === 0; key = (key + 1) % keys) subject.get(`key-${key}`)
