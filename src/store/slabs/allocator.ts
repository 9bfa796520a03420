// The space of a shard: how items get memory, stay in the table and the lists, and give their memory back. Room is made
// here, by evicting from the lists of a class and, when that does not help, by taking a page from another class.
import { type Arena } from '../../memory/arena.js'
import { ClassWord, ListWord, Size, State } from '../../memory/layout.js'
import { ClassCounter, Counter } from '../../stats/counters.js'
import { type StoreContext } from '../context.js'
import { Departure } from '../departures.js'
import { type Generations } from '../items/generations.js'
import { type Hash } from '../index/hash.js'
import { NO_ITEM, Segment, spareBytes, type ItemId, type Items } from '../items/items.js'
import { type Lru } from '../items/lru.js'
import { type Marks } from '../walks/marks.js'
import { type Slabs } from './slabs.js'
import { type Table } from '../index/table.js'

/** How many items an allocation looks at before it gives up making room. */
const EVICT_TRIES = 50
/** How many of them it saves because they are in use; where all are, one of them has to go. */
const RESCUES_MAX = 20
/** How often an allocation makes room in vain, because what went was in a page that is leaving, before it takes just that. */
const RETIRED_MAX = 20
/** How many pages are looked at for one that can be taken from its class. */
const STEAL_TRIES = 8
/** How often a stripe is tried when a page is being emptied, and how often a page that others hold up. */
const STRIPE_TRIES = 50
const HELD_UP_TRIES = 100
/** How long others get to go on then, in milliseconds. */
const HELD_UP_MS = 1
/** How many items an eviction may move between lists on its way. */
const BALANCE_STEPS = 5
/** Where there is one list, only those who store look at its tail: how many dead items each of them reclaims there. */
const FLAT_RECLAIMS = 5

/** What an item was that made room: nothing, one that was dead anyway, or one that somebody might still have asked for. */
export const enum Dropped { Nothing, Dead, Live }

/** What became of an attempt to take a page from a class. */
const enum Theft { Done, Impossible, HeldUp }

export class Allocator {
  /** What this thread waits on while others go on. */
  private readonly pause = new Int32Array(new SharedArrayBuffer(4))
  /** Whether the last attempt to make room failed only because others hold locks that it needs. */
  private isHeldUp = false
  /** The last item that was evicted. */
  private evicted: ItemId = NO_ITEM

  constructor(private readonly arena: Arena, private readonly items: Items, private readonly hash: Hash,
    private readonly table: Table, private readonly slabs: Slabs, private readonly lru: Lru,
    private readonly generations: Generations, private readonly marks: Marks, private readonly context: StoreContext) {}

  /** Gives a reserved item back. */
  abandon(item: ItemId): void {
    this.items.dropRef(item)
    this.free(item)
  }

  isExpired(item: ItemId): boolean {
    const expiresAt = this.items.expiresAt(item)
    return expiresAt !== 0 && expiresAt <= this.context.now
  }

  /** Whether a flush has come since an item was stored. */
  isFlushed(item: ItemId): boolean { return !this.generations.isCurrent(item) }

  /** Expired or flushed, though nobody has noticed yet. */
  isDead(item: ItemId): boolean { return this.isFlushed(item) || this.isExpired(item) }

  /**
   * As `isDead`, but what has just ended has a second left, as in memcached: so long whoever looks finds it, and counts it as
   * expired, before the background does.
   */
  isLongDead(item: ItemId): boolean {
    const expiresAt = this.items.expiresAt(item)
    return this.isFlushed(item) || (expiresAt !== 0 && expiresAt < this.context.now)
  }

  /** The class whose lists an item is in: that of its chunk, but the largest for one with pieces. */
  classOf(item: ItemId): number {
    return this.items.has(item, State.Large) ? this.slabs.classes.largest : this.slabs.classAt(item)
  }

  hashOf(item: ItemId): number {
    const start = this.items.keyStart(item)
    return this.hash.of(this.items.bytes, start, start + this.items.keyBytes(item))
  }

