// The store: one or more shards over their arenas, and what concerns all of them: time, flush_all, the memory limit and
// the background steps. It has never heard of a protocol.
import { type Clock } from '../clock.js'
import { Arena, ARENA_PAGES_MAX } from '../memory/arena.js'
import { ClassWord, ShardWord, Size, State, StoreWord } from '../memory/layout.js'
import { Locks } from '../memory/lock.js'
import { Counter, Counters } from '../stats/counters.js'
import { StoreContext, type StoreSettings } from './context.js'
import { Hash } from './hash.js'
import { Items } from './items.js'
import { Lru } from './lru.js'
import { type Request } from './request.js'
import { Shard } from './shard.js'
import { SlabClasses, Slabs } from './slabs.js'
import { Space } from './space.js'
import { Sweep } from './sweep.js'
import { Table } from './table.js'
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
  /** 0: pages move only when a class has nothing to evict; otherwise `balanceStep` moves them too. */
  slabAutomove: number
  /** Bytes wanted beside the items in the first arena, so that copies between the two stay inside one buffer. */
  ioBytes: number
  /** Whether other threads will work on the store. */
  shared: boolean
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
  /** A region of the first arena for its owner's buffers. */
  readonly ioStart: number
  private readonly first: Shard
  private readonly sweeps: readonly Sweep[]
  private sweepAt = 0
  /** The generation in which the current walk began: when the walk ends, nothing older is left. */
  private sweepGeneration = 0
  /** How often the lists were put in order, and how often the whole memory was walked. */
  balanceCount = 0
  sweepCount = 0
  private storedAtBalance = 0
  /** Unix seconds at which store time was 0. */
  readonly epoch: number

  constructor(readonly options: StoreOptions, private readonly clock: Clock) {
    // time begins at 2, so that 0 can mean "never" and 1 "long ago"
    this.epoch = Math.floor(clock.milliseconds() / 1000) - 2
    this.classes = new SlabClasses(options.chunkSize, options.factor, options.slabChunkMax)
    const arenas = makeArenas(options, this.classes.largest)
    const first = arenas[0]!
    const counterStart = first.cut(Counters.ROW_BYTES)
    this.counters = new Counters(new Float64Array(first.buffer, counterStart, Counters.ROW_BYTES / 8), 0)
    const hash = new Hash(new Int32Array(first.buffer, first.cut(Hash.WORDS * 4), Hash.WORDS))
    hash.randomize()
    const stripes = first.cut(STRIPES * 4) >> 2
    const stateAt = first.cut(StoreWord.End * 4) >> 2
    this.context = new StoreContext(options, hash, new Locks(first.words, options.shared), this.counters,
      first.words, stateAt, stripes, STRIPES)
    if (options.trackSizes) this.context.sizes = new Int32Array(Math.floor(options.itemSizeMax / 32) + 2)
    this.ioStart = first.cut(options.ioBytes)
    this.shards = arenas.map(arena => makeShard(arena, options, this.classes, this.context))
    this.first = this.shards[0]!
    this.sweeps = this.shards.map(shard => new Sweep(shard, this.context))
    this.limitPages(Math.floor(options.maxbytes / Size.Page))
  }

  /** The memory limit in bytes; see `setMemoryLimit`. */
  get maxbytes(): number { return this.options.maxbytes }

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
    if (context.flushAt !== 0 && context.now >= context.flushAt) this.flushNow()
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
    this.refreshTime()
    this.context.flushAt = 0
    if (exptime <= 0) return this.flushNow()
    const at = this.expiryFor(exptime)
    if (at > this.context.now) this.context.flushAt = at
  }

  /** The items of an older generation are dead; they are dropped when they are met. */
  private flushNow(): void {
    const { context } = this
    context.flushAt = 0
    // a generation number comes again after 32 flushes: by then the walk must have been everywhere
    if (((context.generation + 1) & State.GenerationMask) === context.sweptGeneration) {
      if (this.itemCount > 0) this.sweepAll()
      else this.restartSweep()
    }
    context.nextGeneration()
    // as memcached, which drops what is recent at once, so that a small cache shows its emptiness
    if (this.itemCount > 0 && this.carvedCount <= SWEEP_CHUNKS_MAX) this.sweepAll()
  }

  // Memory

  /** Sets the limit in bytes, up to the memory reserved at the start; false beyond that. */
  setMemoryLimit(bytes: number): boolean {
    const pages = Math.floor(bytes / Size.Page)
    if (pages > this.reservedPages) return false
    this.options.maxbytes = bytes
    this.limitPages(pages)
    return true
  }

  private get reservedPages(): number {
    return this.shards.reduce((sum, shard) => sum + shard.slabs.pageCount - this.classes.largest, 0)
  }

  private limitPages(pages: number): void {
    this.shards.forEach((shard, index) => {
      shard.slabs.pageLimit = Math.floor(pages / this.shards.length) + (index < pages % this.shards.length ? 1 : 0)
    })
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

  /** Puts the lists of each class in order, a bounded number of moves, and moves at most one page between classes. */
  balanceStep(): void {
    this.refreshTime()
    // without new items the lists stay as they are
    const stored = this.counters.sum(Counter.TotalItems)
    if (stored === this.storedAtBalance) return
    this.storedAtBalance = stored
    this.balanceCount++
    const { lruMaintainer, slabReassign, slabAutomove } = this.options
    for (const shard of this.shards) {
      if (lruMaintainer) this.balance(shard)
      if (slabReassign && slabAutomove > 0) shard.space.shareOut()
    }
  }

  private balance(shard: Shard): void {
    for (let slabClass = 1; slabClass <= this.classes.largest; slabClass++) {
      if (shard.slabs.get(slabClass, ClassWord.PageCount) === 0) continue
      const lock = shard.slabs.lockWord(slabClass)
      if (!this.context.locks.tryTake(lock)) continue
      shard.lru.balance(slabClass, this.context.now, BALANCE_STEPS)
      this.context.locks.release(lock)
    }
  }

  /** Reclaims dead items, looking at a bounded number of chunks: at all of them in about SWEEP_STEPS calls. */
  sweepStep(): void {
    this.refreshTime()
    const generation = this.context.generation
    if (this.itemCount === 0) return this.restartSweep()
    const share = Math.ceil(this.carvedCount / SWEEP_STEPS)
    const isDone = this.sweeps[this.sweepAt]!.step(Math.min(Math.max(share, SWEEP_CHUNKS_MIN), SWEEP_CHUNKS_MAX))
    if (!isDone) return
    this.sweepAt = (this.sweepAt + 1) % this.sweeps.length
    if (this.sweepAt !== 0) return
    this.sweepCount++
    this.context.sweptGeneration = this.sweepGeneration
    this.sweepGeneration = generation
  }

  /** Reclaims every dead item now. Takes as long as there is memory in use. */
  sweepAll(): void {
    for (const shard of this.shards) {
      const sweep = new Sweep(shard, this.context)
      while (!sweep.step(SWEEP_CHUNKS_MAX));
    }
    this.restartSweep()
  }

  /** There is nothing of an older generation: the walk that is under way has nothing to find. */
  private restartSweep(): void {
    this.context.sweptGeneration = this.context.generation
    this.sweepGeneration = this.context.generation
  }

  private get carvedCount(): number { return this.shards.reduce((sum, shard) => sum + shard.slabs.carvedCount, 0) }

  /** `stats reset`. */
  resetCounts(): void {
    this.counters.reset()
    this.balanceCount = this.sweepCount = 0
  }

  /** Items in the hands of sessions: being filled, or being sent. */
  get refCount(): number { return this.shards.reduce((sum, shard) => sum + shard.items.refCount, 0) }

  /** Walks everything and throws at the first inconsistency. */
  verify(): void {
    for (const shard of this.shards) verifyShard(shard)
  }
}

