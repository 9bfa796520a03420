// The hash table of one arena: heads of chains, made once and never rehashed. It is as large as the memory limit at the start
// asks for. Where that is raised later chains become longer: a table made for the whole arena would lie all over more memory
// than is used, which costs each set a tenth of its time where it is twice as large, and takes 60 MiB more with -m 64.
// The callers hold the lock of the stripe of the hash.
import { type Arena } from '../memory/arena.js'
import { Size } from '../memory/layout.js'
import { NO_ITEM, type ItemId, type Items } from './items.js'

/** One bucket for so many bytes of pages: a chain would have 1.4 items when the memory is full of the smallest ones. */
const BYTES_PER_BUCKET = 128
const BUCKETS_MIN = 1024
/** Enough for an arena full of the smallest items. */
const BUCKETS_MAX = 2 ** 24

export class Table {
  private readonly words: Int32Array
  private readonly heads: number
  readonly bucketCount: number
  private readonly mask: number

  /** @param pages that the memory limit allows at the start */
  static bucketCountFor(pages: number): number {
    const fitting = 2 ** Math.ceil(Math.log2(pages * Size.Page / BYTES_PER_BUCKET))
    return Math.min(Math.max(fitting, BUCKETS_MIN), BUCKETS_MAX)
  }

  /** @param at byte index of the region of 4 bytes a bucket */
  constructor(arena: Arena, private readonly items: Items, at: number, bucketCount: number) {
    this.words = arena.words
    this.heads = at >> 2
    this.bucketCount = bucketCount
    this.mask = bucketCount - 1
  }

  /** The first item of the chain in which a key of this hash would be. */
  headOf(hash: number): ItemId { return this.words[this.heads + (hash & this.mask)]! as ItemId }

  head(bucket: number): ItemId { return this.words[this.heads + bucket]! as ItemId }

  find(hash: number, bytes: Uint8Array, keyStart: number, keyBytes: number): ItemId {
    const items = this.items
    let item = this.words[this.heads + (hash & this.mask)]! as ItemId
    while (item !== NO_ITEM && !items.hasKey(item, bytes, keyStart, keyBytes)) item = items.chain(item)
    return item
  }

  /** Whether an item is in the table under its hash. Of a chunk that is something else by now the answer is no. */
  holds(hash: number, item: ItemId): boolean {
    let at = this.words[this.heads + (hash & this.mask)]! as ItemId
    while (at !== NO_ITEM && at !== item) at = this.items.chain(at)
    return at === item
  }

  insert(hash: number, item: ItemId): void {
    const head = this.heads + (hash & this.mask)
    this.items.setChain(item, this.words[head]! as ItemId)
    this.words[head] = item
  }

  /** Takes out an item that is in the table. */
  remove(hash: number, item: ItemId): void {
    const items = this.items
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
    const head = this.heads + (hash & this.mask)
    let at = this.words[head]! as ItemId
    if (at === item) {
      this.words[head] = next
      return
    }
    while (items.chain(at) !== item) at = items.chain(at)
    items.setChain(at, next)
  }
}
