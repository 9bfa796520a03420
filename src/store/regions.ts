// The regions of a store's arenas, one row each, in their order. The first arena has the regions of the whole store. Each arena
// has those of a shard. assemble.ts takes the regions by their names. To add a region, add a row here and its user there.
import { ARENA_PAGES_MAX, type OwnRegion } from '../memory/arena.js'
import { ClassWord, CrawlerWord, ShardWord, Size, StoreWord } from '../memory/layout.js'
import { Lives } from '../memory/lives.js'
import { CACHE_LINE, Regions } from '../memory/regions.js'
import { Counters } from '../stats/counters.js'
import { Departures } from './departures.js'
import { Hash } from './index/hash.js'
import { FlushedPrefixes } from './items/flushes.js'
import { Ghosts } from './items/ghosts.js'
import { PrefixUse } from './items/prefixes.js'
import { Sizes } from './items/sizes.js'
import { LruTuning } from './items/tuning.js'
import { AutomoveSettings } from './slabs/automove.js'
import { Holdings } from './slabs/holdings.js'
import { Slabs } from './slabs/slabs.js'
import { Marks } from './walks/marks.js'

/** The names of the regions that a store uses. */
export type RegionName = 'counters' | 'hashKey' | 'stripes' | 'store' | 'lives' | 'crawler' | 'sizes' | 'prefixes' |
  'departures' | 'ghosts' | 'flushedPrefixes' | 'tuning' | 'automove' | 'io' | 'classes' | 'shard' | 'holdings' | 'buckets' |
  'pageTables' | 'marks'

/** The facts from which the sizes of regions are computed. */
export interface RegionFacts {
  /** The memory limit at the start. */
  readonly maxbytes: number
  readonly threads: number
  readonly stripeCount: number
  /** The records of departures: see DepartureFacts. */
  readonly explainEntries: number
  readonly trackSizes: boolean
  readonly trackPrefixes: boolean
  readonly itemSizeMax: number
  /** Bytes for each thread. */
  readonly ioBytes: number
  readonly chunkBytesMin: number
  /** The most buckets of the hash table. */
  readonly bucketsMax: number
  /** The least number of pages of the arena. */
  readonly pages: number
}

/** The arenas that have a region: the first one of a store, or each. */
export type RegionOwner = 'first' | 'each'

interface RegionRow {
  readonly name: RegionName | OwnRegion
  readonly owner: RegionOwner
  readonly alignment: number
  readonly bytes: (facts: RegionFacts) => number
  /** A description of its contents, for the map in memory/README.md. */
  readonly holds: string
}

const WORD_BYTES = 4

