// Walks over items for those who list them, in bounded steps between which everything goes on.
//
// A Dump goes through the memory, page by page and chunk by chunk, and takes an item while it has the lock of its stripe. So it
// takes as long as there is memory in use, and its order, which is that of addresses, tells nothing of hashes. A key that is
// there from the beginning of a dump to its end is taken exactly once, wherever its memory moves and whatever is stored under
// it: marks.ts says how. One that comes or goes meanwhile is taken once or not at all. A store has one dump at a time.
//
// A ClassDump goes through the lists of one class, newest first, as `stats cachedump` always did. Its place between two
// steps is an item that it pins. If that is dropped or moved to another list meanwhile, or none can be pinned, the rest of
// this list is left out.
import { assert } from '../../errors.js'
import { ListWord, State } from '../../memory/layout.js'
import { type StoreContext } from '../context.js'
import { type ClassSet } from './crawler.js'
import { NO_ITEM, Segment, type ItemId } from '../items/items.js'
import { type Shard } from '../shard.js'
import { type ItemView } from '../view.js'

/**
 * What a step of a dump may cost: to look at a page or a chunk is one, to take an item so many, to make a page ready for the
 * walk so many. All in all some 0.2 ms, and where memory is slow no more than 0.4.
 */
const STEP_COST = 3000
const ITEM_COST = 12
const PAGE_COST = 20
/** After so many items the step of a class ends: so much is done in some 50 microseconds. */
const ITEMS_PER_STEP = 64
/** How many more the step of a class may take, to find one that it can pin. */
const PIN_TRIES = 8
/** What the step of a class takes at most. */
export const CLASS_STEP_ITEMS_MAX = ITEMS_PER_STEP + PIN_TRIES

/** Takes the items of a dump, each of which is locked meanwhile: it copies, and waits for nothing. */
export interface Visitor {
  /** Takes an item; false if it has no room for it: then the item comes again. */
  visit(view: ItemView): boolean
}

/** What a dump does in its steps, in this order. */
const enum Stage { Settle, Clear, Begin, Ask, Walk, Done }

export class Dump {
  private stage = Stage.Settle
  /** The page at work, and its class and next chunk while it is walked. */
  private shardAt = 0
  private page = 0
  private slabClass = 0
  private index = 0
  private isInPage = false
  /** Whether a page was walked since the walk last was at the first. */
  private hasWalked = false
  /** What the step may still cost. */
  private left = 0
  private taken = 0

  /**
   * @param classes only items of these are taken
   * @param prefix and of these, only those whose keys begin with these bytes
   */
  constructor(private readonly shards: readonly Shard[], private readonly context: StoreContext,
    private readonly classes: ClassSet, private readonly prefix: Uint8Array) {}

  /**
   * Takes some items; true if that was the end. `close` follows, or comes before.
   * @param visitor it must have room for any single item when a step begins
   */
  step(visitor: Visitor): boolean {
    this.left = STEP_COST
    this.taken = 0
    while (this.left > 0 && this.stage !== Stage.Done && this.advance(visitor));
    return this.stage === Stage.Done
  }

  /** Does the next thing; false if the step ends here. */
  private advance(visitor: Visitor): boolean {
    switch (this.stage) {
      case Stage.Settle: return this.settle()
      case Stage.Clear: return this.prepare((shard, page) => shard.marks.clear(page))
      case Stage.Begin: return this.begin()
      case Stage.Ask: return this.prepare((shard, page) => shard.marks.ask(page))
      case Stage.Walk: return this.walk(visitor)
      case Stage.Done: return false
    }
  }

  /** After this nobody marks any more for a dump that was before. */
  private settle(): boolean {
    this.context.stripes.passAll()
    this.enter(Stage.Clear)
    return false
  }

  /** After this everybody marks what is stored or moved. */
  private begin(): boolean {
    for (const { marks } of this.shards) marks.isOn = true
    this.context.stripes.passAll()
    this.enter(Stage.Ask)
    return false
  }

  private enter(stage: Stage): void {
    this.stage = stage
    this.shardAt = 0
    this.page = 0
  }

  /** Makes the next page ready, of all that have been used. */
  private prepare(makeReady: (shard: Shard, page: number) => void): boolean {
    const shard = this.shards[this.shardAt]
    if (shard === undefined) {
      this.enter(this.stage + 1)
      return true
    }
    this.left -= PAGE_COST
    this.page = Math.max(this.page, shard.arena.firstPage)
    if (this.page < shard.slabs.pageEnd) makeReady(shard, this.page++)
    else this.nextShard()
    return true
  }

  private nextShard(): void {
    this.shardAt++
    this.page = 0
  }

  /** Goes on with the page at work, or to the next that is to be walked. */
  private walk(visitor: Visitor): boolean {
    const shard = this.shards[this.shardAt]
    if (shard === undefined) {
      this.enter(this.hasWalked ? Stage.Walk : Stage.Done)
      this.hasWalked = false
      return true
    }
    if (this.isInPage) return this.walkPage(shard, visitor)
    this.left--
    this.page = Math.max(this.page, shard.arena.firstPage)
    if (this.page >= shard.slabs.pageEnd) this.nextShard()
    else if (shard.marks.take(this.page)) this.enterPage(shard)
    else this.page++
    return true
  }

