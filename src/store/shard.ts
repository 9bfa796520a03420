// A shard: one arena with its table, slabs and lists, and the operations on its items. The hash of a key says in which
// shard it lives; a store of up to 2 GiB has one. Public operations take the lock of the key's stripe, those named
// ...Locked need it held.
import { type Arena } from '../memory/arena.js'
import { ClassWord, ListWord, Size, State } from '../memory/layout.js'
import { parseUint64, writeUint64, Uint64 } from '../memory/numbers.js'
import { ClassCounter, Counter } from '../stats/counters.js'
import { type StoreContext } from './context.js'
import { NO_ITEM, Segment, spareBytes, type ItemId, type Items } from './items.js'
import { type Lru } from './lru.js'
import { Outcome } from './outcome.js'
import { Mode, type Request } from './request.js'
import { type Slabs } from './slabs.js'
import { type Table } from './table.js'

/** How many items an allocation looks at before it gives up making room. */
const EVICT_TRIES = 50
/** How many pages are looked at for one that can be taken from its class. */
const STEAL_TRIES = 8
/** How many items an eviction may move between lists on its way. */
const BALANCE_STEPS = 5
const SPACE = 32

export class Shard {
  /** Where incr and decr write their digits before they are copied. */
  private readonly digits = new Uint8Array(20)
  private readonly number = new Uint64()

  constructor(readonly arena: Arena, readonly items: Items, readonly table: Table, readonly slabs: Slabs, readonly lru: Lru,
    private readonly context: StoreContext, private readonly itemCountWord: number) {}

  get itemCount(): number { return this.arena.words[this.itemCountWord]! }

  // Reading

  /**
   * Looks a key up for a get, counts and marks the hit, and keeps the stripe locked whatever comes: the caller copies
   * what it needs, or pins the item, and then calls `release`.
   */
  acquire(request: Request): ItemId {
    const { context, items } = this
    const counters = context.counters
    context.locks.take(context.stripe(request.hash))
    counters.add(Counter.CmdGet)
    const item = this.findLiveLocked(request)
    if (item === NO_ITEM) {
      counters.add(Counter.GetMisses)
      return NO_ITEM
    }
    counters.addClass(this.classOf(item), ClassCounter.HitsToHot + items.segment(item))
    this.bumpLocked(item)
    return item
  }

  /** As `acquire`, for gat: the item's end becomes that of the request. */
  acquireAndTouch(request: Request): ItemId {
    const { context, items } = this
    const counters = context.counters
    context.locks.take(context.stripe(request.hash))
    counters.add(Counter.CmdGet)
    counters.add(Counter.CmdTouch)
    const item = this.findLiveLocked(request)
    if (item === NO_ITEM) {
      counters.add(Counter.GetMisses)
      counters.add(Counter.TouchMisses)
      return NO_ITEM
    }
    counters.addClass(this.classOf(item), ClassCounter.TouchHits)
    counters.addClass(this.classOf(item), ClassCounter.HitsToHot + items.segment(item))
    items.setExpiresAt(item, request.expiresAt)
    this.bumpLocked(item)
    return item
  }

  release(request: Request): void {
    this.context.locks.release(this.context.stripe(request.hash))
  }

  /**
   * Keeps an item's memory in place, even when its key is replaced or deleted, until `unpin`; false if it has more readers
   * than can be counted.
   */
  tryPinLocked(item: ItemId): boolean {
    if (this.items.refs(item) === State.Refs) return false
    this.items.addRef(item)
    return true
  }

  unpin(item: ItemId): void {
    const { context } = this
    const stripe = context.stripe(this.hashOf(item))
    context.locks.take(stripe)
    try { this.dropRefLocked(item) } finally { context.locks.release(stripe) }
  }

  // Storing

  /** An item to fill with the request's value, then to `commit` or `abandon`; NO_ITEM if there is no memory for it. */
  reserve(request: Request): ItemId {
    return this.allocate(request.bytes, request.keyStart, request.keyEnd - request.keyStart,
      request.flags, request.expiresAt, request.valueBytes)
  }

