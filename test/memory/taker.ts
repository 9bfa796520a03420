// A thread of lock.test.ts: it takes lock 0 so many times, and each time counts in a word that is not atomic.
import { workerData } from 'node:worker_threads'
import { Lives } from '../../src/memory/lives.js'
import { Locks } from '../../src/memory/lock.js'
import { Counters } from '../../src/stats/counters.js'
import { bufferOf, instructionsOf, type WasmMemory } from '../../src/memory/wasm.js'

/** What such a thread is handed. */
export interface TakerData {
  readonly memory: WasmMemory
  readonly lives: Int32Array
  readonly thread: number
  readonly times: number
  /** Where it counts its waits, for two threads. */
  readonly counted?: SharedArrayBuffer
}

/** The word that counts. */
export const COUNT_WORD = 2

const { memory, lives, thread, times, counted } = workerData as TakerData
const words = new Int32Array(bufferOf(memory))
// it never looks: so a thread that nothing wakes sleeps for ever
const locks = new Locks(words, true, new Lives(lives, thread, Infinity), instructionsOf(memory),
  counted && new Counters(counted, 0, 2, thread))
for (let count = 0; count < times; count++) {
  locks.take(0)
  words[COUNT_WORD]!++
  locks.release(0)
}
