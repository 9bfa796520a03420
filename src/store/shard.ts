// A shard: one arena with its table, slabs and lists, and the operations on its items. The hash of a key says in which
// shard it lives; a store of up to 2 GiB has one. Public operations take the lock of the key's stripe, those named
// ...Locked need it held.
import { type Arena } from '../memory/arena.js'
import { ClassWord, State } from '../memory/layout.js'
import { writeUint64, Uint64 } from '../memory/numbers.js'
import { ClassCounter, Counter } from '../stats/counters.js'
import { type StoreContext } from './context.js'
import { Departure } from './departures.js'
import { readNumber, writeDigits } from './items/digits.js'
import { NO_ITEM, Segment, type ItemId, type Items } from './items/items.js'
import { type Generations } from './items/generations.js'
import { type Lru } from './items/lru.js'
import { type Marks } from './walks/marks.js'
import { type Moves } from './slabs/moves.js'
import { Outcome } from './outcome.js'
import { Reporter } from './reporter.js'
import { Extra, Mode, type Request } from './request.js'
import { type Slabs } from './slabs/slabs.js'
import { type Allocator } from './slabs/allocator.js'
import { type Table } from './index/table.js'
import { ItemView, type Pins } from './view.js'

/** What a set may ask for and still be written over the old item. */
const PLAIN_EXTRAS = Extra.TellCas | Extra.NewCas

export class Shard implements Pins {
  /** Shows one item at a time to those outside the store. */
  readonly view: ItemView
  /** Where incr and decr write their digits before they are copied. */
  private readonly digits = new Uint8Array(20)
  private readonly number = new Uint64()
  private readonly reporter: Reporter

  constructor(readonly arena: Arena, readonly items: Items, readonly table: Table, readonly slabs: Slabs, readonly lru: Lru,
    readonly allocator: Allocator, readonly generations: Generations, readonly marks: Marks, private readonly context: StoreContext,
    readonly moves: Moves) {
    this.reporter = new Reporter(items, allocator, context)
    this.view = new ItemView(this, items, allocator, context)
  }

  get itemCount(): number { return this.allocator.itemCount }

  // Reading

  /**
   * Looks a key up for a get, counts and marks the hit, and keeps the stripe locked whatever comes: the caller copies
   * what it needs, or pins the item, and then calls `release`.
   */
  acquire(request: Request): ItemId {
    const { context } = this
    const counters = context.counters
    context.stripes.take(request.hash)
    counters.add(Counter.CmdGet)
    const item = this.findLiveLocked(request)
    if (item === NO_ITEM) {
      counters.add(Counter.GetMisses)
      return NO_ITEM
    }
    this.countHit(item)
    this.bumpLocked(item)
    return item
  }

  private countHit(item: ItemId): void {
    this.context.counters.addClass(this.allocator.classOf(item), ClassCounter.HitsToHot + this.items.segment(item))
  }

  /**
   * Counts a get that found its item with `findLiveLocked`, or did not.
   * @param isTouch whether it gave the item a new end, and so counts as touch
   */
  countGet(item: ItemId, isTouch: boolean): void {
    const { counters } = this.context
    if (isTouch && item !== NO_ITEM) {
      counters.add(Counter.CmdTouch)
      counters.addClass(this.allocator.classOf(item), ClassCounter.TouchHits)
      return
    }
    counters.add(Counter.CmdGet)
    if (item === NO_ITEM) counters.add(Counter.GetMisses)
    else this.countHit(item)
  }

  /** Locks the stripe of a key, for the operations named ...Locked; until `release`. */
  take(request: Request): void { this.context.stripes.take(request.hash) }

  /** As `acquire`, for gat: the item's end becomes that of the request. It counts as a touch alone, as in memcached. */
  acquireAndTouch(request: Request): ItemId {
    this.take(request)
    return this.touchLocked(request)
  }

  release(request: Request): void {
    this.context.stripes.release(request.hash)
  }

  /**
   * Keeps an item's memory in place, even when its key is replaced or deleted, until `unpin`; false if it has more readers
   * than can be counted.
   */
  tryPinStripeLocked(item: ItemId): boolean {
    const isPinned = this.tryRefLocked(item)
    if (!isPinned) this.context.counters.add(Counter.ResponseOom)
    return isPinned
  }

  private tryRefLocked(item: ItemId): boolean {
    if (this.items.refs(item) === State.Refs) return false
    this.items.addRef(item)
    return true
  }

