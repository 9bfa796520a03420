// The memory that all threads of a cache share beside its store: whether it is open, and the leases of getOrSet.
//
// A lease says that a thread is making the value of a key, so that no other does. It belongs to the hash of the key. It ends when
// the thread gives it back, when the thread has ended, and at a time that its thread has set. Leases lie in groups by their
// hashes, under one lock.
import { Locks } from '../memory/lock.js'
import { type Lives } from '../memory/lives.js'

/** The state of a cache. */
export const enum State { Open, Closed, Died }

const enum Word { State, Lock, Token, Leases = 16 }

/** The words of a lease: its hash, its holder plus 1 or 0 for none, its token, and its end, a double of milliseconds. */
const enum Lease { Hash, Holder, Token, End = 4, Stride = 6 }

const GROUPS = 512
const LEASES_PER_GROUP = 8

export class CacheMemory {
  /** The bytes that a CacheMemory needs, all 0 at the start. */
  static readonly BYTES = (Word.Leases + GROUPS * LEASES_PER_GROUP * Lease.Stride) * 4

  private readonly words: Int32Array
  private readonly doubles: Float64Array
  private readonly locks: Locks

  /** @param memory of BYTES bytes, shared if there are several threads */
  constructor(readonly memory: ArrayBuffer | SharedArrayBuffer, private readonly lives: Lives) {
    this.words = new Int32Array(memory)
    this.doubles = new Float64Array(memory)
    this.locks = new Locks(this.words, memory instanceof SharedArrayBuffer, lives)
  }

  /** The state that this memory has, before a thread is attached to it. */
  static stateOf(memory: SharedArrayBuffer): State { return Atomics.load(new Int32Array(memory), Word.State) }

  /** The state of the cache in all threads. A plain load, as each operation asks. */
  get state(): State { return this.words[Word.State]! }

  /** Closes the cache in all threads. */
  close(): void { Atomics.compareExchange(this.words, Word.State, State.Open, State.Closed) }

  /** Records that a thread has died. */
  fail(): void { Atomics.store(this.words, Word.State, State.Died) }

  // Leases

  /**
   * Takes the lease of a key for this thread.
   * @param now, end times by the clock of the cache, in milliseconds
   * @returns its token; 0 if another lease of the key is in force, or there is no room
   */
  tryLease(hash: number, now: number, end: number): number {
    this.locks.take(Word.Lock)
    const token = this.tryLeaseLocked(hash, now, end)
    this.locks.release(Word.Lock)
    return token
  }

  private tryLeaseLocked(hash: number, now: number, end: number): number {
    const { words, doubles } = this
    let free = 0
    for (let at = firstOf(hash), count = LEASES_PER_GROUP; count > 0; at += Lease.Stride, count--) {
      const isFree = words[at + Lease.Holder] === 0 || doubles[(at + Lease.End) >> 1]! <= now
      if (isFree && free === 0) free = at
      if (!isFree && words[at + Lease.Hash] === hash) return 0
    }
    if (free === 0) return 0
    const token = words[Word.Token] = (words[Word.Token]! + 1) || 1
    words[free + Lease.Hash] = hash
    words[free + Lease.Token] = token
    doubles[(free + Lease.End) >> 1] = end
    words[free + Lease.Holder] = this.lives.thread + 1
    return token
  }

  /** Gives a lease back, if it is in force. */
  release(hash: number, token: number): void {
    const { words } = this
    this.locks.take(Word.Lock)
    for (let at = firstOf(hash), count = LEASES_PER_GROUP; count > 0; at += Lease.Stride, count--) {
      if (words[at + Lease.Holder] === this.lives.thread + 1 && words[at + Lease.Token] === token) words[at + Lease.Holder] = 0
    }
    this.locks.release(Word.Lock)
  }

  /** Gives all leases of a thread back. */
  forget(thread: number): void {
    const { words } = this
    this.locks.take(Word.Lock)
    for (let at = Word.Leases as number; at < words.length; at += Lease.Stride) {
      if (words[at + Lease.Holder] === thread + 1) words[at + Lease.Holder] = 0
    }
    this.locks.release(Word.Lock)
  }

  /** True if a thread holds the lock. */
  isLockedBy(thread: number): boolean { return this.locks.isHeldBy(Word.Lock, thread) }
}

/** The index of the first lease of the group of a hash. The hash was made with a secret key, so any of its bits will do. */
function firstOf(hash: number): number { return Word.Leases + (hash & (GROUPS - 1)) * LEASES_PER_GROUP * Lease.Stride }