  /** Makes a reserved item the one of its key, in place of `old` if there is one. */
  linkStripeLocked(hash: number, old: ItemId, item: ItemId): void {
    const { context, items } = this
    const slabClass = this.classOf(item)
    items.link(item, this.generations.numberFor(item))
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
    this.lru.link(slabClass, item, this.lru.segmentFor(item, context.now))
    this.slabs.add(slabClass, ClassWord.RequestedBytes, items.bytesOf(item))
    this.slabs.unlock(slabClass)
    context.countSize(items, item, 1)
  }

  /** Takes an item out of the table and the lists. @param reason why, if a client wanted it so */
  unlinkStripeLocked(hash: number, item: ItemId, reason = this.reasonToDrop(item)): void {
    this.removeStripeLocked(hash, item, reason)
    this.unlistStripeLocked(item)
  }

  /** Why an item goes that no client wanted to go. */
  private reasonToDrop(item: ItemId): Departure {
    if (this.isFlushed(item)) return Departure.Flushed
    return this.isExpired(item) ? Departure.Expired : Departure.Evicted
  }

  /** Takes an item out of the table and records why. Every key that leaves the store leaves it here. */
  private removeStripeLocked(hash: number, item: ItemId, reason: Departure): void {
    const { context, items } = this
    this.table.remove(hash, item)
    if (reason === Departure.Flushed) return
    const since = reason === Departure.Expired ? items.expiresAt(item) : items.usedAt(item)
    context.departures.record(hash, reason, this.classOf(item), context.now, since)
  }

  private unlistStripeLocked(item: ItemId): void {
    const slabClass = this.classOf(item)
    this.slabs.lock(slabClass)
    this.unlistBothLocked(item)
    this.slabs.unlock(slabClass)
    if (this.items.refs(item) === 0) this.free(item)
  }

  /** Needs the lock of the lists' class too. */
  private unlistBothLocked(item: ItemId): void {
    const slabClass = this.classOf(item)
    this.lru.unlink(slabClass, item)
    this.slabs.add(slabClass, ClassWord.RequestedBytes, -this.items.bytesOf(item))
    this.items.unmark(item, State.Linked)
    this.context.countSize(this.items, item, -1)
  }

  dropRefStripeLocked(item: ItemId): void {
    this.items.dropRef(item)
    if (this.items.refs(item) === 0 && !this.items.has(item, State.Linked)) this.free(item)
  }

  /** Gives the memory of an item that is in no list back to its classes. */
  free(item: ItemId): void {
    if (this.items.has(item, State.Large)) {
      const count = this.items.pieceCount(item)
      for (let i = 0; i < count; i++) this.giveBack(this.items.piece(item, i))
    }
    this.giveBack(item)
  }

  /** Gives back a chunk that no item or list knows of. */
  giveBack(chunk: ItemId): void {
    const slabClass = this.slabs.classAt(chunk)
    this.slabs.lock(slabClass)
    this.slabs.giveBackClassLocked(slabClass, chunk)
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
    return this.takePieces(item) ? item : NO_ITEM
  }

  /**
   * As `allocate`, but never waits for other threads, so that the caller may hold a stripe: of that stripe too an item may be
   * evicted, see Table.removals. NO_ITEM also where the item would have pieces.
   */
  tryAllocate(key: Uint8Array, keyStart: number, keyBytes: number, flags: number, expiresAt: number, valueBytes: number): ItemId {
    const slabClass = this.slabs.classes.classFor(this.context.nominalBytes(keyBytes, flags, valueBytes))
    const item = slabClass === 0 ? NO_ITEM : this.tryTakeChunk(slabClass)
    if (item !== NO_ITEM) this.items.reserve(item, key, keyStart, keyBytes, flags, expiresAt, valueBytes, false)
    return item
  }