  /** How many bytes from `offset` of a value on may be written: to the end of the run, and of the chunk if that is the last. */
  valueRoom(item: ItemId, offset: number): number {
    const { items, slabs } = this
    const run = items.valueRun(item, offset)
    if (offset + run < items.valueBytes(item) + 2) return run
    const at = items.valueAt(item, offset)
    const chunk = items.has(item, State.Large) ? items.piece(item, items.pieceCount(item) - 1) : item
    return (chunk << 2) + slabs.classes.chunkBytes[slabs.classAt(chunk)]! - at
  }

  /** Gives a reserved item back. */
  abandon(item: ItemId): void {
    this.items.dropRef(item)
    this.free(item)
  }

  /** Stores a reserved and filled item as the request's mode says; the item is gone if the outcome is not Stored. */
  commit(request: Request, item: ItemId): Outcome {
    const { context } = this
    const stripe = context.stripe(request.hash)
    context.locks.take(stripe)
    try { return this.commitLocked(request, item) } finally { context.locks.release(stripe) }
  }

  /**
   * Stores a value that is already there as a whole, at `valueAt` of the request's bytes. A plain set of an item that
   * stays in its class writes over it: no other chunk is touched, and the item keeps its place, as one in use.
   */
  put(request: Request, valueAt: number): Outcome {
    const { context } = this
    if (request.mode === Mode.Set) {
      const stripe = context.stripe(request.hash)
      context.locks.take(stripe)
      try {
        const old = this.table.find(request.hash, request.bytes, request.keyStart, request.keyEnd - request.keyStart)
        if (old !== NO_ITEM && this.isWritable(old, request)) {
          this.overwriteLocked(old, request, valueAt)
          return Outcome.Stored
        }
      } finally { context.locks.release(stripe) }
    }
    const item = this.reserve(request)
    if (item === NO_ITEM) return Outcome.NoMemory
    this.items.writeValue(item, 0, request.bytes, valueAt, request.valueBytes)
    context.counters.addClass(this.classOf(item), ClassCounter.CmdSet)
    return this.commit(request, item)
  }

  /** Whether an item can take a new value where it is. */
  private isWritable(item: ItemId, request: Request): boolean {
    const { items, slabs } = this
    const isOther = State.Refs | State.Large | State.BinaryKey | State.Stale | State.Won
    const state = items.state(item)
    if ((state & isOther) !== 0 || this.isDead(item)) return false
    if (((state & State.HasFlags) !== 0) !== (request.flags !== 0)) return false
    const bytes = Size.ItemHeader + (request.flags === 0 ? 0 : 4) + items.keyBytes(item) +
      request.valueBytes + spareBytes(request.valueBytes)
    return slabs.classes.classFor(bytes) === slabs.classAt(item) &&
      (items.segment(item) === Segment.Temp) === this.lru.isShortLived(request.expiresAt, this.context.now)
  }

  private overwriteLocked(item: ItemId, request: Request, valueAt: number): void {
    const { context, items, slabs } = this
    const slabClass = slabs.classAt(item)
    const bytesBefore = items.bytesOf(item)
    context.countSize(items, item, -1)
    items.rewrite(item, request.flags, request.expiresAt, request.valueBytes)
    items.memory.copyFrom(request.bytes, valueAt, items.valueStart(item), request.valueBytes)
    items.mark(item, State.Active)
    items.unmark(item, State.Fetched)
    items.setUsedAt(item, context.now)
    context.stampCas(items, item)
    context.countSize(items, item, 1)
    context.counters.add(Counter.TotalItems)
    context.counters.addClass(slabClass, ClassCounter.CmdSet)
    const change = items.bytesOf(item) - bytesBefore
    if (change === 0) return
    const lock = slabs.lockWord(slabClass)
    context.locks.take(lock)
    this.lru.resize(slabClass, items.segment(item), change)
    slabs.add(slabClass, ClassWord.RequestedBytes, change)
    context.locks.release(lock)
  }

