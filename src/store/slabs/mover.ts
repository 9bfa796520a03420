// Empties one page of an arena and gives it to its next owner, in bounded steps between which clients are served. From the
// beginning of a move, free chunks of the page are not reserved any more, except by an allocation whose evictions have freed
// no other chunk for too long (allocator.ts). Each item of the page is copied to another chunk of its class; if there is none, an
// item is evicted. The copy replaces the item in the table and its list, and becomes the owner of its pieces. Dead items are
// dropped. An item that a session holds is tried again in the next pass. When no item is left, the page gets its next owner.
//
// The mover holds the stripe of an item while it moves it, so that no other thread reads or changes the item. It holds a class
// only while it changes its lists and chunks. Only the thread of the background work moves pages.
import { BusyStatus, State } from '../../memory/layout.js'
import { Counter } from '../../stats/counters.js'
import { type StoreContext } from '../context.js'
import { type Generations } from '../items/generations.js'
import { NO_ITEM, type ItemId, type Items } from '../items/items.js'
import { type Lru } from '../items/lru.js'
import { type Marks } from '../walks/marks.js'
import { type Moves } from './moves.js'
import { type Slabs } from './slabs.js'
import { Dropped, type Allocator } from './allocator.js'
import { type Table } from '../index/table.js'

/**
 * The cost of a step, in units of about 30 ns; to check a chunk costs one. A step takes some 0.3 ms. Copying the largest chunk
 * takes half of that.
 */
const STEP_COST = 10_000
/** The cost of moving or dropping an item. */
const ITEM_COST = 20
/** The number of bytes whose copying costs one. */
const BYTES_PER_COST = 100
/** The most free chunks that are retired while a class is locked. */
const RETIRE_MAX = 64
/** The most evictions to make room for one item. Each frees memory, though perhaps only in the page itself. */
const ROOM_TRIES = 8
/** The seconds after which items that sessions hold are deleted, so that no other session can find them. */
const DELETE_SECONDS = 5
/** The seconds after which a move is given up, and the page stays in its class. */
const GIVE_UP_SECONDS = 30
/** The same limit if items may not be evicted and there is no room for them. */
const NO_ROOM_SECONDS = 2

export class Mover {
  /** The next chunk. The first pass, `isRetiring`, retires free chunks; the following passes move items. */
  private index = 0
  private isRetiring = false
  /** The store time at which the move began. */
  private begunAt = 0
  private isOutOfRoom = false
  /** True if `takeChunk` last evicted an item. */
  private isRoomMade = false
  /** The cost of the step so far. */
  private cost = 0

  constructor(private readonly items: Items, private readonly table: Table,
    private readonly slabs: Slabs, private readonly lru: Lru, private readonly allocator: Allocator,
    private readonly generations: Generations, private readonly marks: Marks, private readonly moves: Moves,
    private readonly context: StoreContext) {}

  /** Begins to empty a page of a class, for another class or a PageOwner; false if the class has no suitable page to spare. */
  begin(from: number, to: number): boolean {
    const { slabs } = this
    slabs.lock(from)
    const page = slabs.canSpare(from) ? slabs.leastUsedPage(from, to) : 0
    if (page !== 0) slabs.beginLeavingClassLocked(page)
    slabs.unlock(from)
    if (page === 0) return false
    this.moves.begin(page, to)
    this.index = 0
    this.isRetiring = true
    this.begunAt = this.context.now
    this.isOutOfRoom = false
    return true
  }

  /** Goes on with the move under way. */
  step(): void {
    const { page } = this.moves
    if (page === 0) return
    const slabClass = this.slabs.classOfPage(page)
    const count = this.slabs.chunksOf(page, slabClass)
    this.cost = 0
    while (this.index < count && this.cost < STEP_COST) {
      if (this.isRetiring) this.retire(page, slabClass, count)
      else this.vacate(this.slabs.chunkAt(page, this.index++, slabClass), slabClass)
    }
    if (this.index < count) return
    this.index = 0
    if (this.slabs.usedChunks(page) === 0 && !this.isRetiring) this.handOver(page, slabClass)
    else if (!this.isRetiring) this.considerGivingUp(page, slabClass)
    this.isRetiring = false
  }

  private retire(page: number, slabClass: number, count: number): void {
    const { slabs } = this
    const end = Math.min(this.index + RETIRE_MAX, count)
    let retired = 0
    slabs.lock(slabClass)
    for (; this.index < end; this.index++) {
      if (slabs.retireClassLocked(slabClass, slabs.chunkAt(page, this.index, slabClass))) retired++
    }
    slabs.unlock(slabClass)
    this.cost += RETIRE_MAX
    this.context.counters.add(Counter.InlineReclaims, retired)
  }

  /** Moves or drops the item that a chunk belongs to, unless a session holds it. */
  private vacate(chunk: ItemId, slabClass: number): void {
    const { context, items } = this
    this.cost++
    if (items.state(chunk) === 0) return
    // item and hash are meaningless if the chunk is freed at this moment; then the table does not hold the item
    const item = items.isPiece(chunk) ? items.pieceOwner(chunk) : chunk
    const hash = this.allocator.hashOf(item)
    context.stripes.take(hash)
    const isFree = this.table.holds(hash, item) && this.isPartOf(item, chunk) && items.refs(item) === 0
    if (!isFree) this.waitStripeLocked(hash, item, chunk)
    else if (this.allocator.isDead(item)) this.allocator.unlinkStripeLocked(hash, item)
    else this.moveStripeLocked(hash, item, chunk, slabClass)
    context.stripes.release(hash)
    this.cost += ITEM_COST
  }

  private isPartOf(item: ItemId, chunk: ItemId): boolean {
    return item === chunk || (this.items.has(item, State.Large) && this.pieceIndex(item, chunk) >= 0)
  }

