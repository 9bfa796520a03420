// Measures the chains of the hash table, which would be long if keys collided. In each background step it takes a few items all
// over the memory and counts the chains that they are in, so it is more likely to meet a longer chain. In one round it takes the
// item at a given place of each page; each round has another place. The longest chain is kept for a minute or two.
import { State } from '../../memory/layout.js'
import { type StoreContext } from '../context.js'
import { type Shard } from '../shard.js'

/** The approximate number of items that a step counts. 200 take 0.1 ms if none is in the processor's cache. */
const ITEMS_PER_STEP = 200
/** The most items that are counted in a chain. By chance, no chain of a full table has more than 20. */
const CHAIN_ITEMS_MAX = 1000
/** The length of a period in seconds. */
const PERIOD_SECONDS = 60
/** The golden ratio: the fractional parts of its multiples are spread evenly, however many there are. */
const PLACE_STEP = 0.618033988749895

export class Chains {
  private shardIndex = 0
  private page: number
  /** The place of this round, as a fraction of a page's chunks. */
  private place = 0
  private periodBegunAt = 0

  constructor(private readonly shards: readonly Shard[], private readonly context: StoreContext) {
    this.page = shards[0]!.arena.firstPage
  }

  /** The length of the longest chain that was met in this period or the one before, at most CHAIN_ITEMS_MAX. */
  get longest(): number { return Math.max(this.context.longestChain, this.context.longestChainBefore) }

  step(): void {
    this.beginPeriodIfDue()
    for (let left = ITEMS_PER_STEP; left > 0; left--) left -= this.measureNext()
  }

  private beginPeriodIfDue(): void {
    const { context } = this
    if (context.now < this.periodBegunAt + PERIOD_SECONDS) return
    this.periodBegunAt = context.now
    context.longestChainBefore = context.longestChain
    context.longestChain = 0
  }

  /** Goes on to the next page. Returns the number of items that were counted there. */
  private measureNext(): number {
    const shard = this.shards[this.shardIndex]!
    if (this.page < shard.slabs.pageEnd) return this.measure(shard, this.page++)
    this.shardIndex = (this.shardIndex + 1) % this.shards.length
    this.page = this.shards[this.shardIndex]!.arena.firstPage
    if (this.shardIndex === 0) this.place = (this.place + PLACE_STEP) % 1
    return 0
  }

  private measure({ items, slabs, allocator, table }: Shard, page: number): number {
    const slabClass = slabs.classOfPage(page)
    if (slabClass <= 0) return 0
    const chunk = slabs.chunkAt(page, Math.floor(slabs.carvedChunks(page) * this.place), slabClass)
    if (!items.has(chunk, State.Linked)) return 0
    const { context } = this
    // if another thread reuses the chunk at this moment, the hash is that of another chain, which does no harm
    const hash = allocator.hashOf(chunk)
    context.stripes.take(hash)
    const length = table.chainLength(hash, CHAIN_ITEMS_MAX)
    context.stripes.release(hash)
    context.longestChain = Math.max(context.longestChain, length)
    return length
  }
}