  private commitLocked(request: Request, item: ItemId): Outcome {
    const { context } = this
    const old = this.findLiveLocked(request)
    switch (request.mode) {
      case Mode.Set:
        return this.storeLocked(request.hash, old, item)
      case Mode.Add:
        if (old === NO_ITEM) return this.storeLocked(request.hash, old, item)
        this.bumpLocked(old)
        break
      case Mode.Replace:
        if (old !== NO_ITEM) return this.storeLocked(request.hash, old, item)
        break
      case Mode.Append:
      case Mode.Prepend:
        if (old !== NO_ITEM) return this.concatenateLocked(request, old, item)
        break
      case Mode.Cas: {
        if (old === NO_ITEM) {
          context.counters.add(Counter.CasMisses)
          this.abandon(item)
          return Outcome.NotFound
        }
        const isSame = this.hasCas(old, request.cas)
        context.counters.addClass(this.classOf(old), isSame ? ClassCounter.CasHits : ClassCounter.CasBadval)
        if (isSame) return this.storeLocked(request.hash, old, item)
        this.abandon(item)
        return Outcome.Exists
      }
    }
    this.abandon(item)
    return Outcome.NotStored
  }

  /** A cas number of 0 equals none. */
  private hasCas(item: ItemId, cas: Uint64): boolean {
    if (cas.low === 0 && cas.high === 0) return false
    return this.items.casLow(item) === cas.low && this.items.casHigh(item) === cas.high
  }

  /** append and prepend: a third item takes the old value and the new one, with the old one's flags and end. */
  private concatenateLocked(request: Request, old: ItemId, addition: ItemId): Outcome {
    const { items } = this
    const oldBytes = items.valueBytes(old)
    const addedBytes = items.valueBytes(addition)
    let joined = NO_ITEM
    // the old item must not be what makes room for its successor
    if (!this.isTooLarge(request, items.flags(old), oldBytes + addedBytes) && this.tryPinLocked(old)) {
      joined = this.allocate(request.bytes, request.keyStart, request.keyEnd - request.keyStart,
        items.flags(old), items.expiresAt(old), oldBytes + addedBytes)
      items.dropRef(old)
    }
    if (joined === NO_ITEM) {
      this.abandon(addition)
      return Outcome.NotStored
    }
    const isAppend = request.mode === Mode.Append
    items.copyValue(old, joined, isAppend ? 0 : addedBytes, oldBytes)
    items.copyValue(addition, joined, isAppend ? oldBytes : 0, addedBytes)
    this.abandon(addition)
    return this.storeLocked(request.hash, old, joined)
  }

  /** Whether an item would be larger than -I allows. */
  isTooLarge(request: Request, flags: number, valueBytes: number): boolean {
    const bytes = this.context.nominalBytes(request.keyEnd - request.keyStart, flags, valueBytes)
    return bytes > this.context.settings.itemSizeMax
  }

  /** Counts a store that cannot be done; a plain set that fails takes the old value with it, as the value is outdated. */
  refuse(request: Request, outcome: Outcome): void {
    const { context } = this
    context.counters.add(outcome === Outcome.TooLarge ? Counter.StoreTooLarge : Counter.StoreNoMemory)
    if (request.mode !== Mode.Set) return
    const stripe = context.stripe(request.hash)
    context.locks.take(stripe)
    try {
      const old = this.findLiveLocked(request)
      if (old !== NO_ITEM) this.unlinkLocked(request.hash, old)
    } finally { context.locks.release(stripe) }
  }

  // Changing

  delete(request: Request): Outcome {
    const { context } = this
    const stripe = context.stripe(request.hash)
    context.locks.take(stripe)
    try {
      const item = this.findLiveLocked(request)
      if (item === NO_ITEM) {
        context.counters.add(Counter.DeleteMisses)
        return Outcome.NotFound
      }
      context.counters.addClass(this.classOf(item), ClassCounter.DeleteHits)
      this.unlinkLocked(request.hash, item)
      return Outcome.Deleted
    } finally { context.locks.release(stripe) }
  }

  touch(request: Request): Outcome {
    const { context } = this
    const stripe = context.stripe(request.hash)
    context.locks.take(stripe)
    try {
      context.counters.add(Counter.CmdTouch)
      const item = this.findLiveLocked(request)
      if (item === NO_ITEM) {
        context.counters.add(Counter.TouchMisses)
        return Outcome.NotFound
      }
      context.counters.addClass(this.classOf(item), ClassCounter.TouchHits)
      this.items.setExpiresAt(item, request.expiresAt)
      this.bumpLocked(item)
      return Outcome.Touched
    } finally { context.locks.release(stripe) }
  }

  /** incr and decr: adds `request.number`, leaves the new number there. */
  arithmetic(request: Request): Outcome {
    const { context } = this
    const stripe = context.stripe(request.hash)
    context.locks.take(stripe)
    try { return this.arithmeticLocked(request) } finally { context.locks.release(stripe) }
  }

