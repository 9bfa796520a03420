// The store: one or more shards over their arenas, and what concerns all of them: time, flush_all, the memory limit and
// the background steps. It has never heard of a protocol.
import { type Clock } from '../clock.js'
import { assert } from '../errors.js'
import { type Log } from '../log/log.js'
import { ARENA_PAGES_MAX } from '../memory/arena.js'
import { ClassWord, Size } from '../memory/layout.js'
import { type Lives } from '../memory/lives.js'
import { type Locks } from '../memory/lock.js'
import { type WasmMemory } from '../memory/wasm.js'
import { Counter, type Counters } from '../stats/counters.js'
import { assembleStore, type SharedStore, type StoreOptions } from './assemble.js'
import { type StoreContext } from './context.js'
import { Departure } from './departures.js'
import { Filling } from './filling.js'
import { Chains } from './index/chains.js'
import { type Growth } from './index/growth.js'
import { Generations, GENERATIONS_MAX } from './items/generations.js'
import { NO_ITEM, type ItemId } from './items/items.js'
import { type Maintainer } from './items/maintainer.js'
import { type LruTuning } from './items/tuning.js'
import { Outcome, type Failure } from './outcome.js'
import { type Request } from './request.js'
import { type Shard } from './shard.js'
import { type AutomoveSettings } from './slabs/automove.js'
import { type SlabClasses } from './slabs/classes.js'
import { type Rebalance } from './slabs/rebalance.js'
import { verifyShard } from './verify.js'
import { type Reader } from './view.js'
import { ClassSet, type Crawler } from './walks/crawler.js'
import { ClassDump, Dump } from './walks/dump.js'
import { KeyWalk } from './walks/keys.js'
import { Sweep } from './walks/sweep.js'

export { type SharedStore, type StoreOptions } from './assemble.js'

/** How many keys can be prefetched at once: about as many cache lines as a core asks memory for at the same time. */
export const PREFETCH_MAX = 16
/** memcached takes exptimes up to this as seconds from now, larger ones as dates. */
const RELATIVE_SECONDS_MAX = 60 * 60 * 24 * 30
/** Store time has 31 bits. */
const LAST_SECOND = 0x7fffffff
/** A background walk over all memory takes about this many steps, each of so many milliseconds. */
const SWEEP_STEPS = 600
const SWEEP_MS = 100
/**
 * A walk begins so many seconds after the one before it began; the smaller number is for one that found more than one in
 * SWEEP_FOUND_SHARE items dead. memcached's crawler waits as long.
 */
const SWEEP_SECONDS = 65
const SWEEP_SECONDS_MIN = 5
const SWEEP_FOUND_SHARE = 100
const SWEEP_CHUNKS_MIN = 2000
/** What a walk of the background looks at in 100 ms at most. */
const SWEEP_CHUNKS_MAX = 20_000
/**
 * The bound of one step of any walk: some 100 µs, whether the chunks have to be fetched from memory or are dead. The first steps
 * of a process take twenty times as long, until what they do is compiled.
 */
export const WALK_CHUNKS_MAX = 1000
/** A flush drops at once what was in no more chunks than these; with as much as a step may cost for each, see Sweep. */
const FLUSH_CHUNKS_MAX = 250
const FLUSH_COST_MAX = 8 * FLUSH_CHUNKS_MAX
const BALANCE_MOVES_MAX = 1000
/** How many buckets and items a step of growing tables goes through: each takes a third of a microsecond, fetched from memory. */
const GROW_COST = 1200
/** How many of its moves are made with a class locked, before others get their turn. */
const BALANCE_MOVES = 50

const NO_BYTES = new Uint8Array(0)

