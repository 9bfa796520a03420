// The store: one or more shards over their arenas, and the tasks that concern all of them: time, flushes, the memory limit, walks
// and background steps. It knows no protocol. Each thread has a Store of its own over the same memory.
import { type Clock } from '../clock.js'
import { assert } from '../errors.js'
import { type Log } from '../log/log.js'
import { ARENA_PAGES_MAX } from '../memory/arena.js'
import { ClassWord, Size } from '../memory/layout.js'
import { Lives } from '../memory/lives.js'
import { type Locks } from '../memory/lock.js'
import { bufferOf, type WasmMemory } from '../memory/wasm.js'
import { Counter, type Counters } from '../stats/counters.js'
import { assembleStore, beginSettings, type SharedStore, type StoreOptions } from './assemble.js'
import { Access, type Accesses } from './accesses.js'
import { type StoreContext } from './context.js'
import { Filling } from './filling.js'
import { Chains } from './index/chains.js'
import { type Growth } from './index/growth.js'
import { Generations, GENERATIONS_MAX } from './items/generations.js'
import { Ghosts } from './items/ghosts.js'
import { NO_ITEM, type ItemId } from './items/items.js'
import { type Maintainer } from './items/maintainer.js'
import { type LruTuning } from './items/tuning.js'
import { Outcome, type Failure } from './outcome.js'
import { Found, Want, type Request } from './request.js'
import { type Inspected, type Shard } from './shard.js'
import { type AutomoveSettings } from './slabs/automove.js'
import { type SlabClasses } from './slabs/classes.js'
import { type Rebalance } from './slabs/rebalance.js'
import { type Reader } from './view.js'
import { ClassSet, type Crawler } from './walks/crawler.js'
import { ClassDump, Dump } from './walks/dump.js'
import { KeyWalk } from './walks/keys.js'
import { KeyScan } from './walks/scan.js'
import { Sweep } from './walks/sweep.js'

export { type SharedStore, type StoreOptions } from './assemble.js'

/** The most keys that can be prefetched at once: about as many cache lines as a core requests from memory at the same time. */
export const PREFETCH_MAX = 16
/** The largest exptime in seconds from now. memcached takes a larger one as a date. */
const RELATIVE_SECONDS_MAX = 60 * 60 * 24 * 30
/** The last second of store time, which has 31 bits. */
const LAST_SECOND = 0x7fffffff
/** The duration of a background walk over all memory: about SWEEP_STEPS times SWEEP_MS milliseconds. */
const SWEEP_STEPS = 600
const SWEEP_MS = 100
/** The seconds from the beginning of a walk of the crawler to that of the next, as in memcached. */
const SWEEP_SECONDS = 65
/** The same if more than one in SWEEP_FOUND_SHARE of the items that the walk checked were dead. */
const SWEEP_SECONDS_MIN = 5
const SWEEP_FOUND_SHARE = 100
/** The least and the most chunks for which a background walk is due in SWEEP_MS. */
const SWEEP_CHUNKS_MIN = 2000
const SWEEP_CHUNKS_MAX = 20_000
/**
 * The most chunks in one step of any walk. A step takes some 100 µs, whether its chunks have to be fetched from memory or their
 * items to be reclaimed. The first steps of a process take twenty times as long, until V8 has compiled their code.
 */
export const WALK_CHUNKS_MAX = 1000
/** The most carved chunks of a small cache, whose items a flush drops at once. */
const FLUSH_CHUNKS_MAX = 250
/** The cost that the step of that walk may have, see Sweep. */
const FLUSH_COST_MAX = 8 * FLUSH_CHUNKS_MAX
/** The most moves between lists in one `balanceStep`. */
const BALANCE_MOVES_MAX = 1000
/** The most of these moves that are made while a class is locked. Then other threads can take the lock. */
const BALANCE_MOVES = 50
/** The least seconds between two times at which prefixes without items lose their rows: see PrefixUse. */
const TIDY_SECONDS = 10
/** The most buckets and items in a step of growing tables. Each takes a third of a microsecond if it is fetched from memory. */
const GROW_COST = 1200

/** The tries to take a place whose thread has ended, and the wait between two of them, in milliseconds. */
const PLACE_TRIES = 500
const PLACE_WAIT_MS = 5

const NO_BYTES = new Uint8Array(0)