  private arithmeticLocked(request: Request): Outcome {
    const { context, items } = this
    const item = this.findLiveLocked(request)
    if (item === NO_ITEM) {
      context.counters.add(request.isDecrement ? Counter.DecrMisses : Counter.IncrMisses)
      return Outcome.NotFound
    }
    const number = this.number
    if (!this.parseValue(item, number)) return Outcome.NonNumeric
    context.counters.addClass(this.classOf(item), request.isDecrement ? ClassCounter.DecrHits : ClassCounter.IncrHits)
    if (request.isDecrement) number.subtract(request.number.high, request.number.low)
    else number.add(request.number.high, request.number.low)
    request.number.set(number.high, number.low)
    const length = writeUint64(this.digits, 0, number.high, number.low)
    const room = items.valueBytes(item)
    if (length > room || items.refs(item) > 0) return this.rewriteLocked(request, item, length)
    // in place; a shorter number is padded with spaces, as protocol.txt says of decr
    this.writeDigits(item, length)
    context.stampCas(items, item)
    this.bumpLocked(item)
    return Outcome.Number
  }

  /** Puts the number into a new item: it has outgrown the old one, or somebody is reading that. */
  private rewriteLocked(request: Request, item: ItemId, length: number): Outcome {
    const { items } = this
    if (!this.tryPinLocked(item)) return Outcome.NoMemory
    const heir = this.allocate(request.bytes, request.keyStart, request.keyEnd - request.keyStart,
      items.flags(item), items.expiresAt(item), Math.max(length, items.valueBytes(item)))
    items.dropRef(item)
    if (heir === NO_ITEM) return Outcome.NoMemory
    this.writeDigits(heir, length)
    this.storeLocked(request.hash, item, heir)
    return Outcome.Number
  }

  private writeDigits(item: ItemId, length: number): void {
    const start = this.items.valueStart(item)
    const end = start + this.items.valueBytes(item)
    for (let i = 0; i < length; i++) this.items.bytes[start + i] = this.digits[i]!
    if (start + length < end) this.items.bytes.fill(SPACE, start + length, end)
  }

  /** Reads a value as C's strtoull does: white space, a plus sign, digits, and then white space, a NUL or the end. */
  private parseValue(item: ItemId, into: Uint64): boolean {
    if (this.items.has(item, State.Large)) return false
    const { bytes } = this.items
    let start = this.items.valueStart(item)
    const end = start + this.items.valueBytes(item)
    while (start < end && isSpace(bytes[start]!)) start++
    if (start < end && bytes[start] === 43 /* + */) start++
    let stop = start
    while (stop < end && bytes[stop]! >= 48 && bytes[stop]! <= 57) stop++
    if (stop < end && bytes[stop] !== 0 && !isSpace(bytes[stop]!)) return false
    return parseUint64(bytes, start, stop, into)
  }

  // Items and their memory

  /** The item of a key, if it is there and alive; one that is dead is dropped and counted. */
  private findLiveLocked(request: Request): ItemId {
    const item = this.table.find(request.hash, request.bytes, request.keyStart, request.keyEnd - request.keyStart)
    if (item === NO_ITEM) return NO_ITEM
    const context = this.context
    if (this.items.generation(item) !== context.generation) context.counters.add(Counter.GetFlushed)
    else if (this.isExpired(item)) context.counters.add(Counter.GetExpired)
    else return item
    this.unlinkLocked(request.hash, item)
    return NO_ITEM
  }

  private isExpired(item: ItemId): boolean {
    const expiresAt = this.items.expiresAt(item)
    return expiresAt !== 0 && expiresAt <= this.context.now
  }

  /** Expired or flushed, though nobody has noticed yet. */
  isDead(item: ItemId): boolean {
    return this.items.generation(item) !== this.context.generation || this.isExpired(item)
  }

  private bumpLocked(item: ItemId): void {
    if (!this.lru.touchBits(item, this.context.now)) return
    const slabClass = this.classOf(item)
    const lock = this.slabs.lockWord(slabClass)
    this.context.locks.take(lock)
    this.lru.move(slabClass, item, Segment.Cold)
    this.context.locks.release(lock)
  }

