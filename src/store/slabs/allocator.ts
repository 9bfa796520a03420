// The allocator of a shard: gives items memory, links them in the table and the lists, and frees their memory. If a class has no
// free chunk, it evicts items of the class and, if that does not help, takes a page from another class.
import { type Arena } from '../../memory/arena.js'
import { ClassWord, ListWord, Size, State } from '../../memory/layout.js'
import { ClassCounter, Counter } from '../../stats/counters.js'
import { DepartedBit, type StoreContext } from '../context.js'
import { Departure, LEAVING } from '../departures.js'
import { type Generations } from '../items/generations.js'
import { type Hash } from '../index/hash.js'
import { NO_ITEM, Segment, spareBytes, type ItemId, type Items } from '../items/items.js'
import { type Lru } from '../items/lru.js'
import { type Marks } from '../walks/marks.js'
import { type Holdings } from './holdings.js'
import { type Slabs } from './slabs.js'
import { type Table } from '../index/table.js'
import { Victims } from './victims.js'

/** The most items that an allocation tries to evict. */
const EVICT_TRIES = 100
/** The most items that it moves to other lists instead. If it meets more, it evicts one of them. */
export const RESCUES_MAX = 60
/** The evictions of an allocation that may free only chunks of a page that is leaving, before it takes such a chunk itself. */
const RETIRED_MAX = 20
/** The most pages that are checked to find one that can be taken from its class. */
const STEAL_TRIES = 8
/** The most tries to take a stripe while a page is being emptied. */
const STRIPE_TRIES = 50
/** The most tries to allocate a chunk while other threads hold locks that the allocation needs. */
const HELD_UP_TRIES = 100
/** The wait between two such tries, in milliseconds, in which the other threads go on. */
const HELD_UP_MS = 1
/** The most items that an eviction moves between lists to balance them. */
const BALANCE_STEPS = 5
/** The most dead items that a storage command reclaims at the tail of the flat list. No background task does that there. */
const FLAT_RECLAIMS = 5

/** The result of an attempt to evict: no item was dropped, one that was dead anyway, or one that was alive. */
export const enum Dropped { Nothing, Dead, Live }

/** The result of an attempt to take a page from a class. */
const enum Theft { Done, Impossible, HeldUp }

export class Allocator {
  /** A word on which this thread waits for a while. */
  private readonly pause = new Int32Array(new SharedArrayBuffer(4))
  /** True if the last attempt to make room failed only because other threads hold locks that it needs. */
  private isHeldUp = false
  /** The last item that was evicted. */
  private evicted: ItemId = NO_ITEM
  private readonly victims: Victims

  constructor(private readonly arena: Arena, private readonly items: Items, private readonly hash: Hash,
    private readonly table: Table, private readonly slabs: Slabs, private readonly lru: Lru,
    private readonly generations: Generations, private readonly marks: Marks, private readonly holdings: Holdings,
    private readonly context: StoreContext) {
    this.victims = new Victims(items, table, item => this.hashOf(item))
  }

  /** Frees a reserved item. */
  abandon(item: ItemId): void {
    this.items.dropRef(item)
    this.free(item)
  }

  isExpired(item: ItemId): boolean {
    const expiresAt = this.items.expiresAt(item)
    return expiresAt !== 0 && expiresAt <= this.context.now
  }

  /** True if an item has been flushed since it was stored. */
  isFlushed(item: ItemId): boolean { return !this.generations.isCurrent(item) }

  /** True if an item has expired or was flushed. */
  isDead(item: ItemId): boolean { return this.isFlushed(item) || this.isExpired(item) }

  /**
   * As `isDead`, but false in the first second after an item has expired. As in memcached, a client that asks for the item in
   * that second finds it expired, and is counted so, before a background task reclaims it.
   */
  isLongDead(item: ItemId): boolean {
    const expiresAt = this.items.expiresAt(item)
    return this.isFlushed(item) || (expiresAt !== 0 && expiresAt < this.context.now)
  }

  /** The class whose lists an item is in: that of its chunk; for a large item, the largest class. */
  classOf(item: ItemId): number {
    return this.items.has(item, State.Large) ? this.slabs.classes.largest : this.slabs.classAt(item)
  }

