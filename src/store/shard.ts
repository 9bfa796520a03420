// A shard: one arena with its table, slabs and lists, and the operations on its items. The hash of a key decides which shard has
// its item; a store of up to 2 GiB has one shard. Only Store and Filling call the operations. They take the stripe of the key;
// those named ...StripeLocked need a caller that has it.
import { type Arena } from '../memory/arena.js'
import { ClassWord, State } from '../memory/layout.js'
import { Uint64 } from '../memory/numbers.js'
import { ClassCounter, Counter } from '../stats/counters.js'
import { type StoreContext } from './context.js'
import { Departure } from './departures.js'
import { changeDigits, readNumber, writeDigits } from './items/digits.js'
import { NO_ITEM, Segment, type ItemId, type Items } from './items/items.js'
import { type Generations } from './items/generations.js'
import { type PrefixUse } from './items/prefixes.js'
import { type Lru } from './items/lru.js'
import { type Marks } from './walks/marks.js'
import { type Moves } from './slabs/moves.js'
import { Outcome, Refusal, type Failure } from './outcome.js'
import { Reporter } from './reporter.js'
import { Found, Mode, Want, type Request } from './request.js'
import { type Holdings } from './slabs/holdings.js'
import { Quotas } from './slabs/quotas.js'
import { type Slabs } from './slabs/slabs.js'
import { type Allocator } from './slabs/allocator.js'
import { type Table } from './index/table.js'
import { ItemView, ValueLoan, type Lender, type Reader } from './view.js'

/** The options with which a get may set the expiration time of its item. */
const EXPIRY_WANTS = Want.Vivify | Want.NewExpiry | Want.Touch
/** The options with which a get may have an item renewed that is not stale. */
const RENEWAL_WANTS = Want.Vivify | Want.Recache
const CAS_WANTS = Want.TellCas | Want.NewCas
/** The options of a set that may overwrite the old item. With any other option, a set makes a new item. */
const PLAIN_WANTS = CAS_WANTS | Want.DropOld

/** The facts about an item, dead or alive. The fields are those of ItemView. */
export interface Inspected {
  readonly isFlushed: boolean
  readonly isExpired: boolean
  readonly isFetched: boolean
  readonly isStale: boolean
  readonly usedAt: number
  readonly expiresAt: number
  readonly valueBytes: number
  readonly slabClass: number
  /** The cas number, rounded above 2^53; 0 with -C. */
  readonly cas: number
}

export class Shard implements Lender {
  /** The view of one item at a time, for code outside the store. */
  readonly view: ItemView
  private readonly number = new Uint64()
  private readonly reporter: Reporter
  /** Given if what prefixes have is counted. */
  private readonly prefixes: PrefixUse | undefined
  private readonly quotas: Quotas | undefined
  /** The values that this thread has lent, by item. */
  private readonly loans = new Map<ItemId, ValueLoan>()

  constructor(readonly arena: Arena, readonly items: Items, readonly table: Table, readonly slabs: Slabs, readonly lru: Lru,
    readonly allocator: Allocator, readonly generations: Generations, readonly marks: Marks,
    private readonly holdings: Holdings, private readonly context: StoreContext, readonly moves: Moves) {
    this.reporter = new Reporter(items, allocator, context)
    this.view = new ItemView(this, allocator, context)
    const { prefixes } = context
    this.prefixes = prefixes
    this.quotas = prefixes && new Quotas(items, table, slabs, allocator, context, prefixes)
  }

  get itemCount(): number { return this.allocator.itemCount }

  // Reading

  /** Shows the item of a key to `reader`; false if there is none. See Store.get. */
  get(request: Request, reader: Reader): boolean {
    const { stripes } = this.context
    stripes.take(request.hash)
    const isHit = request.wants === Want.None ? this.getPlainStripeLocked(request, reader) : this.getStripeLocked(request, reader)
    stripes.release(request.hash)
    return isHit
  }

  private getPlainStripeLocked(request: Request, reader: Reader): boolean {
    const { counters } = this.context
    const item = this.findLiveStripeLocked(request)
    if (item === NO_ITEM) {
      counters.add(Counter.CmdGet)
      counters.add(Counter.GetMisses)
      if (this.prefixes !== undefined) this.prefixes.miss(request.bytes, request.keyStart, request.keyEnd)
      return false
    }
    if (!reader.read(this.view.of(item))) return true
    counters.add(Counter.CmdGet)
    this.countHit(item)
    if (this.prefixes !== undefined) this.prefixes.hit(request.bytes, request.keyStart, request.keyEnd)
    this.bumpStripeLocked(item)
    return true
  }

