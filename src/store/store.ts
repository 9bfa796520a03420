// The store: one or more shards over their arenas, and what concerns all of them: time, flush_all, the memory limit and
// the background steps. It has never heard of a protocol.
import { type Clock } from '../clock.js'
import { Arena, ARENA_PAGES_MAX } from '../memory/arena.js'
import { ClassWord, ShardWord, Size, State, StoreWord } from '../memory/layout.js'
import { type LinearMemory } from '../memory/linear.js'
import { Locks } from '../memory/lock.js'
import { Counter, Counters } from '../stats/counters.js'
import { Automove, AutomoveSettings } from './automove.js'
import { SlabClasses } from './classes.js'
import { StoreContext, type StoreSettings } from './context.js'
import { Hash } from './hash.js'
import { Items } from './items.js'
import { Lru } from './lru.js'
import { Mover } from './mover.js'
import { Moves } from './moves.js'
import { Rebalance, type ArenaParts } from './rebalance.js'
import { type Request } from './request.js'
import { Shard } from './shard.js'
import { Slabs } from './slabs.js'
import { Space } from './space.js'
import { Sweep } from './sweep.js'
import { Table } from './table.js'
import { Stripes } from './stripes.js'
import { assert } from '../errors.js'
import { verifyShard } from './verify.js'

/** How a store is made. */
export interface StoreOptions extends StoreSettings {
  /** Memory for items, in bytes; at least one page of 1 MiB. */
  maxbytes: number
  /** The class table: see SlabClasses. */
  chunkSize: number
  factor: number
  slabChunkMax: number
  trackSizes: boolean
  /** Whether `balanceStep` puts the lists in order. */
  lruMaintainer: boolean
  /** How pages move by themselves at the start, see automove.ts. With mode 0 only when a class has nothing to evict. */
  slabAutomove: number
  slabAutomoveRatio: number
  slabAutomoveWindow: number
  slabAutomoveFreeratio: number
  /** Bytes that each thread wants beside the items in the first arena, so that copies between the two stay inside one buffer. */
  ioBytes: number
  /** Whether other threads will work on the store. */
  shared: boolean
  /** How many do, this one included. */
  threads: number
  /** Locks of the hash table; a power of two, for tests. */
  stripes?: number
}

/** What another thread needs to work on the same store. It can be posted. */
export interface SharedStore {
  readonly options: StoreOptions
  readonly memories: readonly LinearMemory[]
  readonly epoch: number
}

const STRIPES = 1024
/** memcached takes exptimes up to this as seconds from now, larger ones as dates. */
const RELATIVE_SECONDS_MAX = 60 * 60 * 24 * 30
/** Store time has 31 bits. */
const LAST_SECOND = 0x7fffffff
/** A background walk over all memory takes about this many steps. */
const SWEEP_STEPS = 600
const SWEEP_CHUNKS_MIN = 500
/** What the regions of a shard may lose by beginning on cache lines. */
const REGION_SLACK = 8 * 64
/** The bound of one background step: well below a millisecond. */
const SWEEP_CHUNKS_MAX = 20_000
const BALANCE_STEPS = 50

export class Store {
  readonly context: StoreContext
  readonly classes: SlabClasses
  readonly shards: readonly Shard[]
  readonly counters: Counters
  /** How pages move by themselves; commands change it. */
  readonly automove: AutomoveSettings
  readonly rebalance: Rebalance
  /** A region of the first arena for its owner's buffers. */
  readonly ioStart: number
  private readonly first: Shard
  private readonly sweeps: readonly Sweep[]
  private sweepAt = 0
  private storedAtBalance = 0
  /** Unix seconds at which store time was 0. */
  readonly epoch: number
  private readonly locks: Locks
  private readonly lock: number
  private readonly alarm: Int32Array
  private readonly memories: readonly LinearMemory[]