export const regionRows: readonly RegionRow[] = [
  { name: 'nothing', owner: 'each', alignment: CACHE_LINE, bytes: () => CACHE_LINE,
    holds: 'nothing, so that index 0 can mean "none"' },
  { name: 'counters', owner: 'first', alignment: CACHE_LINE, bytes: ({ threads }) => Counters.bytesFor(threads),
    holds: 'the counters of each thread, and those of the last `stats reset`' },
  { name: 'hashKey', owner: 'first', alignment: CACHE_LINE, bytes: () => Hash.KEY_WORDS * WORD_BYTES,
    holds: 'the random key of the hash' },
  { name: 'stripes', owner: 'first', alignment: CACHE_LINE, bytes: ({ stripeCount }) => stripeCount * WORD_BYTES,
    holds: 'the locks of the stripes' },
  { name: 'store', owner: 'first', alignment: CACHE_LINE, bytes: () => StoreWord.End * WORD_BYTES,
    holds: 'StoreWord: the words of the store' },
  { name: 'lives', owner: 'first', alignment: CACHE_LINE, bytes: ({ threads }) => Lives.bytesFor(threads),
    holds: 'the threads that may hold locks' },
  { name: 'crawler', owner: 'first', alignment: CACHE_LINE, bytes: () => CrawlerWord.End * WORD_BYTES,
    holds: 'CrawlerWord: the words of the crawler' },
  { name: 'sizes', owner: 'first', alignment: CACHE_LINE,
    bytes: ({ trackSizes, itemSizeMax }) => trackSizes ? Sizes.bytesFor(itemSizeMax) : 0,
    holds: 'the counts of `stats sizes`, with `-o track_sizes`' },
  { name: 'prefixes', owner: 'first', alignment: CACHE_LINE,
    bytes: ({ trackPrefixes, threads }) => trackPrefixes ? PrefixUse.bytesFor(threads) : 0,
    holds: 'the prefixes of keys and what each has, with `-D`, `-o track_prefixes` or `-o prefix_quota`' },
  { name: 'departures', owner: 'first', alignment: CACHE_LINE,
    bytes: facts => Departures.bytesFor(facts),
    holds: 'records of items that left the store, a ring for each thread, and who removed them' },
  { name: 'ghosts', owner: 'first', alignment: CACHE_LINE, bytes: ({ maxbytes }) => Ghosts.bytesFor(maxbytes),
    holds: 'traces of items that were evicted lately' },
  { name: 'flushedPrefixes', owner: 'first', alignment: CACHE_LINE, bytes: () => FlushedPrefixes.BYTES,
    holds: 'the prefixes that were flushed lately' },
  { name: 'tuning', owner: 'first', alignment: CACHE_LINE, bytes: () => LruTuning.BYTES,
    holds: 'the settings of `lru`' },
  { name: 'automove', owner: 'first', alignment: CACHE_LINE, bytes: () => AutomoveSettings.BYTES,
    holds: 'the settings of `slabs automove`' },
  { name: 'io', owner: 'first', alignment: CACHE_LINE, bytes: ({ ioBytes, threads }) => ioBytes * threads,
    holds: 'the buffers of each thread for requests and replies' },
  { name: 'classes', owner: 'each', alignment: CACHE_LINE, bytes: () => Size.Classes * ClassWord.Stride * WORD_BYTES,
    holds: 'ClassWord: the words of each slab class, and its four lists' },
  { name: 'shard', owner: 'each', alignment: CACHE_LINE, bytes: () => ShardWord.End * WORD_BYTES,
    holds: 'ShardWord: the words of the shard' },
  { name: 'holdings', owner: 'each', alignment: CACHE_LINE, bytes: ({ threads }) => Holdings.bytesFor(threads),
    holds: 'the chunks and items that each thread holds without a lock' },
  { name: 'buckets', owner: 'each', alignment: CACHE_LINE, bytes: ({ bucketsMax }) => bucketsMax * WORD_BYTES,
    holds: 'the buckets of the hash table' },
  { name: 'pageTables', owner: 'each', alignment: CACHE_LINE, bytes: () => ARENA_PAGES_MAX * Slabs.PAGE_BYTES,
    holds: 'four words for each page' },
  { name: 'marks', owner: 'each', alignment: CACHE_LINE,
    bytes: ({ chunkBytesMin }) => Marks.bytesFor(ARENA_PAGES_MAX, chunkBytesMin),
    holds: 'the progress of a dump: a word for each page, a bit for each chunk' },
  { name: 'pages', owner: 'each', alignment: Size.Page, bytes: ({ pages }) => pages * Size.Page,
    holds: 'the pages, cut into chunks for items' },
]

/** The regions of the first arena of a store, or of another one. */
export function regionsFor(isFirst: boolean, facts: RegionFacts): Regions<RegionName | OwnRegion> {
  const rows = isFirst ? regionRows : regionRows.filter(({ owner }) => owner === 'each')
  return new Regions(rows.map(({ name, alignment, bytes }) => ({ name, alignment, bytes: bytes(facts) })))
}

/** The map of an arena as a table in Markdown, for memory/README.md. */
export function drawRegions(facts: RegionFacts): string {
  const regions = regionsFor(true, facts)
  const lines = regionRows.map(({ name, owner, bytes, holds }) =>
    `| \`${name}\` | ${owner} | ${grouped(regions.startOf(name))} | ${grouped(bytes(facts))} | ${holds} |`)
  return ['| region | arenas | begins at | bytes | holds |', '|---|---|--:|--:|---|', ...lines].join('\n')
}

/** Formats a whole number with commas between the thousands. */
function grouped(number: number): string { return String(number).replace(/\B(?=(\d{3})+$)/g, ',') }
