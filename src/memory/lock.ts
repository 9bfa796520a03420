// Locks on words of shared memory, and the one place where their order is written:
//
//   1. store                      flush_all, and other operations that concern all items
//   2. stripe of the hash table   a thread that changes or reads an item of a key holds the stripe of its hash
//   3. class                      free chunks and the four lists of one slab class of one arena
//   4. pages                      which class owns which page of an arena
//   5. slots, prefixes, log       tables beside the store; a thread that holds one of these takes no other lock
//
// A thread takes locks downwards. Upwards, and sideways from class to class, a thread only tries: an evictor that holds a
// class lock skips an item whose stripe is taken. There are two exceptions, which cannot cause a deadlock. A flush takes all
// stripes, in their order. And the thread that holds the class of the large items waits for the classes of their pieces: only one
// thread holds the former, and a thread that holds one of the latter only tries it.
//
// A method whose name ends in `Locked` needs a lock held, and its name says which: `…StoreLocked`, `…StripeLocked` (that of the
// key or item at hand), `…ClassLocked`, `…ClassesLocked` (two of them), `…BothLocked` (a stripe and a class). In a class that has
// a single lock (5) it is `…Locked` alone.
//
// An operation takes a lock, works and releases it, without `finally`. If it throws, the lock stays held, as the data under it
// may be half written. The server ends then, and a thread that waits for the lock gets an InvariantError.
//
// A word is 0 when the lock is free. Otherwise its lowest bit is set if a thread sleeps until the lock is released, and the bits
// above are the number of the thread that holds it, plus 1. A store of one thread has plain memory and no thread to wait for. It
// writes the same words without atomic operations, so that a lock that is taken twice, or released by a thread that does not
// hold it, is detected there too.
import { monotonicMilliseconds } from '../clock.js'
import { assert, InvariantError } from '../errors.js'
import { Counter, type Counters } from '../stats/counters.js'
import { type Instructions } from './wasm.js'
import { type Lives } from './lives.js'

/** The bit of a word that says that a thread sleeps until the lock is released. */
const WAITED = 1
/** The number of tries before a thread sleeps. They take some 2 microseconds, in which most operations end. */
const SPINS_MAX = 200

export class Locks {
  /** The value of the word of a lock that this thread holds and that no thread waits for asleep. */
  private readonly held: number
  /** The looks at the lives of others since this thread last saw that the lock that it waits for was released. */
  private looks = 0

  /**
   * @param words the memory with the locks, which are all 0 at the start
   * @param lives the record of the threads that take the locks; without it, this is thread 0, and no thread dies
   * @param instructions those of the memory, all of which `words` must cover; without them, Atomics are used
   * @param counters where this thread counts how often and how long it waits; without them, it does not
   */
  constructor(private readonly words: Int32Array, readonly shared: boolean, private readonly lives?: Lives,
    private readonly instructions?: Instructions, private readonly counters?: Counters) {
    this.held = ((lives?.thread ?? 0) + 1) << 1
  }

  /**
   * Takes the lock, and waits for the thread that holds it, however slow that is.
   * @throws InvariantError if this thread holds the lock, or if it has to wait and a thread has died, which may be the holder
   */
  take(word: number): void { if (!this.tryTake(word)) this.wait(word) }

  /** Takes the lock unless a thread holds it, which may be this one. Returns true if it was taken. */
  tryTake(word: number): boolean {
    if (this.shared) return this.compareExchange(word, 0, this.held) === 0
    if (this.words[word] !== 0) return false
    this.words[word] = this.held
    return true
  }

  /** @throws InvariantError if this thread does not hold the lock, which then stays as it is */
  release(word: number): void {
    if (this.shared) {
      const before = this.compareExchange(word, this.held, 0)
      if (before !== this.held) this.releaseWaited(word, before)
    } else {
      if (this.words[word] !== this.held) this.releaseWaited(word, this.words[word]!)
      this.words[word] = 0
    }
  }

  private compareExchange(word: number, expected: number, value: number): number {
    const { instructions } = this
    if (instructions === undefined) return Atomics.compareExchange(this.words, word, expected, value)
    return instructions.compareExchange(word << 2, expected, value)
  }

  /** Releases a lock that threads wait for asleep, and wakes one of them. */
  private releaseWaited(word: number, before: number): void {
    if (before !== (this.held | WAITED)) throw new InvariantError(`a thread releases a lock that ${holderOf(before)} holds`)
    Atomics.store(this.words, word, 0)
    Atomics.notify(this.words, word, 1)
  }

  private wait(word: number): void {
    const { words, held } = this
    assert(this.shared && (Atomics.load(words, word) & ~WAITED) !== held, 'a thread takes a lock that it holds')
    this.counters?.add(Counter.LockWaits)
    for (let spin = 0; spin < SPINS_MAX; spin++) {
      if (Atomics.load(words, word) === 0 && Atomics.compareExchange(words, word, 0, held) === 0) return
    }
    this.looks = 0
    const begunMs = monotonicMilliseconds()
    // other threads may still sleep when this one gets the lock, so it sets WAITED
    while (Atomics.compareExchange(words, word, 0, held | WAITED) !== 0) this.sleep(word)
    this.counters?.add(Counter.LockSleeps)
    this.counters?.add(Counter.LockSleepUs, Math.round((monotonicMilliseconds() - begunMs) * 1000))
  }

  /** Sleeps until the lock is released, or until it is time to look for dead threads. */
  private sleep(word: number): void {
    const { words, lives } = this
    const seen = Atomics.load(words, word)
    if (seen === 0) return
    if ((seen & WAITED) === 0 && Atomics.compareExchange(words, word, seen, seen | WAITED) !== seen) return
    if (Atomics.wait(words, word, seen | WAITED, lives?.lookMs) === 'timed-out') {
      this.looks++
      lives?.look((seen >>> 1) - 1, this.looks)
    } else this.looks = 0
    if (lives?.hasFailed !== true) return
    throw new InvariantError(`a thread has died, and ${holderOf(seen)} holds a lock that another waits for`)
  }

  /** True if a thread holds the lock. */
  isHeldBy(word: number, thread: number): boolean { return Atomics.load(this.words, word) >>> 1 === thread + 1 }
}

/** A name for messages of the thread that holds a lock, from the word of the lock. */
function holderOf(word: number): string { return word >>> 1 === 0 ? 'no thread' : `thread ${(word >>> 1) - 1}` }
