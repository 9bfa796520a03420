// How a store and its shards are put together: the arenas and their regions, and the parts that work on them. A thread that
// makes a store and one that works on a store that is there (Store.attach) come through the same function.
import { type Clock } from '../clock.js'
import { Log } from '../log/log.js'
import { Arena, ARENA_PAGES_MAX } from '../memory/arena.js'
import { ClassWord, CrawlerWord, ShardWord, Size, StoreWord } from '../memory/layout.js'
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
import { Generations } from './items/generations.js'
import { Items } from './items/items.js'
import { Lru } from './items/lru.js'
import { Maintainer } from './items/maintainer.js'
import { Sizes } from './items/sizes.js'
import { LruTuning, type LruSettings } from './items/tuning.js'
import { Shard } from './shard.js'
import { Allocator } from './slabs/allocator.js'
import { Automove, AutomoveSettings } from './slabs/automove.js'
import { SlabClasses, type ClassSettings } from './slabs/classes.js'
import { Mover } from './slabs/mover.js'
import { Moves } from './slabs/moves.js'
import { Rebalance, type ArenaParts } from './slabs/rebalance.js'
import { Slabs } from './slabs/slabs.js'
import { Crawler, type CrawlerSettings } from './walks/crawler.js'
import { Marks } from './walks/marks.js'

/** How a store is made. */
export interface StoreOptions extends StoreSettings, LruSettings, CrawlerSettings, ClassSettings {
  /** Memory for items, in bytes; at least one page of 1 MiB. */
  maxbytes: number
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
  /** Bytes of each thread's part of the log that `watch` shows. */
  workerLogbufSize: number
  /** Locks of the hash table; a power of two, for tests. */
  stripes?: number
}

/** What another thread needs to work on the same store. It can be posted. */
export interface SharedStore {
  readonly options: StoreOptions
  readonly memories: readonly WasmMemory[]
  readonly log: ArrayBuffer | SharedArrayBuffer
  readonly epoch: number
}

const STRIPES = 1024
/** What the regions of a shard may lose by beginning on cache lines. */
const REGION_SLACK = 8 * 64