/** What threads hold outside a store that ends with them, too. */
export interface OtherHoldings {
  /** True if a thread, which has ended, holds a lock outside the store. */
  isLockedBy(thread: number): boolean
  /** Takes back what a thread held. Called under the lock of the store, before another thread can have its place. */
  forget(thread: number): void
}

export class Store {
  readonly context: StoreContext
  readonly classes: SlabClasses
  readonly shards: readonly Shard[]
  readonly counters: Counters
  /** The settings of the lists, which all threads share and commands change. */
  readonly tuning: LruTuning
  /** The log of events, for clients that watch. */
  readonly log: Log
  /** The log of items that leave the store, for listeners of a program. */
  readonly departed: Log
  /** The settings by which pages move between classes, which commands change. */
  readonly automove: AutomoveSettings
  readonly rebalance: Rebalance
  /** The byte index of a region of the first arena for the server's buffers, see StoreOptions.ioBytes. */
  readonly ioStart: number
  private readonly first: Shard
  private readonly accesses: Accesses
  /** The settings that `lru_crawler` changes, and the classes of a run under way. */
  readonly crawler: Crawler
  /** The background walk. */
  private readonly sweep: Sweep
  /** The walk that `lru_crawler crawl` asks for. */
  private readonly crawl: Sweep
  /** The walk that drops the items of a small cache when it is flushed. */
  private readonly clearing: Sweep
  private readonly chains: Chains
  private isSweeping = false
  /** The chunks that the background walk is behind its pace. */
  private sweepOwed = 0
  /** The second at which the crawler's last background walk began, which may be under way. */
  private sweepBegunAt = 0
  /** The second at which its next one is due. */
  private sweepDueAt = 0
  /** The second from which on the rows of prefixes may be tidied again. */
  private tidyDueAt = 0
  private isCrawling = false
  private readonly heads = new Int32Array(PREFETCH_MAX)
  /** All words that `prefetch` has read, by xor. It has no meaning, but keeps the compiler from removing the reads. */
  prefetched = 0
  /** The exptime that `expiryFor` was given last. A sampler sets it to 0 before a request, and reads what the client has sent. */
  exptime = 0
  /** The growth of each shard's table. */
  private readonly growths: readonly Growth[]
  /** The maintainer of each shard's lists. */
  private readonly maintainers: readonly Maintainer[]
  /** The class at which the next `balanceStep` begins. */
  private balanceAt = 1
  /** The Unix second at which store time was 0. */
  readonly epoch: number
  private readonly locks: Locks
  private readonly lock: number
  /** The record of threads that have died. */
  readonly lives: Lives
  private readonly memories: readonly WasmMemory[]

  /**
   * Makes a store, whose thread 0 is this thread, or attaches to one: see `attach`.
   * @param attached the memory of a store that another thread has made
   * @param thread the number of this thread
   */
  constructor(readonly options: StoreOptions, private readonly clock: Clock, attached?: SharedStore, readonly thread = 0) {
    const parts = assembleStore(options, clock, thread, attached)
    this.epoch = parts.epoch
    this.classes = parts.classes
    this.memories = parts.memories
    this.counters = parts.counters
    this.log = parts.log
    this.departed = parts.departed
    this.lives = parts.lives
    this.locks = parts.locks
    this.lock = parts.lock
    this.crawler = parts.crawler
    this.context = parts.context
    this.accesses = parts.context.accesses
    this.tuning = parts.tuning
    this.automove = parts.automove
    this.ioStart = parts.ioStart
    this.shards = parts.shards
    this.first = parts.shards[0]!
    this.growths = parts.growths
    this.maintainers = parts.maintainers
    this.rebalance = parts.rebalance
    this.sweep = new Sweep(this.shards, this.context)
    this.crawl = new Sweep(this.shards, this.context)
    this.clearing = new Sweep(this.shards, this.context)
    this.chains = new Chains(this.shards, this.context)
    if (attached === undefined) this.limitBytes(options.maxbytes)
  }

  /** Attaches this thread to a store that another thread has made. @param thread the number of this thread, from 1 on */
  static attach(shared: SharedStore, thread: number, clock: Clock): Store {
    assert(thread > 0 && thread < shared.options.threads, `there is no room for thread ${thread}`)
    return new Store(shared.options, clock, shared, thread)
  }