  unpin(item: ItemId): void {
    const { context } = this
    const hash = this.allocator.hashOf(item)
    context.stripes.take(hash)
    this.allocator.dropRefStripeLocked(item)
    context.stripes.release(hash)
  }

  // Storing

  /** An item to fill with the request's value, then to `commit` or `abandon`; NO_ITEM if there is no memory for it. */
  reserve(request: Request): ItemId {
    const item = this.allocator.allocate(request.bytes, request.keyStart, request.keyEnd - request.keyStart,
      request.flags, request.expiresAt, request.valueBytes)
    if ((request.extras & Extra.BinaryKey) !== 0 && item !== NO_ITEM) this.items.mark(item, State.BinaryKey)
    return item
  }

  /** A new item without a value for a key that is missing; NO_ITEM without memory. */
  vivifyLocked(request: Request): ItemId {
    request.valueBytes = request.flags = 0
    const item = this.reserve(request)
    if (item !== NO_ITEM) this.replaceLocked(request, NO_ITEM, item)
    return item
  }

  /** How many bytes from `offset` of a value on may be written: to the end of the run, and of the chunk if that is the last. */
  valueRoom(item: ItemId, offset: number): number {
    const { items, slabs } = this
    const run = items.valueRun(item, offset)
    if (offset + run < items.valueBytes(item) + 2) return run
    const at = items.valueAt(item, offset)
    const chunk = items.has(item, State.Large) ? items.piece(item, items.valuePieces(item) - 1) : item
    return (chunk << 2) + slabs.classes.chunkBytes[slabs.classAt(chunk)]! - at
  }

  /** Stores a reserved and filled item as the request's mode says; the item is gone if the outcome is not Stored. */
  commit(request: Request, item: ItemId): Outcome {
    const { stripes } = this.context
    stripes.take(request.hash)
    const outcome = this.storeStripeLocked(request, this.findLiveLocked(request), item)
    stripes.release(request.hash)
    return outcome
  }

  /**
   * Stores a value that is there as a whole, at `valueAt` of the request's bytes: looks its key up once and takes the key's
   * stripe once. Only where memory is short of what others hold, or the item has pieces, it reserves the item first, without
   * the stripe, as a wait with a stripe in hand could keep those up who are waited for.
   */
  put(request: Request, valueAt: number): Outcome {
    const { stripes } = this.context
    stripes.take(request.hash)
    const outcome = this.tryPutStripeLocked(request, valueAt)
    stripes.release(request.hash)
    return outcome ?? this.putInSteps(request, valueAt)
  }

  /** Does `put`, if there is memory for the item without waiting; undefined otherwise. */
  private tryPutStripeLocked(request: Request, valueAt: number): Outcome | undefined {
    const { items, table } = this
    let old = this.find(request)
    if (old !== NO_ITEM && this.isWritable(old, request)) return this.overwriteStripeLocked(old, request, valueAt)
    const removals = table.removals
    const item = this.tryReserve(request)
    if (item === NO_ITEM) return undefined
    items.memory.copyFrom(request.bytes, valueAt, items.valueStart(item), request.valueBytes)
    this.context.counters.addClass(this.slabs.classAt(item), ClassCounter.CmdSet)
    // what had to go for it may have been the old item
    if (old !== NO_ITEM && table.removals !== removals) old = this.find(request)
    return this.storeStripeLocked(request, this.liveStripeLocked(request, old), item)
  }

  private putInSteps(request: Request, valueAt: number): Outcome {
    const item = this.reserve(request)
    if (item === NO_ITEM) return Outcome.NoMemory
    this.items.writeValue(item, 0, request.bytes, valueAt, request.valueBytes)
    this.context.counters.addClass(this.allocator.classOf(item), ClassCounter.CmdSet)
    return this.commit(request, item)
  }

  /** As `reserve`, without waiting; NO_ITEM also if the item would have pieces. */
  private tryReserve(request: Request): ItemId {
    const item = this.allocator.tryAllocate(request.bytes, request.keyStart, request.keyEnd - request.keyStart,
      request.flags, request.expiresAt, request.valueBytes)
    if ((request.extras & Extra.BinaryKey) !== 0 && item !== NO_ITEM) this.items.mark(item, State.BinaryKey)
    return item
  }