  hashOf(item: ItemId): number {
    const start = this.items.keyStart(item)
    return this.hash.of(this.items.bytes, start, start + this.items.keyBytes(item))
  }

  /** Links a reserved item under its key, in place of `old` if there is such an item. */
  linkStripeLocked(hash: number, old: ItemId, item: ItemId): void {
    const { context, items, lru } = this
    const segment = old === NO_ITEM ? Segment.Hot : items.segment(old)
    const slabClass = this.classOf(item)
    items.link(item, this.generations.numberFor(item))
    this.holdings.forgetLocked(item)
    this.generations.stamp(item)
    items.setUsedAt(item, context.now)
    context.stampCas(items, item)
    context.counters.add(Counter.TotalItems)
    if (old === NO_ITEM) {
      this.table.insert(hash, item)
      if (this.marks.isOn) this.marks.done(item)
    } else {
      this.table.replace(hash, old, item)
      if (this.marks.isOn) this.marks.inherit(old, item)
      this.unlistStripeLocked(old)
    }
    this.slabs.lock(slabClass)
    lru.link(slabClass, item, old === NO_ITEM ? lru.segmentFor(slabClass, hash, item, context.now)
      : lru.segmentAfter(slabClass, segment, item, context.now))
    this.slabs.add(slabClass, ClassWord.RequestedBytes, items.bytesOf(item))
    this.slabs.unlock(slabClass)
    context.countSize(items, item, 1)
    if (context.prefixes !== undefined) context.prefixes.count(items, item, 1)
  }

  /** Removes an item from the table and the lists. @param reason given if a client caused the removal */
  unlinkStripeLocked(hash: number, item: ItemId, reason = this.reasonToDrop(item)): void {
    this.removeStripeLocked(hash, item, reason)
    this.unlistStripeLocked(item)
  }

  /** The reason why an item is removed that no client asked to remove. */
  private reasonToDrop(item: ItemId): Departure {
    if (this.isFlushed(item)) return Departure.Flushed
    return this.isExpired(item) ? Departure.Expired : Departure.Evicted
  }

  /** Removes an item from the table and records the reason. Every key that leaves the store does so here. */
  private removeStripeLocked(hash: number, item: ItemId, reason: Departure): void {
    const { context, items } = this
    this.table.remove(hash, item)
    if (reason === Departure.Flushed) return
    if (context.departed.kinds !== 0 || context.departureSink !== undefined) this.reportDeparted(item, reason)
    const since = reason === Departure.Expired ? items.expiresAt(item) : items.usedAt(item)
    const client = reason >= Departure.Deleted ? context.client : undefined
    context.departures.record(hash, reason, this.classOf(item), context.now, since, context.generation, client)
  }

  /** Reports an item that leaves to the log of the listeners, and to the operation under way. */
  private reportDeparted(item: ItemId, departure: Departure): void {
    const { context: { departed, departureSink, now }, items } = this
    const start = items.keyStart(item)
    const end = start + items.keyBytes(item)
    const reason = departure | (items.has(item, State.Fetched) ? DepartedBit.Fetched : 0)
    const flags = items.flags(item)
    const expiresAt = items.expiresAt(item)
    const ttl = expiresAt === 0 ? -1 : Math.max(expiresAt - now, 0)
    const age = items.age(item, now)
    const valueBytes = items.valueBytes(item)
    departed.departed(LEAVING[departure]!, items.bytes, start, end, reason, flags, ttl, age, valueBytes)
    departureSink?.departed(reason, items.bytes, start, end, flags, ttl, age, valueBytes)
  }

  private unlistStripeLocked(item: ItemId): void {
    const slabClass = this.classOf(item)
    this.slabs.lock(slabClass)
    this.unlistBothLocked(item)
    this.slabs.unlock(slabClass)
    if (this.items.refs(item) === 0) this.free(item)
  }

  /** Removes an item from its list. Needs the locks of its stripe and of the class of its lists. */
  private unlistBothLocked(item: ItemId): void {
    this.delistBothLocked(this.classOf(item), item)
    this.items.unmark(item, State.Linked)
  }