  /**
   * Takes a place for a thread that is going to attach: the number of the thread, one of the last, that no other thread has.
   * `leave` gives it back. If the thread of a place has ended, waits until another thread has taken the place back.
   * @returns undefined if all places are taken
   */
  static takePlace({ memories, livesAt, options }: SharedStore): number | undefined {
    const words = new Int32Array(bufferOf(memories[0]!), livesAt, Lives.bytesFor(options.threads) >> 2)
    const pause = new Int32Array(new SharedArrayBuffer(4))
    for (let tries = PLACE_TRIES; ; tries--) {
      const place = Lives.tryTake(words)
      if (place !== undefined || tries === 0 || !Lives.isPlaceComing(words)) return place
      Atomics.wait(pause, 0, 0, PLACE_WAIT_MS)
    }
  }

  /** The memory and the settings that other threads need for `attach`. */
  share(): SharedStore {
    const { options, epoch, log, departed, lives, memories } = this
    assert(options.shared, 'a store of one thread is not shared')
    return { options, epoch, log: log.memory, departed: departed.memory, livesAt: lives.at, memories }
  }

  /**
   * Takes back what threads in places held that have ended without a word: their places, and the items that they had reserved or
   * lent. If one of them held a lock, records that it has died, as memory may be half written.
   * @param other knows what else such a thread may hold
   * @throws InvariantError if a thread has died
   */
  takeBack(other: OtherHoldings): void {
    const { lives, locks, lock } = this
    for (const thread of lives.endedPlaces()) {
      locks.take(lock)
      // another thread may have done it meanwhile
      if (lives.hasEnded(thread)) this.takeBackStoreLocked(thread, other)
      locks.release(lock)
    }
  }

  private takeBackStoreLocked(thread: number, other: OtherHoldings): void {
    const { context, counters, crawler, lives } = this
    if (this.holdsLock(thread) || other.isLockedBy(thread)) lives.fail()
    assert(!lives.hasFailed, `thread ${thread} has ended while it held a lock`)
    for (const { allocator } of this.shards) allocator.takeBackStoreLocked(thread)
    counters.clear(thread, Counter.RefsHeld)
    if (crawler.isRunOf(thread)) {
      for (const { marks } of this.shards) marks.isOn = false
      crawler.end()
    }
    context.log.forget(thread)
    context.departed.forget(thread)
    other.forget(thread)
    lives.free(thread)
  }

  /** True if a thread, which has ended, holds a lock. */
  private holdsLock(thread: number): boolean {
    const { context: { stripes, log, departed, prefixes }, locks, lock } = this
    return locks.isHeldBy(lock, thread) || stripes.isAnyHeldBy(thread) || log.isLockedBy(thread) || departed.isLockedBy(thread) ||
      prefixes?.isLockedBy(thread) === true ||
      this.shards.some(({ slabs }) => slabs.isAnyLockHeldBy(thread))
  }

  /** Records that a thread has died, perhaps with locks held. Threads that wait for a lock get an InvariantError from now on. */
  fail(): void { this.lives.fail() }

  /** Records that this thread may hold locks. If it ends before `leave`, threads that wait for a lock get an InvariantError. */
  enter(): void { this.lives.enter() }

  /** Records that this thread holds no lock, so that it may end. */
  leave(): void { this.lives.leave() }

  /** The memory limit in bytes; see `setMemoryLimit`. */
  get maxbytes(): number { return this.context.maxbytes }

  // Items. The caller fills the request: its key and hash, `wants`, and the fields that the operation reads. The results are in
  // the request afterwards.

  /**
   * Shows the item of a key to `reader`. Counts a get and marks the item as used, unless the request's options say otherwise or
   * the reader declines.
   * @returns false if there is no item
   */
  get(request: Request, reader: Reader): boolean {
    const shard = this.shardOf(request.hash)
    const isHit = shard.get(request, reader)
    if (this.accesses.isGetSampled(request, isHit)) this.accesses.got(request, isHit, shard.view)
    return isHit
  }

  /**
   * Stores a value in the request's mode.
   * @param valueAt the index of the value, of `valueBytes`, in the request's bytes
   */
  set(request: Request, valueAt: number): Outcome {
    const outcome = this.shardOf(request.hash).set(request, valueAt)
    if (outcome === Outcome.Stored && this.accesses.isSampled(request.hash)) this.context.noteStored(request)
    return outcome
  }

