// Quotas (-o prefix_quota): a prefix that takes more than its part of the memory limit has its own items evicted, and not those
// of others. After each value that a thread has stored for such a prefix it evicts until the prefix is within its quota.
//
// The lists of a class have the items of all prefixes, so the items of one are not in any order of their own. A hand goes round
// the chunks of the class instead, and of the next CANDIDATES items of the prefix that it meets, the one that was used longest
// ago goes. An item that was hit since the hand last passed stays for another round. So the items that stay are about those that
// an LRU list of the prefix would keep. The chunk that is freed has the size of the value that was stored, so the next value
// takes it. If the class has no other items of the prefix, those of other classes go.
//
// The search is bounded by CHUNKS_MAX for each value. If that is too little, as the prefix has few items among many of others, or
// one large value came for many small ones, the prefix stays above its quota for now, and the next value goes on where the hand
// has stopped. Threads have hands of their own, and each evicts what it has stored, so several threads may evict an item too
// many.
import { ClassWord, Size, State } from '../../memory/layout.js'
import { ClassCounter } from '../../stats/counters.js'
import { type StoreContext } from '../context.js'
import { type Table } from '../index/table.js'
import { NO_ITEM, type ItemId, type Items } from '../items/items.js'
import { type PrefixUse } from '../items/prefixes.js'
import { type Allocator } from './allocator.js'
import { type Slabs } from './slabs.js'

/** The items of the prefix of which one is evicted; fewer if the hand meets only some among so many chunks. */
const CANDIDATES = 5
const CHUNKS_FOR_CANDIDATES = 64
/** The most evictions for a value that was stored, and the most chunks that are looked at for them, of which each costs 20 ns. */
const EVICTIONS_MAX = 64
const CHUNKS_MAX = 2048
/** The most chunks that are looked at for one eviction in one class. */
const SEARCH_MAX = 512
/** The pages of other classes that are passed at the cost of a chunk. */
const PAGES_PER_CHUNK = 16

export class Quotas {
  /** For each class, the page and the index of the chunk at which its hand is. */
  private readonly pages = new Int32Array(Size.Classes)
  private readonly indexes = new Int32Array(Size.Classes)
  /** The class in which items of other classes were last looked for. */
  private otherClass = 0
  /** The chunks that may still be looked at. */
  private left = 0

  constructor(private readonly items: Items, private readonly table: Table, private readonly slabs: Slabs,
    private readonly allocator: Allocator, private readonly context: StoreContext, private readonly prefixes: PrefixUse) {}

  /**
   * Evicts items of a prefix that is above its quota. The caller holds no lock.
   * @param slabClass the class of the value that was stored, whose key has the hash `except` and is not evicted
   */
  enforce(row: number, slabClass: number, except: number): void {
    const { context, prefixes } = this
    const limit = prefixes.quotaOf(row) * context.maxbytes
    this.left = CHUNKS_MAX
    for (let count = 0; count < EVICTIONS_MAX && this.left > 0 && prefixes.bytesOf(row) > limit; count++) {
      const isDone = this.evictOne(row, slabClass, except) || this.evictOther(row, slabClass, except)
      if (!isDone) return
    }
  }

  private evictOther(row: number, slabClass: number, except: number): boolean {
    const { slabs } = this
    const { largest } = slabs.classes
    for (let count = 0; count < largest && this.left > 0; count++) {
      if (this.otherClass !== slabClass && this.evictOne(row, this.otherClass, except)) return true
      this.otherClass = this.otherClass % largest + 1
    }
    return false
  }

  private evictOne(row: number, slabClass: number, except: number): boolean {
    if (slabClass === 0 || this.slabs.get(slabClass, ClassWord.PageCount) === 0) return false
    const { allocator, context: { stripes }, table } = this
    const item = this.choose(row, slabClass, except)
    if (item === NO_ITEM) return false
    // meaningless if another thread reuses the chunk at this moment; then the table does not hold it
    const hash = allocator.hashOf(item)
    if (allocator.isDead(item)) allocator.reclaim(item, ClassCounter.Reclaimed)
    else {
      stripes.take(hash)
      if (table.holds(hash, item) && this.isOwn(row, item)) allocator.evictStripeLocked(hash, item)
      stripes.release(hash)
    }
    return true
  }