  /** The same for an item that is freed at once, and need not be marked as unlinked. */
  private delistBothLocked(slabClass: number, item: ItemId): void {
    this.lru.unlink(slabClass, item)
    this.slabs.add(slabClass, ClassWord.RequestedBytes, -this.items.bytesOf(item))
    this.context.countSize(this.items, item, -1)
    if (this.context.prefixes !== undefined) this.context.prefixes.count(this.items, item, -1)
  }

  dropRefStripeLocked(item: ItemId): void {
    this.items.dropRef(item)
    if (this.items.refs(item) === 0 && !this.items.has(item, State.Linked)) this.free(item)
  }

  /** Gives the chunks of an item that is in no list back to their classes. */
  free(item: ItemId): void {
    if (this.items.has(item, State.Large)) {
      const count = this.items.pieceCount(item)
      for (let i = 0; i < count; i++) this.giveBack(this.items.piece(item, i))
    }
    this.giveBack(item)
  }

  /** Gives a chunk that no item or list refers to back to its class. */
  giveBack(chunk: ItemId): void {
    const slabClass = this.slabs.classAt(chunk)
    this.slabs.lock(slabClass)
    this.slabs.giveBackClassLocked(slabClass, chunk)
    this.holdings.forgetLocked(chunk)
    this.slabs.unlock(slabClass)
  }

  allocate(key: Uint8Array, keyStart: number, keyBytes: number, flags: number, expiresAt: number,
    valueBytes: number): ItemId {
    const { context, items } = this
    const { classes } = this.slabs
    const slabClass = classes.classFor(context.nominalBytes(keyBytes, flags, valueBytes))
    if (slabClass !== 0) {
      const item = this.takeChunk(slabClass)
      if (item !== NO_ITEM) items.reserve(item, key, keyStart, keyBytes, flags, expiresAt, valueBytes, false)
      return item
    }
    const valuePieces = Math.ceil((valueBytes + spareBytes(valueBytes)) / items.pieceBytes)
    const headClass = classes.classHolding(Size.ItemHeader + 8 + keyBytes + items.ownIdCount(valuePieces) * 4)
    const item = headClass === 0 ? NO_ITEM : this.takeChunk(headClass)
    if (item === NO_ITEM) return NO_ITEM
    items.reserve(item, key, keyStart, keyBytes, flags, expiresAt, valueBytes, true)
    this.holdings.beginPieces(item)
    return this.takePieces(item) ? item : NO_ITEM
  }

  /**
   * As `allocate`, but never waits for other threads, so that the caller may hold a stripe. It may also evict an item of that
   * stripe, see Table.removals. Returns NO_ITEM for a large item, too.
   */
  tryAllocate(key: Uint8Array, keyStart: number, keyBytes: number, flags: number, expiresAt: number, valueBytes: number): ItemId {
    const slabClass = this.slabs.classes.classFor(this.context.nominalBytes(keyBytes, flags, valueBytes))
    const item = slabClass === 0 ? NO_ITEM : this.tryTakeChunk(slabClass)
    if (item !== NO_ITEM) this.items.reserve(item, key, keyStart, keyBytes, flags, expiresAt, valueBytes, false)
    return item
  }

  /** Allocates the pieces of a large item. If there are not enough, frees all of them and the item, and returns false. */
  private takePieces(item: ItemId): boolean {
    const { items } = this
    const count = items.pieceCount(item)
    for (let turn = 0; turn < count; turn++) {
      if (this.takePiece(item, this.pieceAt(item, turn))) {
        this.holdings.countPieces(turn + 1)
        continue
      }
      while (turn > 0) this.giveBack(items.piece(item, this.pieceAt(item, --turn)))
      items.dropRef(item)
      this.giveBack(item)
      return false
    }
    return true
  }

