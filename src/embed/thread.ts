// A cache in one thread: the Store of the thread, its Request, and memory for one key and one value beside the items, so that
// both are hashed and copied by WebAssembly. All Caches of a thread over one store share one CacheThread.
//
// A program's own code never runs while a lock is held, or while this memory is in use: values are encoded before an operation
// begins, and decoded when it has ended. So a codec, a factory or a callback may use the cache.
import { type Clock } from '../clock.js'
import { InvariantError, MemslabError } from '../errors.js'
import { Memory } from '../memory/bytes.js'
import { isBytes } from '../options/embedded.js'
import { Outcome } from '../store/outcome.js'
import { type Mode, Request, Want } from '../store/request.js'
import { type Store } from '../store/store.js'
import { type ItemView, type Reader, type ValueLoan } from '../store/view.js'
import { type KeyWalk } from '../store/walks/keys.js'
import { type Visitor } from '../store/walks/dump.js'
import { Copies } from './copies.js'
import { areReadsHeard, areWritesHeard, CallReport } from './channels.js'
import { keyOf } from './decode.js'
import { CacheEvents } from './events.js'
import { type CacheHandle, type CacheKey } from './interface.js'
import { type CacheMemory, State } from './memory.js'
import { Room } from './room.js'

const KEY_MAX = 250

/** The most operations for which the time is read once. */
const TIME_USES_MAX = 64

/** The most characters of a text that are written one by one. */
const LOOP_MAX = 128
/** The most bytes of a character in UTF-8, for each unit of a string. */
const UTF8_MAX = 3
/** The last second of store time, which has 31 bits. */
const LAST_SECOND = 0x7fffffff

/** The part of an item that an operation reads: none, its value, the value in place, or its value, flags and cas number. */
export const enum Part { Presence, Value, InPlace, Facts }

/** A walk over keys that is under way, see keys.ts. */
export interface Listing {
  /** Collects all other keys, so that another walk can begin. */
  finish(): void
  /** Called once a second: does the same in steps if the walk has rested since the last call. */
  finishIfResting(): void
  /** Ends the walk. May be called twice. */
  close(): void
}

/** The parts of a CacheThread. */
export interface CacheThreadParts {
  readonly store: Store
  readonly clock: Clock
  /** The byte index of Room.Bytes in the store's first arena, for this thread alone. */
  readonly ioStart: number
  readonly memory: CacheMemory
  /** Makes the handle for other threads. @throws MemslabError if there is no place for any */
  readonly makeHandle: () => CacheHandle
  /** True if this thread has a place that it gives back. */
  readonly mayLeave: boolean
  /** Called once when the cache is closed in this thread. @param cause given if its memory cannot be trusted any more */
  readonly closed: (cause?: unknown) => void
}

export class CacheThread implements Reader {
  readonly store: Store
  /** The bytes of the store's first arena. */
  private readonly bytes: Uint8Array
  private readonly arena: Memory
  /** The part of them for values. */
  private readonly valueBuffer: Buffer
  private readonly copies: Copies
  readonly request: Request
  private readonly keyAt: number
  private readonly valueAt: number
  private isBinaryKey = false

  // The item that was read last

  /** The length of its value. */
  valueBytes = 0
  flags = 0
  casHigh = 0
  casLow = 0
  /** The second of store time at which it expires; 0 for never. */
  expiresAt = 0
  /** The value in place, if it was lent; or a copy, if it could not be. Otherwise it is in the memory for values. */
  private loan: ValueLoan | undefined
  private copied: Buffer | undefined
  private part = Part.Presence
  /** True if the item that was met may have expired since the clock was last read. */
  private mayBeOver = false
  /** The operations that may still use the time that was last read. */
  private timeUses = 0
  /** Views of values that were copied aside, by the depth of callbacks and the length. */
  private readonly asides: (Buffer | undefined)[] = []
  /** The number of views that callbacks are reading. */
  private viewsOpen = 0
  /** The walk over the keys that this thread has begun last, while it is under way. */
  listing: Listing | undefined
  private isOpen = true
  private madeHandle: CacheHandle | undefined
  private madeEvents: CacheEvents | undefined
  /** The first Cache over this thread, which messages on these channels name. */
  cache: unknown