export class Store {
  readonly context: StoreContext
  readonly classes: SlabClasses
  readonly shards: readonly Shard[]
  readonly counters: Counters
  /** How the lists are kept, for all threads. */
  readonly tuning: LruTuning
  /** What happens here, for those who watch. */
  readonly log: Log
  /** How pages move by themselves; commands change it. */
  readonly automove: AutomoveSettings
  readonly rebalance: Rebalance
  /** A region of the first arena for its owner's buffers. */
  readonly ioStart: number
  private readonly first: Shard
  /** What `lru_crawler` sets, and who is at it. */
  readonly crawler: Crawler
  /** The walk in the background, and the one that `lru_crawler crawl` asks for. */
  private readonly sweep: Sweep
  private readonly crawl: Sweep
  /** What drops the items of a small cache when it is flushed. */
  private readonly clearing: Sweep
  private readonly chains: Chains
  private isSweeping = false
  /** How many chunks the walk in the background is behind its pace. */
  private sweepOwed = 0
  /** When the walk under way, or the last one, began, and when the next is due; in store time. */
  private sweepBegunAt = 0
  private sweepDueAt = 0
  private isCrawling = false
  private readonly heads = new Int32Array(PREFETCH_MAX)
  /** What `prefetch` has read, added up: of no meaning, but no compiler thinks the reads useless. */
  prefetched = 0
  /** What has the table of each shard grow. */
  private readonly growths: readonly Growth[]
  /** What keeps the lists of each shard in order. */
  private readonly maintainers: readonly Maintainer[]
  /** The class at which the next step begins to put lists in order. */
  private balanceAt = 1
  /** Unix seconds at which store time was 0. */
  readonly epoch: number
  private readonly locks: Locks
  private readonly lock: number
  /** Which of the threads have died. */
  readonly lives: Lives
  private readonly memories: readonly WasmMemory[]