  /** Begins to store a value of `valueBytes` that comes in parts. Returns an item to fill, or the reason why there is none. */
  begin(request: Request): Filling | Failure {
    const shard = this.shardOf(request.hash)
    if (shard.isTooLarge(request, request.flags, request.valueBytes)) return shard.fail(request, Outcome.TooLarge)
    const item = shard.reserve(request)
    return item === NO_ITEM ? shard.fail(request, Outcome.NoMemory) : new Filling(shard, this.context, item, request)
  }

  /**
   * Deletes an item, or makes it stale or removes its value, as the request's options say.
   * @returns Deleted, NotFound, Exists or NoMemory
   */
  delete(request: Request): Outcome {
    const outcome = this.shardOf(request.hash).delete(request)
    const isGone = outcome === Outcome.Deleted && (request.wants & (Want.Invalidate | Want.RemoveValue)) === 0
    if (isGone && this.accesses.isSampled(request.hash)) this.accesses.note(Access.Deleted, request.hash, 0, 0)
    return outcome
  }

  /** Evicts the item of a key, as if its memory were needed. Returns false if there is no item. For tests. */
  evict(request: Request): boolean { return this.shardOf(request.hash).evict(request) }

  /** Sets the expiration time of an item to `expiresAt`. Returns Touched or NotFound. */
  touch(request: Request): Outcome {
    const outcome = this.shardOf(request.hash).touch(request)
    const isDone = outcome === Outcome.Touched
    if (isDone && this.accesses.isSampled(request.hash)) this.accesses.note(Access.Touched, request.hash, 0, request.expiresAt)
    return outcome
  }

  /**
   * incr and decr: adds `number` to the number that is an item's value, and wraps at 2^64, or subtracts it, and stops at 0. The
   * result is in `digits`.
   * @returns Number, NotFound, NonNumeric, Exists or NoMemory
   */
  arithmetic(request: Request): Outcome {
    const outcome = this.shardOf(request.hash).arithmetic(request)
    if (outcome === Outcome.Number && this.accesses.isSampled(request.hash)) {
      if ((request.result & Found.Vivified) !== 0) this.context.noteStored(request)
      else this.accesses.note(Access.Used, request.hash, 0, 0)
    }
    return outcome
  }

  /** The facts about the item of a key, which may be dead. Counts nothing, and leaves the item as it is. */
  inspect(request: Request): Inspected | undefined { return this.shardOf(request.hash).inspect(request) }

  // Walks

  /** Begins a dump of the items of some classes. A store has one dump at a time: see Dump. */
  dump(classes: ClassSet): Dump { return new Dump(this.shards, this.context, classes, NO_BYTES) }

  /**
   * Begins a walk over the live items whose keys begin with these bytes. Undefined while a dump, a crawl or another walk is under
   * way.
   */
  tryWalkKeys(prefix: Uint8Array): KeyWalk | undefined {
    if (!this.crawler.tryBegin(ClassSet.all)) return undefined
    return new KeyWalk(new Dump(this.shards, this.context, ClassSet.all, prefix.slice()), this.crawler)
  }

  /** Begins a walk over the same items that may go on in another call, see KeyScan. @param cursor 0, or that of an earlier one */
  scanKeys(prefix: Uint8Array, cursor: number): KeyScan {
    return new KeyScan(this.shards, this.context, prefix.slice(), cursor)
  }

  /** Begins a dump of the items of one class, newest first. Class 0 and classes that the settings do not have are empty. */
  dumpClass(slabClass: number): ClassDump {
    const shards = slabClass >= 1 && slabClass <= this.classes.largest ? this.shards : []
    return new ClassDump(shards, this.context, slabClass)
  }

  /** @internal The shard of a key's hash, chosen by its high bits. The low bits choose the bucket in the shard. */
  shardOf(hash: number): Shard {
    if (this.shards.length === 1) return this.first
    return this.shards[(hash >>> 24) % this.shards.length]!
  }