  /**
   * The number of the piece of a large item that is allocated in a turn. A piece with ids is allocated before the pieces whose
   * ids it has, and freed after them.
   */
  private pieceAt(item: ItemId, turn: number): number {
    const valuePieces = this.items.valuePieces(item)
    const idPieces = this.items.pieceCount(item) - valuePieces
    return turn < idPieces ? valuePieces + idPieces - 1 - turn : turn - idPieces
  }

  /**
   * Frees what a thread that has ended held of this shard. It held no lock. Needs the lock of the store, so that one thread does
   * this. The counts of references of that thread are set right by the caller.
   */
  takeBackStoreLocked(thread: number): void {
    const { context, holdings, items } = this
    for (const item of holdings.pinsOf(thread)) {
      const hash = this.hashOf(item)
      context.stripes.take(hash)
      if (items.forgetRef(item) === 0 && !items.has(item, State.Linked)) this.free(item)
      context.stripes.release(hash)
    }
    this.freeReserved(holdings.takenBy(thread), holdings.headOf(thread), holdings.piecesOf(thread))
    holdings.clear(thread)
  }

  /** Frees what another thread was reserving or freeing. @param head the large item, with so many pieces; @param taken a chunk */
  private freeReserved(taken: ItemId, head: ItemId, pieces: number): void {
    const { items } = this
    if (head === NO_ITEM) {
      if (taken !== NO_ITEM) this.giveBack(taken)
      return
    }
    // the thread may have given some of them back already
    const isPiece = (chunk: ItemId): boolean => items.isPiece(chunk) && items.pieceOwner(chunk) === head
    for (let turn = pieces - 1; turn >= 0; turn--) {
      const piece = items.piece(head, this.pieceAt(head, turn))
      if (isPiece(piece)) this.giveBack(piece)
    }
    if (taken !== NO_ITEM && taken !== head && (items.state(taken) === 1 || isPiece(taken))) this.giveBack(taken)
    this.giveBack(head)
  }

  /** Allocates a piece of a large item; false if there is no chunk. The last piece of the value is no larger than needed. */
  private takePiece(item: ItemId, index: number): boolean {
    const { items } = this
    const value = items.valueBytes(item)
    const left = value + spareBytes(value) - index * items.pieceBytes
    const bytes = left > 0 ? Math.min(left, items.pieceBytes) : items.pieceBytes
    const piece = this.takeChunk(this.slabs.classes.classHolding(Size.ItemHeader + bytes))
    if (piece === NO_ITEM) return false
    items.reservePiece(piece, item)
    items.setPiece(item, index, piece)
    return true
  }

  /** Takes a chunk of a class, and makes room for it if need be; NO_ITEM if there is none. */
  private takeChunk(slabClass: number): ItemId {
    let chunk = this.tryTakeChunk(slabClass)
    for (let tries = 1; chunk === NO_ITEM && this.isHeldUp && tries < HELD_UP_TRIES; tries++) {
      // the other threads may be waiting for the lock of this class
      Atomics.wait(this.pause, 0, 0, HELD_UP_MS)
      chunk = this.tryTakeChunk(slabClass)
    }
    if (chunk === NO_ITEM) this.context.counters.addClass(slabClass, ClassCounter.OutOfMemory)
    return chunk
  }

  private tryTakeChunk(slabClass: number): ItemId {
    const { slabs } = this
    this.isHeldUp = false
    slabs.lock(slabClass)
    if (!this.lru.settings.lruSegmented) this.reclaimFlatClassLocked(slabClass)
    let chunk = slabs.takeClassLocked(slabClass)
    for (let tries = 1; chunk === NO_ITEM && this.makeRoomClassLocked(slabClass); tries++) {
      chunk = slabs.takeClassLocked(slabClass)
      // the oldest items may all be in the page that is leaving; a request does not wait until they are gone
      if (chunk !== NO_ITEM || tries < RETIRED_MAX) continue
      if (slabs.tryTakeRetiredClassLocked(slabClass, this.evicted)) chunk = this.evicted
    }
    this.holdings.takeClassLocked(chunk)
    slabs.unlock(slabClass)
    return chunk
  }

