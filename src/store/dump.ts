// Walks over items for those who list them, in bounded steps between which everything goes on.
//
// A Dump goes through the buckets of the hash table, and takes the whole chain of a bucket while it has the lock of its
// stripe. The table is never rehashed and an item stays in the bucket of its key wherever its memory or its lists move, so
// a key that is there from the beginning of a dump to its end is taken exactly once. One that comes or goes meanwhile is
// taken once or not at all.
//
// A ClassDump goes through the lists of one class, newest first, as `stats cachedump` always did. Its place between two
// steps is an item that it pins. If that is dropped or moved to another list meanwhile, or none can be pinned, the rest of
// this list is left out.
import { assert } from '../errors.js'
import { ListWord, State } from '../memory/layout.js'
import { type StoreContext } from './context.js'
import { type ClassSet } from './crawler.js'
import { NO_ITEM, Segment, type ItemId } from './items.js'
import { type Shard } from './shard.js'

/** After so many items a step ends: so much is done in some 50 microseconds. */
const ITEMS_PER_STEP = 64
/** How many more the step of a class may take, to find one that it can pin. */
const PIN_TRIES = 8
/** What the step of a class takes at most. */
export const CLASS_STEP_ITEMS_MAX = ITEMS_PER_STEP + PIN_TRIES
/** How many buckets a step looks into at most, most of them empty. */
const BUCKETS_PER_STEP = 32_768

/** Who is given the items of a dump. While it is, an item and its bucket are locked: it copies, and waits for nothing. */
export interface Taker {
  /** The items of one bucket follow. */
  begin(): void
  /** False: there is no room for it; then all those of its bucket come again. */
  take(shard: Shard, item: ItemId): boolean
  /** Forgets what was taken since `begin`. */
  rewind(): void
}

export class Dump {
  private shardAt = 0
  private bucket = 0

  /** @param classes only items of these are taken */
  constructor(private readonly shards: readonly Shard[], private readonly context: StoreContext,
    private readonly classes: ClassSet) {}

  /**
   * Takes some items; true if that was the end.
   * @param taker it must have room for any single bucket when a step begins
   */
  step(taker: Taker): boolean {
    let items = 0
    for (let buckets = 0; buckets < BUCKETS_PER_STEP && items < ITEMS_PER_STEP; buckets++) {
      const shard = this.shards[this.shardAt]
      if (shard === undefined) return true
      if (shard.table.head(this.bucket) !== NO_ITEM) {
        const count = this.takeBucket(shard, taker)
        if (count < 0) {
          assert(items > 0, 'the items of one bucket are more than can be taken at once')
          return false
        }
        items += count
      }
      if (++this.bucket < shard.table.bucketCount) continue
      this.shardAt++
      this.bucket = 0
    }
    return false
  }

  /** How many items were met; -1 if there was no room for all of them. */
  private takeBucket(shard: Shard, taker: Taker): number {
    const { bucket, context } = this
    let count = 0
    let hasRoom = true
    taker.begin()
    // the number of a bucket is the end of all the hashes in it, and so is that of their stripe
    context.stripes.take(bucket)
    for (let item = shard.table.head(bucket); item !== NO_ITEM && hasRoom; item = shard.items.chain(item)) {
      count++
      const slabClass = shard.space.classOf(item)
      if (this.classes.has(slabClass) && !shard.space.isDead(item)) hasRoom = taker.take(shard, item)
    }
    context.stripes.release(bucket)
    if (hasRoom) return count
    taker.rewind()
    return -1
  }
}

/** In the order in which items wander through them. */
const SEGMENTS = [Segment.Hot, Segment.Warm, Segment.Cold, Segment.Temp] as const

export class ClassDump {
  private shardAt = 0
  private segmentAt = 0
  /** The last item that was taken, pinned; NO_ITEM at the start of a list. */
  private pinned: ItemId = NO_ITEM
  /** How many items the step may still take. */
  private left = 0

  constructor(private readonly shards: readonly Shard[], private readonly context: StoreContext,
    private readonly slabClass: number) {}

  /** Takes some items; true if that was the end, or there was no room for one of them. `close` follows, or comes before. */
  step(taker: Pick<Taker, 'take'>): boolean {
    this.left = ITEMS_PER_STEP
    while (this.left > 0) {
      const shard = this.shards[this.shardAt]
      if (shard === undefined) return true
      if (!this.takeFrom(shard, SEGMENTS[this.segmentAt]!, taker)) return true
      if (this.pinned !== NO_ITEM) return false
      this.segmentAt = (this.segmentAt + 1) % SEGMENTS.length
      if (this.segmentAt === 0) this.shardAt++
    }
    return false
  }

  /** Takes the next items of a list, and pins the last of them if there may be more; false if one was refused. */
  private takeFrom(shard: Shard, segment: Segment, taker: Pick<Taker, 'take'>): boolean {
    const { pinned } = this
    shard.slabs.lock(this.slabClass)
    const hasRoom = this.takeLocked(shard, segment, taker)
    shard.slabs.unlock(this.slabClass)
    if (pinned !== NO_ITEM) shard.unpin(pinned)
    return hasRoom
  }

  private takeLocked(shard: Shard, segment: Segment, taker: Pick<Taker, 'take'>): boolean {
    const { items, lru, space } = shard
    let item = this.pinned === NO_ITEM ? lru.get(this.slabClass, segment, ListWord.Head) as ItemId : this.behindPinned(shard, segment)
    this.pinned = NO_ITEM
    for (; item !== NO_ITEM; item = items.next(item)) {
      this.left--
      if (!space.isDead(item) && !taker.take(shard, item)) return false
      if (this.left > 0) continue
      if (this.tryPin(shard, item)) this.pinned = item
      if (this.pinned !== NO_ITEM || this.left === -PIN_TRIES) return true
    }
    return true
  }

  /** The item behind the pinned one; none if that is not in the list any more. */
  private behindPinned({ items }: Shard, segment: Segment): ItemId {
    const isListed = items.has(this.pinned, State.Linked) && items.segment(this.pinned) === segment
    return isListed ? items.next(this.pinned) : NO_ITEM
  }

  /** Pins an item of the list, whose class is locked. Whoever waits for that may have the stripe: then another item will do. */
  private tryPin(shard: Shard, item: ItemId): boolean {
    const hash = shard.space.hashOf(item)
    if (!this.context.stripes.tryTake(hash)) return false
    const isPinned = shard.tryPinLocked(item)
    this.context.stripes.releaseTried(hash)
    return isPinned
  }

  /** Gives back what is held. */
  close(): void {
    if (this.pinned !== NO_ITEM) this.shards[this.shardAt]!.unpin(this.pinned)
    this.pinned = NO_ITEM
  }
}
