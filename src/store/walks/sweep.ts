// The walk that reclaims dead items that no client asks for: expired items and, after a flush_all, those of older generations. It
// goes through the pages of one class after the other, chunk by chunk, in bounded steps. It remembers where it stopped, even
// between two walks if the first was limited to a number of items in each class.
import { ClassWord, Size, State } from '../../memory/layout.js'
import { ClassCounter } from '../../stats/counters.js'
import { type StoreContext, type WalkSink } from '../context.js'
import { ClassSet } from './crawler.js'
import { type ItemId } from '../items/items.js'
import { type Shard } from '../shard.js'

/** The number of chunks that can be checked in the time that it takes to reclaim an item. */
const RECLAIM_COST = 5

export class Sweep {
  private readonly parts: readonly ShardSweep[]
  private at = 0
  /**
   * True for a walk of the crawler: the items that it checks and reclaims count as the crawler's, and items that have just
   * expired are left for a second, see Allocator.isLongDead.
   */
  isCrawl = true

  constructor(shards: readonly Shard[], context: StoreContext) {
    this.parts = shards.map(shard => new ShardSweep(shard, context))
  }

  /**
   * Begins a walk.
   * @param tocrawl the most items to check in each class, 0 for all
   * @param isCrawl see the property; if false, reclaimed items count as found at the tails of the lists
   */
  begin(classes: ClassSet, tocrawl: number, isCrawl: boolean): void {
    this.at = 0
    this.isCrawl = isCrawl
    for (const part of this.parts) part.begin(classes, Math.ceil(tocrawl / this.parts.length), isCrawl)
  }

  /** Checks up to `chunksMax` chunks and pages, fewer if there is much to reclaim. Returns true at the end of the walk. */
  step(chunksMax: number): boolean {
    if (this.parts[this.at]!.step(chunksMax)) this.at++
    return this.at === this.parts.length
  }

  /** True if the walk has left nothing out so far. */
  get isWhole(): boolean { return this.parts.every(part => part.isWhole) }

  /** True if more than one in `share` of the items that the walk checked were dead. */
  hasFound(share: number): boolean {
    const found = this.parts.reduce((sum, part) => sum + part.found, 0)
    const seen = this.parts.reduce((sum, part) => sum + part.seen, 0)
    return found * share > seen
  }
}

class ShardSweep {
  /** True if no item was left out. */
  isWhole = true
  /** The numbers of items that were checked, and of those that were dead. */
  seen = 0
  found = 0
  private classes = ClassSet.all
  private tocrawl = 0
  private isCrawl = true
  private slabClass = 1
  private page: number
  private index = 0
  /** The number of items that were checked in the current class. */
  private seenOfClass = 0
  /** The cost that is left in the step. */
  private left = 0
  /** The pages and chunks, by class, at which a walk with `tocrawl` goes on. */
  private readonly resumePages = new Int32Array(Size.Classes)
  private readonly resumeIndexes = new Int32Array(Size.Classes)

  constructor(private readonly shard: Shard, private readonly context: StoreContext) {
    this.page = shard.arena.firstPage
    this.resumePages.fill(this.page)
  }

  begin(classes: ClassSet, tocrawl: number, isCrawl: boolean): void {
    this.isCrawl = isCrawl
    this.classes = classes
    this.tocrawl = tocrawl
    this.isWhole = classes === ClassSet.all
    this.seen = this.found = 0
    this.enter(1)
  }

  private enter(slabClass: number): void {
    this.slabClass = slabClass
    this.seenOfClass = 0
    this.page = this.tocrawl === 0 ? this.shard.arena.firstPage : this.resumePages[slabClass]!
    this.index = this.tocrawl === 0 ? 0 : this.resumeIndexes[slabClass]!
    if (this.page !== this.shard.arena.firstPage || this.index !== 0) this.isWhole = false
  }

  step(chunksMax: number): boolean {
    this.left = chunksMax
    while (this.slabClass <= this.shard.slabs.classes.largest) {
      if (this.isWalked(this.slabClass) && !this.walk()) return false
      this.enter(this.slabClass + 1)
    }
    return true
  }

  /** True if a class may have wanted items. Large items count in the largest class, with headers in any class. */
  private isWalked(slabClass: number): boolean {
    if (this.shard.slabs.get(slabClass, ClassWord.PageCount) === 0) return false
    return this.classes.has(slabClass) || this.classes.has(this.shard.slabs.classes.largest)
  }

  /** Walks the rest of the current class; false if the step ends before. */
  private walk(): boolean {
    const { arena, slabs } = this.shard
    const { slabClass } = this
    for (; this.page < slabs.pageEnd; this.page++, this.index = 0) {
      if (this.left-- <= 0) return false
      if (slabs.classOfPage(this.page) !== slabClass) continue
      const count = slabs.carvedChunks(this.page)
      while (this.index < count) {
        if (this.left-- <= 0) return false
        this.check(slabs.chunkAt(this.page, this.index++, slabClass))
        if (this.tocrawl === 0 || this.seenOfClass < this.tocrawl) continue
        this.isWhole = false
        this.resumeAt(slabClass, this.page, this.index)
        return true
      }
    }
    this.resumeAt(slabClass, arena.firstPage, 0)
    return true
  }

  private resumeAt(slabClass: number, page: number, index: number): void {
    this.resumePages[slabClass] = page
    this.resumeIndexes[slabClass] = index
  }

  private check(chunk: ItemId): void {
    const { items, allocator } = this.shard
    if (!items.has(chunk, State.Linked)) return
    const slabClass = allocator.classOf(chunk)
    if (!this.classes.has(slabClass)) return
    this.seenOfClass++
    this.seen++
    if (this.isCrawl) this.context.counters.addClass(slabClass, ClassCounter.CrawlerChecked)
    if (this.isCrawl ? !allocator.isLongDead(chunk) : !allocator.isDead(chunk)) {
      if (this.context.walkSink !== undefined) this.show(this.context.walkSink, slabClass, chunk)
      return
    }
    this.found++
    allocator.reclaim(chunk, this.isCrawl ? ClassCounter.CrawlerReclaimed : ClassCounter.Reclaimed)
    this.left -= RECLAIM_COST
  }

  private show(sink: WalkSink, slabClass: number, item: ItemId): void {
    const { items } = this.shard
    const start = items.keyStart(item)
    sink.walked(slabClass, items.valueBytes(item), items.bytes, start, start + items.keyBytes(item))
  }
}