  /** True if the request is a plain set of a value that an item can take where it is. */
  private isWritable(item: ItemId, request: Request): boolean {
    if (request.mode !== Mode.Set || (request.extras & ~PLAIN_EXTRAS) !== 0) return false
    const { items, slabs } = this
    const isOther = State.Refs | State.Large | State.BinaryKey | State.Stale | State.Won
    const state = items.state(item)
    if ((state & isOther) !== 0 || this.allocator.isDead(item)) return false
    if (((state & State.HasFlags) !== 0) !== (request.flags !== 0)) return false
    const bytes = this.context.nominalBytes(items.keyBytes(item), request.flags, request.valueBytes)
    return slabs.classes.classFor(bytes) === slabs.classAt(item) &&
      (items.segment(item) === Segment.Temp) === this.lru.isShortLived(request.expiresAt, this.context.now)
  }

  /**
   * Writes a value over that of an item that stays in its class: no other chunk is touched, and the item keeps its place, as
   * one in use; with one list it goes to the head.
   */
  private overwriteStripeLocked(item: ItemId, request: Request, valueAt: number): Outcome {
    const { context, items, slabs } = this
    const slabClass = slabs.classAt(item)
    if (context.watched !== 0) this.reporter.getStripeLocked(request, item)
    if (!this.lru.settings.lruSegmented) this.reclaimFlat(slabClass)
    context.countSize(items, item, -1)
    if (items.valueBytes(item) !== request.valueBytes) this.resizeLocked(slabClass, item, request.valueBytes)
    items.rewrite(item, request.flags, request.expiresAt)
    items.memory.copyFrom(request.bytes, valueAt, items.valueStart(item), request.valueBytes)
    items.mark(item, State.Active)
    items.unmark(item, State.Fetched)
    items.setUsedAt(item, context.now)
    // where there is one list nothing looks at the bit
    if (!this.lru.settings.lruSegmented && items.segment(item) !== Segment.Temp) this.moveToHeadLocked(item)
    context.stampCas(items, item)
    if (request.extras !== Extra.None) this.settleCas(request, item)
    context.countSize(items, item, 1)
    context.counters.add(Counter.TotalItems)
    context.counters.addClass(slabClass, ClassCounter.CmdSet)
    if (context.watched !== 0) this.reporter.storedStripeLocked(request, item)
    return Outcome.Stored
  }

  /** As an allocation does, which is saved here. It comes before the item may be given an end that lies in the past. */
  private reclaimFlat(slabClass: number): void {
    this.slabs.lock(slabClass)
    this.allocator.reclaimFlatClassLocked(slabClass)
    this.slabs.unlock(slabClass)
  }

  private resizeLocked(slabClass: number, item: ItemId, valueBytes: number): void {
    const { items, slabs } = this
    slabs.lock(slabClass)
    const bytesBefore = items.bytesOf(item)
    items.setValueBytes(item, valueBytes)
    const change = items.bytesOf(item) - bytesBefore
    this.lru.resize(slabClass, items.segment(item), change)
    slabs.add(slabClass, ClassWord.RequestedBytes, change)
    slabs.unlock(slabClass)
  }

  /** Stores a filled item as the request's mode says. @param old the item of its key, if there is one alive */
  private storeStripeLocked(request: Request, old: ItemId, item: ItemId): Outcome {
    return this.context.watched === 0 ? this.storeUnwatchedLocked(request, old, item) : this.storeWatchedLocked(request, old, item)
  }

  private storeUnwatchedLocked(request: Request, old: ItemId, item: ItemId): Outcome {
    const { context } = this
    switch (request.mode) {
      case Mode.Set:
        return this.replaceLocked(request, old, item)
      case Mode.Add:
        if (old === NO_ITEM) return this.replaceLocked(request, old, item)
        this.promoteLocked(old)
        break
      case Mode.Replace:
        if (old !== NO_ITEM) return this.replaceLocked(request, old, item)
        break
      case Mode.Append:
      case Mode.Prepend:
        if (old === NO_ITEM) {
          if ((request.extras & Extra.Vivify) !== 0) return this.replaceLocked(request, old, item)
          break
        }
        if (this.isRefusedByCas(request, old)) {
          this.allocator.abandon(item)
          return Outcome.Exists
        }
        return this.concatenateLocked(request, old, item)
      case Mode.Cas: {
        if (old === NO_ITEM) {
          context.counters.add(Counter.CasMisses)
          this.allocator.abandon(item)
          return Outcome.NotFound
        }
        const isSame = this.hasCas(old, request.cas)
        const isStale = !isSame && (request.extras & Extra.MayBeStale) !== 0 && this.isNewerThan(old, request.cas)
        context.counters.addClass(this.allocator.classOf(old), isSame || isStale ? ClassCounter.CasHits : ClassCounter.CasBadval)
        if (isStale) this.makeStale(item, old)
        if (isSame || isStale) return this.replaceLocked(request, old, item)
        this.allocator.abandon(item)
        return Outcome.Exists
      }
    }
    this.allocator.abandon(item)
    return Outcome.NotStored
  }

