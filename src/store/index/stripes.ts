// The stripes of the hash table: one lock for all keys whose hashes end in the same bits. A thread needs no other lock to find,
// read or change the item of a key. See memory/lock.ts for the order of locks.
//
// A thread holds one stripe at a time, that of the request it serves. During the request it may have to evict items of any
// stripe, for which it only tries to take the lock. If an item has the stripe that the thread holds, `tryTake` succeeds; the
// thread has pinned the items of that stripe that it still needs.
import { type Locks } from '../../memory/lock.js'

export class Stripes {
  private readonly mask: number
  /** The stripe that this thread holds for its request; -1 if it holds none. */
  private held = -1

  /** @param first word index of `count` locks; @param count a power of two, at most the buckets of the smallest table */
  constructor(private readonly locks: Locks, private readonly first: number, private readonly count: number) {
    this.mask = count - 1
  }

  take(hash: number): void {
    const stripe = hash & this.mask
    this.locks.take(this.first + stripe)
    this.held = stripe
  }

  release(hash: number): void {
    this.held = -1
    this.locks.release(this.first + (hash & this.mask))
  }

  /** Tries to take the stripe of another item than that of the request. If it returns true, `releaseTried` must follow. */
  tryTake(hash: number): boolean {
    const stripe = hash & this.mask
    return stripe === this.held || this.locks.tryTake(this.first + stripe)
  }

  releaseTried(hash: number): void {
    const stripe = hash & this.mask
    if (stripe !== this.held) this.locks.release(this.first + stripe)
  }

  /** Waits for all threads that hold a stripe. A thread that takes a stripe after that sees what this thread wrote before. */
  passAll(): void {
    for (let hash = 0; hash < this.count; hash++) {
      this.take(hash)
      this.release(hash)
    }
  }

  /** True if a thread holds a stripe. */
  isAnyHeldBy(thread: number): boolean {
    for (let stripe = 0; stripe < this.count; stripe++) if (this.locks.isHeldBy(this.first + stripe, thread)) return true
    return false
  }

  /** Takes all stripes, so that no thread is in the middle of an operation until `releaseAll`. */
  takeAll(): void { for (let hash = 0; hash < this.count; hash++) this.take(hash) }

  releaseAll(): void { for (let hash = 0; hash < this.count; hash++) this.release(hash) }
}