  /** The class whose lists an item is in: that of its chunk, but the largest for one with pieces. */
  classOf(item: ItemId): number {
    return this.items.has(item, State.Large) ? this.slabs.classes.largest : this.slabs.classAt(item)
  }

  hashOf(item: ItemId): number {
    const start = this.items.keyStart(item)
    return this.context.hash.of(this.items.bytes, start, start + this.items.keyBytes(item))
  }

  /** Makes a reserved item the one of its key, in place of `old` if there is one. */
  private storeLocked(hash: number, old: ItemId, item: ItemId): Outcome {
    const { context, items } = this
    const slabClass = this.classOf(item)
    items.dropRef(item)
    items.mark(item, State.Linked)
    items.setGeneration(item, context.generation)
    items.setUsedAt(item, context.now)
    context.stampCas(items, item)
    context.counters.add(Counter.TotalItems)
    if (old === NO_ITEM) {
      this.table.insert(hash, item)
      this.arena.words[this.itemCountWord]!++
    } else {
      this.table.replace(hash, old, item)
      this.unlistLocked(old)
    }
    const lock = this.slabs.lockWord(slabClass)
    context.locks.take(lock)
    this.lru.link(slabClass, item, this.lru.segmentFor(item, context.now))
    this.slabs.add(slabClass, ClassWord.RequestedBytes, items.bytesOf(item))
    context.locks.release(lock)
    context.countSize(items, item, 1)
    return Outcome.Stored
  }

  /** Takes an item out of the table and the lists. */
  unlinkLocked(hash: number, item: ItemId): void {
    this.table.remove(hash, item)
    this.arena.words[this.itemCountWord]!--
    this.unlistLocked(item)
  }

  private unlistLocked(item: ItemId): void {
    const lock = this.slabs.lockWord(this.classOf(item))
    this.context.locks.take(lock)
    this.unlistBothLocked(item)
    this.context.locks.release(lock)
    if (this.items.refs(item) === 0) this.free(item)
  }

  /** Needs the locks of the stripe and of the class. */
  private unlistBothLocked(item: ItemId): void {
    const slabClass = this.classOf(item)
    this.lru.unlink(slabClass, item)
    this.slabs.add(slabClass, ClassWord.RequestedBytes, -this.items.bytesOf(item))
    this.items.unmark(item, State.Linked)
    this.context.countSize(this.items, item, -1)
  }

  private dropRefLocked(item: ItemId): void {
    this.items.dropRef(item)
    if (this.items.refs(item) === 0 && !this.items.has(item, State.Linked)) this.free(item)
  }

  /** Gives the memory of an item that is in no list back to its classes. */
  private free(item: ItemId): void {
    if (this.items.has(item, State.Large)) {
      const count = this.items.pieceCount(item)
      for (let i = 0; i < count; i++) this.giveBack(this.items.piece(item, i))
    }
    this.giveBack(item)
  }

  private giveBack(chunk: ItemId): void {
    const slabClass = this.slabs.classAt(chunk)
    const lock = this.slabs.lockWord(slabClass)
    this.context.locks.take(lock)
    this.slabs.giveBackLocked(slabClass, chunk)
    this.context.locks.release(lock)
  }

  private allocate(key: Uint8Array, keyStart: number, keyBytes: number, flags: number, expiresAt: number,
    valueBytes: number): ItemId {
    const { items } = this
    const stored = valueBytes + spareBytes(valueBytes)
    const slabClass = this.slabs.classes.classFor(Size.ItemHeader + (flags === 0 ? 0 : 4) + keyBytes + stored)
    if (slabClass !== 0) {
      const item = this.takeChunk(slabClass)
      if (item !== NO_ITEM) items.reserve(item, key, keyStart, keyBytes, flags, expiresAt, valueBytes, false)
      return item
    }
    const pieceCount = Math.ceil(stored / items.pieceBytes)
    const headClass = this.slabs.classes.classFor(Size.ItemHeader + 8 + keyBytes + pieceCount * 4)
    const item = headClass === 0 ? NO_ITEM : this.takeChunk(headClass)
    if (item === NO_ITEM) return NO_ITEM
    items.reserve(item, key, keyStart, keyBytes, flags, expiresAt, valueBytes, true)
    return this.takePieces(item, pieceCount, stored) ? item : NO_ITEM
  }