  private replaceLocked(request: Request, old: ItemId, item: ItemId): Outcome {
    this.allocator.linkStripeLocked(request.hash, old, item)
    if (request.extras !== Extra.None) this.settleCas(request, item)
    return Outcome.Stored
  }

  /** Gives what was stored the cas number that the request brought, and tells the one it has. */
  private settleCas(request: Request, item: ItemId): void {
    const { items } = this
    const { newCas } = request
    if ((request.extras & Extra.NewCas) !== 0 && this.context.settings.useCas) items.setCas(item, newCas.high, newCas.low)
    if ((request.extras & Extra.TellCas) !== 0) request.casAfter.set(items.casHigh(item), items.casLow(item))
  }

  /** What replaces a newer value is stale from the start; it ends when that ended, and whoever was to renew that still is. */
  private makeStale(item: ItemId, old: ItemId): void {
    const { items } = this
    items.setExpiresAt(item, items.expiresAt(old))
    items.mark(item, State.Stale | (items.state(old) & State.Won))
  }

  private isRefusedByCas(request: Request, item: ItemId): boolean {
    return (request.extras & Extra.CompareCas) !== 0 && !this.hasCas(item, request.cas)
  }

  /** A cas number of 0 equals none. */
  hasCas(item: ItemId, cas: Uint64): boolean {
    if (cas.isZero) return false
    return this.items.casLow(item) === cas.low && this.items.casHigh(item) === cas.high
  }

  private isNewerThan(item: ItemId, cas: Uint64): boolean {
    if (cas.isZero) return false
    const high = this.items.casHigh(item)
    return high > cas.high || (high === cas.high && this.items.casLow(item) > cas.low)
  }

  /** append and prepend: a third item takes the old value and the new one, with the old one's flags and end. */
  private concatenateLocked(request: Request, old: ItemId, addition: ItemId): Outcome {
    const { items } = this
    const oldBytes = items.valueBytes(old)
    const addedBytes = items.valueBytes(addition)
    const isTooLarge = this.isTooLarge(request, items.flags(old), oldBytes + addedBytes)
    const joined = isTooLarge ? NO_ITEM
      : this.allocateBesideLocked(request, old, items.flags(old), items.expiresAt(old), oldBytes + addedBytes)
    if (joined === NO_ITEM) {
      this.allocator.abandon(addition)
      return Outcome.NotStored
    }
    request.valueBytes = oldBytes + addedBytes
    const isAppend = request.mode === Mode.Append
    items.copyValue(old, joined, isAppend ? 0 : addedBytes, oldBytes)
    items.copyValue(addition, joined, isAppend ? oldBytes : 0, addedBytes)
    this.allocator.abandon(addition)
    return this.replaceLocked(request, old, joined)
  }

  /** Whether an item would be larger than -I allows. */
  isTooLarge(request: Request, flags: number, valueBytes: number): boolean {
    const bytes = this.context.nominalBytes(request.keyEnd - request.keyStart, flags, valueBytes)
    return bytes > this.context.settings.itemSizeMax
  }

  /** Counts a store that cannot be done; a plain set that fails takes the old value with it, as the value is outdated. */
  refuse(request: Request, outcome: Outcome, dropsOld = request.mode === Mode.Set): void {
    const { context } = this
    context.counters.add(outcome === Outcome.TooLarge ? Counter.StoreTooLarge : Counter.StoreNoMemory)
    if (context.watched !== 0) this.reporter.store(request, outcome, request.expiresAt, 0, 0)
    if (!dropsOld) return
    context.stripes.take(request.hash)
    const old = this.findLiveLocked(request)
    const reason = outcome === Outcome.TooLarge ? Departure.TooLarge : Departure.NoMemory
    if (old !== NO_ITEM) this.allocator.unlinkStripeLocked(request.hash, old, reason)
    context.stripes.release(request.hash)
  }

  // Changing

  delete(request: Request): Outcome {
    const { context } = this
    context.stripes.take(request.hash)
    const outcome = this.deleteLocked(request)
    context.stripes.release(request.hash)
    return outcome
  }