/** As many arenas as the memory needs, of about the same size, each with a page to spare for every class. */
function makeArenas(options: StoreOptions, classCount: number): Arena[] {
  const pages = Math.max(1, Math.floor(options.maxbytes / Size.Page))
  const storeBytes = Counters.ROW_BYTES + Hash.WORDS * 4 + STRIPES * 4 + options.ioBytes + Size.Page
  const room = ARENA_PAGES_MAX - classCount - Math.ceil((storeBytes + shardBytes(ARENA_PAGES_MAX)) / Size.Page) - 1
  const count = Math.ceil(pages / room)
  return Array.from({ length: count }, (_, index) => {
    const own = Math.ceil(pages / count) + classCount
    return new Arena((index === 0 ? storeBytes : 0) + shardBytes(own), own, options.shared)
  })
}

/** The fixed regions of a shard whose arena has that many pages. */
function shardBytes(pages: number): number {
  const classes = Size.Classes * ClassWord.Stride * 4
  return classes + ShardWord.End * 4 + Table.bucketCountFor(pages * Size.Page) * 4 + (ARENA_PAGES_MAX + 1) * 8 + REGION_SLACK
}

function makeShard(arena: Arena, options: StoreOptions, classes: SlabClasses, context: StoreContext): Shard {
  const classWords = arena.cut(Size.Classes * ClassWord.Stride * 4) >> 2
  const shardWords = arena.cut(ShardWord.End * 4) >> 2
  const bucketCount = Table.bucketCountFor((arena.pageEnd - arena.firstPage - classes.largest) * Size.Page)
  const tableAt = arena.cut(bucketCount * 4)
  const pageTablesAt = arena.cut(arena.pageEnd * 8)
  const items = new Items(arena, classes.chunkBytes[classes.largest]! - Size.ItemHeader)
  const slabs = new Slabs(arena, classes, classWords, shardWords, pageTablesAt)
  const lru = new Lru(arena, items, slabs, options, context.counters)
  const table = new Table(arena, items, tableAt, bucketCount)
  const itemCountWord = shardWords + ShardWord.ItemCount
  const space = new Space(arena, items, table, slabs, lru, context, itemCountWord)
  return new Shard(arena, items, table, slabs, lru, space, context, itemCountWord)
}
