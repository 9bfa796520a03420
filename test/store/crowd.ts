// One of several threads that work on one store at once, see crowd.test.ts. Whatever it reads must be a value that was
// written for that very key, whole; what it finds wrong it throws.
import { workerData } from 'node:worker_threads'
import { Mode } from '../../src/store/request.js'
import { type SharedStore } from '../../src/store/store.js'
import { Prng } from '../support/prng.js'
import { bytesOf, StoreUnderTest } from '../support/store.js'
import { meet } from '../support/threads.js'

/** The words of `gate`: how many are there, the increments they were told of, and whether they may end after their operations. */
export const enum Gate { Here, Added, MayEnd, Count }

/** What a member of the crowd works with. */
export interface MemberData {
  readonly shared: SharedStore
  readonly gate: Int32Array
  readonly threads: number
  /** The number of this one, from 1. */
  readonly thread: number
  readonly seed: number
  readonly operations: number
  readonly keys: number
  /** The longest value of each kind that is written. */
  readonly sizes: readonly number[]
  /** How often in a thousand everything is flushed. */
  readonly flushes: number
}

const { shared, gate, threads, thread, seed, operations, keys, sizes, flushes } = workerData as MemberData
const subject = StoreUnderTest.attach(shared, thread)
const prng = new Prng(seed * 100 + thread)
const borrowed: { key: number, seed: number, read: () => Buffer, end: () => void }[] = []
let added = 0

meet(gate, threads)
for (let count = 0; count < operations || Atomics.load(gate, Gate.MayEnd) === 0; count++) act(prng.below(keys), prng.below(100))
while (borrowed.length > 0) giveBack()
// the number of increments that this thread was told of: nobody deletes or evicts the counters' sum
Atomics.add(gate, Gate.Added, added)

function act(key: number, what: number): void {
  const name = `key-${key}`
  if (what < 30) check(key, subject.get(name)?.value)
  else if (what < 45) subject.putWhole(Mode.Set, name, valueFor(key), 0, prng.below(20) === 0 ? -1 : 0)
  else if (what < 60) subject.put(Mode.Set, name, valueFor(key), prng.below(2) * 7)
  else if (what < 65) subject.put(Mode.Add, name, valueFor(key))
  else if (what < 70) subject.delete(name)
  else if (what < 75) subject.touch(name, prng.below(10) === 0 ? -1 : 100)
  else if (what < 90) borrow(key, name)
  else if (what < 99) count(name)
  else if (prng.below(1000) < flushes * 100) subject.store.flush(0)
}

/** The key and a seed in front, and then what follows from them. */
function valueFor(key: number): Buffer {
  const value = bytesOf(prng.below(1000), 8 + prng.below(sizes[prng.below(sizes.length)]!))
  const own = prng.below(256)
  bytesOf(key * 256 + own, value.length).copy(value)
  value[0] = key
  value[1] = own
  return value
}

function check(key: number, value: Buffer | undefined): void {
  if (value === undefined) return
  const right = bytesOf(key * 256 + value[1]!, value.length)
  right[0] = key
  right[1] = value[1]!
  if (!value.equals(right)) {
    throw new Error(`thread ${thread}: a value of ${value.length} bytes of key ${key} is torn or of another key`)
  }
}

function borrow(key: number, name: string): void {
  if (borrowed.length > 8) return giveBack()
  const loan = subject.borrow(name)
  if (loan === undefined) return
  const value = loan.read()
  check(key, value)
  borrowed.push({ key, seed: value[1]!, ...loan })
}

/** What was borrowed is as it was, whatever has become of its key. */
function giveBack(): void {
  const [loan] = borrowed.splice(prng.below(borrowed.length), 1)
  const value = loan!.read()
  check(loan!.key, value)
  if (value[1] !== loan!.seed) throw new Error(`thread ${thread}: a borrowed value of key ${loan!.key} has changed`)
  loan!.end()
}

/** A counter of its own beside each key, that may be evicted or flushed and is then begun anew. */
function count(name: string): void {
  if (typeof subject.add(`${name}-count`, 1n, 1n) === 'bigint') added++
}
