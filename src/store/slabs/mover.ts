// Empties one page of an arena and gives it away, in bounded steps between which everybody goes on. From its beginning no
// free chunk of the page is handed out any more, but to an allocation that has evicted in vain for too long (space.ts). Each
// item in it is copied to a chunk elsewhere in its class, room for which is made by evicting if there is none, and the copy
// takes its place in the table, the list and the pieces; what is dead is dropped. What
// somebody holds, a reader or a writer, is met again in the next pass. When nothing is left the page goes where it is to go.
//
// The stripe of an item is held while it is moved, so nobody can be reading or changing it then; a class only for what
// concerns its lists and chunks. One thread moves, that of the background work.
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
 * What one step may cost, in units of about 30 ns: looking at a chunk is one, moving or dropping an item so many more, and
 * copying so many bytes one. All in all some 0.3 ms; the largest chunk alone is half of that.
 */
const STEP_COST = 10_000
const ITEM_COST = 20
const BYTES_PER_COST = 100
/** How many free chunks are retired while a class is locked. */
const RETIRE_MAX = 64
/** How often room for one item is made: each time something has gone, if only from the page itself. */
const ROOM_TRIES = 8
/** How long items in use are waited for, in seconds, before they are deleted, so that nobody new comes to use them. */
const DELETE_SECONDS = 5
/** How long a move is tried before its page stays where it was. */
const GIVE_UP_SECONDS = 30
/** The same where items may not be evicted and there is no room for them. */
const NO_ROOM_SECONDS = 2

export class Mover {
  /** The chunk to go on with. Free ones are retired in a first pass, `isRetiring`; items leave in those that follow. */
  private index = 0
  private isRetiring = false
  /** Store time. */
  private begunAt = 0
  private isOutOfRoom = false
  /** Whether `takeChunk` found something that could go. */
  private isRoomMade = false
  /** What the step has cost so far. */
  private cost = 0

  constructor(private readonly items: Items, private readonly table: Table,
    private readonly slabs: Slabs, private readonly lru: Lru, private readonly space: Allocator,
    private readonly generations: Generations, private readonly marks: Marks, private readonly moves: Moves,
    private readonly context: StoreContext) {}

  /** Begins to empty a page of a class, for a class or a PageOwner; false if the class can spare none that will do. */
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

  /** Gets what is in a chunk out of it, if it is not in use just now. */
  private vacate(chunk: ItemId, slabClass: number): void {
    const { context, items } = this
    this.cost++
    if (items.state(chunk) === 0) return
    // what follows is rubbish, perhaps, if the chunk has come free in this moment; then the table does not hold it
    const item = items.isPiece(chunk) ? items.pieceOwner(chunk) : chunk
    const hash = this.space.hashOf(item)
    context.stripes.take(hash)
    const isFree = this.table.holds(hash, item) && this.isPartOf(item, chunk) && items.refs(item) === 0
    if (!isFree) this.waitStripeLocked(hash, item, chunk)
    else if (this.space.isDead(item)) this.space.unlinkStripeLocked(hash, item)
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

  /** An item is being read, or written; after some time it is deleted, and then gone as soon as it is let go. */
  private waitStripeLocked(hash: number, item: ItemId, chunk: ItemId): void {
    const { context, items } = this
    if (items.state(chunk) === 0) return
    context.counters.add(Counter.BusyItems)
    this.moves.busyStatus = BusyStatus.InUse
    if (context.now - this.begunAt < DELETE_SECONDS || !this.table.holds(hash, item) || !this.isPartOf(item, chunk)) return
    context.counters.add(Counter.BusyDeletes)
    this.space.unlinkStripeLocked(hash, item)
  }

  /** Moves an item, or its piece `chunk`, to another chunk; if there is none, it is dropped. */
  private moveStripeLocked(hash: number, item: ItemId, chunk: ItemId, slabClass: number): void {
    const copy = this.takeChunk(hash, item, slabClass)
    // it may have been the one that was to make room
    const isThere = this.table.holds(hash, item)
    if (copy === NO_ITEM) {
      if (isThere && !this.isRoomMade) this.dropStripeLocked(hash, item)
    } else if (!isThere) this.space.giveBack(copy)
    else if (item === chunk) this.moveItemStripeLocked(hash, item, copy, slabClass)
    else this.movePieceStripeLocked(item, chunk, copy, slabClass)
  }

  /**
   * A chunk of a class that is not in the page, for which something else may have to go; NO_ITEM if there is none, and with
   * `isRoomMade` if what went was in the page itself.
   */
  private takeChunk(hash: number, item: ItemId, slabClass: number): ItemId {
    const { slabs, space } = this
    this.isRoomMade = true
    slabs.lock(slabClass)
    let chunk = slabs.takeClassLocked(slabClass)
    for (let tries = 0; chunk === NO_ITEM && this.isRoomMade && tries < ROOM_TRIES && this.table.holds(hash, item); tries++) {
      this.isRoomMade = space.evictClassLocked(slabClass) !== Dropped.Nothing
      this.cost += ITEM_COST
      chunk = slabs.takeClassLocked(slabClass)
    }
    slabs.unlock(slabClass)
    return chunk
  }

  /** There is no room for an item; where nothing may be evicted it stays. */
  private dropStripeLocked(hash: number, item: ItemId): void {
    const { context, slabs, space } = this
    context.counters.add(Counter.BusyNoMemory)
    this.moves.busyStatus = BusyStatus.NoMemory
    if (!context.settings.evictions) {
      this.isOutOfRoom = true
      return
    }
    const listClass = space.classOf(item)
    slabs.lock(listClass)
    space.countEvictedClassLocked(listClass, item)
    slabs.unlock(listClass)
    space.unlinkStripeLocked(hash, item)
  }

  private moveItemStripeLocked(hash: number, item: ItemId, copy: ItemId, slabClass: number): void {
    const { items, slabs } = this
    const byteCount = items.ownBytes(item)
    items.copyTo(item, copy, byteCount)
    this.cost += byteCount / BYTES_PER_COST
    this.table.replace(hash, item, copy)
    const listClass = this.space.classOf(item)
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
    this.space.giveBack(piece)
    this.context.counters.add(Counter.ChunkRescues)
  }

  /** Gives the page to whom it is for. */
  private handOver(page: number, slabClass: number): void {
    const { moves, slabs } = this
    const { to } = moves
    slabs.lock(slabClass)
    // an allocation may have taken one of its chunks in this moment
    if (slabs.usedChunks(page) === 0 && (to <= 0 || slabs.tryLock(to))) {
      this.space.movePageClassesLocked(page, to)
      if (to > 0) slabs.unlock(to)
      moves.end()
    }
    slabs.unlock(slabClass)
  }

  /** Leaves the page with its class if what is in it will not go. */
  private considerGivingUp(page: number, slabClass: number): void {
    const seconds = this.context.now - this.begunAt
    if (seconds < (this.isOutOfRoom ? NO_ROOM_SECONDS : GIVE_UP_SECONDS)) return
    this.slabs.lock(slabClass)
    this.slabs.undoLeavingClassLocked(page)
    this.slabs.unlock(slabClass)
    this.moves.end()
  }
}
