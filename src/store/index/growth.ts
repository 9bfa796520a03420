// Grows the hash table of a shard, in bounded background steps. That is needed after the memory limit has been raised, when there
// are more items than buckets.
import { Size } from '../../memory/layout.js'
import { type StoreContext } from '../context.js'
import { type ItemId } from '../items/items.js'
import { type Slabs } from '../slabs/slabs.js'
import { type Allocator } from '../slabs/allocator.js'
import { Table } from './table.js'

export class Growth {
  private readonly hashOf: (item: ItemId) => number

  constructor(private readonly table: Table, private readonly slabs: Slabs, allocator: Allocator,
    private readonly context: StoreContext) {
    this.hashOf = item => allocator.hashOf(item)
  }

  /** True while the table has fewer buckets than it should: than the memory limit allows, and than there are items. */
  get isDue(): boolean { return this.table.bucketCount < this.wanted }

  private get wanted(): number {
    const { table, slabs } = this
    const pages = Math.ceil(slabs.bytesMax / Size.Page)
    return Math.min(Table.bucketCountFor(pages), table.bucketsMax, slabs.usedCount)
  }

  /**
   * Splits some buckets.
   * @param cost the bound of the step: a bucket costs one, and so does each of its items, of which there may be many
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
