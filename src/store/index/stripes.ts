// The stripes of the hash table: a lock for all keys whose hash ends in the same bits. No other lock is wanted to find,
// read or change the item of a key; see memory/lock.ts for the order.
//
// A thread holds one stripe at a time, that of the request it serves, and on its way may want to evict items, of any
// stripe: for those it only tries. Of the one it holds anyway it may have them too; what it needs there it has pinned.
import { type Locks } from '../../memory/lock.js'

export class Stripes {
  private readonly mask: number
  /** The stripe that this thread holds for its request; -1 for none. */
  private held = -1

  /** @param first word index of `count` locks, a power of two that is no more than the buckets of the smallest table */
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

  /** For an item beside that of the request; to be followed by `releaseTried`. */
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

  /** Takes all stripes, so that no thread is in the middle of an operation until `releaseAll`. */
  takeAll(): void { for (let hash = 0; hash < this.count; hash++) this.take(hash) }

  releaseAll(): void { for (let hash = 0; hash < this.count; hash++) this.release(hash) }
}