  private deleteLocked(request: Request): Outcome {
    const { context } = this
    const item = this.findLiveLocked(request)
    if (item === NO_ITEM) {
      context.counters.add(Counter.DeleteMisses)
      return Outcome.NotFound
    }
    if (this.isRefusedByCas(request, item)) return Outcome.Exists
    if ((request.extras & Extra.RemoveValue) !== 0) return this.removeValueLocked(request, item)
    if ((request.extras & Extra.Invalidate) !== 0) return this.invalidateLocked(request, item)
    context.counters.addClass(this.allocator.classOf(item), ClassCounter.DeleteHits)
    if (context.watched !== 0) this.reporter.deletedStripeLocked(request, item)
    this.allocator.unlinkStripeLocked(request.hash, item, Departure.Deleted)
    return Outcome.Deleted
  }

  /** Puts an item without a value in place of another, of which it keeps the cas number unless the request has one. */
  private removeValueLocked(request: Request, item: ItemId): Outcome {
    const { items } = this
    const high = items.casHigh(item)
    const low = items.casLow(item)
    const heir = this.allocateBesideLocked(request, item, request.flags, request.expiresAt, 0)
    if (heir === NO_ITEM) return Outcome.NoMemory
    this.allocator.linkStripeLocked(request.hash, item, heir)
    items.setCas(heir, high, low)
    this.settleCas(request, heir)
    if ((request.extras & Extra.Invalidate) !== 0) return this.invalidateLocked(request, heir)
    this.context.counters.addClass(this.allocator.classOf(heir), ClassCounter.DeleteHits)
    return Outcome.Deleted
  }

  /** Marks an item as stale: the next reader is told to renew it, and its number is a new one. */
  private invalidateLocked(request: Request, item: ItemId): Outcome {
    const { items } = this
    if ((request.extras & Extra.NewExpiry) !== 0) items.setExpiresAt(item, request.expiresAt)
    items.mark(item, State.Stale)
    items.unmark(item, State.Won)
    this.context.stampCas(items, item)
    this.settleCas(request, item)
    return Outcome.Deleted
  }

  /** A reserved item that is to replace `item`, which is not evicted to make room for it; NO_ITEM without memory. */
  private allocateBesideLocked(request: Request, item: ItemId, flags: number, expiresAt: number, valueBytes: number): ItemId {
    const { items } = this
    if (!this.tryRefLocked(item)) return NO_ITEM
    const heir = this.allocator.allocate(request.bytes, request.keyStart, request.keyEnd - request.keyStart, flags, expiresAt, valueBytes)
    items.dropRef(item)
    if (heir !== NO_ITEM) items.mark(heir, items.state(item) & State.BinaryKey)
    return heir
  }

  touch(request: Request): Outcome {
    const { context } = this
    context.stripes.take(request.hash)
    const item = this.touchLocked(request)
    context.stripes.release(request.hash)
    return item === NO_ITEM ? Outcome.NotFound : Outcome.Touched
  }

  private touchLocked(request: Request): ItemId {
    const { counters } = this.context
    counters.add(Counter.CmdTouch)
    const item = this.findLiveLocked(request)
    if (item === NO_ITEM) {
      counters.add(Counter.TouchMisses)
      return NO_ITEM
    }
    counters.addClass(this.allocator.classOf(item), ClassCounter.TouchHits)
    this.items.setExpiresAt(item, request.expiresAt)
    this.bumpLocked(item)
    return item
  }

  /** incr and decr: adds `request.number`, leaves the new number there. */
  arithmetic(request: Request): Outcome {
    const { context } = this
    context.stripes.take(request.hash)
    const outcome = this.arithmeticLocked(request)
    context.stripes.release(request.hash)
    return outcome
  }

  /** As `arithmetic`; the result is in `request.item`. */
  arithmeticLocked(request: Request): Outcome {
    const { context, items } = this
    const item = this.findLiveLocked(request)
    request.isBegun = false
    if (item === NO_ITEM) {
      if ((request.extras & Extra.Vivify) !== 0) return this.beginNumberLocked(request)
      context.counters.add(request.isDecrement ? Counter.DecrMisses : Counter.IncrMisses)
      return Outcome.NotFound
    }
    if (items.valueBytes(item) === 0 || items.has(item, State.Large)) return Outcome.NonNumeric
    if (this.isRefusedByCas(request, item)) return Outcome.Exists
    const number = this.number
    if (!readNumber(items, item, number)) return Outcome.NonNumeric
    context.counters.addClass(this.allocator.classOf(item), request.isDecrement ? ClassCounter.DecrHits : ClassCounter.IncrHits)
    if (request.isDecrement) number.subtract(request.number.high, request.number.low)
    else number.add(request.number.high, request.number.low)
    request.number.set(number.high, number.low)
    const length = writeUint64(this.digits, 0, number.high, number.low)
    const room = items.valueBytes(item)
    if (length > room || items.refs(item) > 0) return this.rewriteLocked(request, item, length)
    // in place; a shorter number is padded with spaces, as protocol.txt says of decr
    writeDigits(items, item, this.digits, length)
    context.stampCas(items, item)
    if (request.extras !== Extra.None) this.settleCas(request, item)
    this.promoteLocked(item)
    request.item = item
    return Outcome.Number
  }