  /** Gives a large item its pieces; gives all back if there are not enough. */
  private takePieces(item: ItemId): boolean {
    const { items } = this
    const valuePieces = items.valuePieces(item)
    const idPieces = items.pieceCount(item) - valuePieces
    // pieces that hold ids come before those whose ids they hold, and are given back after them
    const indexOf = (turn: number): number => turn < idPieces ? valuePieces + idPieces - 1 - turn : turn - idPieces
    for (let turn = 0; turn < valuePieces + idPieces; turn++) {
      if (this.takePiece(item, indexOf(turn))) continue
      while (turn > 0) this.giveBack(items.piece(item, indexOf(--turn)))
      items.dropRef(item)
      this.giveBack(item)
      return false
    }
    return true
  }

  /** Gives a large item one of its pieces, the last one of its value of just the size it needs; false if there is none. */
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

  /** A chunk of a class, by making room if need be; NO_ITEM if there is none. */
  private takeChunk(slabClass: number): ItemId {
    let chunk = this.tryTakeChunk(slabClass)
    for (let tries = 1; chunk === NO_ITEM && this.isHeldUp && tries < HELD_UP_TRIES; tries++) {
      // they may be waiting for the lock of this class
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
      // the oldest items may all be in the page that is leaving: a request does not wait until they are gone
      if (chunk !== NO_ITEM || tries < RETIRED_MAX) continue
      if (slabs.tryTakeRetiredClassLocked(slabClass, this.evicted)) chunk = this.evicted
    }
    slabs.unlock(slabClass)
    return chunk
  }

  /** Frees at least one chunk of a class, or a page for it; false if nothing may go. */
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

  /** Drops the item of a class that can best be spared; one that is read or written is put out of the way. */
  evictClassLocked(slabClass: number): Dropped {
    const { context, items, lru } = this
    lru.balance(slabClass, context.now, BALANCE_STEPS)
    for (let tries = 0; tries < EVICT_TRIES; tries++) {
      const item = this.nextToGo(slabClass)
      if (item === NO_ITEM) break
      if (tries < RESCUES_MAX && this.isKept(item)) continue
      const dropped = this.tryEvictClassLocked(slabClass, item)
      if (dropped !== Dropped.Nothing) return dropped
      if (!context.settings.evictions && !this.isDead(item)) break
      // it is being read or written: out of the way
      context.counters.addClass(slabClass, ClassCounter.TailReflocked)
      lru.move(slabClass, item, items.segment(item))
    }
    return Dropped.Nothing
  }

  /** The item of a class that makes room: a dead one of TEMP, or the oldest of the others; NO_ITEM if nothing may go. */
  private nextToGo(slabClass: number): ItemId {
    const { context, items, lru } = this
    const temp = lru.tail(slabClass, Segment.Temp)
    if (temp !== NO_ITEM && this.isDead(temp)) return temp
    const item = this.oldest(slabClass)
    // what has been given a longer life since, or was short-lived only for a setting that has changed, is like any other
    const isProtected = item !== NO_ITEM && item === temp && lru.isShortLived(items.expiresAt(item), context.now)
    return isProtected ? NO_ITEM : item
  }

  /** An item of COLD that was hit twice since it came there goes to WARM instead of being evicted. */
  private isKept(item: ItemId): boolean {
    if (!this.items.has(item, State.Active) || this.items.segment(item) !== Segment.Cold || this.isDead(item)) return false
    if (!this.lru.settings.lruSegmented) return false
    this.lru.moveToWarm(this.classOf(item), item)
    return true
  }

  /** Drops an item of a class whose lock is held, if nobody uses it. */
  private tryEvictClassLocked(slabClass: number, item: ItemId): Dropped {
    const { context, items } = this
    const hash = this.hashOf(item)
    if (!context.stripes.tryTake(hash)) return Dropped.Nothing
    const isDead = this.isDead(item)
    const isIdle = items.refs(item) === 0 && (isDead || context.settings.evictions)
    if (isIdle) {
      if (isDead) this.countReclaimed(slabClass, item)
      else this.countEvictedClassLocked(slabClass, item)
      this.dropListedBothLocked(slabClass, slabClass, hash, item)
      this.evicted = item
    }
    context.stripes.releaseTried(hash)
    if (!isIdle) return Dropped.Nothing
    return isDead ? Dropped.Dead : Dropped.Live
  }

