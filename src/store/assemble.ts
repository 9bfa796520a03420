// Assembles a store and its shards: the arenas and their regions, and the parts that work on them. The thread that makes a store
// and a thread that attaches to it (Store.attach) use the same function.
import { type Clock } from '../clock.js'
import { Log } from '../log/log.js'
import { Arena, ARENA_PAGES_MAX } from '../memory/arena.js'
import { Size, StoreWord } from '../memory/layout.js'
import { Lives } from '../memory/lives.js'
import { Locks } from '../memory/lock.js'
import { type WasmMemory } from '../memory/wasm.js'
import { Counters } from '../stats/counters.js'
import { StoreContext, type StoreSettings } from './context.js'
import { Departures } from './departures.js'
import { Growth } from './index/growth.js'
import { Hash } from './index/hash.js'
import { Stripes } from './index/stripes.js'
import { Table } from './index/table.js'
import { FlushedPrefixes } from './items/flushes.js'
import { Ghosts } from './items/ghosts.js'
import { Generations } from './items/generations.js'
import { Items } from './items/items.js'
import { PrefixUse } from './items/prefixes.js'
import { Lru } from './items/lru.js'
import { Maintainer } from './items/maintainer.js'
import { Shares } from './items/shares.js'
import { Sizes } from './items/sizes.js'
import { LruTuning, type LruSettings } from './items/tuning.js'
import { regionsFor, type RegionFacts, type RegionName } from './regions.js'
import { Shard } from './shard.js'
import { Allocator } from './slabs/allocator.js'
import { Automove, AutomoveSettings } from './slabs/automove.js'
import { SlabClasses, type ClassSettings } from './slabs/classes.js'
import { Holdings } from './slabs/holdings.js'
import { Mover } from './slabs/mover.js'
import { Moves } from './slabs/moves.js'
import { Rebalance, type ArenaParts } from './slabs/rebalance.js'
import { Slabs } from './slabs/slabs.js'
import { Crawler, type CrawlerSettings } from './walks/crawler.js'
import { Marks } from './walks/marks.js'

/** The options of a store. */
export interface StoreOptions extends StoreSettings, LruSettings, CrawlerSettings, ClassSettings {
  /** Memory for items, in bytes; at least one page of 1 MiB. */
  maxbytes: number
  trackSizes: boolean
  /** True if what each prefix has is counted. */
  trackPrefixes: boolean
  /** The percents of the memory limit that prefixes may take. With any of them, `trackPrefixes` is true. */
  prefixQuotas: Readonly<Record<string, number>>
  /** True if `balanceStep` maintains the lists. */
  lruMaintainer: boolean
  /** The settings of automove at the start, see automove.ts. With mode 0 pages move only if a class has nothing to evict. */
  slabAutomove: number
  slabAutomoveRatio: number
  slabAutomoveWindow: number
  slabAutomoveFreeratio: number
  /** The bytes of each thread's buffers, which lie in the first arena, so that copies to and from items stay in one buffer. */
  ioBytes: number
  /** True if other threads will use the store. */
  shared: boolean
  /** The number of threads that use the store, this one included. */
  threads: number
  /** The records of departures: see DepartureFacts. */
  explainEntries: number
  /** The bytes of each thread's ring in the log that `watch` shows. */
  workerLogbufSize: number
  /** The character that ends the prefix of a key (-D). */
  prefixDelimiter: string
  /** The seconds before the start to which the clock may go back. Default none. */
  pastSeconds?: number
  /** The number of those threads that come and go, see Lives: they have the last numbers. Default 0. */
  places?: number
  /** The number of stripes, a power of two; set by tests. */
  stripes?: number
}

/** The data with which another thread attaches to the store. It can be posted. */
export interface SharedStore {
  readonly options: StoreOptions
  readonly memories: readonly WasmMemory[]
  readonly log: ArrayBuffer | SharedArrayBuffer
  readonly departed: ArrayBuffer | SharedArrayBuffer
  readonly epoch: number
  /** The byte index of the record of threads in the first arena. */
  readonly livesAt: number
}

/** The bytes of each thread's ring in the log of the listeners. Only pages of it that are written take memory. */
const DEPARTED_RING_BYTES = 256 * 1024
/** The number of stripes: many more than threads, so that two threads seldom need the same one. */
const STRIPES = 1024
/** The buckets that an arena of the largest size has addresses for. */
const BUCKETS_OF_WHOLE = Table.bucketCountFor(ARENA_PAGES_MAX)