  /** Stores the number that incr or decr begins with. */
  private beginNumberLocked(request: Request): Outcome {
    const { number, initial } = request
    request.mode = Mode.Add
    request.flags = 0
    request.valueBytes = writeUint64(this.digits, 0, initial.high, initial.low)
    const item = this.reserve(request)
    if (item === NO_ITEM) return Outcome.NoMemory
    writeDigits(this.items, item, this.digits, request.valueBytes)
    this.replaceLocked(request, NO_ITEM, item)
    if (this.context.watched !== 0) this.reporter.storedStripeLocked(request, item)
    number.set(initial.high, initial.low)
    request.item = item
    request.isBegun = true
    return Outcome.Number
  }

  /** Puts the number into a new item: it has outgrown the old one, or somebody is reading that. */
  private rewriteLocked(request: Request, item: ItemId, length: number): Outcome {
    const { items } = this
    const heir = this.allocateBesideLocked(request, item, items.flags(item), items.expiresAt(item),
      Math.max(length, items.valueBytes(item)))
    if (heir === NO_ITEM) return Outcome.NoMemory
    writeDigits(items, heir, this.digits, length)
    this.replaceLocked(request, item, heir)
    request.item = heir
    return Outcome.Number
  }

  // Finding

  /** The item of a key, if it is there and alive; one that is dead is dropped and counted. */
  findLiveLocked(request: Request): ItemId { return this.liveStripeLocked(request, this.find(request)) }

  private find({ hash, bytes, keyStart, keyEnd }: Request): ItemId {
    return this.table.find(hash, bytes, keyStart, keyEnd - keyStart)
  }

  /** The item that was found for a key, if it is alive. */
  private liveStripeLocked(request: Request, item: ItemId): ItemId {
    const context = this.context
    if (context.watched !== 0) this.reporter.getStripeLocked(request, item)
    if (item === NO_ITEM) return NO_ITEM
    if (this.allocator.isFlushed(item)) context.counters.add(Counter.GetFlushed)
    else if (this.allocator.isExpired(item)) context.counters.add(Counter.GetExpired)
    else return item
    this.allocator.unlinkStripeLocked(request.hash, item)
    return NO_ITEM
  }

  /** Marks an item as used; a get does it. */
  bumpLocked(item: ItemId): void {
    if (this.lru.touchBits(item, this.context.now)) this.moveToHeadLocked(item)
  }

  /** Marks an item as one that is wanted, though nobody has fetched it. */
  private promoteLocked(item: ItemId): void {
    if (this.lru.promote(item, this.context.now)) this.moveToHeadLocked(item)
  }

  private moveToHeadLocked(item: ItemId): void {
    const slabClass = this.allocator.classOf(item)
    this.slabs.lock(slabClass)
    this.lru.move(slabClass, item, Segment.Cold)
    this.slabs.unlock(slabClass)
  }

  /** As `storeUnwatchedLocked`, and tells those who watch. */
  private storeWatchedLocked(request: Request, old: ItemId, item: ItemId): Outcome {
    // the item may be gone afterwards, and the key be its own
    const slabClass = this.allocator.classOf(item)
    const { bytes, keyStart, keyEnd } = request
    const keyBytes = keyEnd - keyStart
    request.bytes = bytes.slice(keyStart, keyEnd)
    request.keyStart = 0
    request.keyEnd = keyBytes
    const outcome = this.storeUnwatchedLocked(request, old, item)
    if (outcome !== Outcome.Stored) this.reporter.store(request, outcome, request.expiresAt, slabClass, request.valueBytes)
    else this.reporter.storedStripeLocked(request, this.table.find(request.hash, request.bytes, 0, keyBytes))
    request.bytes = bytes
    request.keyStart = keyStart
    request.keyEnd = keyEnd
    return outcome
  }
}
