// Tells whether keys collide: how long the chains of the hash table are. In each background step it looks at a few items all
// over the memory, and at the chains they are in, so a chain is the more likely met the longer it is. The items are those
// at one place of each page, the place being another in each round. What was met is kept for a minute or two.
import { State } from '../../memory/layout.js'
import { type StoreContext } from '../context.js'
import { type Shard } from '../shard.js'

/** How many items of chains a step counts, about: 200 take 0.1 ms where none is in a cache of the processor. */
const ITEMS_PER_STEP = 200
/** A chain is counted no further. By chance none of a full table has more than 20. */
const CHAIN_ITEMS_MAX = 1000
/** A period has so many seconds. */
const PERIOD_SECONDS = 60
/** The golden section: its multiples, less what is whole of them, are spread evenly however many there are. */
const PLACE_STEP = 0.618033988749895

export class Chains {
  private shardIndex = 0
  private page: number
  /** The part of a page that lies before the place looked at in this round. */
  private place = 0
  private periodBegunAt = 0

  constructor(private readonly shards: readonly Shard[], private readonly context: StoreContext) {
    this.page = shards[0]!.arena.firstPage
  }

  /** The items of the longest chain that was met in this period or the one before, at most CHAIN_ITEMS_MAX. */
  get longest(): number { return Math.max(this.context.longestChain, this.context.longestChainBefore) }

  step(): void {
    this.beginPeriodIfDue()
    for (let left = ITEMS_PER_STEP; left > 0; left--) left -= this.lookAtNext()
  }

  private beginPeriodIfDue(): void {
    const { context } = this
    if (context.now < this.periodBegunAt + PERIOD_SECONDS) return
    this.periodBegunAt = context.now
    context.longestChainBefore = context.longestChain
    context.longestChain = 0
  }

  /** Goes on to the next page; answers how many items were counted there. */
  private lookAtNext(): number {
    const shard = this.shards[this.shardIndex]!
    if (this.page < shard.slabs.pageEnd) return this.lookAt(shard, this.page++)
    this.shardIndex = (this.shardIndex + 1) % this.shards.length
    this.page = this.shards[this.shardIndex]!.arena.firstPage
    if (this.shardIndex === 0) this.place = (this.place + PLACE_STEP) % 1
    return 0
  }

  private lookAt({ items, slabs, allocator: space, table }: Shard, page: number): number {
    const slabClass = slabs.classOfPage(page)
    if (slabClass <= 0) return 0
    const chunk = slabs.chunkAt(page, Math.floor(slabs.carvedChunks(page) * this.place), slabClass)
    if (!items.has(chunk, State.Linked)) return 0
    const { context } = this
    // if the chunk becomes something else in this moment, it is the chain of another hash
    const hash = space.hashOf(chunk)
    context.stripes.take(hash)
    const length = table.chainLength(hash, CHAIN_ITEMS_MAX)
    context.stripes.release(hash)
    context.longestChain = Math.max(context.longestChain, length)
    return length
  }
}