/** What a Store is made of; its own fields of the same names say what each is for. */
export interface StoreParts {
  readonly epoch: number
  readonly classes: SlabClasses
  readonly memories: readonly WasmMemory[]
  readonly counters: Counters
  readonly log: Log
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
 * @param thread the number of this thread
 * @param attached the store that another thread has made, if this one does not make it
 */
export function assembleStore(options: StoreOptions, clock: Clock, thread: number, attached?: SharedStore): StoreParts {
  // time begins at 2, so that 0 can mean "never" and 1 "long ago"
  const epoch = attached?.epoch ?? Math.floor(clock.milliseconds() / 1000) - 2
  const classes = new SlabClasses(options)
  const arenas = makeArenas(options, classes, attached?.memories)
  const memories = arenas.map(({ linear }) => linear)
  const first = arenas[0]!
  const counters = new Counters(first.buffer, first.cut(Counters.bytesFor(options.threads)), options.threads, thread)
  const log = makeLog(options, clock, counters, thread, attached?.log)
  const hashKey = new Int32Array(first.buffer, first.cut(Hash.KEY_WORDS * 4), Hash.KEY_WORDS)
  if (attached === undefined) Hash.fillKey(hashKey)
  const hash = new Hash(hashKey, first)
  const stripeCount = options.stripes ?? STRIPES
  const stripesAt = first.cut(stripeCount * 4) >> 2
  const stateAt = first.cut(StoreWord.End * 4) >> 2
  const livesBytes = Lives.bytesFor(options.threads)
  const lives = new Lives(new Int32Array(first.buffer, first.cut(livesBytes), livesBytes >> 2))
  const locks = new Locks(first.words, options.shared, lives, first.instructions)
  const lock = stateAt + StoreWord.Lock
  const crawler = new Crawler(first.words, first.cut(CrawlerWord.End * 4) >> 2)
  const sizes = options.trackSizes ? new Sizes(first.buffer, first.cut(sizesBytes(options)), options.itemSizeMax) : undefined
  const departuresAt = first.cut(Departures.bytesFor(options.maxbytes, options.threads)) >> 2
  const departures = new Departures(first.words, departuresAt, options.maxbytes, options.threads, thread)
  const context = new StoreContext(options, hash, new Stripes(locks, stripesAt, stripeCount), counters,
    first.words, stateAt, options.shared, sizes, departures, log, first.instructions)
  const tuning = new LruTuning(first.buffer, first.cut(LruTuning.BYTES))
  const automove = new AutomoveSettings(first.buffer, first.cut(AutomoveSettings.BYTES))
  const ioStart = first.cut(options.ioBytes * options.threads) + options.ioBytes * thread
  const { bucketCount } = planArenas(options, classes)
  const shards = arenas.map(arena => {
    const hashHere = arena === first ? hash : new Hash(hashKey, arena)
    return makeShard(arena, hashHere, bucketCount, options, classes, context, tuning, lives)
  })
  const growths = shards.map(({ table, slabs, allocator: space }) => new Growth(table, slabs, space, context))
  const rebalance = new Rebalance(shards.map(shard => movingParts(shard, context, automove)), classes, context)
  const maintainers = shards.map(({ items, slabs, lru, allocator: space }) => new Maintainer(items, slabs, lru, space, context))
  const parts = { epoch, classes, memories, counters, log, lives, locks, lock, crawler, context, tuning, automove, ioStart, shards,
    growths, maintainers, rebalance }
  if (attached === undefined) begin(parts, options, bucketCount)
  return parts
}

/** Gives the memory of a new store, which is all 0, what it begins with. */
function begin({ shards, context, tuning, crawler, automove }: StoreParts, options: StoreOptions, bucketCount: number): void {
  for (const { table } of shards) table.begin(bucketCount)
  context.generation = context.sweptGeneration = context.sweepGeneration = 1
  tuning.begin(options)
  crawler.set(options)
  automove.mode = options.slabAutomove
  automove.ratio = options.slabAutomoveRatio
  automove.window = options.slabAutomoveWindow
  automove.freeRatio = options.slabAutomoveFreeratio
}

function makeLog({ threads, workerLogbufSize, shared }: StoreOptions, clock: Clock, counters: Counters, thread: number,
  memory = Log.allocate(threads, workerLogbufSize, shared)): Log {
  return new Log(memory, { ringBytes: workerLogbufSize, threads, thread, clock, counters })
}

function sizesBytes({ trackSizes, itemSizeMax }: StoreOptions): number { return trackSizes ? Sizes.bytesFor(itemSizeMax) : 0 }

/** The buckets that an arena has addresses for if it has all it can have. */
const BUCKETS_OF_WHOLE = Table.bucketCountFor(ARENA_PAGES_MAX)

/** What arenas a store needs: how many, with how many pages at least, and the bytes of their fixed parts. */
interface ArenaPlan { readonly count: number; readonly pages: number; readonly storeBytes: number; readonly bucketCount: number }

/**
 * As many arenas as the memory needs, of about the same size, each with a page to spare for every class. Addresses are
 * reserved for the smallest pages there may be; memory is only taken as it is touched.
 */
function planArenas(options: StoreOptions, classes: SlabClasses): ArenaPlan {
  const pages = Math.ceil(options.maxbytes / classes.pageBytesMin)
  const storeBytes = Counters.bytesFor(options.threads) + Lives.bytesFor(options.threads) + Hash.KEY_WORDS * 4 +
    (options.stripes ?? STRIPES) * 4 + sizesBytes(options) +
    Departures.bytesFor(options.maxbytes, options.threads) + options.ioBytes * options.threads + Size.Page
  const room = ARENA_PAGES_MAX - classes.largest - Math.ceil((storeBytes + shardBytes(BUCKETS_OF_WHOLE, classes)) / Size.Page) - 1
  const count = Math.ceil(pages / room)
  const own = Math.ceil(pages / count)
  return { count, pages: own + classes.largest, storeBytes, bucketCount: Table.bucketCountFor(own) }
}

function makeArenas(options: StoreOptions, classes: SlabClasses, memories: readonly WasmMemory[] = []): Arena[] {
  const { count, pages, storeBytes, bucketCount } = planArenas(options, classes)
  return Array.from({ length: count }, (_, index) => {
    const fixedBytes = (buckets: number): number => (index === 0 ? storeBytes : 0) + shardBytes(buckets, classes)
    return new Arena({ whole: fixedBytes(BUCKETS_OF_WHOLE), least: fixedBytes(bucketCount) }, pages, options.shared, memories[index])
  })
}

/** The fixed regions of a shard with so many buckets. */
function shardBytes(bucketCount: number, { chunkBytesMin }: SlabClasses): number {
  const pages = ARENA_PAGES_MAX + 1
  const classes = Size.Classes * ClassWord.Stride * 4
  return classes + ShardWord.End * 4 + bucketCount * 4 + pages * Slabs.PAGE_BYTES + Marks.bytesFor(pages, chunkBytesMin) + REGION_SLACK
}

function makeShard(arena: Arena, hash: Hash, bucketCount: number, options: StoreOptions, classes: SlabClasses,
  context: StoreContext, tuning: LruTuning, lives: Lives): Shard {
  const classWords = arena.cut(Size.Classes * ClassWord.Stride * 4) >> 2
  const shardWords = arena.cut(ShardWord.End * 4) >> 2
  const bucketsMax = arena.isWhole ? BUCKETS_OF_WHOLE : bucketCount
  const tableAt = arena.cut(bucketsMax * 4)
  const pageTablesAt = arena.cut(arena.pageEnd * Slabs.PAGE_BYTES)
  const marks = new Marks(arena, shardWords, arena.cut(Marks.bytesFor(arena.pageEnd, classes.chunkBytesMin)), classes.chunkBytesMin)
  const items = new Items(arena, classes.chunkBytes[classes.largest]! - Size.ItemHeader, context.overhead, context.counters)
  const slabs = new Slabs(arena, classes, classWords, shardWords, pageTablesAt, new Locks(arena.words, options.shared, lives, arena.instructions))
  const lru = new Lru(arena, items, slabs, tuning, context.counters)
  const table = new Table(arena, items, tableAt, bucketsMax, shardWords)
  const generations = new Generations(items, slabs, context)
  const space = new Allocator(arena, items, hash, table, slabs, lru, generations, marks, context)
  return new Shard(arena, items, table, slabs, lru, space, generations, marks, context, new Moves(arena.words, shardWords))
}

/** What moves the pages of a shard. */
function movingParts({ items, table, slabs, lru, allocator: space, generations, marks, moves }: Shard, context: StoreContext,
  settings: AutomoveSettings): ArenaParts {
  const mover = new Mover(items, table, slabs, lru, space, generations, marks, moves, context)
  return { slabs, moves, mover, automove: new Automove(slabs, items, space, context, settings) }
}