  /**
   * Reads the memory that the look-ups of some keys are going to read: first all heads of buckets, then the first items of all
   * buckets. So the fetches from memory overlap, where look-ups in turn would wait for one fetch after the other. Needs no lock,
   * as the words that it reads decide nothing.
   * @param count the number of keys, at most PREFETCH_MAX: the first ones of `hashes`
   */
  prefetch(hashes: Int32Array, count: number): void {
    if (this.shards.length === 1) return this.prefetchFirst(hashes, count)
    const { heads } = this
    let sum = 0
    for (let i = 0; i < count; i++) heads[i] = this.shardOf(hashes[i]!).table.headOf(hashes[i]!)
    for (let i = 0; i < count; i++) sum ^= this.shardOf(hashes[i]!).items.prefetch(heads[i]! as ItemId)
    this.prefetched = sum
  }

  /** The same in a store of one shard. */
  private prefetchFirst(hashes: Int32Array, count: number): void {
    const { heads, first: { items, table } } = this
    let sum = 0
    for (let i = 0; i < count; i++) heads[i] = table.headOf(hashes[i]!)
    for (let i = 0; i < count; i++) sum ^= items.prefetch(heads[i]! as ItemId)
    this.prefetched = sum
  }

  // Time

  /**
   * Reads the clock. Called once for each batch of requests and each background step.
   * @throws InvariantError after a thread has died, as memory may be half written and must not be served from any more
   */
  refreshTime(): void {
    const { context, lives } = this
    assert(!lives.hasFailed, 'another thread has died')
    context.now = Math.floor(this.clock.milliseconds() / 1000) - this.epoch
    context.watched = this.log.kinds
    if (context.flushAt !== 0 && context.now >= context.flushAt) this.flushDue()
  }

  /** Called when the clock of a test may have gone back: the next walk of the crawler is not further away than usual. */
  clockMoved(): void {
    const { now } = this.context
    this.sweepDueAt = Math.min(this.sweepDueAt, now + SWEEP_SECONDS)
    this.tidyDueAt = Math.min(this.tidyDueAt, now + TIDY_SECONDS)
  }

  private flushDue(): void {
    this.locks.take(this.lock)
    // checked again, as another thread may have carried out the flush meanwhile
    const isDue = this.context.flushAt !== 0 && this.context.now >= this.context.flushAt
    if (isDue) this.flushStoreLocked()
    const { generation } = this.context
    this.locks.release(this.lock)
    if (isDue) this.clearIfSmall(generation)
  }

  /**
   * The second of store time for an exptime of a protocol, 32 signed or unsigned bits. An exptime is seconds from now, or a date
   * in Unix seconds if it is larger than RELATIVE_SECONDS_MAX; 0 is never, and a negative one is in the past.
   */
  expiryFor(exptime: number): number {
    this.exptime = exptime
    if (exptime === 0) return 0
    if (exptime < 0) return 1
    if (exptime <= RELATIVE_SECONDS_MAX) return this.context.now + exptime
    return Math.min(Math.max(exptime - this.epoch, 1), LAST_SECOND)
  }

  /**
   * Carries out `flush_all`: makes all items dead, at once or at a later time. Cancels an earlier one that is still to come.
   * @param exptime 0 or negative for at once; otherwise as for `expiryFor`. A date in the past flushes nothing.
   */
  flush(exptime: number): void {
    const { context } = this
    this.refreshTime()
    this.locks.take(this.lock)
    context.flushAt = 0
    const at = exptime > 0 ? this.expiryFor(exptime) : 0
    if (exptime <= 0) this.flushStoreLocked()
    else if (at > context.now) context.flushAt = at
    const { generation } = context
    this.locks.release(this.lock)
    if (exptime <= 0) this.clearIfSmall(generation)
  }

  /** Begins a generation and makes the items of all older ones dead. Look-ups and walks drop them later. */
  private flushStoreLocked(): void {
    const { context } = this
    context.flushAt = 0
    context.flushedAt = context.now
    context.stripes.takeAll()
    context.flushedPrefixes.forget(context.generation)
    if (context.generation === GENERATIONS_MAX) this.restartGenerationsAllStripesLocked()
    context.floor = context.flushedIn = ++context.generation
    context.mayHoldDead = true
    context.stripes.releaseAll()
  }

  /** True if there may be keys with this prefix, which is the part of a key before the first delimiter (-D). */
  isPrefix(prefix: Uint8Array): boolean { return this.context.flushedPrefixes.isPrefix(prefix) }

