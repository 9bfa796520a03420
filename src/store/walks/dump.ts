// Walks that list items, in bounded steps between which clients are served.
//
// A Dump goes through the memory, page by page and chunk by chunk, and visits an item under the lock of its stripe. So its
// duration depends on the memory in use, and its order, which is that of addresses, reveals nothing about hashes. A key that is
// there from the beginning of a dump to its end is visited exactly once, wherever its item moves and whatever is stored under
// it: see marks.ts. A key that is added or removed meanwhile is visited once or not at all. A store has one dump at a time.
//
// A ClassDump goes through the lists of one class, newest items first, as memcached's `stats cachedump` does. Between two steps
// it keeps its position by the loan of an item. If that item is removed or moved to another list meanwhile, or if no item can be
// kept, the rest of the list is left out.
import { assert } from '../../errors.js'
import { ListWord, State } from '../../memory/layout.js'
import { type StoreContext } from '../context.js'
import { type ClassSet } from './crawler.js'
import { NO_ITEM, Segment, type ItemId } from '../items/items.js'
import { type Shard } from '../shard.js'
import { type ItemView, type ValueLoan } from '../view.js'

/**
 * The cost of a step of a Dump; to check a page or a chunk costs one. A step takes some 0.2 ms, and no more than 0.4 if memory is
 * slow.
 */
const STEP_COST = 3000
/** The cost of visiting an item. */
const ITEM_COST = 12
/** The cost of preparing a page for the walk. */
const PAGE_COST = 20
/** The items in a step of a ClassDump, which take some 50 microseconds. */
const ITEMS_PER_STEP = 64
/** The further items that a step of a ClassDump may visit to find one that it can keep in place. */
const KEEP_TRIES = 8
/** The most items in a step of a ClassDump. */
export const CLASS_STEP_ITEMS_MAX = ITEMS_PER_STEP + KEEP_TRIES

/** The receiver of a dump's items. As each item is locked during its visit, it copies what it needs, and does not wait. */
export interface Visitor {
  /** Visits an item. Returns false if there is no room for it: then the item is visited again later. */
  visit(view: ItemView): boolean
}

/** The stages of a dump, in their order. */
const enum Stage { Settle, Clear, Begin, Ask, Walk, Done }

export class Dump {
  private stage = Stage.Settle
  /** The current page, and its class and next chunk while it is walked. */
  private shardAt = 0
  private page = 0
  private slabClass = 0
  private index = 0
  private isInPage = false
  /** True if a page was walked since the walk last began at the first page. */
  private hasWalked = false
  /** The cost that is left in the step. */
  private left = 0
  private taken = 0

  /**
   * @param classes the classes whose items are visited
   * @param prefix the bytes with which the keys of visited items begin
   */
  constructor(private readonly shards: readonly Shard[], private readonly context: StoreContext,
    private readonly classes: ClassSet, private readonly prefix: Uint8Array) {}

  /**
   * Visits some items. Returns true at the end. The caller calls `close` after that, or to end the dump early.
   * @param visitor must have room for any single item when a step begins
   */
  step(visitor: Visitor): boolean {
    this.left = STEP_COST
    this.taken = 0
    while (this.left > 0 && this.stage !== Stage.Done && this.advance(visitor));
    return this.stage === Stage.Done
  }

  /** Does the next part of a step; false if the step ends here. */
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

  /** Waits until no thread marks items for an earlier dump any more. */
  private settle(): boolean {
    this.context.stripes.passAll()
    this.enter(Stage.Clear)
    return false
  }

  /** Waits until all threads mark the items that they store or move. */
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

  /** Prepares the next page that has been used; after the last one, enters the next stage. */
  private prepare(preparePage: (shard: Shard, page: number) => void): boolean {
    const shard = this.shards[this.shardAt]
    if (shard === undefined) {
      this.enter(this.stage + 1)
      return true
    }
    this.left -= PAGE_COST
    this.page = Math.max(this.page, shard.arena.firstPage)
    if (this.page < shard.slabs.pageEnd) preparePage(shard, this.page++)
    else this.nextShard()
    return true
  }

  private nextShard(): void {
    this.shardAt++
    this.page = 0
  }

  /** Goes on with the current page, or to the next one that is to be walked. */
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

  /** Walks the rest of the current page; false if the step ends before. */
  private walkPage(shard: Shard, visitor: Visitor): boolean {
    const { slabs } = shard
    const { page, slabClass } = this
    // if the page has moved to another class, its items are gone; items stored in it since have asked for another walk
    const isToWalk = this.isWanted(slabClass, slabs.classes.largest) && slabs.classOfPage(page) === slabClass
    const count = isToWalk ? slabs.carvedChunks(page) : 0
    for (; this.index < count; this.index++) {
      if (this.left-- <= 0 || !this.look(shard, slabs.chunkAt(page, this.index, slabClass), visitor)) return false
    }
    this.isInPage = false
    this.page++
    return true
  }