  constructor(readonly parts: CacheThreadParts) {
    const { store, ioStart } = parts
    this.store = store
    this.arena = store.shards[0]!.items.memory
    this.bytes = this.arena.bytes
    this.keyAt = ioStart
    this.valueAt = ioStart + Room.KeyBytes
    this.valueBuffer = Buffer.from(this.bytes.buffer, this.valueAt, Room.ValueBytes)
    this.copies = new Copies(this.valueBuffer)
    this.request = new Request(this.bytes)
  }

  // Beginning an operation

  /** Begins an operation on a key. @throws MemslabError if the cache is closed or the key is none */
  begin(key: CacheKey): void {
    this.check()
    this.takeKey(key)
  }

  /** Reads the clock. @throws MemslabError if the cache is closed */
  check(): void {
    this.checkOpen()
    this.refreshTime()
  }

  private checkOpen(): void {
    if (!this.isOpen || this.parts.memory.state !== State.Open) throw this.refusal()
    if (this.store.lives.hasFailed) throw this.failure(new InvariantError('another thread has died'))
  }

  private refreshTime(): void {
    this.timeUses = TIME_USES_MAX
    this.store.refreshTime()
  }

  /**
   * Begins an operation for which an older time will do, unless it meets an item that may expire: reading the clock takes as long
   * as looking up a key. The time is as old as the last TIME_USES_MAX operations, and a second at most while the thread's timers
   * run, so that ages of items are right.
   */
  beginSoon(key: CacheKey): void {
    this.checkOpen()
    const { context, log } = this.store
    if (--this.timeUses <= 0 || context.flushAt !== 0 || log.kinds !== context.watched) this.refreshTime()
    this.takeKey(key)
  }

  /** Called once a second: has the next operation read the clock, and ends a walk that rests. */
  tick(): void {
    this.timeUses = 0
    this.listing?.finishIfResting()
  }

  private takeKey(key: CacheKey): void {
    const { request, bytes, keyAt } = this
    request.bytes = bytes
    request.keyStart = keyAt
    const end = typeof key === 'string' ? this.writeText(key) : this.writeBytes(key)
    request.keyEnd = end
    request.hash = this.store.context.hash.of(bytes, keyAt, end)
    request.wants = Want.None
  }

  private writeText(key: string): number {
    const { bytes, keyAt } = this
    const { length } = key
    if (length === 0 || length > KEY_MAX) throw keyRefusal(length === 0 ? 0 : Buffer.byteLength(key))
    this.isBinaryKey = false
    // negative if any character is a space, below it, or above 0x7e; leaving the loop at that character takes more time
    let signs = 0
    for (let at = 0; at < length; at++) {
      const code = key.charCodeAt(at)
      signs |= code - 0x21 | 0x7e - code
      bytes[keyAt + at] = code
    }
    return signs < 0 ? this.writeBytes(utf8Of(key)) : keyAt + length
  }

  private writeBytes(key: Uint8Array): number {
    if (!isBytes(key)) throw new MemslabError('EKEY', 'a key must be a string or a Uint8Array')
    const { bytes, keyAt } = this
    const { length } = key
    if (length === 0 || length > KEY_MAX) throw keyRefusal(length)
    let isBinary = false
    for (let at = 0; at < length; at++) {
      const byte = key[at]!
      if (byte <= 0x20 || byte === 0x7f) isBinary = true
      bytes[keyAt + at] = byte
    }
    this.isBinaryKey = isBinary
    return keyAt + length
  }

  // Reading

  /**
   * Looks a key up. If there is an item, its fields are set, and the caller takes the value with `takeBytes`, `takeText` or
   * `withView` before it begins another operation.
   */
  find(key: CacheKey, part: Part): boolean {
    this.beginSoon(key)
    this.part = part
    this.request.wants = part === Part.Presence ? Want.Peek : Want.None
    return areReadsHeard() ? this.getReported() : this.get()
  }

  private get(): boolean {
    const { request, store } = this
    this.mayBeOver = false
    try {
      const isHit = store.get(request, this)
      if (!this.mayBeOver) return isHit
      // with the present time, the store finds the item expired, drops it and counts it
      this.refreshTime()
      this.mayBeOver = false
      return store.get(request, this) && !this.mayBeOver
    } catch (error) { throw this.failure(error) }
  }

