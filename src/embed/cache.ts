// The cache as programs use it: the operations of memcached on the items of a store, in the calling thread, without a socket.
import { isBytes } from '../options/embedded.js'
import { DURATION_FORM, readDuration, type Duration } from '../options/durations.js'
import { MemslabError } from '../errors.js'
import { type Uint64 } from '../memory/numbers.js'
import { Outcome } from '../store/outcome.js'
import { Mode, Want, type Request } from '../store/request.js'
import { storeStats } from '../stats/report.js'
import { type CacheEventName, type CacheHandle, type CacheItem, type CacheKey, type CacheListener, type CacheStats,
  type CountOptions, type GetOrSetOptions, type WriteOptions } from './interface.js'
import { listKeys } from './keys.js'
import { attachThread, makeThread } from './make.js'
import { clearTimeout, setTimeout } from '../timers.js'
import { completeCacheOptions, usage, type CacheOptions } from './options.js'
import { CacheThread, Part } from './thread.js'
import { formOf, type Codec, type Form, type ValuesName } from './values.js'

const FLAGS_MAX = 0xffffffff
const UINT64_MAX = 0xffffffffffffffffn

/** How long others wait for a factory by default. */
const LEASE_MS = 30_000
/** The longest time of a timer of Node.js. */
const TIMER_MS_MAX = 2 ** 31 - 1
/** The longest `staleTtl`, ten years. As the store's seconds have 31 bits, no later end could be told from the end of time. */
const STALE_MS_MAX = 3650 * 86_400_000
/** The longest pause, and the first one, in milliseconds, of a caller that waits for the factory of another thread. */
const PAUSE_MS_MAX = 16
const PAUSE_MS_MIN = 1
/** The pauses after which such a caller looks for threads that have ended. */
const LOOK_WAITS = 32

/** A value that is there, and may be outdated. */
interface FoundValue<Value> { readonly value: Value; readonly isStale: boolean; readonly cas: bigint }

interface MadeValue<Value> { readonly value: Value }

class SharedCache<Value> {
  readonly #thread: CacheThread
  readonly #form: Form
  /** The values that factories of this thread are making, by key; each undefined if its lease ends first. */
  readonly #making = new Map<string, Promise<MadeValue<Value> | undefined>>()

  constructor(options?: CacheOptions, values?: unknown)
  /** @param from options, or the CacheThread that several caches of a thread share; @param values given with the latter */
  constructor(from: unknown = {}, values: unknown = undefined) {
    if (from instanceof CacheThread) {
      this.#form = checkedForm(values)
      this.#thread = from
      from.cache ??= this
      return
    }
    const form = formOf((from as { values?: unknown } | null)?.values)
    this.#thread = makeThread(completeCacheOptions(from, typeof form === 'string' ? [form] : []))
    this.#form = form as Form
    this.#thread.cache = this
  }

  static attach(handle: CacheHandle, { values }: { values?: unknown } = {}): SharedCache<unknown> {
    checkedForm(values)
    return over(attachThread(handle), values)
  }