  /**
   * Drops what is dead at the tail of a list of a class whose lock is held, up to the first item that is not or that
   * somebody is at. Returns how many went, at most `itemsMax`.
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

  /** Where there is one list, whoever stores in a class, whose lock is held, reclaims some of what is dead at its tail. */
  reclaimFlatClassLocked(slabClass: number): void { this.reclaimTailClassLocked(slabClass, Segment.Cold, FLAT_RECLAIMS) }

  private tryReclaimClassLocked(slabClass: number, item: ItemId): boolean {
    const { context, items } = this
    const hash = this.hashOf(item)
    if (!context.stripes.tryTake(hash)) return false
    // it may have been given a longer life in this moment
    const isLongDead = this.isLongDead(item)
    if (isLongDead) {
      this.countReclaimed(slabClass, item)
      if (items.refs(item) === 0) this.dropListedBothLocked(slabClass, slabClass, hash, item)
      else {
        // whoever reads it last frees it
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

  /** Needs the lock of the class. */
  countEvictedClassLocked(slabClass: number, item: ItemId): void {
    const { counters, now } = this.context
    const items = this.items
    counters.addClass(slabClass, ClassCounter.Evicted)
    if (items.expiresAt(item) !== 0) counters.addClass(slabClass, ClassCounter.EvictedNonzero)
    if (!items.has(item, State.Fetched)) counters.addClass(slabClass, ClassCounter.EvictedUnfetched)
    if (items.has(item, State.Active)) counters.addClass(slabClass, ClassCounter.EvictedActive)
    const age = this.slabs.word(slabClass, ClassWord.EvictedAge)
    this.arena.words[age] = items.age(item, now)
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
  private dropListedBothLocked(listClass: number, alsoHeld: number, hash: number, item: ItemId): void {
    const { items } = this
    this.removeStripeLocked(hash, item, this.reasonToDrop(item))
    this.unlistBothLocked(item)
    if (items.has(item, State.Large)) {
      const count = items.pieceCount(item)
      for (let i = 0; i < count; i++) this.giveBackBeside(listClass, alsoHeld, items.piece(item, i))
    }
    this.giveBackBeside(listClass, alsoHeld, item)
  }

  /** As `giveBack`, by a holder of two class locks. Only a holder of the largest class's waits for others here. */
  private giveBackBeside(held: number, alsoHeld: number, chunk: ItemId): void {
    const slabClass = this.slabs.classAt(chunk)
    if (slabClass === held || slabClass === alsoHeld) this.slabs.giveBackClassLocked(slabClass, chunk)
    else this.giveBack(chunk)
  }

  // Pages

  /** Gives a class, whose lock is held, a page of another class in which nothing is stored. */
  private takeEmptyPageClassLocked(slabClass: number): boolean {
    const { slabs } = this
    const page = slabs.findEmptyPageClassLocked(slabClass)
    if (page === 0) return false
    const owner = slabs.classOfPage(page)
    if (!slabs.tryLock(owner)) return false
    // it may have another owner by now
    const isEmpty = slabs.classOfPage(page) === owner && slabs.isEmptyPage(page) && slabs.canSpare(owner)
    if (isEmpty) this.movePageClassesLocked(page, slabClass)
    slabs.unlock(owner)
    return isEmpty
  }

  /**
   * Empties a page of class `victim`, by dropping what is in it, and gives it to `slabClass`, whose lock is held and which
   * has no chunk left. If others hold it up, it has dropped what it could, and goes on with the same page next time.
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

  /** The page that was begun with, or that of the oldest item, or any that will do; 0 if none of them does. */
  private pageToEmpty(victim: number, slabClass: number): number {
    const { slabs } = this
    const willDo = (page: number): boolean => slabs.classOfPage(page) === victim &&
      !slabs.isLeaving(page) && slabs.chunksOf(page, slabClass) > 0 && this.isEmptiable(page, victim)
    const begun = slabs.emptyingPage
    if (begun !== 0 && willDo(begun)) return begun
    const oldest = this.oldest(victim)
    if (oldest === NO_ITEM) return 0
    for (let page = this.pageOf(oldest), tries = STEAL_TRIES; tries > 0; page = this.nextPageOf(victim, page), tries--) {
      if (willDo(page)) return page
    }
    return 0
  }

  /** Gives an empty page to a class or a PageOwner, counts it and tells those who watch, for whom all that is no class is 0. */
  movePageClassesLocked(page: number, owner: number): void {
    if (this.context.watched !== 0) this.context.log.slabMove(this.slabs.classOfPage(page), Math.max(owner, 0))
    this.slabs.movePageClassesLocked(page, owner)
    this.context.counters.add(Counter.SlabsMoved)
  }

  /** The item of a class that would be evicted first. */
  oldest(slabClass: number): ItemId {
    const cold = this.lru.tail(slabClass, Segment.Cold)
    return cold !== NO_ITEM ? cold : this.lru.lastResort(slabClass)
  }

  /** The next page of a class after a page, from the start again after the last. */
  private nextPageOf(slabClass: number, page: number): number {
    do page = page + 1 < this.slabs.pageEnd ? page + 1 : this.arena.firstPage
    while (this.slabs.classOfPage(page) !== slabClass)
    return page
  }

  /** A page that an item's memory lies in, for a large one that of its first piece. */
  private pageOf(item: ItemId): number {
    return (this.items.has(item, State.Large) ? this.items.piece(item, 0) : item) >>> Size.PageShift
  }

  /** The class with most pages, if it can spare one; 0 if none can. */
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
   * Whether nothing in a page is being filled or read, nor is the header or the last piece of a large item, which would
   * have to go with pieces in other classes' pages.
   */
  private isEmptiable(page: number, slabClass: number): boolean {
    const { items } = this
    for (const chunk of this.usedChunks(page, slabClass)) {
      const item = items.isPiece(chunk) ? items.pieceOwner(chunk) : chunk
      if (!items.has(item, State.Linked) || items.refs(item) > 0 || this.classOf(item) !== slabClass) return false
    }
    return true
  }

  /** Drops every item of an emptiable page of class `victim` that nobody holds; true if that was all of them. */
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

  /** A page has items of many stripes, and others hold one for a moment only, so each is tried for a moment. */
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
   * Drops an item that a walk over the memory, which holds no lock, has found dead; if that is what it is.
   * @param counter what it counts as
   */
  reclaim(item: ItemId, counter: ClassCounter.CrawlerReclaimed | ClassCounter.Reclaimed): void {
    const { context } = this
    // rubbish, perhaps, if the chunk has become something else in this moment; then no table holds it
    const hash = this.hashOf(item)
    context.stripes.take(hash)
    if (this.table.holds(hash, item) && this.isDead(item)) {
      this.countReclaimed(this.classOf(item), item, counter)
      this.unlinkStripeLocked(hash, item)
    }
    context.stripes.release(hash)
  }

  /** How many items there are. */
  get itemCount(): number {
    let sum = 0
    for (let slabClass = 1; slabClass <= this.slabs.classes.largest; slabClass++) sum += this.classItems(slabClass)
    return sum
  }

  /** How many items a class has in all its lists. Takes the lock of the class, as they go from list to list. */
  classItems(slabClass: number): number {
    let sum = 0
    this.slabs.lock(slabClass)
    for (let segment = Segment.Hot; segment <= Segment.Temp; segment++) sum += this.lru.get(slabClass, segment, ListWord.Count)
    this.slabs.unlock(slabClass)
    return sum
  }
}