  /** As getPlainStripeLocked, with the options of the request. */
  private getStripeLocked(request: Request, reader: Reader): boolean {
    const { items } = this
    const { wants } = request
    request.result = Found.None
    let item = this.findLiveStripeLocked(request)
    if (item === NO_ITEM && (wants & Want.Vivify) !== 0) item = this.vivifyStripeLocked(request)
    if (item === NO_ITEM) {
      this.countGet(request, item)
      return false
    }
    request.endBefore = items.expiresAt(item)
    if ((wants & EXPIRY_WANTS) !== 0) this.setExpiryStripeLocked(request, item)
    if ((wants & Want.Renewal) !== 0 && (items.has(item, State.Stale | State.Won) || (wants & RENEWAL_WANTS) !== 0)) {
      this.offerRenewalStripeLocked(request, item)
    }
    if (!reader.read(this.view.of(item))) return true
    this.countGet(request, item)
    if ((request.result & Found.Won) !== 0) items.mark(item, State.Won)
    if ((wants & (Want.NoBump | Want.Peek)) === 0) this.bumpStripeLocked(item)
    return true
  }

  /** Creates an item with an empty value for a missing key; NO_ITEM if there is no memory. */
  private vivifyStripeLocked(request: Request): ItemId {
    request.flags = request.valueBytes = 0
    const item = this.reserve(request, 0)
    if (item === NO_ITEM) {
      this.refuseStripeLocked(request, Refusal.NoMemory, 0)
      return NO_ITEM
    }
    this.replaceStripeLocked(request, NO_ITEM, item)
    request.result = Found.Vivified
    return item
  }

  /** Sets the expiration time that the request asks for. As in memcached, the item stays in its list. */
  private setExpiryStripeLocked(request: Request, item: ItemId): void {
    const { items } = this
    if ((request.result & Found.Vivified) !== 0) items.setExpiresAt(item, request.vivifiedUntil)
    else if ((request.wants & (Want.NewExpiry | Want.Touch)) !== 0) items.setExpiresAt(item, request.expiresAt)
  }

  /** Sets in `result` whether an item is stale, and whether this client is to renew it: only the first that gets it is. */
  private offerRenewalStripeLocked(request: Request, item: ItemId): void {
    const { items } = this
    const isStale = items.has(item, State.Stale)
    if (isStale) request.result |= Found.Stale
    if (items.has(item, State.Won)) request.result |= Found.WonBefore
    else if (isStale || (request.result & Found.Vivified) !== 0 || this.needsRecache(request, item)) request.result |= Found.Won
  }

  /** True if an item expires so soon that it is to be renewed, see Want.Recache. */
  private needsRecache({ wants, endBefore, recacheBefore }: Request, item: ItemId): boolean {
    if ((wants & Want.Recache) === 0) return false
    const expiresAt = (wants & Want.RecacheLast) === 0 ? endBefore : this.items.expiresAt(item)
    return expiresAt !== 0 && expiresAt < recacheBefore
  }

  /** Counts a get for the prefix of its key. */
  private countPrefix(prefixes: PrefixUse, { bytes, keyStart, keyEnd }: Request, isHit: boolean): void {
    if (isHit) prefixes.hit(bytes, keyStart, keyEnd)
    else prefixes.miss(bytes, keyStart, keyEnd)
  }

  private countHit(item: ItemId): void {
    this.context.counters.addClass(this.allocator.classOf(item), ClassCounter.HitsToHot + this.items.segment(item))
  }

  /** Counts a get, with its item or NO_ITEM. As in memcached, a get that sets the expiration time counts only as a touch. */
  private countGet(request: Request, item: ItemId): void {
    const { counters } = this.context
    const { wants } = request
    if ((wants & Want.Peek) !== 0) return
    const isHit = item !== NO_ITEM
    const isTouch = (wants & Want.Touch) !== 0 || (isHit && (wants & Want.NewExpiry) !== 0)
    counters.add(isTouch ? Counter.CmdTouch : Counter.CmdGet)
    if (this.prefixes !== undefined && !isTouch) this.countPrefix(this.prefixes, request, isHit)
    if (!isHit) counters.add(isTouch ? Counter.TouchMisses : Counter.GetMisses)
    else if (isTouch) counters.addClass(this.allocator.classOf(item), ClassCounter.TouchHits)
    else this.countHit(item)
  }

  lendStripeLocked(item: ItemId): ValueLoan {
    const { items, loans } = this
    const lent = loans.get(item)
    if (lent !== undefined) {
      lent.share()
      return lent
    }
    items.addRef(item)
    this.holdings.pinStripeLocked(item)
    const loan = new ValueLoan(this, item)
    loans.set(item, loan)
    return loan
  }