  /**
   * Makes a store; this thread is its thread 0.
   * @param attached the store that another thread has made, and the number of this one: see `attach`
   */
  constructor(readonly options: StoreOptions, private readonly clock: Clock, attached?: SharedStore, readonly thread = 0) {
    // time begins at 2, so that 0 can mean "never" and 1 "long ago"
    this.epoch = attached?.epoch ?? Math.floor(clock.milliseconds() / 1000) - 2
    this.classes = new SlabClasses(options.chunkSize, options.factor, options.slabChunkMax)
    const arenas = makeArenas(options, this.classes, attached?.memories)
    this.memories = arenas.map(({ linear }) => linear)
    const first = arenas[0]!
    this.counters = new Counters(first.buffer, first.cut(Counters.bytesFor(options.threads)), options.threads, thread)
    const hash = new Hash(new Int32Array(first.buffer, first.cut(Hash.WORDS * 4), Hash.WORDS))
    const stripeCount = options.stripes ?? STRIPES
    const stripesAt = first.cut(stripeCount * 4) >> 2
    const stateAt = first.cut(StoreWord.End * 4) >> 2
    this.alarm = first.words.subarray(stateAt + StoreWord.Alarm, stateAt + StoreWord.Alarm + 1)
    this.locks = new Locks(first.words, options.shared, this.alarm)
    this.lock = stateAt + StoreWord.Lock
    const sizes = new Int32Array(first.buffer, first.cut(sizeBuckets(options) * 4), sizeBuckets(options))
    this.context = new StoreContext(options, hash, new Stripes(this.locks, stripesAt, stripeCount), this.counters,
      first.words, stateAt, options.shared, options.trackSizes ? sizes : undefined)
    this.automove = new AutomoveSettings(first.buffer, first.cut(AutomoveSettings.BYTES))
    this.ioStart = first.cut(options.ioBytes * options.threads) + options.ioBytes * thread
    this.shards = arenas.map(arena => makeShard(arena, options, this.classes, this.context, this.alarm))
    this.rebalance = new Rebalance(this.shards.map(shard => movingParts(shard, this.context, this.automove)), this.classes,
      this.context, options.maxbytes)
    this.first = this.shards[0]!
    this.sweeps = this.shards.map(shard => new Sweep(shard, this.context))
    if (attached !== undefined) return
    hash.randomize()
    this.automove.mode = options.slabAutomove
    this.automove.ratio = options.slabAutomoveRatio
    this.automove.window = options.slabAutomoveWindow
    this.automove.freeRatio = options.slabAutomoveFreeratio
    this.limitBytes(options.maxbytes)
  }

  /** Works on a store that another thread has made, as its thread number `thread`, from 1 on. */
  static attach(shared: SharedStore, thread: number, clock: Clock): Store {
    assert(thread > 0 && thread < shared.options.threads, `there is no room for thread ${thread}`)
    return new Store(shared.options, clock, shared, thread)
  }

  /** What other threads need for `attach`. */
  share(): SharedStore {
    const { options, epoch, memories } = this
    assert(options.shared, 'a store of one thread is not shared')
    return { options, epoch, memories }
  }

  /** A thread has died, perhaps with locks in its hands: whoever waits for one, now or later, gets an InvariantError. */
  fail(): void { Atomics.store(this.alarm, 0, 1) }

  /** The memory limit in bytes; see `setMemoryLimit`. */
  get maxbytes(): number { return this.context.maxbytes }

  /** The shard of a key. The low bits of a hash choose the bucket, the high ones the shard. */
  shardFor(request: Request): Shard {
    if (this.shards.length === 1) return this.first
    return this.shards[(request.hash >>> 24) % this.shards.length]!
  }

  // Time

  /** Reads the clock; called once for each batch of requests and each background step. */
  refreshTime(): void {
    const { context } = this
    context.now = Math.floor(this.clock.milliseconds() / 1000) - this.epoch
    if (context.flushAt !== 0 && context.now >= context.flushAt) this.flushDue()
  }

  private flushDue(): void {
    this.locks.take(this.lock)
    // another thread may have been quicker
    if (this.context.flushAt !== 0 && this.context.now >= this.context.flushAt) this.flushLocked()
    this.locks.release(this.lock)
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
    if (exptime <= 0) this.flushLocked()
    else if (at > context.now) context.flushAt = at
    this.locks.release(this.lock)
  }

  /** The items of an older generation are dead; they are dropped when they are met. */
  private flushLocked(): void {
    const { context } = this
    context.flushAt = 0
    // a generation number comes again after 32 flushes: by then the walk must have been everywhere
    if (((context.generation + 1) & State.GenerationMask) === context.sweptGeneration) {
      if (this.isEmpty) this.restartSweepLocked()
      else this.sweepAllLocked()
    }
    context.stripes.takeAll()
    context.nextGeneration()
    context.stripes.releaseAll()
    // as memcached, which drops what is recent at once, so that a small cache shows its emptiness
    if (this.itemCount > 0 && this.carvedCount <= SWEEP_CHUNKS_MAX) this.sweepAllLocked()
  }