  /** Gives a large item its pieces, the last of just the size it needs; gives all back if there are not enough. */
  private takePieces(item: ItemId, pieceCount: number, bytes: number): boolean {
    const { items } = this
    for (let i = 0; i < pieceCount; i++) {
      const pieceBytes = Math.min(items.pieceBytes, bytes - i * items.pieceBytes)
      const piece = this.takeChunk(this.slabs.classes.classFor(Size.ItemHeader + pieceBytes))
      if (piece === NO_ITEM) {
        while (i > 0) this.giveBack(items.piece(item, --i))
        items.dropRef(item)
        this.giveBack(item)
        return false
      }
      items.reservePiece(piece, item)
      items.setPiece(item, i, piece)
    }
    return true
  }

  /** A chunk of a class, by making room if need be; NO_ITEM if there is none. */
  private takeChunk(slabClass: number): ItemId {
    const { context, slabs } = this
    const lock = slabs.lockWord(slabClass)
    context.locks.take(lock)
    try {
      let chunk = slabs.takeLocked(slabClass)
      while (chunk === NO_ITEM && this.makeRoomLocked(slabClass)) chunk = slabs.takeLocked(slabClass)
      if (chunk === NO_ITEM) context.counters.addClass(slabClass, ClassCounter.OutOfMemory)
      return chunk
    } finally { context.locks.release(lock) }
  }

  /** Frees at least one chunk of a class, or a page for it; false if nothing may go. */
  private makeRoomLocked(slabClass: number): boolean {
    const { context, items, lru } = this
    lru.balance(slabClass, context.now, BALANCE_STEPS)
    for (let tries = 0; tries < EVICT_TRIES; tries++) {
      const cold = lru.tail(slabClass, Segment.Cold)
      const item = cold !== NO_ITEM ? cold : lru.lastResort(slabClass)
      if (item === NO_ITEM) break
      if (this.isKept(item, cold !== NO_ITEM)) continue
      if (this.tryEvictLocked(slabClass, item)) return true
      if (!context.settings.evictions && !this.isDead(item)) return false
      // it is being read or written: out of the way
      context.counters.addClass(slabClass, ClassCounter.TailReflocked)
      lru.move(slabClass, item, items.segment(item))
    }
    return context.settings.evictions && this.stealPageLocked(slabClass)
  }

  /** An item of COLD that was hit twice since it came there goes to WARM instead of being evicted. */
  private isKept(item: ItemId, isCold: boolean): boolean {
    if (!isCold || !this.items.has(item, State.Active) || this.isDead(item)) return false
    if (!this.context.settings.lruSegmented) return false
    this.lru.rescue(this.classOf(item), item)
    return true
  }

  /** Drops an item of a class whose lock is held, if nobody uses it. */
  private tryEvictLocked(slabClass: number, item: ItemId): boolean {
    const { context, items } = this
    const isDead = this.isDead(item)
    if (!isDead && !context.settings.evictions) return false
    const hash = this.hashOf(item)
    const stripe = context.stripe(hash)
    if (items.refs(item) > 0 || !context.locks.tryTake(stripe)) return false
    if (isDead) this.countReclaimed(slabClass, item)
    else this.countEvicted(slabClass, item)
    this.dropBothLocked(slabClass, hash, item)
    context.locks.release(stripe)
    return true
  }

  private countReclaimed(slabClass: number, item: ItemId): void {
    const { counters } = this.context
    counters.addClass(slabClass, ClassCounter.Reclaimed)
    if (!this.items.has(item, State.Fetched)) counters.addClass(slabClass, ClassCounter.ExpiredUnfetched)
  }

  private countEvicted(slabClass: number, item: ItemId): void {
    const { counters, now } = this.context
    const items = this.items
    counters.addClass(slabClass, ClassCounter.Evicted)
    if (items.expiresAt(item) !== 0) counters.addClass(slabClass, ClassCounter.EvictedNonzero)
    if (!items.has(item, State.Fetched)) counters.addClass(slabClass, ClassCounter.EvictedUnfetched)
    if (items.has(item, State.Active)) counters.addClass(slabClass, ClassCounter.EvictedActive)
    const age = this.slabs.word(slabClass, ClassWord.EvictedAge)
    this.arena.words[age] = now - items.usedAt(item)
  }