  private pieceIndex(item: ItemId, piece: ItemId): number {
    const count = this.items.pieceCount(item)
    for (let index = 0; index < count; index++) if (this.items.piece(item, index) === piece) return index
    return -1
  }

  /** Counts that a session holds an item. After DELETE_SECONDS deletes the item, so that it is freed with its last reference. */
  private waitStripeLocked(hash: number, item: ItemId, chunk: ItemId): void {
    const { context, items } = this
    if (items.state(chunk) === 0) return
    context.counters.add(Counter.BusyItems)
    this.moves.busyStatus = BusyStatus.InUse
    if (context.now - this.begunAt < DELETE_SECONDS || !this.table.holds(hash, item) || !this.isPartOf(item, chunk)) return
    context.counters.add(Counter.BusyDeletes)
    this.allocator.unlinkStripeLocked(hash, item)
  }

  /** Moves an item, or its piece `chunk`, to another chunk. If there is none, the item is dropped. */
  private moveStripeLocked(hash: number, item: ItemId, chunk: ItemId, slabClass: number): void {
    const copy = this.takeChunk(hash, item, slabClass)
    // taking the chunk may have evicted this very item
    const isThere = this.table.holds(hash, item)
    if (copy === NO_ITEM) {
      if (isThere && !this.isRoomMade) this.dropStripeLocked(hash, item)
    } else if (!isThere) this.allocator.giveBack(copy)
    else if (item === chunk) this.moveItemStripeLocked(hash, item, copy, slabClass)
    else this.movePieceStripeLocked(item, chunk, copy, slabClass)
  }

  /**
   * Takes a chunk of a class that is not in the page, and evicts items for it if need be. Returns NO_ITEM if there is none; then
   * `isRoomMade` is true if items were evicted, but only chunks in the page were freed.
   */
  private takeChunk(hash: number, item: ItemId, slabClass: number): ItemId {
    const { slabs, allocator } = this
    this.isRoomMade = true
    slabs.lock(slabClass)
    let chunk = slabs.takeClassLocked(slabClass)
    for (let tries = 0; chunk === NO_ITEM && this.isRoomMade && tries < ROOM_TRIES && this.table.holds(hash, item); tries++) {
      this.isRoomMade = allocator.evictClassLocked(slabClass) !== Dropped.Nothing
      this.cost += ITEM_COST
      chunk = slabs.takeClassLocked(slabClass)
    }
    slabs.unlock(slabClass)
    return chunk
  }

  /** Drops an item for which there is no room. If items may not be evicted, it stays. */
  private dropStripeLocked(hash: number, item: ItemId): void {
    const { context, slabs, allocator } = this
    context.counters.add(Counter.BusyNoMemory)
    this.moves.busyStatus = BusyStatus.NoMemory
    if (!context.settings.evictions) {
      this.isOutOfRoom = true
      return
    }
    const listClass = allocator.classOf(item)
    slabs.lock(listClass)
    allocator.countEvictedClassLocked(listClass, item)
    slabs.unlock(listClass)
    allocator.unlinkStripeLocked(hash, item)
  }

  private moveItemStripeLocked(hash: number, item: ItemId, copy: ItemId, slabClass: number): void {
    const { items, slabs } = this
    const byteCount = items.ownBytes(item)
    items.copyTo(item, copy, byteCount)
    this.cost += byteCount / BYTES_PER_COST
    this.table.replace(hash, item, copy)
    const listClass = this.allocator.classOf(item)
    const generation = this.generations.numberFor(copy)
    slabs.lock(listClass)
    items.takeState(copy, item, generation)
    this.lru.replace(listClass, item, copy)
    slabs.unlock(listClass)
    this.generations.stamp(copy)
    if (this.marks.isOn) this.marks.inherit(item, copy)
    if (items.has(copy, State.Large)) {
      for (let index = items.pieceCount(copy) - 1; index >= 0; index--) items.reservePiece(items.piece(copy, index), copy)
    }
    slabs.lock(slabClass)
    slabs.giveBackClassLocked(slabClass, item)
    slabs.unlock(slabClass)
    this.context.counters.add(Counter.Rescues)
  }

  private movePieceStripeLocked(item: ItemId, piece: ItemId, copy: ItemId, slabClass: number): void {
    const { items, slabs } = this
    const byteCount = slabs.classes.chunkBytes[slabClass]!
    items.copyTo(piece, copy, byteCount)
    this.cost += byteCount / BYTES_PER_COST
    items.reservePiece(copy, item)
    items.setPiece(item, this.pieceIndex(item, piece), copy)
    this.allocator.giveBack(piece)
    this.context.counters.add(Counter.ChunkRescues)
  }

  /** Gives the page to its next owner. */
  private handOver(page: number, slabClass: number): void {
    const { moves, slabs } = this
    const { to } = moves
    slabs.lock(slabClass)
    // an allocation may have reserved a chunk of the page at this moment
    if (slabs.usedChunks(page) === 0 && (to <= 0 || slabs.tryLock(to))) {
      this.allocator.movePageClassesLocked(page, to)
      if (to > 0) slabs.unlock(to)
      moves.end()
    }
    slabs.unlock(slabClass)
  }

  /** Leaves the page in its class if it could not be emptied for too long. */
  private considerGivingUp(page: number, slabClass: number): void {
    const seconds = this.context.now - this.begunAt
    if (seconds < (this.isOutOfRoom ? NO_ROOM_SECONDS : GIVE_UP_SECONDS)) return
    this.slabs.lock(slabClass)
    this.slabs.undoLeavingClassLocked(page)
    this.slabs.unlock(slabClass)
    this.moves.end()
  }
}