  /**
   * The same cache with another form of values: the same items, in this thread.
   * @throws MemslabError with code 'EUSAGE' for a form that does not exist
   */
  as(values: 'bytes'): Cache<Uint8Array>
  as(values: 'string'): Cache<string>
  as<Other = unknown>(values: 'json' | Codec<Other>): Cache<Other>
  as(values: ValuesName | Codec<unknown>): SharedCache<unknown> { return over(this.#thread, values) }

  /**
   * What another thread needs to attach to this cache: pass it to the worker in `workerData` or `postMessage`, and to
   * `Cache.attach` there.
   * @throws MemslabError with code 'ENOPLACE' if the cache was made without places for other threads, and 'ECLOSED'
   */
  get handle(): CacheHandle { return this.#thread.handle }

  // Reading

  /** The value of a key; undefined if there is none. Bytes are a copy, and a `Buffer`. */
  get(key: CacheKey): Value | undefined { return this.#thread.find(key, Part.Value) ? this.#value() : undefined }

  /** The value of a key with its flags and its cas number; undefined if there is none. */
  gets(key: CacheKey): CacheItem<Value> | undefined {
    const thread = this.#thread
    if (!thread.find(key, Part.Facts)) return undefined
    const { flags, casHigh, casLow } = thread
    return { value: this.#value(), flags, cas: (BigInt(casHigh) << 32n) | BigInt(casLow) }
  }

  /**
   * Calls `read` with the bytes of a key's value, whatever the form of values, without making a copy for the program. They stay
   * as they are until `read` returns or throws, even if the key is changed or deleted meanwhile, also by `read` itself. They
   * must not be written to or kept: after that, they are the memory of other values. A large value is read in place: its item is
   * pinned. One of up to 2 KiB is copied aside, which takes less time, and one larger than `slabChunkMax` is copied as it lies
   * in pieces.
   * @returns the result of `read`; undefined if there is no such key
   */
  getView<Result>(key: CacheKey, read: (view: Uint8Array) => Result): Result | undefined {
    const thread = this.#thread
    if (!thread.find(key, Part.InPlace)) return undefined
    return thread.withView(read)
  }

  /** True if there is an item of this key. It does not count as a get, and the item does not count as used. */
  has(key: CacheKey): boolean { return this.#thread.find(key, Part.Presence) }

  /** The values of several keys, in their order, with undefined for those that are missing. */
  getMany(keys: Iterable<CacheKey>): (Value | undefined)[] { return Array.from(keys, key => this.get(key)) }

  /**
   * The keys of all items, or of those whose keys begin with `prefix`, in no order. A key is a string if its bytes are UTF-8,
   * and else a Uint8Array. The iterator walks over the memory in short steps, and other operations go on in between. A key that
   * is there all the time comes exactly once; one that comes or goes meanwhile, once or not at all. An iterator that rests for a
   * second or two collects the keys that are left, so that other threads can list theirs.
   * @throws MemslabError with code 'EBUSY', from the iterator, while another thread lists keys
   */
  keys(prefix: CacheKey = ''): IterableIterator<CacheKey> { return listKeys(this.#thread, prefix) }

  // Writing

  /**
   * Stores a value under a key, whether the key was there or not.
   * @throws MemslabError with code 'ETOOLARGE' if the item is larger than `itemSizeMax`, 'EFULL' if there is no memory for it,
   * which only happens without `evictions` or while all items are in use. Then the former value is gone, too, as it is outdated
   */
  set(key: CacheKey, value: Value, options?: WriteOptions): void { this.#put(Mode.Set, key, value, options) }

  /** Stores a value if the key is missing. Of several threads, one gets true. @throws as `set`; then nothing has changed */
  add(key: CacheKey, value: Value, options?: WriteOptions): boolean { return this.#put(Mode.Add, key, value, options) }

  /** Stores a value if the key is there. Returns true if it was. @throws as `set`; then nothing has changed */
  replace(key: CacheKey, value: Value, options?: WriteOptions): boolean { return this.#put(Mode.Replace, key, value, options) }

  /**
   * Stores a value if the item is the one that `gets` returned: if it still has the cas number. Returns false if it was changed
   * or is gone. @throws as `set`; then nothing has changed
   */
  cas(key: CacheKey, value: Value, cas: bigint, options?: WriteOptions): boolean {
    if (typeof cas !== 'bigint' || cas < 0n || cas > UINT64_MAX) throw usage(['cas: must be a bigint that gets has returned'])
    return this.#put(Mode.Cas, key, value, options, cas)
  }

  /** Puts a value behind that of a key, which keeps its time and flags. False if the key is missing. @throws as `set` */
  append(key: CacheKey, value: Value): boolean { return this.#put(Mode.Append, key, value) }

  /** Puts a value before that of a key, as `append` puts it behind. */
  prepend(key: CacheKey, value: Value): boolean { return this.#put(Mode.Prepend, key, value) }

  /** Stores several values, with the same options. @throws as `set`; the values before the refused one are stored */
  setMany(entries: Iterable<readonly [key: CacheKey, value: Value]>, options?: WriteOptions): void {
    for (const [key, value] of entries) this.set(key, value, options)
  }

  /**
   * The value of a key; if it is missing, `factory` makes it, and it is stored. Only one factory of a key runs at a time, over
   * all threads. Other callers wait for its value, or get the old one at once if its `ttl` ended less than `staleTtl` ago. If the
   * factory throws, or its thread ends, another thread that waits calls its own, and if it takes longer than `lease`, another
   * caller. A value that was stored for the key meanwhile stays there, and the caller gets that of its factory all the same.
   * Rejects with the error of the factory, which callers of the same thread share, and as `set` throws. But a value that is too
   * large, or for which there is no memory, is returned; `stats` counts it.
   */
  async getOrSet(key: CacheKey, factory: () => Value | Promise<Value>, options: GetOrSetOptions = {}): Promise<Value> {
    const { flags = 0, ttl = 0, staleTtl = 0, lease = LEASE_MS } = options
    const staleMs = readStaleTtl(staleTtl)
    const leaseMs = readTtl(lease, 'lease')
    const ttlMs = readTtl(ttl)
    const write: WriteOptions = { flags: checkFlags(flags), ttl: ttlMs === 0 ? 0 : ttlMs + staleMs }
    // the program may change the bytes meanwhile
    const own = isBytes(key) ? new Uint8Array(key) : key
    for (let waits = 0; ; waits++) {
      // a caller that waits does not count as one that asks again
      const found = waits === 0 || this.has(own) ? this.#find(own, staleMs) : undefined
      if (found?.isStale === false) return found.value
      const name = nameOf(own)
      const making = this.#making.get(name)
      if (making !== undefined) {
        if (found !== undefined) return found.value
        const made = await making
        if (made !== undefined) return made.value
        continue
      }
      const made = this.#tryMake(own, leaseMs, () => this.#make(own, factory, write, staleMs))
      if (made !== undefined) return this.#share(name, made, leaseMs)
      if (found !== undefined) return found.value
      await pause(waits)
      if (waits % LOOK_WAITS === 0) this.#thread.takeBack()
    }
  }

  /** Deletes a key. Returns true if it was there. */
  delete(key: CacheKey): boolean {
    const thread = this.#thread
    thread.begin(key)
    return thread.remove() === Outcome.Deleted
  }

  /** Deletes several keys. Returns the number of those that were there. */
  deleteMany(keys: Iterable<CacheKey>): number {
    let count = 0
    for (const key of keys) if (this.delete(key)) count++
    return count
  }

  /** Sets how long an item lives from now on, see `WriteOptions.ttl`. Returns false if the key is missing. */
  touch(key: CacheKey, ttl: Duration): boolean {
    const thread = this.#thread
    const milliseconds = readTtl(ttl)
    thread.begin(key)
    thread.request.expiresAt = thread.secondAfter(milliseconds)
    return thread.touch() === Outcome.Touched
  }

  /**
   * Adds to a number, which is stored as decimal digits, from 0 to 2^64 - 1, beyond which it starts again at 0. No addition of
   * any thread or client is lost. The number becomes a `number`, which is exact up to 2^53; if `by` is a bigint, a bigint.
   * @returns the new number; undefined if the key is missing
   * @throws MemslabError with code 'ENOTNUMBER' if the value is no such number
   */
  incr(key: CacheKey, by?: number, options?: CountOptions): number | undefined
  incr(key: CacheKey, by: bigint, options?: CountOptions): bigint | undefined
  incr(key: CacheKey, by: number | bigint = 1, options?: CountOptions): number | bigint | undefined {
    return this.#count(key, by, false, options)
  }

  /** Subtracts from a number, as `incr` adds to it, but not below 0. */
  decr(key: CacheKey, by?: number, options?: CountOptions): number | undefined
  decr(key: CacheKey, by: bigint, options?: CountOptions): bigint | undefined
  decr(key: CacheKey, by: number | bigint = 1, options?: CountOptions): number | bigint | undefined {
    return this.#count(key, by, true, options)
  }

  /** Removes all items, in all threads, at once. Their memory is reclaimed by and by. */
  flush(): void { this.#thread.flush() }

  /** The statistics by memcached's names, summed over all threads. */
  stats(): CacheStats {
    this.#thread.check()
    return storeStats(this.#thread.store)
  }

  // Events

  /**
   * Calls a listener for each item that leaves the cache: `'evict'` as memory was needed, `'expire'` as its time was over, or
   * `'delete'` as a caller, a client or a refused value has deleted it. The events are those of all threads, in their order.
   * Neither a new value for a key nor `flush` is an event. A listener is called up to 20 ms later, between other tasks of the
   * event loop, and may use the cache. It does not keep the process alive. An error that it throws is uncaught. While no thread
   * has a listener, events cost nothing.
   */
  on(name: CacheEventName, listener: CacheListener): this {
    this.#thread.events.on(name, listener)
    return this
  }

  /** As `on`, for one event. */
  once(name: CacheEventName, listener: CacheListener): this {
    this.#thread.events.once(name, listener)
    return this
  }

  /** Removes a listener. */
  off(name: CacheEventName, listener: CacheListener): this {
    this.#thread.events.off(name, listener)
    return this
  }

  /**
   * The number of events that were lost since this thread has listeners, as a listener of some thread was too slow to take them.
   * Each thread keeps some thousand events for slow listeners.
   */
  get dropped(): number { return this.#thread.eventsDropped }

  /**
   * Closes the cache. In the thread that made it, closes it for all threads, and ends its background work; in another thread,
   * only gives the place back. All operations throw a MemslabError with code 'ECLOSED' from then on. May be called twice.
   */
  close(): void { this.#thread.close() }

  // Its inside

  #value(): Value {
    const { ofText, ofBytes } = this.#form
    return ofText !== undefined ? ofText(this.#thread.takeText()) as Value : ofBytes!(this.#thread.takeBytes()) as Value
  }

  #find(key: CacheKey, staleMs: number): FoundValue<Value> | undefined {
    const thread = this.#thread
    if (!thread.find(key, Part.Facts)) return undefined
    const { casHigh, casLow } = thread
    const isStale = thread.isWithin(staleMs)
    return { value: this.#value(), isStale, cas: (BigInt(casHigh) << 32n) | BigInt(casLow) }
  }

  /** Calls `make` if this thread gets the lease of the key, and gives the lease back afterwards. */
  #tryMake(key: CacheKey, leaseMs: number, make: () => Promise<Value>): Promise<Value> | undefined {
    const thread = this.#thread
    thread.begin(key)
    const { hash } = thread.request
    const token = thread.tryLease(leaseMs)
    return token === 0 ? undefined : make().finally(() => thread.release(hash, token))
  }

  /** Has other callers in this thread wait for a value until its lease ends, and then ask again. */
  #share(name: string, made: Promise<Value>, leaseMs: number): Promise<Value> {
    let timer: ReturnType<typeof setTimeout> | undefined
    const leaseEnds = new Promise<undefined>(resolve => {
      if (leaseMs <= TIMER_MS_MAX) timer = setTimeout(() => {
        forget()
        resolve(undefined)
      }, leaseMs).unref()
    })
    const making = Promise.race([made.then(value => ({ value })), leaseEnds])
    const forget = (): void => { if (this.#making.get(name) === making) this.#making.delete(name) }
    this.#making.set(name, making)
    // the caller of the factory gets the error in any case
    making.catch(() => {})
    return made.finally(() => {
      clearTimeout(timer)
      forget()
    })
  }

  /** Makes a value and stores it. */
  async #make(key: CacheKey, factory: () => Value | Promise<Value>, write: WriteOptions, staleMs: number): Promise<Value> {
    // another thread may have stored a value just before its lease was free
    const old = this.has(key) ? this.#find(key, staleMs) : undefined
    if (old?.isStale === false) return old.value
    const cas = old?.cas
    const value = await factory()
    try {
      if (cas === 0n) this.set(key, value, write)
      else if (cas === undefined || !this.cas(key, value, cas, write)) this.add(key, value, write)
    } catch (error) {
      if (!(error instanceof MemslabError) || error.code !== 'ETOOLARGE' && error.code !== 'EFULL') throw error
    }
    return value
  }

  #put(mode: Mode, key: CacheKey, value: Value, options?: WriteOptions, cas = 0n): boolean {
    const thread = this.#thread
    const { request } = thread
    // first, as the form and the options are a program's own code, which may use the cache
    const encoded = this.#form.encode(value)
    let flags = 0
    let ttlMs = 0
    if (options !== undefined) {
      if (options.flags !== undefined) flags = checkFlags(options.flags)
      if (options.ttl !== undefined) ttlMs = readTtl(options.ttl)
    }
    // whether the old item has expired makes no difference to a plain set
    if (mode === Mode.Set && ttlMs === 0) thread.beginSoon(key)
    else thread.begin(key)
    request.flags = flags
    request.expiresAt = ttlMs === 0 ? 0 : thread.secondAfter(ttlMs)
    if (mode === Mode.Cas) request.cas.setBigInt(cas)
    const outcome = thread.put(mode, encoded)
    if (outcome === Outcome.TooLarge) throw tooLarge(thread)
    if (outcome === Outcome.NoMemory) throw noMemory()
    return outcome === Outcome.Stored
  }

  #count(key: CacheKey, by: number | bigint, isDecrement: boolean, options: CountOptions = {}): number | bigint | undefined {
    const thread = this.#thread
    const { request } = thread
    const { initial, ttl } = options
    checkAmount('by', by)
    if (initial !== undefined) checkAmount('initial', initial)
    const ttlMs = ttl === undefined ? 0 : readTtl(ttl)
    thread.begin(key)
    setNumber(request.number, by)
    request.isDecrement = isDecrement
    if (initial !== undefined) vivify(request, initial, thread.secondAfter(ttlMs))
    switch (thread.calculate()) {
      case Outcome.Number: return typeof by === 'bigint' ? BigInt(String(request.digits)) : request.digits.toNumber()
      case Outcome.NonNumeric: throw notNumber()
      case Outcome.NoMemory: throw noMemory()
      default: return undefined
    }
  }
}

/** A cache of a thread that has one already. */
function over(thread: CacheThread, values: unknown): SharedCache<unknown> {
  return new SharedCache(thread as unknown as CacheOptions, values)
}

/** A text that is the same for the same key. */
function nameOf(key: CacheKey): string {
  const bytes = typeof key === 'string' ? Buffer.from(key) : Buffer.from(key)
  return bytes.toString('latin1')
}

function pause(waits: number): Promise<void> {
  return new Promise(resolve => { setTimeout(resolve, Math.min(PAUSE_MS_MIN * 2 ** waits, PAUSE_MS_MAX)) })
}

function checkedForm(values: unknown): Form {
  const form = formOf(values)
  if (typeof form === 'string') throw usage([form])
  return form
}

function vivify(request: Request, initial: number | bigint, expiresAt: number): void {
  request.wants = Want.Vivify
  setNumber(request.initial, initial)
  request.expiresAt = request.vivifiedUntil = expiresAt
}

function tooLarge({ request, store }: CacheThread): MemslabError {
  return new MemslabError('ETOOLARGE',
    `a value of ${request.valueBytes} bytes is too large: with its key, an item has at most ${store.options.itemSizeMax} bytes`)
}

function notNumber(): MemslabError {
  return new MemslabError('ENOTNUMBER', 'the value is not a number from 0 to 2^64 - 1 in decimal digits')
}

function noMemory(): MemslabError {
  return new MemslabError('EFULL', 'the cache has no memory left for this item, and nothing to evict')
}

function readTtl(ttl: Duration, name = 'ttl'): number {
  const milliseconds = ttl === Infinity ? ttl : readDuration(ttl)
  if (milliseconds === undefined || milliseconds < 0) {
    const shown = typeof ttl === 'string' ? `'${ttl}'` : String(ttl)
    throw usage([`${name}: must be ${DURATION_FORM}, not negative, not ${shown}`])
  }
  return milliseconds
}

function readStaleTtl(staleTtl: Duration): number {
  const milliseconds = readTtl(staleTtl, 'staleTtl')
  if (milliseconds > STALE_MS_MAX) throw usage([`staleTtl: must be at most 3650 days, not ${staleTtl}`])
  return milliseconds
}

function checkFlags(flags: unknown): number {
  if (Number.isInteger(flags) && (flags as number) >= 0 && (flags as number) <= FLAGS_MAX) return flags as number
  throw usage([`flags: must be a whole number of 32 bits, not ${String(flags)}`])
}

function setNumber(number: Uint64, value: number | bigint): void {
  if (typeof value === 'bigint') number.setBigInt(value)
  else number.set(Math.floor(value / 2 ** 32), value >>> 0)
}

function checkAmount(name: string, amount: unknown): void {
  if (typeof amount === 'number' && Number.isSafeInteger(amount) && amount >= 0) return
  if (typeof amount === 'bigint' && amount >= 0n && amount <= UINT64_MAX) return
  throw usage([`${name}: must be a whole number from 0 to 2^53 - 1, or a bigint up to 2n ** 64n - 1n, not ${String(amount)}`])
}

/** The classes of caches, by the form of their values. */
export interface CacheConstructor {
  /**
   * Makes a cache.
   * @throws MemslabError with code 'EUSAGE' and all `problems` if an option is wrong, and 'ENOMEM' if the system gives too little
   * memory
   */
  new (options?: CacheOptions & { values?: 'bytes' }): Cache<Uint8Array>
  new (options: CacheOptions & { values: 'string' }): Cache<string>
  new <Value = unknown>(options: CacheOptions & { values: 'json' | Codec<Value> }): Cache<Value>

  /**
   * Attaches this thread to the cache of another thread. It takes one of the cache's places until `close`, or until this thread
   * ends.
   * @throws MemslabError with code 'EHANDLE' for what is no handle, 'EVERSION' for one of another version of memslab, 'ENOPLACE'
   * if all places are taken, and 'ECLOSED' if the cache is closed
   */
  attach(handle: CacheHandle, options?: { values?: 'bytes' }): Cache<Uint8Array>
  attach(handle: CacheHandle, options: { values: 'string' }): Cache<string>
  attach<Value = unknown>(handle: CacheHandle, options: { values: 'json' | Codec<Value> }): Cache<Value>
}

/**
 * A cache in shared memory that all threads of a program use: the same items without copying or messages, and those of a server,
 * see `Server.cache`. All operations are synchronous.
 *
 * The channels `memslab:hit`, `memslab:miss`, `memslab:set`, `memslab:delete`, `memslab:evict` and `memslab:expire` of
 * `node:diagnostics_channel` have a message for what each call in this thread does: an object with the `cache`, the `key` and,
 * but for a miss, the `bytes` of the value; the last three with the facts of a `CacheEvent`, too. A message is published before
 * the call returns. While nothing is subscribed, this costs nothing.
 */
export type Cache<Value = Uint8Array> = SharedCache<Value>

/** The class of all caches: `new Cache({ memory: '256m' })` makes one, `Cache.attach(handle)` attaches to another thread's. */
export const Cache = SharedCache as unknown as CacheConstructor