  /** Unlinks and frees an item; needs the locks of its stripe and of its lists' class, `heldClass`. */
  private dropBothLocked(heldClass: number, hash: number, item: ItemId): void {
    const { items } = this
    this.table.remove(hash, item)
    this.arena.words[this.itemCountWord]!--
    this.unlistBothLocked(item)
    if (items.has(item, State.Large)) {
      const count = items.pieceCount(item)
      for (let i = 0; i < count; i++) this.giveBackBeside(heldClass, items.piece(item, i))
    }
    this.giveBackBeside(heldClass, item)
  }

  /** As `giveBack`, by a holder of a class lock. Only the largest class frees chunks of others, so no circle can close. */
  private giveBackBeside(heldClass: number, chunk: ItemId): void {
    if (this.slabs.classAt(chunk) === heldClass) this.slabs.giveBackLocked(heldClass, chunk)
    else this.giveBack(chunk)
  }

  // Pages

  /**
   * The last way to make room: a page of the class that has most of them is emptied, by dropping what is in it, and
   * becomes one of `slabClass`, which has nothing left to evict and whose lock is held.
   */
  private stealPageLocked(slabClass: number): boolean {
    const { context, slabs, lru } = this
    const victim = this.richestClass(slabClass)
    if (victim === 0 || !context.locks.tryTake(slabs.lockWord(victim))) return false
    try {
      const oldest = lru.tail(victim, Segment.Cold) || lru.lastResort(victim)
      if (oldest === NO_ITEM) return false
      let tries = STEAL_TRIES
      // any page will do, but that of the oldest item is the first choice
      for (let page = this.pageOf(oldest); tries > 0; page = this.nextPageOf(victim, page), tries--) {
        if (slabs.classOfPage(page) !== victim || !this.isEmptiable(page, victim)) continue
        if (!this.tryEmptyPageLocked(page, victim)) return false
        slabs.movePageLocked(page, slabClass)
        return true
      }
      return false
    } finally { context.locks.release(slabs.lockWord(victim)) }
  }

  /** The next page of a class after a page, from the start again after the last. */
  private nextPageOf(slabClass: number, page: number): number {
    do page = page + 1 < this.arena.pageEnd ? page + 1 : this.arena.firstPage
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
      const count = this.slabs.get(slabClass, ClassWord.PageCount)
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

  /** Drops every item of an emptiable page; false, with some of them dropped, if a stripe is taken. */
  private tryEmptyPageLocked(page: number, slabClass: number): boolean {
    const { context, items } = this
    for (const chunk of this.usedChunks(page, slabClass)) {
      const item = items.isPiece(chunk) ? items.pieceOwner(chunk) : chunk
      const hash = this.hashOf(item)
      if (!context.locks.tryTake(context.stripe(hash))) return false
      this.countEvicted(slabClass, item)
      this.dropBothLocked(slabClass, hash, item)
      context.locks.release(context.stripe(hash))
    }
    return true
  }

  private *usedChunks(page: number, slabClass: number): Iterable<ItemId> {
    const count = this.slabs.carvedChunks(page)
    for (let index = 0; index < count; index++) {
      const chunk = this.slabs.chunkAt(page, index, slabClass)
      if (this.items.state(chunk) !== 0) yield chunk
    }
  }

  /** Drops an item found dead by a walk over the memory. */
  reclaim(item: ItemId): void {
    const { context } = this
    const hash = this.hashOf(item)
    const stripe = context.stripe(hash)
    if (!context.locks.tryTake(stripe)) return
    const slabClass = this.classOf(item)
    context.counters.addClass(slabClass, ClassCounter.CrawlerReclaimed)
    if (!this.items.has(item, State.Fetched)) context.counters.addClass(slabClass, ClassCounter.ExpiredUnfetched)
    this.unlinkLocked(hash, item)
    context.locks.release(stripe)
  }

  /** How many items a class has in all its lists. */
  classItems(slabClass: number): number {
    let sum = 0
    for (let segment = Segment.Hot; segment <= Segment.Temp; segment++) sum += this.lru.get(slabClass, segment, ListWord.Count)
    return sum
  }
}

function isSpace(byte: number): boolean {
  return byte === SPACE || (byte >= 9 && byte <= 13)
}
