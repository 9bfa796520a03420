// The stripes of the hash table: a lock for all keys whose hash ends in the same bits. No other lock is wanted to find,
// read or change the item of a key; see memory/lock.ts for the order.
import { type Locks } from '../memory/lock.js'

export class Stripes {
  private readonly mask: number

  /** @param first word index of `count` locks, a power of two that is no more than the buckets of the smallest table */
  constructor(private readonly locks: Locks, private readonly first: number, private readonly count: number) {
    this.mask = count - 1
  }

  take(hash: number): void { this.locks.take(this.first + (hash & this.mask)) }

  tryTake(hash: number): boolean { return this.locks.tryTake(this.first + (hash & this.mask)) }

  release(hash: number): void { this.locks.release(this.first + (hash & this.mask)) }

  /** Waits until nobody is in the middle of anything, and keeps it so until `releaseAll`. */
  takeAll(): void { for (let hash = 0; hash < this.count; hash++) this.take(hash) }

  releaseAll(): void { for (let hash = 0; hash < this.count; hash++) this.release(hash) }
}
