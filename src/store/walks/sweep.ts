// The walk that reclaims what is dead and nobody asks for: expired items, and after a flush_all those of older
// generations. It goes through the pages of one class after the other, chunk by chunk, in bounded steps, and remembers
// where it stopped: also between two walks of which the first was to look at so many items of a class only.
import { ClassWord, Size, State } from '../../memory/layout.js'
import { ClassCounter } from '../../stats/counters.js'
import { type StoreContext } from '../context.js'
import { ClassSet } from './crawler.js'
import { type ItemId } from '../items/items.js'
import { type Shard } from '../shard.js'

/** To reclaim an item takes as long as to look at so many. */
const RECLAIM_COST = 5

export class Sweep {
  private readonly parts: readonly ShardSweep[]
  private at = 0
  /**
   * Whether this walk is one of the crawler: then what it looks at and reclaims counts as the crawler's, and what has just
   * ended is left for a second, see Allocator.isLongDead.
   */
  isCrawl = true

  constructor(shards: readonly Shard[], context: StoreContext) {
    this.parts = shards.map(shard => new ShardSweep(shard, context))
  }

  /**
   * Begins a walk.
   * @param tocrawl how many items it looks at in each class, 0 for all
   * @param isCrawl see there; if it is none, what it finds counts as found at the tails of the lists
   */
  begin(classes: ClassSet, tocrawl: number, isCrawl: boolean): void {
    this.at = 0
    this.isCrawl = isCrawl
    for (const part of this.parts) part.begin(classes, Math.ceil(tocrawl / this.parts.length), isCrawl)
  }

  /** Looks at up to `chunksMax` chunks and pages, fewer where there is much to reclaim. True when the walk has come to its end. */
  step(chunksMax: number): boolean {
    if (this.parts[this.at]!.step(chunksMax)) this.at++
    return this.at === this.parts.length
  }

  /** Whether the walk left nothing out so far. */
  get isWhole(): boolean { return this.parts.every(part => part.isWhole) }

  /** Whether more than one in `share` of the items that the walk looked at were dead. */
  hasFound(share: number): boolean {
    return this.parts.reduce((sum, { found }) => sum + found, 0) * share > this.parts.reduce((sum, { seen }) => sum + seen, 0)
  }
}

class ShardSweep {
  /** Whether no item was left out. */
  isWhole = true
  /** The items that were looked at, and those of them that were dead. */
  seen = 0
  found = 0
  private classes = ClassSet.all
  private tocrawl = 0
  private isCrawl = true
  private slabClass = 1
  private page: number
  private index = 0
  private looked = 0
  private left = 0
  /** By class: where a walk with `tocrawl` goes on. */
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
    this.looked = 0
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

  /** The header of a large item, which counts as one of the largest class, may be in a page of any. */
  private isWalked(slabClass: number): boolean {
    if (this.shard.slabs.get(slabClass, ClassWord.PageCount) === 0) return false
    return this.classes.has(slabClass) || this.classes.has(this.shard.slabs.classes.largest)
  }

  /** Walks what is left of the class at work; false if the step ends before. */
  private walk(): boolean {
    const { arena, slabs } = this.shard
    const { slabClass } = this
    for (; this.page < slabs.pageEnd; this.page++, this.index = 0) {
      if (this.left-- <= 0) return false
      if (slabs.classOfPage(this.page) !== slabClass) continue
      const count = slabs.carvedChunks(this.page)
      while (this.index < count) {
        if (this.left-- <= 0) return false
        this.look(slabs.chunkAt(this.page, this.index++, slabClass))
        if (this.tocrawl === 0 || this.looked < this.tocrawl) continue
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

  private look(chunk: ItemId): void {
    const { items, allocator: space } = this.shard
    if (!items.has(chunk, State.Linked)) return
    const slabClass = space.classOf(chunk)
    if (!this.classes.has(slabClass)) return
    this.looked++
    this.seen++
    if (this.isCrawl) this.context.counters.addClass(slabClass, ClassCounter.CrawlerChecked)
    if (this.isCrawl ? !space.isLongDead(chunk) : !space.isDead(chunk)) return
    this.found++
    space.reclaim(chunk, this.isCrawl ? ClassCounter.CrawlerReclaimed : ClassCounter.Reclaimed)
    this.left -= RECLAIM_COST
  }
}