  /** @internal Reads the item for the store, which holds its lock. Declines one that has expired since the time was read. */
  read(view: ItemView): boolean {
    const { part } = this
    const expiresAt = this.expiresAt = view.expiresAt
    if (expiresAt !== 0 && this.isOver(expiresAt)) {
      this.mayBeOver = true
      return false
    }
    if (part === Part.Presence) return true
    if (part === Part.Facts) this.readFacts(view)
    const valueBytes = this.valueBytes = view.valueBytes
    if (part !== Part.InPlace) {
      if (valueBytes <= Room.ValueBytes) view.copyValue(this.arena, this.valueAt)
      else this.keep(view)
    } else if (valueBytes <= Room.AsideBytes && this.viewsOpen < Room.Asides) {
      view.copyValue(this.arena, this.asideAt(this.viewsOpen))
    } else this.keep(view)
    return true
  }

  private readFacts(view: ItemView): void {
    this.flags = view.flags
    this.casHigh = view.casHigh
    this.casLow = view.casLow
  }

  private isOver(second: number): boolean {
    const { parts: { clock }, store: { epoch } } = this
    return Math.floor(clock.milliseconds() / 1000) - epoch >= second
  }

  /** The byte index of the memory for a small value that a callback reads while so many others are reading. */
  private asideAt(viewsOpen: number): number { return this.valueAt + Room.ValueBytes + viewsOpen * Room.AsideBytes }

  /** Lends a value, unless this thread has lent too many, as it may end at any time. */
  private keep(view: ItemView): void {
    if (this.store.shardOf(this.request.hash).mayLend) {
      this.loan = view.lend()
      return
    }
    this.copied = Buffer.allocUnsafe(this.valueBytes)
    view.copyValue(new Memory(this.copied), 0)
  }

  /** A copy of the value that was found. */
  takeBytes(): Uint8Array {
    const { valueBytes, loan, copied } = this
    if (loan !== undefined) return this.takeLent(loan)
    if (copied !== undefined) {
      this.copied = undefined
      return copied
    }
    return this.copies.copy(valueBytes)
  }

  private takeLent(loan: ValueLoan): Uint8Array {
    this.loan = undefined
    const copy = bytesOf(loan)
    this.endLoan(loan)
    return copy
  }

  /** The value that was found, as a text in UTF-8. */
  takeText(): string {
    if (this.loan === undefined && this.copied === undefined) return this.valueBuffer.toString('utf8', 0, this.valueBytes)
    return (this.takeBytes() as Buffer).toString('utf8')
  }

  /** Calls `read` with the value that was found in place, or was copied aside. */
  withView<Result>(read: (view: Uint8Array) => Result): Result {
    const { loan, copied, viewsOpen } = this
    this.loan = this.copied = undefined
    this.viewsOpen++
    try {
      if (loan !== undefined) return read(viewOf(loan))
      return read(copied ?? this.aside(viewsOpen))
    } finally {
      this.viewsOpen--
      if (loan !== undefined) this.endLoan(loan)
      if (!this.isOpen && this.viewsOpen === 0) this.leave()
    }
  }

  /** A view of the value that was copied aside. All values of a length at one depth of callbacks have the same view. */
  private aside(viewsOpen: number): Buffer {
    const { asides, valueBytes } = this
    const at = viewsOpen * (Room.AsideBytes + 1) + valueBytes
    return asides[at] ??= Buffer.from(this.bytes.buffer, this.asideAt(viewsOpen), valueBytes)
  }

  /** Ends a loan of this thread. */
  endLoan(loan: ValueLoan): void {
    try {
      loan.end()
    } catch (error) { throw this.failure(error) }
  }

  /** A step of a walk over the keys, see KeyWalk. */
  walk(walk: KeyWalk, visitor: Visitor): boolean {
    try {
      return walk.step(visitor)
    } catch (error) { throw this.failure(error) }
  }

  // Changing

  /** The second of store time for a life of so many milliseconds, rounded up to the next second. */
  secondAfter(ttlMs: number): number {
    if (ttlMs === 0 || ttlMs === Infinity) return 0
    return Math.min(Math.ceil((this.parts.clock.milliseconds() + ttlMs) / 1000) - this.store.epoch, LAST_SECOND)
  }

