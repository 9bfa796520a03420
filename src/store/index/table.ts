// The hash table of one arena: heads of chains. There are addresses for as many as an arena full of the smallest items needs;
// how many are in use follows from the memory limit at the start. Where that is raised, and more items come than there are heads,
// the table grows by linear hashing: one bucket after the other is split in two, each under the lock of its stripe, which is
// that of the new one too. A table made for the whole arena at once would lie all over more memory than is used: that costs
// each set a tenth of its time where it is twice as large, and takes 60 MiB more with -m 64.
//
// The callers hold the lock of the stripe of the hash. So of the number of buckets, which others may make larger meanwhile,
// they see whatever concerns their own.
import { assert } from '../../errors.js'
import { type Arena } from '../../memory/arena.js'
import { ShardWord, Size } from '../../memory/layout.js'
import { NO_ITEM, type ItemId, type Items } from '../items/items.js'

/** One bucket for so many bytes of pages: a chain would have 1.4 items when the memory is full of the smallest ones. */
const BYTES_PER_BUCKET = 128
const BUCKETS_MIN = 1024
/** Enough for an arena full of the smallest items. */
const BUCKETS_MAX = 2 ** 24

export class Table {
  private readonly words: Int32Array
  private readonly heads: number
  private readonly count: number
  /** How many items this thread has taken out: who lets others be evicted sees here whether an item it had found may be gone. */
  removals = 0

  /** How many there are to be, a power of two, where the memory limit allows so many pages. */
  static bucketCountFor(pages: number): number {
    const fitting = 2 ** Math.ceil(Math.log2(pages * Size.Page / BYTES_PER_BUCKET))
    return Math.min(Math.max(fitting, BUCKETS_MIN), BUCKETS_MAX)
  }

  /**
   * @param at byte index of the region of 4 bytes a bucket
   * @param bucketsMax how many it has room for
   * @param shardWords word index of the shard's words
   */
  constructor(arena: Arena, private readonly items: Items, at: number, readonly bucketsMax: number, shardWords: number) {
    this.words = arena.words
    this.heads = at >> 2
    this.count = shardWords + ShardWord.Buckets
  }

  /** How many buckets are in use, no less than there are stripes; it never becomes smaller. */
  get bucketCount(): number { return this.words[this.count]! }

  /** Once, before anything is in it. */
  begin(bucketCount: number): void { this.words[this.count] = bucketCount }

  /** The bucket of a hash: by as many of its bits as all buckets need, or by one less where that bucket is not there yet. */
  private bucketOf(hash: number): number {
    const count = this.words[this.count]!
    const mask = -1 >>> Math.clz32(count - 1)
    const bucket = hash & mask
    return bucket < count ? bucket : bucket & (mask >>> 1)
  }

  /** The first item of the chain in which a key of this hash would be. */
  headOf(hash: number): ItemId { return this.words[this.heads + this.bucketOf(hash)]! as ItemId }

  head(bucket: number): ItemId { return this.words[this.heads + bucket]! as ItemId }

  /** How many items are in the chain of a hash, counted up to `most`. */
  chainLength(hash: number, most: number): number {
    let length = 0
    for (let item = this.headOf(hash); item !== NO_ITEM && length < most; item = this.items.chain(item)) length++
    return length
  }

  find(hash: number, bytes: Uint8Array, keyStart: number, keyBytes: number): ItemId {
    const items = this.items
    let item = this.headOf(hash)
    while (item !== NO_ITEM && !items.hasKey(item, bytes, keyStart, keyBytes)) item = items.chain(item)
    return item
  }

  /** True if an item is in the table under its hash; false for a chunk that has become something else. */
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

  /** Takes out an item that is in the table. */
  remove(hash: number, item: ItemId): void {
    const items = this.items
    this.removals++
    const next = items.chain(item)
    this.unhook(hash, item, next)
  }

  /** Puts `heir`, of the same key, where `item` was. */
  replace(hash: number, item: ItemId, heir: ItemId): void {
    this.items.setChain(heir, this.items.chain(item))
    this.unhook(hash, item, heir)
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

  // Growing, which one thread does

  /** The bucket that is split next, which as a hash has the stripe to be locked for that. */
  get nextToSplit(): number {
    const { bucketCount } = this
    return bucketCount - this.half(bucketCount)
  }

  /** The largest power of two up to a number: each of so many buckets is split before the first is split again. */
  private half(bucketCount: number): number { return 1 << (31 - Math.clz32(bucketCount)) }

  /** Makes one more bucket of those of `nextToSplit` whose hash has one more bit; answers how many items both have. */
  split(hashOf: (item: ItemId) => number): number {
    const { items, words, heads, bucketCount } = this
    const bit = this.half(bucketCount)
    let count = 0
    let stays: ItemId = NO_ITEM
    let goes: ItemId = NO_ITEM
    let item = words[heads + bucketCount - bit]! as ItemId
    // a bucket without items is not written to, so that no memory is taken for it
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
