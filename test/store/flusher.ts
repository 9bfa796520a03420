// A thread of the crowd of crowd.test.ts that flushes: all of them store, look and flush beside each other. Each value is a
// number that grows, so it says when it was stored.
import { workerData } from 'node:worker_threads'
import { Mode } from '../../src/store/request.js'
import { type SharedStore } from '../../src/store/store.js'
import { Prng } from '../support/prng.js'
import { StoreUnderTest } from '../support/store.js'
import { meet } from '../support/threads.js'

export interface FlusherData {
  readonly shared: SharedStore
  readonly gate: Int32Array
  readonly threads: number
  readonly thread: number
  readonly operations: number
  /** Shared words by Tally. */
  readonly words: Int32Array
  /** For each key: the newest value that was stored for certain, and the newest of those that were before a flush. */
  readonly stored: Int32Array
  readonly flushed: Int32Array
}

/** The flushes begun and ended; what was found that is dead, what was lost that is alive, and what was found. */
export const enum Tally { Begun, Ended, Undead, Lost, Found, Count }

/** How much memory the values of a key take: those of a few classes. */
export function bytesOfKey(key: number): number { return [10, 200, 1500][key % 3]! }

if (workerData !== null) work(workerData as FlusherData)

function work({ shared, gate, threads, thread, operations, words, stored, flushed }: FlusherData): void {
  const subject = StoreUnderTest.attach(shared, thread)
  const prng = new Prng(thread)
  meet(gate, threads)
  for (let count = 0; count < operations; count++) {
    const roll = prng.below(100)
    // each key has one thread that stores it, so its values come in their order
    if (roll < 60) store(prng.below(stored.length / threads) * threads + thread - 1, count + 1)
    else if (roll < 95) look(prng.below(stored.length))
    else flush()
  }

  function store(key: number, value: number): void {
    const ended = Atomics.load(words, Tally.Ended)
    const isQuiet = Atomics.load(words, Tally.Begun) === ended
    subject.put(Mode.Set, `key-${key}`, Buffer.from(String(value).padEnd(bytesOfKey(key))))
    Atomics.store(stored, key, value)
    const found = look(key)
    if (!isQuiet || Atomics.load(words, Tally.Begun) !== ended) return
    Atomics.add(words, found === value ? Tally.Found : Tally.Lost, 1)
  }

  /** What a key has, 0 for nothing. */
  function look(key: number): number {
    const oldest = Atomics.load(flushed, key)
    const value = Number(subject.get(`key-${key}`)?.value.toString() ?? 0)
    if (value !== 0 && value <= oldest) Atomics.add(words, Tally.Undead, 1)
    return value
  }

  function flush(): void {
    const before = Array.from(stored, (_, key) => Atomics.load(stored, key))
    Atomics.add(words, Tally.Begun, 1)
    subject.store.flush(0)
    Atomics.add(words, Tally.Ended, 1)
    for (const [key, value] of before.entries()) raise(flushed, key, value)
  }
}

/** Sets a word to a value that is not below what it is. */
function raise(words: Int32Array, at: number, value: number): void {
  let old = Atomics.load(words, at)
  while (old < value) {
    const before = Atomics.compareExchange(words, at, old, value)
    if (before === old) return
    old = before
  }
}