  /**
   * Stores a value. The key has been given to `begin`, and the request has its flags, its second of expiration and, for Mode.Cas,
   * the cas number.
   */
  put(mode: Mode, value: Uint8Array | string): Outcome {
    const { request } = this
    request.mode = mode
    request.wants = this.isBinaryKey ? Want.BinaryKey : Want.None
    // encoded here, as there may be no memory for it, which is no failure of the store
    const encoded = typeof value === 'string' && value.length * UTF8_MAX > Room.ValueBytes ? Buffer.from(value) : value
    return areWritesHeard() ? this.reported(() => this.putValue(encoded)) : this.putValue(encoded)
  }

  private putValue(value: Uint8Array | string): Outcome {
    try {
      return typeof value === 'string' ? this.putText(value) : this.putBytes(value)
    } catch (error) { throw this.failure(error) }
  }

  /** @param text so short that its bytes have room in the memory for values */
  private putText(text: string): Outcome {
    const { bytes, request, valueAt } = this
    const { length } = text
    let at = 0
    if (length <= LOOP_MAX) {
      for (; at < length; at++) {
        const code = text.charCodeAt(at)
        if (code > 0x7f) break
        bytes[valueAt + at] = code
      }
    }
    request.valueBytes = at === length ? length : this.valueBuffer.write(text, 'utf8')
    return this.store.set(request, valueAt)
  }

  private putBytes(value: Uint8Array): Outcome {
    const { store, request, bytes, valueAt } = this
    request.valueBytes = value.length
    if (value.length <= Room.ValueBytes) {
      // a view whose buffer was transferred is empty, and cannot be read at all
      if (value.length > 0) bytes.set(value, valueAt)
      return store.set(request, valueAt)
    }
    const filling = store.begin(request)
    if (typeof filling === 'number') return filling
    filling.write(0, value, 0, value.length)
    return filling.commit(request)
  }

  /** Deletes the item of the key that was given to `begin`. */
  remove(): Outcome {
    return areWritesHeard() ? this.reported(() => this.change('delete')) : this.change('delete')
  }

  /** Sets the expiration of the item of the key that was given to `begin`. */
  touch(): Outcome {
    return areWritesHeard() ? this.reported(() => this.change('touch')) : this.change('touch')
  }

  /** incr and decr of the key that was given to `begin`. */
  calculate(): Outcome {
    const { request } = this
    if (this.isBinaryKey) request.wants |= Want.BinaryKey
    return areWritesHeard() ? this.reported(() => this.change('arithmetic')) : this.change('arithmetic')
  }

  private change(operation: 'delete' | 'touch' | 'arithmetic'): Outcome {
    try {
      return this.store[operation](this.request)
    } catch (error) { throw this.failure(error) }
  }

  /** Makes all items dead. */
  flush(): void {
    this.check()
    try {
      this.store.flush(0)
    } catch (error) { throw this.failure(error) }
  }

  // Reports of calls, see channels.ts. A subscriber may use the cache, so what the caller still needs is kept meanwhile.

  private beginReport(): CallReport {
    const { bytes, keyStart, keyEnd } = this.request
    return new CallReport(this.store.context, this.cache, keyOf(Buffer.from(bytes.subarray(keyStart, keyEnd))))
  }

  private getReported(): boolean {
    const report = this.beginReport()
    const { part } = this
    const isPeek = part === Part.Presence
    const isHit = this.get()
    if (isHit && !isPeek && this.loan === undefined) {
      this.copied ??= part === Part.InPlace ? Buffer.from(this.aside(this.viewsOpen)) : this.copies.copy(this.valueBytes)
    }
    const { valueBytes, flags, casHigh, casLow, expiresAt, loan, copied } = this
    this.loan = this.copied = undefined
    if (isPeek) report.end()
    else report.found(isHit ? valueBytes : undefined)
    Object.assign(this, { valueBytes, flags, casHigh, casLow, expiresAt, loan, copied })
    return isHit
  }

  private reported(operate: () => Outcome): Outcome {
    const report = this.beginReport()
    const outcome = operate()
    const { request } = this
    const { valueBytes } = request
    const digits = Buffer.from(String(request.digits))
    if (outcome === Outcome.Stored) report.stored(valueBytes)
    else report.end()
    request.valueBytes = valueBytes
    request.digits.copyFrom(digits, 0, digits.length)
    return outcome
  }

  // Leases, see CacheMemory

  /** True if the item that was found last has less to live than so many milliseconds. */
  isWithin(ms: number): boolean {
    const { expiresAt, store: { epoch } } = this
    return expiresAt !== 0 && (expiresAt + epoch) * 1000 - this.parts.clock.milliseconds() <= ms
  }