  /** Of the next items of a prefix in a class, the one that was used longest ago; NO_ITEM if the hand meets none. */
  private choose(row: number, slabClass: number, except: number): ItemId {
    let best: ItemId = NO_ITEM
    let active: ItemId = NO_ITEM
    let met = 0
    for (let count = 0; count < SEARCH_MAX && met < CANDIDATES && this.left > 0; count++) {
      if (best !== NO_ITEM && count >= CHUNKS_FOR_CANDIDATES) break
      const chunk = this.nextChunk(slabClass)
      if (chunk === NO_ITEM) break
      const item = this.items.isPiece(chunk) ? this.items.pieceOwner(chunk) : chunk
      if (!this.isOwn(row, item) || this.allocator.hashOf(item) === except) continue
      if (this.isSpared(item)) active = item
      else {
        met++
        if (best === NO_ITEM || this.isOlder(item, best)) best = item
      }
    }
    return best === NO_ITEM ? active : best
  }

  /** True if an item was hit since the hand last passed, which the hand forgets. */
  private isSpared(item: ItemId): boolean {
    const { items, context: { stripes } } = this
    if (!items.has(item, State.Active)) return false
    const hash = this.allocator.hashOf(item)
    stripes.take(hash)
    if (this.table.holds(hash, item)) items.unmark(item, State.Active)
    stripes.release(hash)
    return true
  }

  /** True if there is an item of the prefix in a chunk that no session holds. Without its stripe, this may be wrong. */
  private isOwn(row: number, item: ItemId): boolean {
    const { items, prefixes } = this
    if (!items.has(item, State.Linked) || items.refs(item) > 0) return false
    const start = items.keyStart(item)
    const count = items.keyBytes(item)
    return start + count <= items.bytes.length && prefixes.isKeyOf(row, items.bytes, start, count)
  }

  /** By the second of the last use. In the same second, items that were not fetched since they were stored come first. */
  private isOlder(item: ItemId, other: ItemId): boolean {
    const { items } = this
    if (items.usedAt(item) !== items.usedAt(other)) return items.usedAt(item) < items.usedAt(other)
    const isFetched = items.has(item, State.Fetched)
    if (isFetched !== items.has(other, State.Fetched)) return !isFetched
    if (items.casHigh(item) !== items.casHigh(other)) return items.casHigh(item) < items.casHigh(other)
    return items.casLow(item) < items.casLow(other)
  }

  /** Moves the hand of a class on by a chunk; NO_ITEM if the class has no page. */
  private nextChunk(slabClass: number): ItemId {
    const { slabs } = this
    this.left--
    let page = this.pages[slabClass]!
    let index = ++this.indexes[slabClass]!
    if (page === 0 || slabs.classOfPage(page) !== slabClass || index >= slabs.carvedChunks(page)) {
      page = this.nextPage(slabClass, page)
      index = 0
      this.pages[slabClass] = page
      this.indexes[slabClass] = 0
    }
    return page === 0 ? NO_ITEM : slabs.chunkAt(page, index, slabClass)
  }

  /** The next page of a class behind a page, which may be the same one; 0 if the class has none. */
  private nextPage(slabClass: number, page: number): number {
    const { slabs } = this
    const { firstPage, pageEnd } = slabs
    for (let count = firstPage; count < pageEnd; count++) {
      page = page + 1 < pageEnd ? Math.max(page + 1, firstPage) : firstPage
      if (count % PAGES_PER_CHUNK === 0) this.left--
      if (slabs.classOfPage(page) === slabClass && slabs.carvedChunks(page) > 0) return page
    }
    return 0
  }
}
