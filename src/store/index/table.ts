// The hash table of one arena: an array of buckets, each the head of a chain of items. There are addresses for as many buckets
// as an arena full of the smallest items needs. The number in use at the start follows from the memory limit. If the limit is
// raised, and there are more items than buckets, the table grows by linear hashing: one bucket after the other is split in two,
// each under the lock of its stripe, which is also the stripe of the new bucket. A table made for the whole arena at once would
// spread over more memory than needed: if it is twice as large, each set takes a tenth longer, and with -m 64 it would take
// 60 MiB more.
//
// The caller holds the lock of the hash's stripe. Another thread may split buckets of other stripes meanwhile. Whatever number of
// buckets the caller sees, it leads to the right bucket for its hash.
import { assert } from '../../errors.js'
import { type Arena } from '../../memory/arena.js'
import { ShardWord, Size } from '../../memory/layout.js'
import { NO_ITEM, type ItemId, type Items } from '../items/items.js'

/** The bytes of pages for each bucket. If the memory is full of the smallest items, a chain has 1.4 of them on average. */
const BYTES_PER_BUCKET = 128
const BUCKETS_MIN = 1024
/** The most buckets: enough for an arena full of the smallest items. */
const BUCKETS_MAX = 2 ** 24

export class Table {
  private readonly words: Int32Array
  private readonly heads: number
  private readonly count: number
  /**
   * The number of items that this thread has removed. A caller that has found an item, and then allocates memory, which may evict
   * items, knows by a change of this number that its item may be gone.
   */
  removals = 0

  /** The number of buckets, a power of two, that a table should have if the memory limit allows `pages` pages. */
  static bucketCountFor(pages: number): number {
    const fitting = 2 ** Math.ceil(Math.log2(pages * Size.Page / BYTES_PER_BUCKET))
    return Math.min(Math.max(fitting, BUCKETS_MIN), BUCKETS_MAX)
  }

  /**
   * @param at byte index of the region, which has 4 bytes for each bucket
   * @param bucketsMax the number of buckets that the region has room for
   * @param shardWords word index of the shard's words
   */
  constructor(arena: Arena, private readonly items: Items, at: number, readonly bucketsMax: number, shardWords: number) {
    this.words = arena.words
    this.heads = at >> 2
    this.count = shardWords + ShardWord.Buckets
  }

  /** The number of buckets in use: at least as many as there are stripes. It never shrinks. */
  get bucketCount(): number { return this.words[this.count]! }

  /** Sets the first number of buckets. Called once, while the table is empty. */
  begin(bucketCount: number): void { this.words[this.count] = bucketCount }

  /** The bucket of a hash: its lowest bits, as many as number all buckets; or one bit less if that bucket does not exist yet. */
  private bucketOf(hash: number): number {
    const count = this.words[this.count]!
    const mask = -1 >>> Math.clz32(count - 1)
    const bucket = hash & mask
    return bucket < count ? bucket : bucket & (mask >>> 1)
  }

  /** The first item of the chain in which a key of this hash would be. */
  headOf(hash: number): ItemId { return this.words[this.heads + this.bucketOf(hash)]! as ItemId }

  head(bucket: number): ItemId { return this.words[this.heads + bucket]! as ItemId }

  /** The number of items in the chain of a hash, counted up to `max`. */
  chainLength(hash: number, max: number): number {
    let length = 0
    for (let item = this.headOf(hash); item !== NO_ITEM && length < max; item = this.items.chain(item)) length++
    return length
  }

  find(hash: number, bytes: Uint8Array, keyStart: number, keyBytes: number): ItemId {
    const items = this.items
    let item = this.headOf(hash)
    while (item !== NO_ITEM && !items.hasKey(item, bytes, keyStart, keyBytes)) item = items.chain(item)
    return item
  }

  /** True if an item is in the table under this hash; false if its chunk has been reused. */
  holds(hash: number, item: ItemId): boolean {
    let at = this.headOf(hash)
    while (at !== NO_ITEM && at !== item) at = this.items.chain(at)
    return at === item
  }

  insert(hash: number, item: ItemId): void {
    const head = this.heads + this.bucketOf(hash)
    this.items.setChain(item, this.words[head]! as ItemId)
    this.words[head] = item
  }

  /** Removes an item that is in the table. */
  remove(hash: number, item: ItemId): void {
    const items = this.items
    this.removals++
    const next = items.chain(item)
    this.unhook(hash, item, next)
  }

  /** Puts `replacement`, which has the same key, in the place of `item`. */
  replace(hash: number, item: ItemId, replacement: ItemId): void {
    this.items.setChain(replacement, this.items.chain(item))
    this.unhook(hash, item, replacement)
  }

  private unhook(hash: number, item: ItemId, next: ItemId): void {
    const items = this.items
    const head = this.heads + this.bucketOf(hash)
    let at = this.words[head]! as ItemId
    if (at === item) {
      this.words[head] = next
      return
    }
    while (at !== NO_ITEM && items.chain(at) !== item) at = items.chain(at)
    assert(at !== NO_ITEM, 'an item is not in the chain of its hash')
    items.setChain(at, next)
  }

  // Growing, which only one thread does

  /** The bucket that is split next. Its number is also a hash of the stripe that must be locked for the split. */
  get nextToSplit(): number {
    const { bucketCount } = this
    return bucketCount - this.half(bucketCount)
  }

  /** The largest power of two up to `bucketCount`. So many buckets are split before the first is split again. */
  private half(bucketCount: number): number { return 1 << (31 - Math.clz32(bucketCount)) }

  /** Splits `nextToSplit`: moves the items whose hashes have the next bit set to a new bucket. Returns the number of items. */
  split(hashOf: (item: ItemId) => number): number {
    const { items, words, heads, bucketCount } = this
    const bit = this.half(bucketCount)
    let count = 0
    let stays: ItemId = NO_ITEM
    let goes: ItemId = NO_ITEM
    let item = words[heads + bucketCount - bit]! as ItemId
    // an empty bucket is not written, so that it takes no memory
    if (item !== NO_ITEM) {
      while (item !== NO_ITEM) {
        const next = items.chain(item)
        if ((hashOf(item) & bit) === 0) {
          items.setChain(item, stays)
          stays = item
        } else {
          items.setChain(item, goes)
          goes = item
        }
        item = next
        count++
      }
      words[heads + bucketCount - bit] = stays
      words[heads + bucketCount] = goes
    }
    words[this.count] = bucketCount + 1
    return count
  }
}
