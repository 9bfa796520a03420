// The walk that reclaims what is dead and nobody asks for: expired items, and after a flush_all those of older
// generations. It goes through the pages chunk by chunk in bounded steps, and remembers where it stopped.
import { State } from '../memory/layout.js'
import { ClassCounter } from '../stats/counters.js'
import { type StoreContext } from './context.js'
import { type Shard } from './shard.js'

export class Sweep {
  private page: number
  private index = 0

  constructor(private readonly shard: Shard, private readonly context: StoreContext) {
    this.page = shard.arena.firstPage
  }

  /** Looks at up to `chunksMax` chunks. True when this step came to the end of the memory; the next begins anew. */
  step(chunksMax: number): boolean {
    const { arena, slabs } = this.shard
    let left = chunksMax
    while (this.page < arena.pageEnd) {
      const slabClass = slabs.classOfPage(this.page)
      const count = slabClass > 0 ? slabs.carvedChunks(this.page) : 0
      while (this.index < count) {
        if (left-- <= 0) return false
        this.look(slabClass, this.index++)
      }
      this.page++
      this.index = 0
    }
    this.page = arena.firstPage
    return true
  }

  private look(slabClass: number, index: number): void {
    const { items, slabs } = this.shard
    const chunk = slabs.chunkAt(this.page, index, slabClass)
    if (!items.has(chunk, State.Linked)) return
    this.context.counters.addClass(this.shard.space.classOf(chunk), ClassCounter.CrawlerChecked)
    if (this.shard.space.isDead(chunk)) this.shard.space.reclaim(chunk)
  }
}
