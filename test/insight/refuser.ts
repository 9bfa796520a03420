// A thread of refusals.test.ts: it records many writes as refused.
import { workerData } from 'node:worker_threads'
import { Refusals } from '../../src/insight/refusals.js'
import { type SharedStore } from '../../src/store/store.js'
import { Refusal } from '../../src/store/outcome.js'
import { StoreUnderTest } from '../support/store.js'
import { meet } from '../support/threads.js'

export interface RefuserData {
  readonly memory: SharedArrayBuffer
  readonly shared: SharedStore
  readonly gate: Int32Array
  readonly threads: number
  readonly thread: number
  readonly writes: number
}

const { memory, shared, gate, threads, thread, writes } = workerData as RefuserData
const { context } = StoreUnderTest.attach(shared, thread).store
const refusals = new Refusals(memory, 0, context, threads + 1, thread)
const address = `thread ${thread}`
context.client = { id: thread, address, clientNumber: 0 }
meet(gate, threads)
for (let count = 0; count < writes; count++) {
  const key = Buffer.from(`${address}-${count}-${'x'.repeat(count % 200)}`)
  refusals.refused(Refusal.NoMemory, key, 0, key.length, count, 0)
}