  /**
   * Makes a store; this thread is its thread 0.
   * @param attached the store that another thread has made, and the number of this one: see `attach`
   */
  constructor(readonly options: StoreOptions, private readonly clock: Clock, attached?: SharedStore, readonly thread = 0) {
    const parts = assembleStore(options, clock, thread, attached)
    this.epoch = parts.epoch
    this.classes = parts.classes
    this.memories = parts.memories
    this.counters = parts.counters
    this.log = parts.log
    this.lives = parts.lives
    this.locks = parts.locks
    this.lock = parts.lock
    this.crawler = parts.crawler
    this.context = parts.context
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

  /** Works on a store that another thread has made, as its thread number `thread`, from 1 on. */
  static attach(shared: SharedStore, thread: number, clock: Clock): Store {
    assert(thread > 0 && thread < shared.options.threads, `there is no room for thread ${thread}`)
    return new Store(shared.options, clock, shared, thread)
  }

  /** What other threads need for `attach`. */
  share(): SharedStore {
    const { options, epoch, log, memories } = this
    assert(options.shared, 'a store of one thread is not shared')
    return { options, epoch, log: log.memory, memories }
  }

  /** A thread has died, perhaps with locks in its hands: whoever waits for one, now or later, gets an InvariantError. */
  fail(): void { this.lives.fail() }

  /** From here on this thread may be waited for, until it leaves; if it ends before, whoever waits gets an InvariantError. */
  enter(): void { this.lives.enter() }

  /** This thread may end. */
  leave(): void { this.lives.leave() }

  /** The memory limit in bytes; see `setMemoryLimit`. */
  get maxbytes(): number { return this.context.maxbytes }

  // Items. The caller fills the request: its key and hash, `wants`, and what the operation reads. What came of it is in the request.

  /**
   * Shows the item of a key to `reader`, and counts as a get, the item as used, unless the request wants something else or the
   * reader declines.
   * @returns false if there is no item
   */
  get(request: Request, reader: Reader): boolean { return this.shardOf(request.hash).get(request, reader) }

  /**
   * Stores a value as the request's mode says.
   * @param valueAt where its `valueBytes` lie in the request's bytes
   */
  set(request: Request, valueAt: number): Outcome { return this.shardOf(request.hash).set(request, valueAt) }

  /** Begins to store a value that comes in parts, of `valueBytes`: an item to fill, or why there is none. */
  begin(request: Request): Filling | Failure {
    const shard = this.shardOf(request.hash)
    if (shard.isTooLarge(request, request.flags, request.valueBytes)) return shard.fail(request, Outcome.TooLarge)
    const item = shard.reserve(request)
    return item === NO_ITEM ? shard.fail(request, Outcome.NoMemory) : new Filling(shard, item, request)
  }

  /** Deletes an item, or what the request wants of it. Deleted, NotFound, Exists or NoMemory. */
  delete(request: Request): Outcome { return this.shardOf(request.hash).delete(request) }

  /** Gives an item a new end, `expiresAt`. Touched or NotFound. */
  touch(request: Request): Outcome { return this.shardOf(request.hash).touch(request) }

  /**
   * incr and decr: adds `number` to the number that an item has as its value, wrapping at 2^64, or subtracts it, stopping at 0.
   * The result is in `number`. Number, NotFound, NonNumeric, Exists or NoMemory.
   */
  arithmetic(request: Request): Outcome { return this.shardOf(request.hash).arithmetic(request) }

  // Walks

  /** Begins a dump of the items of some classes, of which a store has one at a time: see Dump. */
  dump(classes: ClassSet): Dump { return new Dump(this.shards, this.context, classes, NO_BYTES) }

  /**
   * Begins a walk over the live items whose keys begin with these bytes; undefined while a dump, a crawl or another walk is
   * under way.
   */
  tryWalkKeys(prefix: Uint8Array): KeyWalk | undefined {
    if (!this.crawler.tryBegin(ClassSet.all)) return undefined
    return new KeyWalk(new Dump(this.shards, this.context, ClassSet.all, prefix.slice()), this.crawler)
  }

  /** Begins a dump of the items of one class, newest first; class 0 and those that the settings have no room for are empty. */
  dumpClass(slabClass: number): ClassDump {
    const shards = slabClass >= 1 && slabClass <= this.classes.largest ? this.shards : []
    return new ClassDump(shards, this.context, slabClass)
  }

  /** @internal The shard of a key's hash: its low bits choose the bucket, its high ones the shard. */
  shardOf(hash: number): Shard {
    if (this.shards.length === 1) return this.first
    return this.shards[(hash >>> 24) % this.shards.length]!
  }

  /**
   * Reads what finding keys of these hashes is going to read, first all heads, then all items: so their ways from memory
   * overlap, where one key after the other would wait for each in turn. Needs no lock, as nothing of it is believed.
   * @param count how many of `hashes`, at most PREFETCH_MAX
   */
  prefetch(hashes: Int32Array, count: number): void {
    const { heads } = this
    let sum = 0
    for (let i = 0; i < count; i++) heads[i] = this.shardOf(hashes[i]!).table.headOf(hashes[i]!)
    for (let i = 0; i < count; i++) sum += this.shardOf(hashes[i]!).items.prefetch(heads[i]! as ItemId)
    this.prefetched = sum
  }

  // Time

  /**
   * Reads the clock; called once for each batch of requests and each background step.
   * @throws InvariantError once a thread has died: memory may be half written, and nothing is served from it
   */
  refreshTime(): void {
    const { context, lives } = this
    assert(!lives.hasFailed, 'another thread has died')
    context.now = Math.floor(this.clock.milliseconds() / 1000) - this.epoch
    context.watched = this.log.kinds
    if (context.flushAt !== 0 && context.now >= context.flushAt) this.flushDue()
  }

  private flushDue(): void {
    this.locks.take(this.lock)
    // another thread may have been quicker
    const isDue = this.context.flushAt !== 0 && this.context.now >= this.context.flushAt
    if (isDue) this.flushStoreLocked()
    const { generation } = this.context
    this.locks.release(this.lock)
    if (isDue) this.clearIfSmall(generation)
  }

  /** An exptime of a protocol, of 32 bits with or without sign, in store time: 0 never, negative at once, large a date. */
  expiryFor(exptime: number): number {
    if (exptime === 0) return 0
    if (exptime < 0) return 1
    if (exptime <= RELATIVE_SECONDS_MAX) return this.context.now + exptime
    return Math.min(Math.max(exptime - this.epoch, 1), LAST_SECOND)
  }

  /** `flush_all`: every item of now is gone, at once or, with a delay or a date, then; a date in the past does nothing. */
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

  /** The items of an older generation are dead; they are dropped when they are met. */
  private flushStoreLocked(): void {
    const { context } = this
    context.flushAt = 0
    context.flushedAt = context.now
    context.stripes.takeAll()
    context.flushedPrefixes.forget(context.generation)
    if (context.generation === GENERATIONS_MAX) this.restartGenerationsAllStripesLocked()
    context.floor = ++context.generation
    context.mayHoldDead = true
    context.stripes.releaseAll()
  }

  /** Whether keys may have such a prefix: the part before the first delimiter (-D). */
  isPrefix(prefix: Uint8Array): boolean { return this.context.flushedPrefixes.isPrefix(prefix) }

  /**
   * Every item of now is gone whose key has this prefix, an `isPrefix`. It takes as long however many those are; the background
   * reclaims them. While the walk that does so has not come round since FLUSHED_PREFIXES_MAX other prefixes were flushed, this
   * flushes nothing and answers false: the caller tries again later.
   */
  flushPrefix(prefix: Uint8Array): boolean {
    const { context } = this
    assert(this.isPrefix(prefix), 'a prefix with a delimiter in it, or longer than any')
    this.refreshTime()
    const hash = context.hash.of(prefix, 0, prefix.length)
    this.locks.take(this.lock)
    context.stripes.takeAll()
    const isDone = this.flushPrefixAllStripesLocked(hash, prefix)
    context.stripes.releaseAll()
    this.locks.release(this.lock)
    if (isDone) context.departures.record(hash, Departure.PrefixFlushed, 0, context.now, context.now)
    return isDone
  }

  private flushPrefixAllStripesLocked(hash: number, prefix: Uint8Array): boolean {
    const { context } = this
    if (context.generation === GENERATIONS_MAX) {
      // where all that is dead is gone, the generations of what is alive may all be the same one
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

  /** As memcached, which drops what is recent at once, so that a small cache shows its emptiness. The rest is the background's. */
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
   * Sets the limit in bytes, up to what the addresses that were reserved at the start are good for; false beyond that. Pages
   * over a lower limit are emptied in the background, those of the pool first, and then not used until it rises.
   */
  setMemoryLimit(bytes: number): boolean {
    if (bytes > this.maxbytesMost) return false
    this.locks.take(this.lock)
    this.limitBytes(bytes)
    this.locks.release(this.lock)
    return true
  }

  /** What the limit may be raised to: 2,047 MiB for each arena, or where addresses are few that of the start. */
  private get maxbytesMost(): number {
    const areWhole = this.shards.every(({ arena }) => arena.isWhole)
    return areWhole ? this.shards.length * ARENA_PAGES_MAX * Size.Page : this.options.maxbytes
  }

  private limitBytes(bytes: number): void {
    this.context.maxbytes = bytes
    for (const { slabs } of this.shards) slabs.bytesMax = Math.floor(bytes / this.shards.length)
  }

  get itemCount(): number { return this.shards.reduce((sum, shard) => sum + shard.itemCount, 0) }

  /** The bytes that all items take here: header, flags, key and value. What memcached would count for them is more. */
  get itemBytes(): number {
    let sum = 0
    for (const shard of this.shards) {
      for (let slabClass = 1; slabClass <= this.classes.largest; slabClass++) {
        sum += shard.slabs.get(slabClass, ClassWord.RequestedBytes)
      }
    }
    // an item that comes or goes meanwhile may be in one of the two numbers alone
    return Math.max(0, sum - this.itemCount * (this.context.overhead - Size.ItemHeader))
  }

  // Background

  /**
   * Puts the lists of each class in order, a bounded number of moves, and decides whether a page should move.
   * @returns whether it has not come to the end, so that the next step should follow soon
   */
  balanceStep(): boolean {
    this.refreshTime()
    this.rebalance.decide()
    if (!this.options.lruMaintainer) return false
    this.counters.add(Counter.LruJuggles)
    return !this.balance()
  }

  /** Goes on with a page that is moving between classes. @returns whether one is */
  moveStep(): boolean {
    if (!this.rebalance.isAlert) return false
    this.refreshTime()
    return this.rebalance.step()
  }

  /** Goes through the classes until nothing is left to move, or for BALANCE_MOVES_MAX moves; false then. */
  private balance(): boolean {
    const { largest } = this.classes
    let left = BALANCE_MOVES_MAX
    for (let inOrder = 0; inOrder < largest && left > 0; this.balanceAt = this.balanceAt % largest + 1) {
      const moves = this.balanceClass(this.balanceAt)
      left -= moves
      inOrder = moves === 0 ? inOrder + 1 : 0
    }
    return left > 0
  }

  /** Goes on with tables that have become too small, a bounded number of buckets and items. */
  growStep(): void {
    const due = this.growths.filter(({ isDue }) => isDue)
    for (const growth of due) growth.step(GROW_COST / due.length)
  }

  /** Whether a table has fewer buckets than it should have by now. */
  get isGrowing(): boolean { return this.growths.some(({ isDue }) => isDue) }

  private balanceClass(slabClass: number): number {
    let moves = 0
    for (const maintainer of this.maintainers) moves += maintainer.pass(slabClass, BALANCE_MOVES)
    return moves
  }

  /**
   * Reclaims dead items wherever they are, in a step of at most WALK_CHUNKS_MAX chunks: all of them in SWEEP_STEPS times
   * SWEEP_MS or longer; then it rests until the next walk is due.
   * @param milliseconds since the last step
   * @returns whether it is behind that pace, so that the next step should follow soon
   */
  sweepStep(milliseconds: number): boolean {
    this.refreshTime()
    if (!this.isSweeping) this.beginSweepIfDue()
    if (!this.isSweeping || this.isEmptySince(this.context.generation)) return false
    this.sweepOwed += this.sweepShare(milliseconds)
    const chunks = Math.min(this.sweepOwed, WALK_CHUNKS_MAX)
    this.sweepOwed -= chunks
    this.isSweeping = !this.sweep.step(chunks)
    if (!this.isSweeping) this.endSweep()
    return this.isSweeping && this.sweepOwed > 0
  }

  /** How many chunks are to be looked at in so many milliseconds, also by what `lru_crawler sleep` sets. */
  private sweepShare(milliseconds: number): number {
    const share = Math.ceil(this.carvedCount / SWEEP_STEPS)
    const chunks = Math.min(Math.max(share, SWEEP_CHUNKS_MIN), SWEEP_CHUNKS_MAX) * milliseconds / SWEEP_MS
    return Math.min(Math.ceil(chunks), this.crawler.itemsIn(milliseconds))
  }

  /**
   * The crawler's walk is due from time to time, if there is a maintainer. Another is when a flush has left dead items: all
   * of them would be last in their lists soon, and count as if they were.
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
    this.settleStoreLocked(context.sweepGeneration)
    this.locks.release(this.lock)
  }

  /** Goes on with the crawl that a client asked for, a bounded number of chunks; true when it is done. */
  crawlStep(milliseconds: number): boolean {
    this.refreshTime()
    const { crawl, crawler } = this
    if (!this.isCrawling) crawl.begin(crawler.classes, crawler.tocrawl, true)
    this.isCrawling = !crawl.step(Math.min(WALK_CHUNKS_MAX, crawler.itemsIn(milliseconds)))
    if (!this.isCrawling) crawler.end()
    return !this.isCrawling
  }

  /** Looks at a bounded number of items for long chains of the hash table: see `longestChain`. */
  chainStep(): void {
    this.refreshTime()
    this.chains.step()
  }

  /** How many items the longest chain had that `chainStep` has met in the last minute or two. */
  get longestChain(): number { return this.chains.longest }

  /** Whether nothing is stored; if `generation` is still the current one then, the walk under way is as good as done. */
  private isEmptySince(generation: number): boolean {
    if (!this.isEmpty) return false
    this.isSweeping = false
    this.noteSwept(generation, true)
    return true
  }

  /** There is nothing of an older generation, if that is still the current one: then the walk under way has nothing to find. */
  private noteSwept(generation: number, mustBeEmpty = false): void {
    this.locks.take(this.lock)
    // with the lock this thread sees what was stored before the flush
    if (generation === this.context.generation && (!mustBeEmpty || this.isEmpty)) {
      this.context.sweepGeneration = generation
      this.settleStoreLocked(generation)
    }
    this.locks.release(this.lock)
  }

  /** No flush up to a generation has left a dead item that is still there. */
  private settleStoreLocked(generation: number): void {
    const { context } = this
    if (context.sweptGeneration === generation) return
    context.stripes.takeAll()
    context.sweptGeneration = generation
    context.flushedPrefixes.forget(generation)
    if (context.floor <= generation) context.floor = 0
    if (context.generation === generation) context.mayHoldDead = false
    context.stripes.releaseAll()
  }

  /** Unlike the items, which move between lists that are counted one after the other, chunks in use are not overlooked. */
  private get isEmpty(): boolean { return this.shards.every(({ slabs }) => slabs.usedCount === 0) }

  private get carvedCount(): number { return this.shards.reduce((sum, shard) => sum + shard.slabs.carvedCount, 0) }

  /** `stats reset`. */
  resetCounts(): void {
    this.counters.reset()
  }

  /** Items in the hands of sessions: being filled, or being sent. */
  get refCount(): number { return this.counters.current(Counter.RefsHeld) }

  /**
   * Walks everything and throws at the first inconsistency. Nobody else may be at work.
   * @returns how many items the longest chain of the hash table has
   */
  verify(): number {
    const found = this.shards.map(verifyShard)
    const refs = found.reduce((sum, shard) => sum + shard.refs, 0)
    assert(refs === this.refCount, `${refs} references in items, ${this.refCount} are held`)
    this.log.verify()
    this.context.departures.verify(this.classes.largest)
    this.context.flushedPrefixes.verify(this.context.hash, this.context.generation)
    return Math.max(...found.map(({ longestChain }) => longestChain))
  }
}