  // Memory

  /**
   * Sets the limit in bytes, up to the memory reserved at the start; false beyond that. Pages over a lower limit are emptied
   * in the background and then not used until it rises.
   */
  setMemoryLimit(bytes: number): boolean {
    if (bytes > this.options.maxbytes) return false
    this.locks.take(this.lock)
    this.limitBytes(bytes)
    this.locks.release(this.lock)
    return true
  }

  private limitBytes(bytes: number): void {
    this.context.maxbytes = bytes
    for (const { slabs } of this.shards) slabs.bytesMax = Math.floor(bytes / this.shards.length)
    for (const { slabs } of this.shards) if (slabs.poolPages > 0) slabs.withdrawPool()
  }

  get itemCount(): number { return this.shards.reduce((sum, shard) => sum + shard.itemCount, 0) }

  /** The bytes that all items ask for. */
  get itemBytes(): number {
    let sum = 0
    for (const shard of this.shards) {
      for (let slabClass = 1; slabClass <= this.classes.largest; slabClass++) {
        sum += shard.slabs.get(slabClass, ClassWord.RequestedBytes)
      }
    }
    return sum
  }

  // Background

  /** Puts the lists of each class in order, a bounded number of moves, and decides whether a page should move. */
  balanceStep(): void {
    this.refreshTime()
    this.rebalance.decide()
    // without new items the lists stay as they are
    const stored = this.counters.sum(Counter.TotalItems)
    if (stored === this.storedAtBalance) return
    this.storedAtBalance = stored
    this.counters.add(Counter.LruJuggles)
    if (this.options.lruMaintainer) for (const shard of this.shards) this.balance(shard)
  }

  /** Goes on with a page that is moving between classes. @returns whether one is */
  moveStep(): boolean {
    if (!this.rebalance.isUnderWay) return false
    this.refreshTime()
    return this.rebalance.step()
  }

  private balance(shard: Shard): void {
    for (let slabClass = 1; slabClass <= this.classes.largest; slabClass++) {
      if (shard.slabs.get(slabClass, ClassWord.PageCount) === 0) continue
      if (!shard.slabs.tryLock(slabClass)) continue
      shard.lru.balance(slabClass, this.context.now, BALANCE_STEPS)
      shard.slabs.unlock(slabClass)
    }
  }

  /** Reclaims dead items, looking at a bounded number of chunks: at all of them in about SWEEP_STEPS calls. */
  sweepStep(): void {
    this.refreshTime()
    const { context } = this
    if (this.isEmptySince(context.generation)) return
    const share = Math.ceil(this.carvedCount / SWEEP_STEPS)
    const isDone = this.sweeps[this.sweepAt]!.step(Math.min(Math.max(share, SWEEP_CHUNKS_MIN), SWEEP_CHUNKS_MAX))
    if (!isDone) return
    this.sweepAt = (this.sweepAt + 1) % this.sweeps.length
    if (this.sweepAt !== 0) return
    this.counters.add(Counter.CrawlerStarts)
    this.locks.take(this.lock)
    context.sweptGeneration = context.sweepGeneration
    context.sweepGeneration = context.generation
    this.locks.release(this.lock)
  }

  /** Whether nothing is stored; if `generation` is still the current one then, the walk under way is as good as done. */
  private isEmptySince(generation: number): boolean {
    if (!this.isEmpty) return false
    this.locks.take(this.lock)
    if (generation === this.context.generation) this.restartSweepLocked()
    this.locks.release(this.lock)
    return true
  }

  /** Reclaims every dead item now. Takes as long as there is memory in use. */
  sweepAll(): void {
    this.locks.take(this.lock)
    this.sweepAllLocked()
    this.locks.release(this.lock)
  }

  private sweepAllLocked(): void {
    for (const shard of this.shards) {
      const sweep = new Sweep(shard, this.context)
      while (!sweep.step(SWEEP_CHUNKS_MAX));
    }
    this.restartSweepLocked()
  }

