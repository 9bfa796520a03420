// What a stripe's lock costs: threads take and release stripes as fast as they can, and count under each. First one thread over
// memory of its own; then 1, 2 and 4 over shared memory, each with a stripe of its own, which no other thread touches, with any
// of the 1024, as keys have them, and all with the same one, as one hot key has it. What is held is held for a few ns, so the
// last is the worst that a server's threads can do to each other.

import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { Lives } from '../dist/memory/lives.js'
import { allocateWasm, bufferOf, type WasmMemory } from '../dist/memory/wasm.js'
import { QUARTILE } from './compare.js'
import { pinLoad, placementFor } from './cores.js'
import { quantile } from './numbers.js'

export interface StripesResult {
  readonly name: string
  readonly threads: number
  readonly cpuNs: number    // CPU time for each stripe taken and released
  readonly wallNs: number   // wall clock between one taken by any thread and the next
}

export type Choice = 'own' | 'any' | 'same'

// What a thread starts from; its orders are how many times it takes a stripe, its answers are empty.
export interface TakerData {
  readonly memory: WasmMemory | undefined   // none: the thread has memory of its own
  readonly lives: Int32Array
  readonly thread: number
  readonly choice: Choice
}

interface Sample { readonly cpuNs: number, readonly wallNs: number }

// The stripes come first, then the counts of how often each was taken.
export const STRIPES = 1024
export const MEMORY_BYTES = 64 * 1024
const ROUNDS = 9
const THREADS = [1, 2, 4]
const CHOICES: readonly (readonly [Choice, string])[] = [['own', 'a stripe each'], ['any', 'any stripe'],
  ['same', 'the same stripe']]

export async function measureStripes(quick: boolean): Promise<StripesResult[]> {
  pinLoad(placementFor(Infinity))   // all cores, or threads could not disturb each other
  const times = quick ? 10_000 : 1_000_000
  const results = [await measureCase('memory of its own', 'own', 1, false, times)]
  for (const threads of THREADS) {
    for (const [choice, name] of CHOICES) results.push(await measureCase(name, choice, threads, true, times))
  }
  return results
}

async function measureCase(name: string, choice: Choice, threads: number, shared: boolean,
  times: number): Promise<StripesResult> {
  const memory = shared ? allocateWasm(MEMORY_BYTES, true) : undefined
  const lives = new Int32Array(new SharedArrayBuffer(Lives.bytesFor(threads)))
  const takers = Array.from({ length: threads }, (_, thread) => {
    const workerData: TakerData = { memory, lives, thread, choice }
    return new Worker(new URL('./taker.js', import.meta.url), { workerData })
  })
  try {
    await takeAll(takers, times)   // until it is compiled
    const samples: Sample[] = []
    for (let round = 0; round < ROUNDS; round++) samples.push(await takeAll(takers, times))
    if (memory !== undefined) check(memory, threads * times * (ROUNDS + 1))
    const low = (figure: keyof Sample): number => quantile(samples.map(sample => sample[figure]), QUARTILE)
    return { name, threads, cpuNs: low('cpuNs'), wallNs: low('wallNs') }
  } finally {
    await Promise.all(takers.map(taker => taker.terminate()))
  }
}

async function takeAll(takers: readonly Worker[], times: number): Promise<Sample> {
  const before = { at: performance.now(), cpu: process.cpuUsage() }
  await Promise.all(takers.map(taker => {
    taker.postMessage(times)
    return once(taker, 'message')
  }))
  const { user, system } = process.cpuUsage(before.cpu)
  const all = times * takers.length
  return { cpuNs: (user + system) * 1000 / all, wallNs: (performance.now() - before.at) * 1e6 / all }
}

// The counts are not atomic: they are right only if no two threads held a stripe at once.
function check(memory: WasmMemory, taken: number): void {
  const counts = new Int32Array(bufferOf(memory), STRIPES * 4, STRIPES)
  const counted = counts.reduce((sum, count) => sum + count, 0)
  if (counted !== taken) throw new Error(`${taken} stripes taken, ${counted} counted`)
}