  /** Frees at least one chunk of a class, or gives it a page; false if neither is possible. */
  private makeRoomClassLocked(slabClass: number): boolean {
    const { context } = this
    const { evictions, slabReassign } = context.settings
    if (slabReassign && this.takeEmptyPageClassLocked(slabClass)) return true
    const dropped = this.evictClassLocked(slabClass)
    if (dropped === Dropped.Live) this.slabs.add(slabClass, ClassWord.EvictedRecently, 1)
    if (dropped !== Dropped.Nothing) {
      context.counters.addClass(slabClass, ClassCounter.DirectReclaims)
      return true
    }
    if (!evictions || !slabReassign) return false
    const theft = this.stealPageClassLocked(this.richestClass(slabClass), slabClass)
    this.isHeldUp = theft === Theft.HeldUp
    return theft === Theft.Done
  }

  /** Evicts the item of a class that is the least useful. Items that sessions hold are moved to the heads of their lists. */
  evictClassLocked(slabClass: number): Dropped {
    const { context, items, lru } = this
    if (!lru.settings.lruSegmented) lru.flatten(slabClass, BALANCE_STEPS)
    for (let tries = 0; tries < EVICT_TRIES; tries++) {
      const item = this.nextToEvict(slabClass)
      if (item === NO_ITEM) break
      if (tries < RESCUES_MAX && this.tryRescue(slabClass, item)) continue
      const dropped = this.tryEvictClassLocked(slabClass, item)
      if (dropped !== Dropped.Nothing) return dropped
      if (!context.settings.evictions && !this.isDead(item)) break
      // another thread or a session holds the item: moves it away from the tail
      context.counters.addClass(slabClass, ClassCounter.TailReflocked)
      lru.move(slabClass, item, items.segment(item))
    }
    return Dropped.Nothing
  }

  /** The item of a class to evict next: a dead one at the tail of TEMP or COLD, or the one that the lists give up; or NO_ITEM. */
  private nextToEvict(slabClass: number): ItemId {
    const { context, items, lru } = this
    const temp = lru.tail(slabClass, Segment.Temp)
    if (temp !== NO_ITEM && this.isDead(temp)) return temp
    // otherwise HOT would give up live items while COLD is full of dead ones, which the maintainer takes some time to reclaim
    const cold = lru.tail(slabClass, Segment.Cold)
    if (cold !== NO_ITEM && this.isDead(cold)) return cold
    const item = lru.settings.lruSegmented ? lru.nextToLeave(slabClass) : lru.oldest(slabClass)
    // an item of TEMP is not protected if it lives longer by now, or if temporary_ttl has been lowered
    const isProtected = item !== NO_ITEM && item === temp && lru.isShortLived(items.expiresAt(item), context.now)
    return isProtected ? NO_ITEM : item
  }

  /** Moves an item that has to leave its list to another one, instead of evicting it; false if it has to go. */
  private tryRescue(slabClass: number, item: ItemId): boolean {
    const { lru } = this
    if (!lru.settings.lruSegmented || !lru.isKept(item) || this.isDead(item)) return false
    lru.keep(slabClass, item)
    return true
  }

  /** Drops an item of a class, unless a session holds it or another thread has its stripe. */
  private tryEvictClassLocked(slabClass: number, item: ItemId): Dropped {
    const { context, items } = this
    const hash = this.tryTakeStripeOf(slabClass, item)
    if (hash === undefined) return Dropped.Nothing
    const isDead = this.isDead(item)
    const isIdle = items.refs(item) === 0 && (isDead || context.settings.evictions)
    if (isIdle) {
      if (isDead) this.countReclaimed(slabClass, item)
      else {
        this.countEvictedClassLocked(slabClass, item)
        this.lru.noteEviction(slabClass, hash, item, context.now)
      }
      this.dropListedBothLocked(slabClass, slabClass, hash, item, isDead ? this.reasonToDrop(item) : Departure.Evicted)
      this.evicted = item
    }
    context.stripes.releaseTried(hash)
    if (!isIdle) return Dropped.Nothing
    return isDead ? Dropped.Dead : Dropped.Live
  }