  /**
   * Takes the lease of the key that was given to `begin`.
   * @returns its token; 0 if another thread or caller has it
   */
  tryLease(leaseMs: number): number {
    const { clock, memory } = this.parts
    const now = clock.milliseconds()
    try {
      return memory.tryLease(this.request.hash, now, now + leaseMs)
    } catch (error) { throw this.failure(error) }
  }

  /** Gives a lease back, if it is in force. */
  release(hash: number, token: number): void {
    if (!this.isOpen) return
    try {
      this.parts.memory.release(hash, token)
    } catch (error) { throw this.failure(error) }
  }

  /** The handle for other threads. @throws MemslabError if there is no place for any, or the cache is closed */
  get handle(): CacheHandle {
    this.check()
    return this.madeHandle ??= this.parts.makeHandle()
  }

  /** The events of the cache, for listeners in this thread. @throws MemslabError if the cache is closed */
  get events(): CacheEvents {
    this.check()
    const { clock, memory } = this.parts
    return this.madeEvents ??= new CacheEvents(this.store.departed, clock, () => memory.state === State.Open)
  }

  /** The number of events that listeners in this thread have lost. */
  get eventsDropped(): number { return this.madeEvents?.dropped ?? 0 }

  // The end

  /** Takes back what threads held that have ended. @throws MemslabError if one of them held a lock */
  takeBack(): void {
    const { store, memory } = this.parts
    try {
      store.takeBack(memory)
    } catch (error) { throw this.failure(error) }
  }

  /** The error for a cache that is closed. */
  private refusal(): MemslabError {
    if (this.parts.memory.state === State.Died) return this.failure(new InvariantError('another thread has died'))
    return new MemslabError('ECLOSED', 'the cache is closed')
  }

  /**
   * The error to throw for one that an operation has thrown. Such an operation was broken off while it changed memory, so nothing
   * in the cache can be trusted: it is closed in all threads.
   */
  failure(cause: unknown): MemslabError {
    if (cause instanceof MemslabError) return cause
    const { store, memory } = this.parts
    store.fail()
    memory.fail()
    this.close(cause)
    const error = new MemslabError('EDIED', 'a thread has died while it changed the cache, which is closed now')
    return Object.assign(error, { cause })
  }

  /** Closes the cache in this thread. May be called twice. @param cause given if its memory cannot be trusted any more */
  close(cause?: unknown): void {
    if (!this.isOpen) return
    if (cause === undefined) {
      this.closeEvents()
      // a listener may have closed the cache
      if (!this.isOpen) return
    } else this.madeEvents?.stop()
    this.isOpen = false
    this.parts.closed(cause)
    if (cause === undefined) this.giveBack()
    // a callback may still be reading a value
    if (this.viewsOpen === 0) this.leave()
  }

  /** Delivers the last events, while listeners may still use the cache. */
  private closeEvents(): void {
    try {
      this.madeEvents?.close()
    } catch (error) { this.failure(error) }
  }

  /** Gives back what this thread holds beside its place. */
  private giveBack(): void {
    try {
      this.listing?.close()
      this.parts.memory.forget(this.store.thread)
    } catch (error) { this.failure(error) }
  }

  private leave(): void { if (this.parts.mayLeave) this.store.leave() }
}

/** A lent value in one piece. */
function viewOf(loan: ValueLoan): Uint8Array {
  const view = loan.bytesAt(0, loan.valueBytes)
  return view.length === loan.valueBytes ? view : bytesOf(loan)
}

/** A copy of a lent value. */
function bytesOf(loan: ValueLoan): Uint8Array {
  const { valueBytes } = loan
  const copy = Buffer.allocUnsafe(valueBytes)
  for (let at = 0; at < valueBytes;) {
    const run = loan.bytesAt(at, valueBytes - at)
    copy.set(run, at)
    at += run.length
  }
  return copy
}

/** Refuses a key of so many bytes. */
function keyRefusal(length: number): MemslabError {
  return new MemslabError('EKEY', length === 0 ? 'a key must not be empty' : `a key has at most ${KEY_MAX} bytes, not ${length}`)
}

function utf8Of(key: string): Uint8Array {
  if (/\p{Surrogate}/u.test(key)) throw new MemslabError('EKEY', 'a key has half of a surrogate pair, which has no form in UTF-8')
  return Buffer.from(key)
}