/** The parts of a Store, which has fields of the same names. */
export interface StoreParts {
  readonly epoch: number
  readonly classes: SlabClasses
  readonly memories: readonly WasmMemory[]
  readonly counters: Counters
  readonly log: Log
  readonly departed: Log
  readonly lives: Lives
  readonly locks: Locks
  readonly lock: number
  readonly crawler: Crawler
  readonly context: StoreContext
  readonly tuning: LruTuning
  readonly automove: AutomoveSettings
  readonly ioStart: number
  readonly shards: readonly Shard[]
  readonly growths: readonly Growth[]
  readonly maintainers: readonly Maintainer[]
  readonly rebalance: Rebalance
}

/**
 * Makes a store, or attaches to one.
 * @param thread the number of this thread
 * @param attached the store that another thread has made, if this one does not make it
 */
export function assembleStore(options: StoreOptions, clock: Clock, thread: number, attached?: SharedStore): StoreParts {
  // time begins at 2, so that 0 can mean "never" and 1 "long ago"
  const epoch = attached?.epoch ?? Math.floor(clock.milliseconds() / 1000) - 2 - (options.pastSeconds ?? 0)
  const classes = new SlabClasses(options)
  const plan = planArenas(options, classes)
  const arenas = makeArenas(plan, options.shared, attached?.memories)
  const memories = arenas.map(({ wasmMemory }) => wasmMemory)
  const first = arenas[0]!
  const counters = new Counters(first.buffer, first.take('counters'), options.threads, thread)
  const lives = new Lives(first.takeWords('lives'), thread)
  const log = makeLog(options, options.workerLogbufSize, { clock, counters, lives }, attached?.log)
  const departed = makeLog(options, DEPARTED_RING_BYTES, { clock, lives }, attached?.departed)
  const hashKey = first.takeWords('hashKey')
  if (attached === undefined) Hash.fillKey(hashKey)
  const hash = new Hash(hashKey, first)
  const locks = new Locks(first.words, options.shared, lives, first.instructions, counters)
  const stripes = new Stripes(locks, first.take('stripes') >> 2, plan.facts.stripeCount)
  const storeWords = first.take('store') >> 2
  const lock = storeWords + StoreWord.Lock
  const crawler = new Crawler(first.words, first.take('crawler') >> 2, thread)
  const sizesAt = first.take('sizes')
  const sizes = options.trackSizes ? new Sizes(first.buffer, sizesAt, options.itemSizeMax) : undefined
  const prefixesAt = first.take('prefixes')
  const prefixes = options.trackPrefixes
    ? new PrefixUse(first, prefixesAt, hash, locks, options.prefixDelimiter, options.threads, thread) : undefined
  const departures = new Departures(first.words, first.take('departures') >> 2, plan.facts, thread)
  const ghosts = new Ghosts(first, first.take('ghosts'), options.maxbytes)
  const flushedPrefixes = new FlushedPrefixes(first, first.take('flushedPrefixes') >> 2, options.prefixDelimiter)
  const context = new StoreContext(options, hash, stripes, counters, first.words, storeWords, options.shared, sizes, prefixes,
    departures, flushedPrefixes, log, departed, first.instructions)
  const tuning = new LruTuning(first.buffer, first.take('tuning'))
  const automove = new AutomoveSettings(first.buffer, first.take('automove'))
  const ioStart = first.take('io') + options.ioBytes * thread
  const shards = arenas.map(arena => {
    const hashHere = arena === first ? hash : new Hash(hashKey, arena)
    return makeShard(arena, hashHere, plan, options, classes, context, tuning, ghosts, lives)
  })
  for (const arena of arenas) arena.assertTaken()
  const growths = shards.map(({ table, slabs, allocator }) => new Growth(table, slabs, allocator, context))
  const rebalance = new Rebalance(shards.map(shard => movingParts(shard, context, automove)), classes, context)
  const maintainers = shards.map(({ items, slabs, lru, allocator }) => new Maintainer(items, slabs, lru, allocator, context))
  const parts = {
    epoch, classes, memories, counters, log, departed, lives, locks, lock, crawler, context, tuning, automove, ioStart, shards,
    growths, maintainers, rebalance,
  }
  if (attached === undefined) {
    lives.firstPlace = options.threads - (options.places ?? 0)
    begin(parts, options, plan.bucketCount)
  }
  return parts
}

/** Writes the first values into the memory of a new store, which is all 0. */
function begin(parts: StoreParts, options: StoreOptions, bucketCount: number): void {
  const { shards, context } = parts
  for (const { table } of shards) table.begin(bucketCount)
  context.prefixes?.begin(options.prefixQuotas)
  context.generation = context.sweptGeneration = context.sweepGeneration = 1
  beginSettings(parts, options)
}