  endLoan(item: ItemId): void {
    const { stripes } = this.context
    const hash = this.allocator.hashOf(item)
    this.loans.delete(item)
    stripes.take(hash)
    this.holdings.unpinStripeLocked(item)
    this.allocator.dropRefStripeLocked(item)
    stripes.release(hash)
  }

  /** True if this thread may lend one more value and end at any time, see holdings.ts. */
  get mayLend(): boolean { return this.holdings.hasRoom }

  // Storing

  /** Reserves an item, which the caller fills and then passes to `commit` or `drop`; NO_ITEM if there is no memory. */
  reserve(request: Request, expiresAt = request.expiresAt): ItemId {
    const item = this.allocator.allocate(request.bytes, request.keyStart, request.keyEnd - request.keyStart,
      request.flags, expiresAt, request.valueBytes)
    if ((request.wants & Want.BinaryKey) !== 0 && item !== NO_ITEM) this.items.mark(item, State.BinaryKey)
    return item
  }

  /** Frees a reserved item that will not be stored. */
  drop(item: ItemId): void { this.allocator.abandon(item) }

  /**
   * The number of contiguous bytes that may be written from `offset` of a value on: to the end of the run or, if the value and
   * two bytes more end in it, to the end of the chunk.
   */
  valueRoom(item: ItemId, offset: number): number {
    const { items, slabs } = this
    const run = items.valueRun(item, offset)
    if (offset + run < items.valueBytes(item) + 2) return run
    const at = items.valueAt(item, offset)
    const chunk = items.has(item, State.Large) ? items.piece(item, items.valuePieces(item) - 1) : item
    return (chunk << 2) + slabs.classes.chunkBytes[slabs.classAt(chunk)]! - at
  }

  /** Counts a value that a client has sent, whether it is stored or not. */
  countSet(item: ItemId): void { this.context.counters.addClass(this.allocator.classOf(item), ClassCounter.CmdSet) }

  /** Stores a reserved and filled item in the request's mode. If the outcome is not Stored, the item has been freed. */
  commit(request: Request, item: ItemId): Outcome {
    const { stripes } = this.context
    stripes.take(request.hash)
    const outcome = this.storeStripeLocked(request, this.findLiveStripeLocked(request), item)
    stripes.release(request.hash)
    if (this.quotas !== undefined) this.keepQuota(request)
    return outcome
  }

  /**
   * Stores a complete value, which lies at `valueAt` in the request's bytes. Looks the key up once and takes its stripe once. A
   * large item, or one whose memory other threads hold up, is reserved without the stripe in a second attempt: a thread that
   * waited while it has a stripe could block the very threads that it waits for. An operation that makes a second item of a key
   * (append, a number that outgrows its item, md x) or a missing one (mg N, ma N) does wait with the stripe, 0.1 s at most.
   */
  set(request: Request, valueAt: number): Outcome {
    const { context } = this
    const bytes = context.nominalBytes(request.keyEnd - request.keyStart, request.flags, request.valueBytes)
    if (bytes > context.settings.itemSizeMax) return this.fail(request, Outcome.TooLarge)
    context.stripes.take(request.hash)
    const outcome = this.trySetStripeLocked(request, valueAt, bytes)
    context.stripes.release(request.hash)
    if (this.quotas !== undefined) this.keepQuota(request)
    return outcome ?? this.setInSteps(request, valueAt)
  }

  /** Evicts items of the prefix that this thread last stored a value for, if it has a quota and is above it. */
  private keepQuota({ flags, hash, keyEnd, keyStart, valueBytes }: Request): void {
    const { context, prefixes, quotas, slabs: { classes } } = this
    const row = prefixes?.grown ?? 0
    if (prefixes === undefined || row === 0) return
    prefixes.grown = 0
    const slabClass = classes.classFor(context.nominalBytes(keyEnd - keyStart, flags, valueBytes))
    quotas?.enforce(row, slabClass === 0 ? classes.largest : slabClass, hash)
  }

  /** Stores the value if its item can be reserved without waiting; returns undefined otherwise. @param bytes the nominal size */
  private trySetStripeLocked(request: Request, valueAt: number, bytes: number): Outcome | undefined {
    const { items, table } = this
    let old = this.find(request)
    if (old !== NO_ITEM && this.isWritable(old, request, bytes)) return this.overwriteStripeLocked(old, request, valueAt)
    const removals = table.removals
    const item = this.tryReserve(request)
    if (item === NO_ITEM) return undefined
    items.memory.copyFrom(request.bytes, valueAt, items.valueStart(item), request.valueBytes)
    this.context.counters.addClass(this.slabs.classAt(item), ClassCounter.CmdSet)
    // the allocation may have evicted the old item
    if (old !== NO_ITEM && table.removals !== removals) old = this.find(request)
    return this.storeStripeLocked(request, this.liveStripeLocked(request, old), item)
  }

