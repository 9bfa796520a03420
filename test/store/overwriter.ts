// One of several threads that store the same keys anew all the time, in values of all sizes, until they are told to stop; see
// dump.test.ts.
import { workerData } from 'node:worker_threads'
import { Mode } from '../../src/store/request.js'
import { type SharedStore } from '../../src/store/store.js'
import { Prng } from '../support/prng.js'
import { StoreUnderTest } from '../support/store.js'
import { meet } from '../support/threads.js'

/** What an overwriter works with. */
export interface OverwriterData {
  readonly shared: SharedStore
  /** Where the threads meet; and 1 as soon as they are to stop. */
  readonly gate: Int32Array
  readonly threads: number
  /** The number of this one, from 1. */
  readonly thread: number
  readonly seed: number
  /** The keys are `lasting-0` and so on. */
  readonly keys: number
}

const VALUE_BYTES_MAX = 3000

const { shared, gate, threads, thread, seed, keys } = workerData as OverwriterData
const subject = StoreUnderTest.attach(shared, thread)
const prng = new Prng(seed * 100 + thread)
const value = Buffer.alloc(VALUE_BYTES_MAX)

meet(gate, threads)
while (Atomics.load(gate, 1) === 0) {
  subject.put(Mode.Set, `lasting-${prng.below(keys)}`, value.subarray(0, prng.below(VALUE_BYTES_MAX)))
}