/** Sets what commands may change later to the values of the options. */
export function beginSettings({ tuning, crawler, automove }: Pick<StoreParts, 'tuning' | 'crawler' | 'automove'>,
  options: StoreOptions): void {
  tuning.begin(options)
  crawler.set(options)
  automove.mode = options.slabAutomove
  automove.ratio = options.slabAutomoveRatio
  automove.window = options.slabAutomoveWindow
  automove.freeRatio = options.slabAutomoveFreeratio
}

function makeLog({ threads, shared }: StoreOptions, ringBytes: number,
  parts: { readonly clock: Clock, readonly counters?: Counters, readonly lives: Lives },
  memory = Log.allocate(threads, ringBytes, shared)): Log {
  return new Log(memory, { ringBytes, threads, thread: parts.lives.thread, ...parts })
}

/** The arenas that a store needs. */
interface ArenaPlan {
  readonly count: number
  /** The buckets of each arena's hash table at the start. */
  readonly bucketCount: number
  /** The facts about the regions of an arena that is no larger than it needs to be. */
  readonly facts: RegionFacts
}

/**
 * Plans as many arenas as the memory needs, of about the same size, each with a spare page for every class. Addresses are
 * reserved as if all pages had the smallest size; memory is only taken as it is touched.
 */
function planArenas(options: StoreOptions, classes: SlabClasses): ArenaPlan {
  const { threads, trackSizes, trackPrefixes, itemSizeMax, ioBytes, maxbytes, explainEntries } = options
  const { stripes: stripeCount = STRIPES } = options
  const { chunkBytesMin, largest, pageBytesMin } = classes
  const facts = {
    maxbytes, threads, stripeCount, explainEntries, trackSizes, trackPrefixes, itemSizeMax, ioBytes, chunkBytesMin,
  }
  const inWhole = { ...facts, bucketsMax: BUCKETS_OF_WHOLE, pages: 0 }
  const room = ARENA_PAGES_MAX - largest - regionsFor(true, inWhole).startOf('pages') / Size.Page
  const pages = Math.ceil(maxbytes / pageBytesMin)
  const count = Math.ceil(pages / room)
  const own = Math.ceil(pages / count)
  const bucketCount = Table.bucketCountFor(own)
  return { count, bucketCount, facts: { ...facts, bucketsMax: bucketCount, pages: own + largest } }
}

function makeArenas({ count, facts }: ArenaPlan, shared: boolean, memories: readonly WasmMemory[] = []): Arena<RegionName>[] {
  return Array.from({ length: count }, (_, index) => {
    const whole = regionsFor(index === 0, { ...facts, bucketsMax: BUCKETS_OF_WHOLE })
    return new Arena({ whole, least: regionsFor(index === 0, facts) }, shared, memories[index])
  })
}

function makeShard(arena: Arena<RegionName>, hash: Hash, plan: ArenaPlan, options: StoreOptions, classes: SlabClasses,
  context: StoreContext, tuning: LruTuning, ghosts: Ghosts, lives: Lives): Shard {
  const classWords = arena.take('classes') >> 2
  const shardWords = arena.take('shard') >> 2
  const bucketsMax = arena.isWhole ? BUCKETS_OF_WHOLE : plan.bucketCount
  const marks = new Marks(arena, shardWords, arena.take('marks'), classes.chunkBytesMin)
  const locks = new Locks(arena.words, options.shared, lives, arena.instructions, context.counters)
  const items = new Items(arena, classes.chunkBytes[classes.largest]! - Size.ItemHeader, context.overhead, context.counters)
  const slabs = new Slabs(arena, classes, classWords, shardWords, arena.take('pageTables'), locks)
  const lru = new Lru(arena, items, slabs, tuning, new Shares(arena, slabs, tuning, ghosts), context.counters)
  const table = new Table(arena, items, arena.take('buckets'), bucketsMax, shardWords)
  const generations = new Generations(items, slabs, hash, context)
  const holdings = new Holdings(arena.words, arena.take('holdings') >> 2, lives.thread)
  const allocator = new Allocator(arena, items, hash, table, slabs, lru, generations, marks, holdings, context)
  const moves = new Moves(arena.words, shardWords)
  return new Shard(arena, items, table, slabs, lru, allocator, generations, marks, holdings, context, moves)
}

/** The parts that move the pages of a shard. */
function movingParts({ items, table, slabs, lru, allocator, generations, marks, moves }: Shard, context: StoreContext,
  settings: AutomoveSettings): ArenaParts {
  const mover = new Mover(items, table, slabs, lru, allocator, generations, marks, moves, context)
  return { slabs, moves, mover, automove: new Automove(slabs, lru, context, settings) }
}
