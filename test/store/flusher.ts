// A thread of the crowd of crowd.test.ts that flushes: all of them store, look and flush beside each other, everything or one
// group of keys with a prefix of its own. Each value is a number that grows, so it says when it was stored.
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
  /** For each group: how many flushes of it have begun, and how many have ended. With one group, everything is flushed. */
  readonly begun: Int32Array
  readonly ended: Int32Array
  /** For each key: the newest value that was stored for certain, and the newest of those that were before a flush. */
  readonly stored: Int32Array
  readonly flushed: Int32Array
}

/** What was found that is dead, what was lost that is alive, what was found at once, and what after other groups were flushed. */
export const enum Tally { Undead, Lost, Found, Outlived, Count }

/** How much memory the values of a key take: those of a few classes. */
export function bytesOfKey(key: number): number { return [10, 200, 1500][key % 3]! }

if (workerData !== null) work(workerData as FlusherData)

function work({ shared, gate, threads, thread, operations, words, begun, ended, stored, flushed }: FlusherData): void {
  const subject = StoreUnderTest.attach(shared, thread)
  const prng = new Prng(thread)
  const groups = begun.length
  /** By key: the flushes of its group that had ended when this thread began to store it, and all flushes that had begun. */
  const quietSince = new Map<number, { ended: number, all: number }>()
  meet(gate, threads)
  for (let count = 0; count < operations; count++) {
    const roll = prng.below(100)
    // each key has one thread that stores it, so its values come in their order
    if (roll < 60) store(prng.below(stored.length / threads) * threads + thread - 1, count + 1)
    else if (roll < 90) look(prng.below(stored.length))
    else if (roll < 95) lookAgain(prng.below(stored.length / threads) * threads + thread - 1)
    else flush()
  }

  function store(key: number, value: number): void {
    const group = key % groups
    const before = Atomics.load(ended, group)
    const isQuiet = Atomics.load(begun, group) === before
    quietSince.set(key, { ended: isQuiet ? before : -1, all: sumOf(begun) })
    subject.put(Mode.Set, nameOf(key), Buffer.from(String(value).padEnd(bytesOfKey(key))))
    Atomics.store(stored, key, value)
    const found = look(key)
    if (!isQuiet || Atomics.load(begun, group) !== before) return
    Atomics.add(words, found === value ? Tally.Found : Tally.Lost, 1)
  }

  /** Looks at a key that only this thread stores: it is there unless a flush of its group has begun since. */
  function lookAgain(key: number): void {
    const since = quietSince.get(key)
    if (since === undefined) return
    const found = look(key)
    if (Atomics.load(begun, key % groups) !== since.ended) return
    if (found !== stored[key]) Atomics.add(words, Tally.Lost, 1)
    else if (sumOf(begun) !== since.all) Atomics.add(words, Tally.Outlived, 1)
  }

  function nameOf(key: number): string { return `group-${key % groups}:key-${key}` }

  /** What a key has, 0 for nothing. */
  function look(key: number): number {
    const oldest = Atomics.load(flushed, key)
    const value = Number(subject.get(nameOf(key))?.value.toString() ?? 0)
    if (value !== 0 && value <= oldest) Atomics.add(words, Tally.Undead, 1)
    return value
  }

  function flush(): void {
    const group = prng.below(groups)
    const before = Array.from(stored, (_, key) => Atomics.load(stored, key))
    Atomics.add(begun, group, 1)
    if (groups === 1) subject.store.flush(0)
    else if (!subject.store.flushPrefix(Buffer.from(`group-${group}`))) throw new Error('there was no room for a prefix')
    Atomics.add(ended, group, 1)
    for (const [key, value] of before.entries()) if (key % groups === group) raise(flushed, key, value)
  }
}

function sumOf(words: Int32Array): number { return words.reduce((sum, _, at) => sum + Atomics.load(words, at), 0) }

/** Sets a word to a value that is not below what it is. */
function raise(words: Int32Array, at: number, value: number): void {
  let old = Atomics.load(words, at)
  while (old < value) {
    const before = Atomics.compareExchange(words, at, old, value)
    if (before === old) return
    old = before
  }
}
