// A thread of stripes.ts, which takes and releases stripes as often as it is asked to.

import { parentPort, workerData } from 'node:worker_threads'
import { Lives } from '../dist/memory/lives.js'
import { Locks } from '../dist/memory/lock.js'
import { allocateWasm, bufferOf, instructionsOf } from '../dist/memory/wasm.js'
import { Stripes } from '../dist/store/index/stripes.js'
import { MEMORY_BYTES, STRIPES, type TakerData } from './stripes.js'

const APART = 16   // words of a cache line
const LCG = { factor: 1664525, summand: 1013904223 } as const

const { memory: shared, lives, thread, choice } = workerData as TakerData
const memory = shared ?? allocateWasm(MEMORY_BYTES, false)
const words = new Int32Array(bufferOf(memory))
const locks = new Locks(words, shared !== undefined, new Lives(lives, thread), instructionsOf(memory))
const stripes = new Stripes(locks, 0, STRIPES)
// the next hash is its factor times the last one, plus its summand: always the same one, or a random one
const [first, factor, summand] = choice === 'any' ? [thread, LCG.factor, LCG.summand]
  : [choice === 'own' ? thread * APART : 0, 1, 0]

parentPort!.on('message', (times: number) => {
  take(times)
  parentPort!.postMessage(undefined)
})

function take(times: number): void {
  let random = first
  for (let count = 0; count < times; count++) {
    random = Math.imul(random, factor) + summand | 0
    // the upper bits of a random number are the more random ones
    const hash = choice === 'any' ? random >>> 16 : random
    stripes.take(hash)
    words[STRIPES + (hash & STRIPES - 1)]!++
    stripes.release(hash)
  }
}