  /** Tries to take the stripe of the item at the tail of a list; returns the hash of its key. */
  private tryTakeStripeOf(slabClass: number, item: ItemId): number | undefined {
    const { stripes } = this.context
    const known = this.victims.hashOf(slabClass, item)
    if (stripes.tryTake(known)) {
      if (this.table.holds(known, item)) return known
      stripes.releaseTried(known)
    }
    const hash = this.hashOf(item)
    return stripes.tryTake(hash) ? hash : undefined
  }

  /**
   * Reclaims dead items at the tail of a list of a class, up to the first item that is alive or whose stripe another thread has.
   * Returns the number of reclaimed items, at most `itemsMax`.
   */
  reclaimTailClassLocked(slabClass: number, segment: Segment, itemsMax: number): number {
    let reclaimed = 0
    while (reclaimed < itemsMax) {
      const item = this.lru.tail(slabClass, segment)
      if (item === NO_ITEM || !this.isLongDead(item) || !this.tryReclaimClassLocked(slabClass, item)) break
      reclaimed++
    }
    return reclaimed
  }

  /** Reclaims some dead items at the tail of the flat list of a class. Each storage command does so if there is only one list. */
  reclaimFlatClassLocked(slabClass: number): void { this.reclaimTailClassLocked(slabClass, Segment.Cold, FLAT_RECLAIMS) }

  private tryReclaimClassLocked(slabClass: number, item: ItemId): boolean {
    const { context, items } = this
    const hash = this.hashOf(item)
    if (!context.stripes.tryTake(hash)) return false
    // checked again, as a client may have extended its life at this moment
    const isLongDead = this.isLongDead(item)
    if (isLongDead) {
      this.countReclaimed(slabClass, item)
      if (items.refs(item) === 0) this.dropListedBothLocked(slabClass, slabClass, hash, item)
      else {
        // the session that drops the last reference frees it
        this.removeStripeLocked(hash, item, this.reasonToDrop(item))
        this.unlistBothLocked(item)
      }
    }
    context.stripes.releaseTried(hash)
    return isLongDead
  }

  private countReclaimed(slabClass: number, item: ItemId, counter = ClassCounter.Reclaimed): void {
    const { counters } = this.context
    counters.addClass(slabClass, counter)
    if (!this.items.has(item, State.Fetched)) counters.addClass(slabClass, ClassCounter.ExpiredUnfetched)
  }

  /** Evicts a live item that need not be the least useful one. */
  evictStripeLocked(hash: number, item: ItemId): void {
    const slabClass = this.classOf(item)
    this.slabs.lock(slabClass)
    this.countEvictedClassLocked(slabClass, item)
    this.slabs.unlock(slabClass)
    this.unlinkStripeLocked(hash, item, Departure.Evicted)
  }

  /** Counts and logs an eviction. */
  countEvictedClassLocked(slabClass: number, item: ItemId): void {
    const { counters, now } = this.context
    const items = this.items
    counters.addClass(slabClass, ClassCounter.Evicted)
    if (items.expiresAt(item) !== 0) counters.addClass(slabClass, ClassCounter.EvictedNonzero)
    if (!items.has(item, State.Fetched)) counters.addClass(slabClass, ClassCounter.EvictedUnfetched)
    if (items.has(item, State.Active)) counters.addClass(slabClass, ClassCounter.EvictedActive)
    const age = this.slabs.word(slabClass, ClassWord.EvictedAge)
    this.arena.words[age] = items.age(item, now)
    if (this.context.prefixes !== undefined) this.context.prefixes.evicted(items, item)
    if (this.context.watched !== 0) this.logEviction(slabClass, item)
  }

  private logEviction(slabClass: number, item: ItemId): void {
    const { context: { log, now }, items } = this
    const keyStart = items.keyStart(item)
    const ttl = items.expiresAt(item) === 0 ? -1 : items.expiresAt(item) - now
    log.eviction(items.bytes, keyStart, keyStart + items.keyBytes(item), items.has(item, State.Fetched), ttl,
      items.age(item, now), slabClass, items.valueBytes(item))
  }