  /** There is nothing of an older generation: the walk that is under way has nothing to find. */
  private restartSweepLocked(): void {
    this.context.sweptGeneration = this.context.generation
    this.context.sweepGeneration = this.context.generation
  }

  /** Unlike the items, which move between lists that are counted one after the other, chunks in use are not overlooked. */
  private get isEmpty(): boolean { return this.shards.every(({ slabs }) => slabs.usedCount === 0) }

  private get carvedCount(): number { return this.shards.reduce((sum, shard) => sum + shard.slabs.carvedCount, 0) }

  /** `stats reset`. */
  resetCounts(): void {
    this.counters.reset()
  }

  /** Items in the hands of sessions: being filled, or being sent. */
  get refCount(): number { return this.counters.held }

  /** Walks everything and throws at the first inconsistency. Nobody else may be at work. */
  verify(): void {
    const refs = this.shards.reduce((sum, shard) => sum + verifyShard(shard), 0)
    assert(refs === this.refCount, `${refs} references in items, ${this.refCount} are held`)
  }
}

/** The buckets of `stats sizes`, in steps of 32 bytes; none without -o track_sizes. */
function sizeBuckets({ trackSizes, itemSizeMax }: StoreOptions): number {
  return trackSizes ? Math.floor(itemSizeMax / 32) + 2 : 0
}

/**
 * As many arenas as the memory needs, of about the same size, each with a page to spare for every class. Addresses are
 * reserved for the smallest pages there may be; memory is only taken as it is touched.
 */
function makeArenas(options: StoreOptions, classes: SlabClasses, memories: readonly LinearMemory[] = []): Arena[] {
  const pages = Math.ceil(options.maxbytes / classes.pageBytesMin)
  const storeBytes = Counters.bytesFor(options.threads) + Hash.WORDS * 4 + (options.stripes ?? STRIPES) * 4 +
    sizeBuckets(options) * 4 + options.ioBytes * options.threads + Size.Page
  const room = ARENA_PAGES_MAX - classes.largest - Math.ceil((storeBytes + shardBytes(ARENA_PAGES_MAX)) / Size.Page) - 1
  const count = Math.ceil(pages / room)
  return Array.from({ length: count }, (_, index) => {
    const own = Math.ceil(pages / count) + classes.largest
    return new Arena((index === 0 ? storeBytes : 0) + shardBytes(own), own, options.shared, memories[index])
  })
}

/** The fixed regions of a shard whose arena has that many pages. */
function shardBytes(pages: number): number {
  const classes = Size.Classes * ClassWord.Stride * 4
  return classes + ShardWord.End * 4 + Table.bucketCountFor(pages * Size.Page) * 4 + (ARENA_PAGES_MAX + 1) * Slabs.PAGE_BYTES + REGION_SLACK
}

function makeShard(arena: Arena, options: StoreOptions, classes: SlabClasses, context: StoreContext,
  alarm: Int32Array): Shard {
  const classWords = arena.cut(Size.Classes * ClassWord.Stride * 4) >> 2
  const shardWords = arena.cut(ShardWord.End * 4) >> 2
  const bucketCount = Table.bucketCountFor((arena.pageEnd - arena.firstPage - classes.largest) * Size.Page)
  const tableAt = arena.cut(bucketCount * 4)
  const pageTablesAt = arena.cut(arena.pageEnd * Slabs.PAGE_BYTES)
  const items = new Items(arena, classes.chunkBytes[classes.largest]! - Size.ItemHeader, context.counters)
  const slabs = new Slabs(arena, classes, classWords, shardWords, pageTablesAt, new Locks(arena.words, options.shared, alarm))
  const lru = new Lru(arena, items, slabs, options, context.counters)
  const table = new Table(arena, items, tableAt, bucketCount)
  const space = new Space(arena, items, table, slabs, lru, context)
  return new Shard(arena, items, table, slabs, lru, space, context, new Moves(arena.words, shardWords))
}

/** What moves the pages of a shard. */
function movingParts({ items, table, slabs, lru, space, moves }: Shard, context: StoreContext, settings: AutomoveSettings): ArenaParts {
  const mover = new Mover(items, table, slabs, lru, space, moves, context)
  return { slabs, moves, mover, automove: new Automove(slabs, items, space, context, settings) }
}