  /**
   * Makes all items dead whose keys have this prefix, for which `isPrefix` must be true. It takes the same time for any number of
   * items; the background walk reclaims them. If FLUSHED_PREFIXES_MAX other prefixes have been flushed and the walk has not gone
   * over all items since, this flushes nothing and returns false, and the caller tries again later.
   */
  flushPrefix(prefix: Uint8Array): boolean {
    const { context } = this
    assert(this.isPrefix(prefix), 'a prefix with a delimiter in it, or longer than any')
    this.refreshTime()
    const hash = context.hash.of(prefix, 0, prefix.length)
    this.locks.take(this.lock)
    context.stripes.takeAll()
    const isDone = this.flushPrefixAllStripesLocked(hash, prefix)
    const { generation } = context
    context.stripes.releaseAll()
    this.locks.release(this.lock)
    if (isDone) context.departures.recordPrefix(hash, context.now, generation)
    return isDone
  }

  private flushPrefixAllStripesLocked(hash: number, prefix: Uint8Array): boolean {
    const { context } = this
    if (context.generation === GENERATIONS_MAX) {
      // once no item is dead, all live items may belong to the same generation
      if (context.mayHoldDead) return false
      this.restartGenerationsAllStripesLocked()
    }
    if (!context.flushedPrefixes.note(hash, prefix, context.generation + 1)) return false
    context.generation++
    context.mayHoldDead = true
    return true
  }

  private restartGenerationsAllStripesLocked(): void {
    for (const { slabs } of this.shards) this.context.generation = Generations.restart(slabs)
    this.context.sweptGeneration = this.context.sweepGeneration = 0
  }

  /**
   * Drops the items of a small cache at once after a flush, so that its statistics show that it is empty. memcached drops recent
   * items at once, too. In a larger cache the background walk does it.
   */
  private clearIfSmall(generation: number): void {
    const { clearing } = this
    if (!this.isEmpty) {
      if (this.carvedCount > FLUSH_CHUNKS_MAX) return
      clearing.begin(ClassSet.all, 0, false)
      if (!clearing.step(FLUSH_COST_MAX)) return
    }
    this.noteSwept(generation)
  }

  // Memory

  /**
   * Sets the limit in bytes; false if the addresses that were reserved at the start do not suffice. If the limit is lowered,
   * pages over it, those of the pool first, are emptied in the background and not used until it rises again.
   */
  setMemoryLimit(bytes: number): boolean {
    if (bytes > this.maxbytesMost) return false
    this.locks.take(this.lock)
    this.limitBytes(bytes)
    this.locks.release(this.lock)
    return true
  }

  /** The highest limit: 2,047 MiB for each arena, or the limit at the start if there were too few addresses to reserve. */
  private get maxbytesMost(): number {
    const areWhole = this.shards.every(({ arena }) => arena.isWhole)
    return areWhole ? this.shards.length * ARENA_PAGES_MAX * Size.Page : this.options.maxbytes
  }

  private limitBytes(bytes: number): void {
    this.context.maxbytes = bytes
    // the ghosts count, too; their number is that of the first limit
    const pageBytes = Math.max(bytes - Ghosts.bytesFor(this.options.maxbytes), 0)
    for (const { slabs } of this.shards) slabs.bytesMax = Math.floor(pageBytes / this.shards.length)
  }

  get itemCount(): number { return this.shards.reduce((sum, shard) => sum + shard.itemCount, 0) }

  /** The bytes of all items in this store: header, flags, key and value. memcached, whose header is larger, would count more. */
  get itemBytes(): number {
    let sum = 0
    for (const shard of this.shards) {
      for (let slabClass = 1; slabClass <= this.classes.largest; slabClass++) {
        sum += shard.slabs.get(slabClass, ClassWord.RequestedBytes)
      }
    }
    // an item that is stored or removed meanwhile may be counted in only one of the two numbers
    return Math.max(0, sum - this.itemCount * (this.context.overhead - Size.ItemHeader))
  }

  // Background

  /**
   * Balances the lists of the classes, in a bounded number of moves, and decides whether a page should move.
   * @returns true if there are more moves to make, so that the next step should follow soon
   */
  balanceStep(): boolean {
    this.refreshTime()
    this.rebalance.decide()
    if (!this.options.lruMaintainer) return false
    this.counters.add(Counter.LruJuggles)
    return !this.balance()
  }

