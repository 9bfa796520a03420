// One of several threads that take and release slots at once, see slots.test.ts.
import { workerData } from 'node:worker_threads'
import { Lives } from '../../src/memory/lives.js'
import { Slots } from '../../src/net/slots.js'
import { ConnectionState } from '../../src/protocol/work/state.js'
import { Prng } from '../support/prng.js'
import { meet } from '../support/threads.js'

/** What a taker works with. */
export interface TakerData {
  readonly memory: SharedArrayBuffer
  readonly count: number
  /** Which of the threads live. */
  readonly lives: Int32Array
  /** A word for each slot: who holds it, 0 for nobody. */
  readonly holders: Int32Array
  /** How often a slot was handed out that somebody held. */
  readonly clashes: Int32Array
  readonly gate: Int32Array
  readonly threads: number
  /** The number of this one, from 1. */
  readonly thread: number
  readonly rounds: number
  /** It holds so many at most, and so many in the end. */
  readonly heldMax: number
  readonly kept: number
}

const { memory, count, lives, holders, clashes, gate, threads, thread, rounds, heldMax, kept } = workerData as TakerData
const slots = new Slots(memory, count, new Lives(lives, thread))
const prng = new Prng(thread)
const held: number[] = []

function take(): void {
  const slot = slots.take()
  if (slot === -1) return
  if (Atomics.compareExchange(holders, slot, 0, thread) !== 0) Atomics.add(clashes, 0, 1)
  slots.note(slot, ConnectionState.Read, 0)
  slots.describe(slot, thread, `address of ${thread}`, 'x'.repeat(thread))
  held.push(slot)
}

function release(): void {
  const [slot = -1] = held.splice(prng.below(held.length), 1)
  Atomics.store(holders, slot, 0)
  slots.release(slot)
}

meet(gate, threads)
for (let round = 0; round < rounds; round++) {
  if (held.length === 0 || (held.length < heldMax && prng.below(2) === 0)) take()
  else release()
  slots.addWaiting(1)
  if (round % 2 === 0) slots.addWaiting(-1)
}
while (held.length > kept) release()
while (held.length < kept) take()