  private setInSteps(request: Request, valueAt: number): Outcome {
    const item = this.reserve(request)
    if (item === NO_ITEM) return this.fail(request, Outcome.NoMemory)
    this.items.writeValue(item, 0, request.bytes, valueAt, request.valueBytes)
    this.countSet(item)
    return this.commit(request, item)
  }

  /** As `reserve`, but never waits for other threads. Returns NO_ITEM for a large item, too. */
  private tryReserve(request: Request): ItemId {
    const item = this.allocator.tryAllocate(request.bytes, request.keyStart, request.keyEnd - request.keyStart,
      request.flags, request.expiresAt, request.valueBytes)
    if ((request.wants & Want.BinaryKey) !== 0 && item !== NO_ITEM) this.items.mark(item, State.BinaryKey)
    return item
  }

  /** True if the request is a plain set whose value can overwrite that of the old item. @param bytes the new nominal size */
  private isWritable(item: ItemId, request: Request, bytes: number): boolean {
    if (request.mode !== Mode.Set || (request.wants & ~PLAIN_WANTS) !== 0) return false
    const { items, slabs } = this
    const excluded = State.Refs | State.Large | State.BinaryKey | State.Stale | State.Won
    const state = items.state(item)
    if ((state & excluded) !== 0 || this.allocator.isDead(item)) return false
    if (((state & State.HasFlags) !== 0) !== (request.flags !== 0)) return false
    return slabs.classes.classFor(bytes) === slabs.classAt(item) &&
      (items.segment(item) === Segment.Temp) === this.lru.isShortLived(request.expiresAt, this.context.now)
  }

  /**
   * Overwrites the value of an item that stays in its class, so that no other chunk is needed. The item becomes active and keeps
   * its place in its list; in the flat list it moves to the head.
   */
  private overwriteStripeLocked(item: ItemId, request: Request, valueAt: number): Outcome {
    const { context, items, slabs } = this
    const slabClass = slabs.classAt(item)
    if (context.watched !== 0) this.reporter.getStripeLocked(request, item)
    if (!this.lru.settings.lruSegmented) this.reclaimFlat(slabClass)
    context.countSize(items, item, -1)
    if (items.valueBytes(item) !== request.valueBytes) this.resizeStripeLocked(slabClass, item, request.valueBytes)
    items.rewrite(item, request.flags, request.expiresAt)
    items.memory.copyFrom(request.bytes, valueAt, items.valueStart(item), request.valueBytes)
    items.mark(item, State.Active)
    items.unmark(item, State.Fetched)
    items.setUsedAt(item, context.now)
    // the flat list does not use the active bit
    if (!this.lru.settings.lruSegmented && items.segment(item) !== Segment.Temp) this.moveToHeadStripeLocked(item)
    context.stampCas(items, item)
    if ((request.wants & CAS_WANTS) !== 0) this.applyCasWants(request, item)
    context.countSize(items, item, 1)
    context.counters.add(Counter.TotalItems)
    context.counters.addClass(slabClass, ClassCounter.CmdSet)
    if (context.watched !== 0) this.reporter.storedStripeLocked(request, item)
    return Outcome.Stored
  }

  /**
   * Reclaims dead items at the tail of the flat list, as an allocation would do. This comes before the item may get an expiration
   * time in the past, so that it does not reclaim the item itself.
   */
  private reclaimFlat(slabClass: number): void {
    this.slabs.lock(slabClass)
    this.allocator.reclaimFlatClassLocked(slabClass)
    this.slabs.unlock(slabClass)
  }

  private resizeStripeLocked(slabClass: number, item: ItemId, valueBytes: number): void {
    const { items, slabs } = this
    slabs.lock(slabClass)
    const bytesBefore = items.bytesOf(item)
    items.setValueBytes(item, valueBytes)
    const change = items.bytesOf(item) - bytesBefore
    this.lru.resize(slabClass, items.segment(item), change)
    slabs.add(slabClass, ClassWord.RequestedBytes, change)
    if (this.context.prefixes !== undefined) this.context.prefixes.resize(items, item, change)
    slabs.unlock(slabClass)
  }