  /** Goes on to move a page between classes. @returns true if a page is moving */
  moveStep(): boolean {
    if (!this.rebalance.isAlert) return false
    this.refreshTime()
    return this.rebalance.step()
  }

  /** Balances one class after the other until no class needs a move. Stops after BALANCE_MOVES_MAX moves and returns false. */
  private balance(): boolean {
    const { largest } = this.classes
    let left = BALANCE_MOVES_MAX
    for (let balanced = 0; balanced < largest && left > 0; this.balanceAt = this.balanceAt % largest + 1) {
      const moves = this.balanceClass(this.balanceAt)
      left -= moves
      balanced = moves === 0 ? balanced + 1 : 0
    }
    return left > 0
  }

  /** Grows tables that have become too small, in a step of at most GROW_COST buckets and items. */
  growStep(): void {
    const due = this.growths.filter(({ isDue }) => isDue)
    for (const growth of due) growth.step(GROW_COST / due.length)
  }

  /** True if a table has fewer buckets than it should. */
  get isGrowing(): boolean { return this.growths.some(({ isDue }) => isDue) }

  private balanceClass(slabClass: number): number {
    let moves = 0
    for (const maintainer of this.maintainers) moves += maintainer.pass(slabClass, BALANCE_MOVES)
    return moves
  }

  /**
   * Goes on with the background walk, which reclaims dead items in all memory, or begins one that is due. A step covers at most
   * WALK_CHUNKS_MAX chunks, and the walk takes SWEEP_STEPS times SWEEP_MS, less in a small store and longer in a very large one.
   * @param milliseconds since the last step
   * @returns true if the walk is behind its pace, so that the next step should follow soon
   */
  sweepStep(milliseconds: number): boolean {
    this.refreshTime()
    this.tidyPrefixesIfDue()
    if (!this.isSweeping) this.beginSweepIfDue()
    if (!this.isSweeping || this.isEmptySince(this.context.generation)) return false
    this.sweepOwed += this.sweepShare(milliseconds)
    const chunks = Math.min(this.sweepOwed, WALK_CHUNKS_MAX)
    this.sweepOwed -= chunks
    this.isSweeping = !this.sweep.step(chunks)
    if (!this.isSweeping) this.endSweep()
    return this.isSweeping && this.sweepOwed > 0
  }

  /** Has the counts of prefixes free rows that have no items, if a prefix found none. */
  private tidyPrefixesIfDue(): void {
    const { context: { now, prefixes, stripes } } = this
    if (prefixes === undefined || !prefixes.isFull || now < this.tidyDueAt) return
    this.tidyDueAt = now + TIDY_SECONDS
    stripes.takeAll()
    prefixes.tidyAllStripesLocked()
    stripes.releaseAll()
  }

  /** The number of chunks that the background walk is to cover in so many milliseconds. `lru_crawler sleep` may lower it. */
  private sweepShare(milliseconds: number): number {
    const share = Math.ceil(this.carvedCount / SWEEP_STEPS)
    const chunks = Math.min(Math.max(share, SWEEP_CHUNKS_MIN), SWEEP_CHUNKS_MAX) * milliseconds / SWEEP_MS
    return Math.min(Math.ceil(chunks), this.crawler.itemsIn(milliseconds))
  }

  /**
   * Begins the crawler's walk if it is due, which it is from time to time if there is an LRU maintainer. Otherwise begins another
   * walk if a flush has left dead items: these would soon be at the tails of their lists, and are counted as if they were.
   */
  private beginSweepIfDue(): void {
    const { context } = this
    const isCrawl = this.options.lruMaintainer && context.now >= this.sweepDueAt
    if (!isCrawl && context.sweptGeneration === context.generation) return
    if (isCrawl) this.beginCrawl()
    this.isSweeping = true
    this.sweepOwed = 0
    this.sweep.begin(ClassSet.all, isCrawl ? this.crawler.tocrawl : 0, isCrawl)
    this.locks.take(this.lock)
    context.sweepGeneration = context.generation
    this.locks.release(this.lock)
  }

  private beginCrawl(): void {
    this.sweepBegunAt = this.context.now
    this.sweepDueAt = this.context.now + SWEEP_SECONDS
    this.counters.add(Counter.CrawlerStarts)
  }