  /** Unlinks and frees an item; needs the locks of its stripe, of its lists' class and of `alsoHeld`. */
  private dropListedBothLocked(listClass: number, alsoHeld: number, hash: number, item: ItemId,
    reason = this.reasonToDrop(item)): void {
    const { items } = this
    this.removeStripeLocked(hash, item, reason)
    this.delistBothLocked(listClass, item)
    if (items.has(item, State.Large)) {
      const count = items.pieceCount(item)
      for (let i = 0; i < count; i++) this.giveBackBeside(listClass, alsoHeld, items.piece(item, i))
    }
    this.giveBackBeside(listClass, alsoHeld, item)
  }

  /** As `giveBack`, for a thread that holds two class locks. It waits for another class only if it holds the largest one. */
  private giveBackBeside(held: number, alsoHeld: number, chunk: ItemId): void {
    const slabClass = this.slabs.classAt(chunk)
    if (slabClass === held || slabClass === alsoHeld) this.slabs.giveBackClassLocked(slabClass, chunk)
    else this.giveBack(chunk)
  }

  // Pages

  /** Gives a class a page of another class that has no items. */
  private takeEmptyPageClassLocked(slabClass: number): boolean {
    const { slabs } = this
    const page = slabs.findEmptyPageClassLocked(slabClass)
    if (page === 0) return false
    const owner = slabs.classOfPage(page)
    if (!slabs.tryLock(owner)) return false
    // the page may have another owner by now
    const isEmpty = slabs.classOfPage(page) === owner && slabs.isEmptyPage(page) && slabs.canSpare(owner)
    if (isEmpty) this.movePageClassesLocked(page, slabClass)
    slabs.unlock(owner)
    return isEmpty
  }

  /**
   * Empties a page of class `victim`, by dropping its items, and gives it to `slabClass`, which has no chunk left. If other
   * threads hold locks that it needs, it drops the items that it can, and the next attempt goes on with the same page.
   */
  private stealPageClassLocked(victim: number, slabClass: number): Theft {
    const { slabs } = this
    if (victim === 0) return Theft.Impossible
    if (!slabs.tryLock(victim)) return Theft.HeldUp
    const theft = slabs.canSpare(victim) ? this.stealFromClassesLocked(victim, slabClass) : Theft.Impossible
    slabs.unlock(victim)
    return theft
  }

  private stealFromClassesLocked(victim: number, slabClass: number): Theft {
    const { slabs } = this
    const page = this.pageToEmpty(victim, slabClass)
    if (page === 0) return Theft.Impossible
    slabs.emptyingPage = page
    if (!this.tryEmptyPageClassesLocked(page, victim, slabClass)) return Theft.HeldUp
    this.movePageClassesLocked(page, slabClass)
    return Theft.Done
  }

  /** The page to empty: the one that was begun, or that of the oldest item, or another suitable one; 0 if there is none. */
  private pageToEmpty(victim: number, slabClass: number): number {
    const { slabs } = this
    const isSuitable = (page: number): boolean => slabs.classOfPage(page) === victim &&
      !slabs.isLeaving(page) && slabs.chunksOf(page, slabClass) > 0 && this.isEmptiable(page, victim)
    const begun = slabs.emptyingPage
    if (begun !== 0 && isSuitable(begun)) return begun
    const oldest = this.lru.oldest(victim)
    if (oldest === NO_ITEM) return 0
    for (let page = this.pageOf(oldest), tries = STEAL_TRIES; tries > 0; page = this.nextPageOf(victim, page), tries--) {
      if (isSuitable(page)) return page
    }
    return 0
  }

  /** Gives an empty page to a class or a PageOwner; counts the move and logs it for watchers, with 0 for a PageOwner. */
  movePageClassesLocked(page: number, owner: number): void {
    if (this.context.watched !== 0) this.context.log.slabMove(this.slabs.classOfPage(page), Math.max(owner, 0))
    this.slabs.movePageClassesLocked(page, owner)
    this.context.counters.add(Counter.SlabsMoved)
  }

  /** The next page of a class behind a page, or the first page of the class behind the last one. */
  private nextPageOf(slabClass: number, page: number): number {
    do page = page + 1 < this.slabs.pageEnd ? page + 1 : this.arena.firstPage
    while (this.slabs.classOfPage(page) !== slabClass)
    return page
  }