  private enterPage({ slabs }: Shard): void {
    this.slabClass = slabs.classOfPage(this.page)
    this.index = 0
    this.isInPage = true
    if (this.isWanted(this.slabClass, slabs.classes.largest)) this.hasWalked = true
  }

  /** Walks what is left of the page at work; false if the step ends before. */
  private walkPage(shard: Shard, visitor: Visitor): boolean {
    const { slabs } = shard
    const { page, slabClass } = this
    // in one that has gone to another class nothing is left of what was there; what came since has asked for another walk
    const isToWalk = this.isWanted(slabClass, slabs.classes.largest) && slabs.classOfPage(page) === slabClass
    const count = isToWalk ? slabs.carvedChunks(page) : 0
    for (; this.index < count; this.index++) {
      if (this.left-- <= 0 || !this.look(shard, slabs.chunkAt(page, this.index, slabClass), visitor)) return false
    }
    this.isInPage = false
    this.page++
    return true
  }

  /** The header of a large item, which counts as one of the largest class, may be in a page of any. */
  private isWanted(slabClass: number, largest: number): boolean {
    return slabClass > 0 && (this.classes.has(slabClass) || this.classes.has(largest))
  }

  /** Takes what is in a chunk if it is an item that is wanted; false if there was no room for it. */
  private look(shard: Shard, chunk: ItemId, visitor: Visitor): boolean {
    const { items, marks, allocator: space, table } = shard
    if (!items.has(chunk, State.Linked) || marks.isDone(chunk)) return true
    const { stripes } = this.context
    // rubbish, perhaps, if the chunk has become something else in this moment; then the table does not hold it
    const hash = space.hashOf(chunk)
    stripes.take(hash)
    const hasRoom = !table.holds(hash, chunk) || marks.isDone(chunk) || this.takeStripeLocked(shard, chunk, visitor)
    stripes.release(hash)
    this.left -= ITEM_COST
    return hasRoom
  }

  private takeStripeLocked(shard: Shard, item: ItemId, visitor: Visitor): boolean {
    const { items, marks, allocator: space } = shard
    if (this.classes.has(space.classOf(item)) && items.keyBeginsWith(item, this.prefix) && !space.isDead(item)) {
      if (!visitor.visit(shard.view.of(item))) {
        assert(this.taken > 0, 'an item is more than can be taken at once')
        return false
      }
      this.taken++
    }
    // what is not wanted need not be met again either
    marks.done(item)
    return true
  }

  /** Nobody need mark for it any more. */
  close(): void { for (const { marks } of this.shards) marks.isOn = false }
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
  step(visitor: Visitor): boolean {
    this.left = ITEMS_PER_STEP
    while (this.left > 0) {
      const shard = this.shards[this.shardAt]
      if (shard === undefined) return true
      if (!this.takeFrom(shard, SEGMENTS[this.segmentAt]!, visitor)) return true
      if (this.pinned !== NO_ITEM) return false
      this.segmentAt = (this.segmentAt + 1) % SEGMENTS.length
      if (this.segmentAt === 0) this.shardAt++
    }
    return false
  }

  /** Takes the next items of a list, and pins the last of them if there may be more; false if one was refused. */
  private takeFrom(shard: Shard, segment: Segment, visitor: Visitor): boolean {
    const { pinned } = this
    shard.slabs.lock(this.slabClass)
    const hasRoom = this.takeClassLocked(shard, segment, visitor)
    shard.slabs.unlock(this.slabClass)
    if (pinned !== NO_ITEM) shard.unpin(pinned)
    return hasRoom
  }

  private takeClassLocked(shard: Shard, segment: Segment, visitor: Visitor): boolean {
    const { items, lru, allocator: space } = shard
    let item = this.pinned === NO_ITEM ? lru.get(this.slabClass, segment, ListWord.Head) as ItemId
      : this.behindPinned(shard, segment)
    this.pinned = NO_ITEM
    for (; item !== NO_ITEM; item = items.next(item)) {
      this.left--
      if (!space.isDead(item) && !visitor.visit(shard.view.of(item))) return false
      if (this.left > 0) continue
      if (this.tryPinClassLocked(shard, item)) this.pinned = item
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
  private tryPinClassLocked(shard: Shard, item: ItemId): boolean {
    const hash = shard.allocator.hashOf(item)
    if (!this.context.stripes.tryTake(hash)) return false
    const isPinned = shard.tryPinStripeLocked(item)
    this.context.stripes.releaseTried(hash)
    return isPinned
  }

  /** Gives back what is held. */
  close(): void {
    if (this.pinned !== NO_ITEM) this.shards[this.shardAt]!.unpin(this.pinned)
    this.pinned = NO_ITEM
  }
}