  private endSweep(): void {
    const { context, sweep } = this
    if (sweep.isCrawl && sweep.hasFound(SWEEP_FOUND_SHARE)) this.sweepDueAt = this.sweepBegunAt + SWEEP_SECONDS_MIN
    if (!sweep.isWhole) return
    this.locks.take(this.lock)
    this.setSweptStoreLocked(context.sweepGeneration)
    this.locks.release(this.lock)
  }

  /** Goes on with the crawl that a client asked for, in a step of at most WALK_CHUNKS_MAX chunks. Returns true at its end. */
  crawlStep(milliseconds: number): boolean {
    this.refreshTime()
    const { crawl, crawler } = this
    if (!this.isCrawling) crawl.begin(crawler.classes, crawler.tocrawl, true)
    this.isCrawling = !crawl.step(Math.min(WALK_CHUNKS_MAX, crawler.itemsIn(milliseconds)))
    if (!this.isCrawling) crawler.end()
    return !this.isCrawling
  }

  /** Looks for long chains of the hash table at a bounded number of items: see `longestChain`. */
  chainStep(): void {
    this.refreshTime()
    this.chains.step()
  }

  /** The length in items of the longest chain that `chainStep` has met in the last minute or two. */
  get longestChain(): number { return this.chains.longest }

  /** True if no item is stored. Then ends the background walk, and records it as whole if `generation` is still current. */
  private isEmptySince(generation: number): boolean {
    if (!this.isEmpty) return false
    this.isSweeping = false
    this.noteSwept(generation, true)
    return true
  }

  /**
   * Records that no dead item of an older generation is left, if `generation` is still the current one.
   * @param mustBeEmpty checks first that no item is stored
   */
  private noteSwept(generation: number, mustBeEmpty = false): void {
    this.locks.take(this.lock)
    // after it has taken the lock, this thread sees the items that were stored before the flush
    if (generation === this.context.generation && (!mustBeEmpty || this.isEmpty)) {
      this.context.sweepGeneration = generation
      this.setSweptStoreLocked(generation)
    }
    this.locks.release(this.lock)
  }

  /** Records that no dead item is left of the flushes up to a generation. */
  private setSweptStoreLocked(generation: number): void {
    const { context } = this
    if (context.sweptGeneration === generation) return
    context.stripes.takeAll()
    context.sweptGeneration = generation
    context.flushedPrefixes.forget(generation)
    if (context.floor <= generation) context.floor = 0
    if (context.generation === generation) context.mayHoldDead = false
    context.stripes.releaseAll()
  }

  /**
   * True if no chunk is in use. This counts chunks rather than items, as an item that moves between two lists may be missed while
   * the lists are counted one after the other.
   */
  private get isEmpty(): boolean { return this.shards.every(({ slabs }) => slabs.usedCount === 0) }

  private get carvedCount(): number { return this.shards.reduce((sum, shard) => sum + shard.slabs.carvedCount, 0) }

  /** Carries out `stats reset`. */
  resetCounts(): void {
    this.counters.reset()
    this.context.prefixes?.reset()
  }

  /** Sets all counts back to 0, and the settings that commands have changed to those of the options. The items stay. */
  beginAnew(): void {
    this.resetCounts()
    beginSettings(this, this.options)
    this.setMemoryLimit(this.options.maxbytes)
  }

  /** The number of references to items: of values that are being received or sent. */
  get refCount(): number { return this.counters.current(Counter.RefsHeld) }

  /**
   * Checks all memory and throws at the first inconsistency. No other thread may use the store meanwhile.
   * @returns the length in items of the longest chain of the hash table
   */
  verify(): number {
    // only tests do
    const { linkedItems, verifyShard } = require('./verify.js') as typeof import('./verify.js')
    const found = this.shards.map(verifyShard)
    const refs = found.reduce((sum, shard) => sum + shard.refs, 0)
    assert(refs === this.refCount, `${refs} references in items, ${this.refCount} are held`)
    this.log.verify()
    this.departed.verify()
    this.context.departures.verify(this.classes.largest, this.context.generation)
    this.context.flushedPrefixes.verify(this.context.hash, this.context.generation)
    this.context.prefixes?.verify(each => {
      for (const shard of this.shards) for (const item of linkedItems(shard)) each(shard.items, item)
    })
    return Math.max(...found.map(({ longestChain }) => longestChain))
  }
}
