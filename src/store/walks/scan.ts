// A walk over the live items whose keys begin with given bytes, that a caller may break off and go on with later, in another call
// or after days: all that it has to keep is a number, the cursor. It goes through the memory in the order of addresses, as a Dump
// does, but leaves no marks there. So there may be any number of scans at a time, and none of them holds up another walk.
//
// A key whose item stays where it is is visited exactly once. An item moves when it is stored again in another slab class, when
// its list changes from or to that of short lives, or when its page is emptied; such a key may be missed or visited twice. A set
// that overwrites the value in its place does not move it. A caller that needs each key exactly once takes a KeyWalk (keys.ts).
import { assert } from '../../errors.js'
import { Size, State } from '../../memory/layout.js'
import { type StoreContext } from '../context.js'
import { type ItemId, type Items } from '../items/items.js'
import { type Shard } from '../shard.js'
import { type Visitor } from './dump.js'

/** The cost of a step; to check a page or a chunk costs one. A step takes some 0.2 ms. */
const STEP_COST = 3000
/** The cost of visiting an item. */
const ITEM_COST = 12
/** The numbers of each shard's cursors: a chunk is the index of a word of its arena, which is smaller than 2 GiB. */
const CURSORS = 2 ** 29

export class KeyScan {
  /** The most that a cursor can be. */
  static readonly CURSOR_MAX = Number.MAX_SAFE_INTEGER

  private shardAt: number
  /** The chunk to go on with, or any word of it. */
  private at: number
  /** The cost that is left in the step. */
  private left = 0

  /**
   * @param prefix the bytes with which the keys of visited items begin
   * @param cursor where the scan begins: 0, or the cursor of an earlier scan. Any other number up to CURSOR_MAX does no harm
   */
  constructor(private readonly shards: readonly Shard[], private readonly context: StoreContext,
    private readonly prefix: Uint8Array, cursor: number) {
    assert(Number.isInteger(cursor) && cursor >= 0 && cursor <= KeyScan.CURSOR_MAX, `${cursor} is no cursor`)
    this.shardAt = Math.floor(cursor / CURSORS)
    this.at = cursor % CURSORS
  }

  /** Where another scan goes on: 0 if nothing is left. */
  get cursor(): number { return this.shardAt >= this.shards.length ? 0 : this.shardAt * CURSORS + this.at }

  /**
   * Visits some items. Returns true at the end.
   * @param visitor must have room for any single item when a step begins, unless it wants no more
   */
  step(visitor: Visitor): boolean {
    this.left = STEP_COST
    while (this.left > 0) {
      const shard = this.shards[this.shardAt]
      if (shard === undefined) return true
      if (!this.walkPage(shard, visitor)) return false
    }
    return this.cursor === 0
  }

  /** Does nothing, as it holds nothing. A KeyWalk has to be closed. */
  close(): void {}

  /** Walks the rest of the current page; false if the step ends before. */
  private walkPage(shard: Shard, visitor: Visitor): boolean {
    const { slabs, arena } = shard
    const page = Math.max(this.at >>> Size.PageShift, arena.firstPage)
    this.left--
    if (page >= slabs.pageEnd) {
      this.shardAt++
      this.at = 0
      return true
    }
    const slabClass = slabs.classOfPage(page)
    const count = slabClass > 0 ? slabs.carvedChunks(page) : 0
    const chunkWords = slabClass > 0 ? slabs.classes.chunkBytes[slabClass]! >> 2 : Size.PageWords
    // the page may have got another class since the cursor was made
    let index = Math.ceil(Math.max(this.at - page * Size.PageWords, 0) / chunkWords)
    for (; index < count; index++) {
      this.at = page * Size.PageWords + index * chunkWords
      if (this.left-- <= 0 || !this.look(shard, this.at as ItemId, visitor)) return false
    }
    this.at = (page + 1) * Size.PageWords
    return true
  }

  /** Visits the item in a chunk, if there is one that is wanted; false if the visitor had no room for it. */
  private look(shard: Shard, chunk: ItemId, visitor: Visitor): boolean {
    const { items, allocator, table } = shard
    // looked at again under the stripe, as another thread may reuse the chunk at this moment
    if (!items.has(chunk, State.Linked) || !this.mayBeWanted(items, chunk)) return true
    const { stripes } = this.context
    const hash = allocator.hashOf(chunk)
    stripes.take(hash)
    const isWanted = table.holds(hash, chunk) && items.keyBeginsWith(chunk, this.prefix) && !allocator.isDead(chunk)
    const hasRoom = !isWanted || visitor.visit(shard.view.of(chunk))
    stripes.release(hash)
    this.left -= ITEM_COST
    return hasRoom
  }

  /** True if a key in a chunk begins with the prefix. Without a lock, its bytes may seem to lie behind the end of memory. */
  private mayBeWanted(items: Items, chunk: ItemId): boolean {
    const { prefix } = this
    return items.keyStart(chunk) + prefix.length <= items.bytes.length && items.keyBeginsWith(chunk, prefix)
  }
}
