// Locks on words of shared memory, and the one place where their order is written:
//
//   1. store                      flush_all and what else concerns all items
//   2. stripe of the hash table   a thread that changes or reads an item of a key holds the stripe of its hash
//   3. class                      free chunks and the four lists of one slab class of one arena
//   4. pages                      which class owns which page of an arena
//   5. places, prefixes, log      tables beside the store; nothing is locked in their hands
//
// Locks are taken downwards. Upwards, and sideways from class to class, a thread only tries: an evictor that holds a
// class lock skips an item whose stripe is taken. Two exceptions, which cannot close a circle: a flush takes all stripes,
// in their order; and the thread that holds the class of the large items waits for the classes of their pieces (one thread holds
// it, and a thread that holds one of the others only tries it).
//
// A method whose name ends in `Locked` needs a lock held, and its name says which: `…StoreLocked`, `…StripeLocked` that of the
// key or item at hand, `…ClassLocked`, `…ClassesLocked` two of them, `…BothLocked` a stripe and a class. What has a single lock
// (5) says `…Locked` alone.
//
// An operation takes a lock, works and releases it, without `finally`. If it throws, the lock stays held: what it guards may be
// half written. The server ends then, and a thread that waits for the lock gets an InvariantError.
//
// A word is 0 when the lock is free. Else its lowest bit says that a thread sleeps until the lock is released, and the bits
// above are the number of the thread that holds it, plus 1. A store of one thread has plain memory and no thread to wait for:
// there the same words are written without atomic operations, so that a lock taken twice, or released by a thread that does not
// hold it, is found there too.
import { assert, InvariantError } from '../errors.js'
import { type Instructions } from './wasm.js'
import { type Lives } from './lives.js'

/** The bit of a word that says that a thread sleeps. */
const WAITED = 1
/** How often a thread looks at a held lock before it sleeps: for some 2 microseconds, in which most operations end. */
const SPINS_MAX = 200

export class Locks {
  /** The word of a lock that this thread holds and for which no thread sleeps. */
  private readonly held: number

  /**
   * @param words where the locks lie, all 0 at the start
   * @param lives of the threads that take them; none: this is thread 0, and no thread dies
   * @param instructions of the memory of which `words` are all; none: Atomics
   */
  constructor(private readonly words: Int32Array, readonly shared: boolean, private readonly lives?: Lives,
    private readonly instructions?: Instructions) {
    this.held = ((lives?.thread ?? 0) + 1) << 1
  }

  /**
   * Waits for the thread that holds the lock, however slow it is.
   * @throws InvariantError if a thread has died, which may be that one, or if this thread holds the lock
   */
  take(word: number): void { if (!this.tryTake(word)) this.wait(word) }

  /** False if a thread holds the lock, which may be this one. */
  tryTake(word: number): boolean {
    if (this.shared) return this.compareExchange(word, 0, this.held) === 0
    if (this.words[word] !== 0) return false
    this.words[word] = this.held
    return true
  }

  /** @throws InvariantError, and leaves the lock as it is, if this thread does not hold it */
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

  /** Releases a lock for which threads sleep, and wakes one of them. */
  private releaseWaited(word: number, before: number): void {
    if (before !== (this.held | WAITED)) throw new InvariantError(`a thread releases a lock that ${holderOf(before)} holds`)
    Atomics.store(this.words, word, 0)
    Atomics.notify(this.words, word, 1)
  }

  private wait(word: number): void {
    const { words, held } = this
    assert(this.shared && (Atomics.load(words, word) & ~WAITED) !== held, 'a thread takes a lock that it holds')
    for (let spin = 0; spin < SPINS_MAX; spin++) {
      if (Atomics.load(words, word) === 0 && Atomics.compareExchange(words, word, 0, held) === 0) return
    }
    // others may still sleep when this thread has the lock: so it says
    while (Atomics.compareExchange(words, word, 0, held | WAITED) !== 0) this.sleep(word)
  }

  /** Sleeps until the lock is released, or this thread has looked whether the others live. */
  private sleep(word: number): void {
    const { words, lives } = this
    const seen = Atomics.load(words, word)
    if (seen === 0) return
    if ((seen & WAITED) === 0 && Atomics.compareExchange(words, word, seen, seen | WAITED) !== seen) return
    if (Atomics.wait(words, word, seen | WAITED, lives?.lookMs) === 'timed-out') lives?.look()
    if (lives?.hasFailed !== true) return
    throw new InvariantError(`a thread has died, and ${holderOf(seen)} holds a lock that another waits for`)
  }
}

/** The thread that holds a lock, by its word, for messages. */
function holderOf(word: number): string { return word >>> 1 === 0 ? 'no thread' : `thread ${(word >>> 1) - 1}` }