  /** Stores a filled item in the request's mode. @param old the live item of its key, or NO_ITEM */
  private storeStripeLocked(request: Request, old: ItemId, item: ItemId): Outcome {
    return this.context.watched === 0
      ? this.storeUnwatchedStripeLocked(request, old, item)
      : this.storeWatchedStripeLocked(request, old, item)
  }

  private storeUnwatchedStripeLocked(request: Request, old: ItemId, item: ItemId): Outcome {
    const { context } = this
    switch (request.mode) {
      case Mode.Set:
        return this.replaceStripeLocked(request, old, item)
      case Mode.Add:
        if (old === NO_ITEM) return this.replaceStripeLocked(request, old, item)
        this.promoteStripeLocked(old)
        break
      case Mode.Replace:
        if (old !== NO_ITEM) return this.replaceStripeLocked(request, old, item)
        break
      case Mode.Append:
      case Mode.Prepend:
        if (old === NO_ITEM) {
          if ((request.wants & Want.Vivify) !== 0) return this.replaceStripeLocked(request, old, item)
          break
        }
        // as in memcached, a store without cas numbers has none to compare here
        if (context.settings.useCas && this.isRefusedByCas(request, old)) {
          this.allocator.abandon(item)
          return Outcome.Exists
        }
        return this.concatenateStripeLocked(request, old, item)
      case Mode.Cas: {
        if (old === NO_ITEM) {
          context.counters.add(Counter.CasMisses)
          this.allocator.abandon(item)
          return Outcome.NotFound
        }
        const isSame = this.hasCas(old, request.cas)
        const isStale = !isSame && (request.wants & Want.MayBeStale) !== 0 && this.isNewerThan(old, request.cas)
        context.counters.addClass(this.allocator.classOf(old), isSame || isStale ? ClassCounter.CasHits : ClassCounter.CasBadval)
        if (isStale) this.makeStale(item, old)
        if (isSame || isStale) return this.replaceStripeLocked(request, old, item)
        this.allocator.abandon(item)
        return Outcome.Exists
      }
    }
    this.allocator.abandon(item)
    return Outcome.NotStored
  }

  private replaceStripeLocked(request: Request, old: ItemId, item: ItemId): Outcome {
    this.allocator.linkStripeLocked(request.hash, old, item)
    if ((request.wants & CAS_WANTS) !== 0) this.applyCasWants(request, item)
    return Outcome.Stored
  }

  /** Gives a stored item the cas number of the request, if it has one, and writes the item's number to the request. */
  private applyCasWants(request: Request, item: ItemId): void {
    const { items } = this
    const { newCas } = request
    if ((request.wants & Want.NewCas) !== 0 && this.context.settings.useCas) items.setCas(item, newCas.high, newCas.low)
    if ((request.wants & Want.TellCas) !== 0) request.casAfter.set(items.casHigh(item), items.casLow(item))
  }

  /**
   * Makes an item stale that replaces a newer one. It gets the expiration time of the old item, and if a client is to renew the
   * old item, no other client is asked to renew this one.
   */
  private makeStale(item: ItemId, old: ItemId): void {
    const { items } = this
    items.setExpiresAt(item, items.expiresAt(old))
    items.mark(item, State.Stale | (items.state(old) & State.Won))
  }

  private isRefusedByCas(request: Request, item: ItemId): boolean {
    const { items } = this
    const { cas, wants } = request
    return (wants & Want.CompareCas) !== 0 && (items.casLow(item) !== cas.low || items.casHigh(item) !== cas.high)
  }

  /** True if `cas` is the item's cas number. A cas number of 0 equals none. */
  private hasCas(item: ItemId, cas: Uint64): boolean {
    if (cas.isZero) return false
    return this.items.casLow(item) === cas.low && this.items.casHigh(item) === cas.high
  }

  private isNewerThan(item: ItemId, cas: Uint64): boolean {
    if (cas.isZero) return false
    const high = this.items.casHigh(item)
    return high > cas.high || (high === cas.high && this.items.casLow(item) > cas.low)
  }

  /** append and prepend: stores a third item with both values, and with the flags and the expiration time of the old one. */
  private concatenateStripeLocked(request: Request, old: ItemId, addition: ItemId): Outcome {
    const { items } = this
    const oldBytes = items.valueBytes(old)
    const addedBytes = items.valueBytes(addition)
    const isTooLarge = this.isTooLarge(request, items.flags(old), oldBytes + addedBytes)
    const joined = isTooLarge ? NO_ITEM
      : this.allocateBesideStripeLocked(request, old, items.flags(old), items.expiresAt(old), oldBytes + addedBytes)
    if (joined === NO_ITEM) {
      this.refuseStripeLocked(request, isTooLarge ? Refusal.TooLarge : Refusal.NoMemory, oldBytes + addedBytes)
      this.allocator.abandon(addition)
      return Outcome.NotStored
    }
    request.valueBytes = oldBytes + addedBytes
    const isAppend = request.mode === Mode.Append
    items.copyValue(old, joined, isAppend ? 0 : addedBytes, oldBytes)
    items.copyValue(addition, joined, isAppend ? oldBytes : 0, addedBytes)
    this.allocator.abandon(addition)
    return this.replaceStripeLocked(request, old, joined)
  }