  /** True if a page of this class may have wanted items. Large items count in the largest class, with headers in any class. */
  private isWanted(slabClass: number, largest: number): boolean {
    return slabClass > 0 && (this.classes.has(slabClass) || this.classes.has(largest))
  }

  /** Visits the item in a chunk, if there is one that is wanted; false if the visitor had no room for it. */
  private look(shard: Shard, chunk: ItemId, visitor: Visitor): boolean {
    const { items, marks, allocator, table } = shard
    if (!items.has(chunk, State.Linked) || marks.isDone(chunk)) return true
    const { stripes } = this.context
    // meaningless if another thread reuses the chunk at this moment; then the table does not hold it
    const hash = allocator.hashOf(chunk)
    stripes.take(hash)
    const hasRoom = !table.holds(hash, chunk) || marks.isDone(chunk) || this.takeStripeLocked(shard, chunk, visitor)
    stripes.release(hash)
    this.left -= ITEM_COST
    return hasRoom
  }

  private takeStripeLocked(shard: Shard, item: ItemId, visitor: Visitor): boolean {
    const { items, marks, allocator } = shard
    if (this.classes.has(allocator.classOf(item)) && items.keyBeginsWith(item, this.prefix) && !allocator.isDead(item)) {
      if (!visitor.visit(shard.view.of(item))) {
        assert(this.taken > 0, 'a visitor has no room for a single item')
        return false
      }
      this.taken++
    }
    // an item that is not wanted need not be checked again either
    marks.done(item)
    return true
  }

  /** Ends the dump: threads need not mark items any more. */
  close(): void { for (const { marks } of this.shards) marks.isOn = false }
}

/** The lists in the order in which items pass through them. */
const SEGMENTS = [Segment.Hot, Segment.Warm, Segment.Cold, Segment.Temp] as const

export class ClassDump {
  private shardAt = 0
  private segmentAt = 0
  /** The last item that was visited, which a loan keeps in place; NO_ITEM at the start of a list. */
  private last: ItemId = NO_ITEM
  private loan: ValueLoan | undefined
  /** The number of items that the step may still visit. */
  private left = 0

  constructor(private readonly shards: readonly Shard[], private readonly context: StoreContext,
    private readonly slabClass: number) {}

  /** Visits some items. Returns true at the end, or if the visitor had no room for one. `close` as in Dump. */
  step(visitor: Visitor): boolean {
    this.left = ITEMS_PER_STEP
    while (this.left > 0) {
      const shard = this.shards[this.shardAt]
      if (shard === undefined) return true
      if (!this.takeFrom(shard, SEGMENTS[this.segmentAt]!, visitor)) return true
      if (this.last !== NO_ITEM) return false
      this.segmentAt = (this.segmentAt + 1) % SEGMENTS.length
      if (this.segmentAt === 0) this.shardAt++
    }
    return false
  }

  /** Visits the next items of a list, and keeps the last one in place if there may be more; false if the visitor had no room. */
  private takeFrom(shard: Shard, segment: Segment, visitor: Visitor): boolean {
    const { loan } = this
    shard.slabs.lock(this.slabClass)
    const hasRoom = this.takeClassLocked(shard, segment, visitor)
    shard.slabs.unlock(this.slabClass)
    loan?.end()
    return hasRoom
  }

  private takeClassLocked(shard: Shard, segment: Segment, visitor: Visitor): boolean {
    const { items, lru, allocator } = shard
    let item = this.last === NO_ITEM ? lru.get(this.slabClass, segment, ListWord.Head) as ItemId
      : this.behindLast(shard, segment)
    this.last = NO_ITEM
    this.loan = undefined
    for (; item !== NO_ITEM; item = items.next(item)) {
      this.left--
      if (!allocator.isDead(item) && !visitor.visit(shard.view.of(item))) return false
      if (this.left > 0) continue
      if (this.tryKeepClassLocked(shard, item) || this.left === -KEEP_TRIES) return true
    }
    return true
  }

  /** The item behind the last one; NO_ITEM if that is not in the list any more. */
  private behindLast({ items }: Shard, segment: Segment): ItemId {
    const isListed = items.has(this.last, State.Linked) && items.segment(this.last) === segment
    return isListed ? items.next(this.last) : NO_ITEM
  }

  /** Keeps an item of the list in place. Only tries its stripe, as a thread that holds it may be waiting for the class. */
  private tryKeepClassLocked(shard: Shard, item: ItemId): boolean {
    const hash = shard.allocator.hashOf(item)
    if (!this.context.stripes.tryTake(hash)) return false
    this.last = item
    this.loan = shard.lendStripeLocked(item)
    this.context.stripes.releaseTried(hash)
    return true
  }

  /** Gives back the item that is kept in place. */
  close(): void {
    this.loan?.end()
    this.loan = undefined
    this.last = NO_ITEM
  }
}
