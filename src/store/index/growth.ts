// Has the hash table of a shard grow, in bounded steps in the background: once the memory limit has been raised and more items
// have come than there are buckets.
import { Size } from '../../memory/layout.js'
import { type StoreContext } from '../context.js'
import { type ItemId } from '../items/items.js'
import { type Slabs } from '../slabs/slabs.js'
import { type Allocator } from '../slabs/allocator.js'
import { Table } from './table.js'

export class Growth {
  private readonly hashOf: (item: ItemId) => number

  constructor(private readonly table: Table, private readonly slabs: Slabs, space: Allocator, private readonly context: StoreContext) {
    this.hashOf = item => space.hashOf(item)
  }

  /** True if there are fewer buckets than the memory limit asks for, and than there are items. */
  get isDue(): boolean { return this.table.bucketCount < this.wanted }

  private get wanted(): number {
    const { table, slabs } = this
    const pages = Math.ceil(slabs.bytesMax / Size.Page)
    return Math.min(Table.bucketCountFor(pages), table.bucketsMax, slabs.usedCount)
  }

  /**
   * Splits some buckets.
   * @param cost the bound: a bucket costs one, and so does each of its items, of which there may be many
   */
  step(cost: number): void {
    const { table, wanted, context: { stripes } } = this
    for (let left = cost; left > 0 && table.bucketCount < wanted; left--) {
      const bucket = table.nextToSplit
      stripes.take(bucket)
      left -= table.split(this.hashOf)
      stripes.release(bucket)
    }
  }
}