  /** True if an item would be larger than -I allows. */
  isTooLarge(request: Request, flags: number, valueBytes: number): boolean {
    const bytes = this.context.nominalBytes(request.keyEnd - request.keyStart, flags, valueBytes)
    return bytes > this.context.settings.itemSizeMax
  }

  /** Counts a value that cannot be stored. In Mode.Set, or with Want.DropOld, drops the old item, as its value is outdated. */
  fail(request: Request, outcome: Failure): Failure {
    const { counters, stripes, watched } = this.context
    counters.add(outcome === Outcome.TooLarge ? Counter.StoreTooLarge : Counter.StoreNoMemory)
    const dropsOld = request.mode === Mode.Set || (request.wants & Want.DropOld) !== 0
    // the event needs the lock, too: of a thread that ends without one, nothing may be left half written
    stripes.take(request.hash)
    if (watched !== 0) this.reporter.store(request, outcome, request.expiresAt, 0, 0)
    if (dropsOld) this.dropOldStripeLocked(request, outcome)
    this.refuseStripeLocked(request, outcome === Outcome.TooLarge ? Refusal.TooLarge : Refusal.NoMemory, request.valueBytes)
    stripes.release(request.hash)
    return outcome
  }

  /** Counts and reports a write that is refused. */
  refuse(request: Request, reason: Refusal, valueBytes: number): void {
    const { stripes } = this.context
    stripes.take(request.hash)
    this.refuseStripeLocked(request, reason, valueBytes)
    stripes.release(request.hash)
  }

  private refuseStripeLocked({ bytes, keyStart, keyEnd, hash }: Request, reason: Refusal, valueBytes: number): void {
    const { context } = this
    context.countRefused(reason, bytes, keyStart, keyEnd, valueBytes, context.departures.nextOrder(hash))
  }

  /** The same for a change of an item that needs another one, of so many bytes of value. */
  private refuseForMemoryStripeLocked(request: Request, valueBytes: number): Outcome {
    this.refuseStripeLocked(request, Refusal.NoMemory, valueBytes)
    return Outcome.NoMemory
  }

  private dropOldStripeLocked(request: Request, outcome: Failure): void {
    const old = this.findLiveStripeLocked(request)
    const reason = outcome === Outcome.TooLarge ? Departure.TooLarge : Departure.NoMemory
    if (old !== NO_ITEM) this.allocator.unlinkStripeLocked(request.hash, old, reason)
  }

  // Changing

  delete(request: Request): Outcome {
    const { context } = this
    context.stripes.take(request.hash)
    const outcome = this.deleteStripeLocked(request)
    context.stripes.release(request.hash)
    return outcome
  }

  private deleteStripeLocked(request: Request): Outcome {
    const { context } = this
    const item = this.findLiveStripeLocked(request)
    if (item === NO_ITEM) {
      context.counters.add(Counter.DeleteMisses)
      return Outcome.NotFound
    }
    if (this.isRefusedByCas(request, item)) {
      // as in memcached, a meta command counts this as a miss
      if ((request.wants & Want.FromMeta) !== 0) context.counters.add(Counter.DeleteMisses)
      return Outcome.Exists
    }
    if ((request.wants & Want.RemoveValue) !== 0) return this.removeValueStripeLocked(request, item)
    if ((request.wants & Want.Invalidate) !== 0) return this.invalidateStripeLocked(request, item)
    context.counters.addClass(this.allocator.classOf(item), ClassCounter.DeleteHits)
    if (context.watched !== 0) this.reporter.deletedStripeLocked(request, item)
    this.allocator.unlinkStripeLocked(request.hash, item, Departure.Deleted)
    return Outcome.Deleted
  }

  /** Evicts the item of a key; false if there is none. */
  evict(request: Request): boolean {
    const { stripes } = this.context
    stripes.take(request.hash)
    const item = this.findLiveStripeLocked(request)
    if (item !== NO_ITEM) this.allocator.evictStripeLocked(request.hash, item)
    stripes.release(request.hash)
    return item !== NO_ITEM
  }

