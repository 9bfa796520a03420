// The items that are evicted next, as far as a thread knows. An eviction removes the item from the chain of its bucket, for which
// it waits for memory several times. So a thread reads the heads of the buckets of several items at the tail of a list at once,
// and then the first items of these, and the fetches from memory overlap. It also keeps the hashes of the keys, which this has
// taken.
//
// Other threads may remove these items meanwhile, and store others in their chunks. So a hash is only used if the item is found
// in the bucket of that hash.
import { Size } from '../../memory/layout.js'
import { type Table } from '../index/table.js'
import { NO_ITEM, type ItemId, type Items } from '../items/items.js'

/** The number of items of a list that are prefetched together. */
const AHEAD = 16
/** The number of lists of a class. */
const LISTS = 4

export class Victims {
  /** For each list of each class: the number of items that have been taken, the items, and the hashes of their keys. */
  private readonly taken = new Uint8Array(Size.Classes * LISTS).fill(AHEAD)
  private readonly known = new Int32Array(Size.Classes * LISTS * AHEAD)
  private readonly hashes = new Int32Array(Size.Classes * LISTS * AHEAD)
  private readonly heads = new Int32Array(AHEAD)
  /** All words that `prefetch` has read, by xor. It has no meaning, but keeps the compiler from removing the reads. */
  prefetched = 0

  /** @param hash the hash of an item's key */
  constructor(private readonly items: Items, private readonly table: Table, private readonly hash: (item: ItemId) => number) {}

  /**
   * The hash of the key of the item at the tail of a list of a class; or another hash, if the item is not the one that was there
   * when this thread prefetched it. Needs the lock of the class.
   */
  hashOf(slabClass: number, item: ItemId): number {
    const list = slabClass * LISTS + this.items.segment(item)
    const first = list * AHEAD
    let at = this.taken[list]!
    // items that are not at the tail any more have been moved
    while (at < AHEAD && this.known[first + at] !== item) at++
    if (at === AHEAD) {
      this.prefetch(first, item)
      at = 0
    }
    this.taken[list] = at + 1
    return this.hashes[first + at]!
  }

  private prefetch(first: number, tail: ItemId): void {
    const { hashes, heads, items, known, table } = this
    let sum = 0
    let item = tail
    for (let i = 0; i < AHEAD; i++) {
      known[first + i] = item
      const prev = items.prev(item)
      if (prev !== NO_ITEM) item = prev
    }
    // one kind of read after the other, as a core overlaps only those that are a few instructions apart
    for (let i = 0; i < AHEAD; i++) hashes[first + i] = this.hash(known[first + i]! as ItemId)
    for (let i = 0; i < AHEAD; i++) heads[i] = table.headOf(hashes[first + i]!)
    for (let i = 0; i < AHEAD; i++) sum ^= items.chain(heads[i]! as ItemId)
    this.prefetched = sum
  }
}