  /** The page of an item's chunk; for a large item, that of its first piece. */
  private pageOf(item: ItemId): number {
    return (this.items.has(item, State.Large) ? this.items.piece(item, 0) : item) >>> Size.PageShift
  }

  /** The class with the most pages, if it has more than one; otherwise 0. */
  private richestClass(except: number): number {
    let richest = 0
    let pages = 1
    for (let slabClass = 1; slabClass <= this.slabs.classes.largest; slabClass++) {
      const count = this.slabs.stayingPages(slabClass)
      if (slabClass === except || count <= pages) continue
      richest = slabClass
      pages = count
    }
    return richest
  }

  /**
   * True if a page can be emptied: it has no item that a session holds, and not the header or the last piece of a large item
   * whose other pieces are in pages of another class.
   */
  private isEmptiable(page: number, slabClass: number): boolean {
    const { items } = this
    for (const chunk of this.usedChunks(page, slabClass)) {
      const item = items.isPiece(chunk) ? items.pieceOwner(chunk) : chunk
      if (!items.has(item, State.Linked) || items.refs(item) > 0 || this.classOf(item) !== slabClass) return false
    }
    return true
  }

  /** Drops every item of an emptiable page of class `victim` that no session holds; true if the page is empty then. */
  private tryEmptyPageClassesLocked(page: number, victim: number, alsoHeld: number): boolean {
    const { context, items } = this
    let isEmpty = true
    for (const chunk of this.usedChunks(page, victim)) {
      const item = items.isPiece(chunk) ? items.pieceOwner(chunk) : chunk
      const hash = this.hashOf(item)
      if (!this.tryStripe(hash)) {
        isEmpty = false
        continue
      }
      const isIdle = this.table.holds(hash, item) && items.refs(item) === 0
      if (isIdle) {
        this.countEvictedClassLocked(victim, item)
        this.dropListedBothLocked(victim, alsoHeld, hash, item)
      }
      context.stripes.releaseTried(hash)
      if (items.state(chunk) !== 0) isEmpty = false
    }
    return isEmpty
  }

  /** Tries a stripe for a moment. A page has items of many stripes, each of which other threads hold for only a moment. */
  private tryStripe(hash: number): boolean {
    for (let tries = 0; tries < STRIPE_TRIES; tries++) if (this.context.stripes.tryTake(hash)) return true
    return false
  }

  private *usedChunks(page: number, slabClass: number): Iterable<ItemId> {
    const count = this.slabs.carvedChunks(page)
    for (let index = 0; index < count; index++) {
      const chunk = this.slabs.chunkAt(page, index, slabClass)
      if (this.items.state(chunk) !== 0) yield chunk
    }
  }

  /**
   * Drops an item that a walk over the memory, which holds no lock, has found dead. Checks first whether it still is.
   * @param counter the counter for the reclaimed item
   */
  reclaim(item: ItemId, counter: ClassCounter.CrawlerReclaimed | ClassCounter.Reclaimed): void {
    const { context } = this
    // meaningless if another thread reuses the chunk at this moment; then the table does not hold it
    const hash = this.hashOf(item)
    context.stripes.take(hash)
    if (this.table.holds(hash, item) && this.isDead(item)) {
      this.countReclaimed(this.classOf(item), item, counter)
      this.unlinkStripeLocked(hash, item)
    }
    context.stripes.release(hash)
  }

  /** The number of items. */
  get itemCount(): number {
    let sum = 0
    for (let slabClass = 1; slabClass <= this.slabs.classes.largest; slabClass++) sum += this.classItems(slabClass)
    return sum
  }

  /** The number of items in all lists of a class. Takes the lock of the class, as items move between its lists. */
  classItems(slabClass: number): number {
    let sum = 0
    this.slabs.lock(slabClass)
    for (let segment = Segment.Hot; segment <= Segment.Temp; segment++) sum += this.lru.get(slabClass, segment, ListWord.Count)
    this.slabs.unlock(slabClass)
    return sum
  }
}