  /** Replaces an item by one without a value. The new item gets the cas number of the request, or else that of the old item. */
  private removeValueStripeLocked(request: Request, item: ItemId): Outcome {
    const { items } = this
    const high = items.casHigh(item)
    const low = items.casLow(item)
    const replacement = this.allocateBesideStripeLocked(request, item, request.flags, request.expiresAt, 0)
    if (replacement === NO_ITEM) return this.refuseForMemoryStripeLocked(request, 0)
    this.allocator.linkStripeLocked(request.hash, item, replacement)
    items.setCas(replacement, high, low)
    this.applyCasWants(request, replacement)
    if ((request.wants & Want.Invalidate) !== 0) return this.invalidateStripeLocked(request, replacement)
    this.context.counters.addClass(this.allocator.classOf(replacement), ClassCounter.DeleteHits)
    return Outcome.Deleted
  }

  /** Makes an item stale, and gives it a new cas number. The next client that gets the item with Want.Renewal is to renew it. */
  private invalidateStripeLocked(request: Request, item: ItemId): Outcome {
    const { items } = this
    if ((request.wants & Want.NewExpiry) !== 0) items.setExpiresAt(item, request.expiresAt)
    items.mark(item, State.Stale)
    items.unmark(item, State.Won)
    this.context.stampCas(items, item)
    this.applyCasWants(request, item)
    return Outcome.Deleted
  }

  /** Reserves an item that is to replace `item`, which the allocation does not evict; NO_ITEM if there is no memory. */
  private allocateBesideStripeLocked(request: Request, item: ItemId, flags: number, expiresAt: number,
    valueBytes: number): ItemId {
    const { items } = this
    items.addRef(item)
    const replacement = this.allocator.allocate(request.bytes, request.keyStart, request.keyEnd - request.keyStart,
      flags, expiresAt, valueBytes)
    items.dropRef(item)
    if (replacement !== NO_ITEM) items.mark(replacement, items.state(item) & State.BinaryKey)
    return replacement
  }

  touch(request: Request): Outcome {
    const { context } = this
    context.stripes.take(request.hash)
    const outcome = this.touchStripeLocked(request)
    context.stripes.release(request.hash)
    return outcome
  }

  private touchStripeLocked(request: Request): Outcome {
    const { counters } = this.context
    counters.add(Counter.CmdTouch)
    const item = this.findLiveStripeLocked(request)
    if (item === NO_ITEM) {
      counters.add(Counter.TouchMisses)
      return Outcome.NotFound
    }
    counters.addClass(this.allocator.classOf(item), ClassCounter.TouchHits)
    this.items.setExpiresAt(item, request.expiresAt)
    this.bumpStripeLocked(item)
    return Outcome.Touched
  }

  /** incr and decr: adds or subtracts `request.number`, and writes the result to `request.digits`. */
  arithmetic(request: Request): Outcome {
    const { context } = this
    request.result = Found.None
    context.stripes.take(request.hash)
    const outcome = this.arithmeticStripeLocked(request)
    context.stripes.release(request.hash)
    return outcome
  }

  private arithmeticStripeLocked(request: Request): Outcome {
    const { context, items } = this
    const item = this.findLiveStripeLocked(request)
    if (item === NO_ITEM) {
      if ((request.wants & Want.Vivify) !== 0) return this.createNumberStripeLocked(request)
      context.counters.add(request.isDecrement ? Counter.DecrMisses : Counter.IncrMisses)
      return Outcome.NotFound
    }
    if (items.valueBytes(item) === 0 || items.has(item, State.Large)) return Outcome.NonNumeric
    if (this.isRefusedByCas(request, item)) return Outcome.Exists
    const isBorrowed = items.refs(item) > 0
    const isChanged = !isBorrowed && changeDigits(items, item, request)
    if (!isChanged && !this.calculate(request, item)) return Outcome.NonNumeric
    context.counters.addClass(this.allocator.classOf(item), request.isDecrement ? ClassCounter.DecrHits : ClassCounter.IncrHits)
    if (!isChanged) {
      if (isBorrowed || request.digits.count > items.valueBytes(item)) return this.rewriteStripeLocked(request, item)
      writeDigits(items, item, request.digits)
    }
    context.stampCas(items, item)
    if (request.wants !== Want.None) this.applyNumberWantsStripeLocked(request, item)
    this.promoteStripeLocked(item)
    return Outcome.Number
  }

  /** Writes the result for the number of an item to the request; false if the item has none. */
  private calculate(request: Request, item: ItemId): boolean {
    const { number } = this
    if (!readNumber(this.items, item, number)) return false
    if (request.isDecrement) number.subtract(request.number.high, request.number.low)
    else number.add(request.number.high, request.number.low)
    request.digits.set(number.high, number.low)
    return true
  }

  /** Creates an item with the initial number of incr or decr. */
  private createNumberStripeLocked(request: Request): Outcome {
    const { digits, initial } = request
    request.mode = Mode.Add
    request.flags = 0
    request.result = Found.Vivified
    digits.set(initial.high, initial.low)
    request.valueBytes = digits.count
    const item = this.reserve(request, (request.wants & Want.NewExpiry) === 0 ? request.expiresAt : 0)
    if (item === NO_ITEM) return this.refuseForMemoryStripeLocked(request, digits.count)
    writeDigits(this.items, item, digits)
    this.replaceStripeLocked(request, NO_ITEM, item)
    if (this.context.watched !== 0) this.reporter.storedStripeLocked(request, item)
    this.applyNumberWantsStripeLocked(request, item)
    return Outcome.Number
  }

  /** Writes the number to a new item, as it is longer than the old value, or a session is reading that. */
  private rewriteStripeLocked(request: Request, item: ItemId): Outcome {
    const { items } = this
    const { digits } = request
    const replacement = this.allocateBesideStripeLocked(request, item, items.flags(item), items.expiresAt(item),
      Math.max(digits.count, items.valueBytes(item)))
    if (replacement === NO_ITEM) return this.refuseForMemoryStripeLocked(request, digits.count)
    writeDigits(items, replacement, digits)
    this.replaceStripeLocked(request, item, replacement)
    this.applyNumberWantsStripeLocked(request, replacement)
    return Outcome.Number
  }

  /** Carries out the options of an incr or decr. */
  private applyNumberWantsStripeLocked(request: Request, item: ItemId): void {
    this.applyCasWants(request, item)
    request.endBefore = this.items.expiresAt(item)
    this.setExpiryStripeLocked(request, item)
  }

  // Finding

  /** The facts about the item of a key, which may be dead. Counts nothing, and leaves the item as it is. */
  inspect(request: Request): Inspected | undefined {
    const { allocator, context: { stripes }, items } = this
    stripes.take(request.hash)
    const item = this.find(request)
    const facts = item === NO_ITEM ? undefined : {
      isFlushed: allocator.isFlushed(item),
      isExpired: allocator.isExpired(item),
      isFetched: items.has(item, State.Fetched),
      isStale: items.has(item, State.Stale),
      usedAt: items.usedAt(item),
      expiresAt: items.expiresAt(item),
      valueBytes: items.valueBytes(item),
      slabClass: allocator.classOf(item),
      cas: items.casHigh(item) * 0x100000000 + items.casLow(item),
    }
    stripes.release(request.hash)
    return facts
  }

  /** The live item of a key, or NO_ITEM. Drops and counts a dead one. */
  private findLiveStripeLocked(request: Request): ItemId { return this.liveStripeLocked(request, this.find(request)) }

  private find({ hash, bytes, keyStart, keyEnd }: Request): ItemId {
    return this.table.find(hash, bytes, keyStart, keyEnd - keyStart)
  }

  /** Returns the item that was found for a key if it is alive, or NO_ITEM. Drops and counts a dead one. */
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

  /** Records that a client has fetched or touched an item. */
  private bumpStripeLocked(item: ItemId): void {
    if (this.lru.touchBits(item, this.context.now)) this.moveToHeadStripeLocked(item)
  }

  /** Records a use of an item by incr or decr, or by an add that finds the key: see Lru.promote. */
  private promoteStripeLocked(item: ItemId): void {
    if (this.lru.promote(item, this.context.now)) this.moveToHeadStripeLocked(item)
  }

  private moveToHeadStripeLocked(item: ItemId): void {
    const slabClass = this.allocator.classOf(item)
    this.slabs.lock(slabClass)
    this.lru.move(slabClass, item, Segment.Cold)
    this.slabs.unlock(slabClass)
  }

  /** As `storeUnwatchedStripeLocked`, and logs the outcome for watchers. */
  private storeWatchedStripeLocked(request: Request, old: ItemId, item: ItemId): Outcome {
    // read now, as the item may be freed
    const slabClass = this.allocator.classOf(item)
    const outcome = this.storeUnwatchedStripeLocked(request, old, item)
    if (outcome === Outcome.Stored) this.reporter.storedStripeLocked(request, this.find(request))
    else this.reporter.store(request, outcome, request.expiresAt, slabClass, request.valueBytes)
    return outcome
  }
}
