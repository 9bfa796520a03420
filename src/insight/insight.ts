// What a server learns about its clients and their keys, beside what memcached counts. It lies in memory of its own that all
// threads share, cut into regions, a row each. A thread writes its own part of a region, and any thread reads all of it.
import { CACHE_LINE, Regions } from '../memory/regions.js'
import { type Options } from '../options/options.js'
import { Ages } from './ages.js'
import { BigKeys } from './bigkeys.js'
import { Habits } from './habits.js'
import { Loops } from './loops.js'
import { Places } from './places.js'
import { type Store } from '../store/store.js'
import { HotKeys } from './hotkeys.js'
import { Latency } from './latency.js'
import { Refusals } from './refusals.js'
import { Sampler } from './sampler.js'
import { Sizing } from './sizing.js'

/** The names of the regions. */
type RegionName = 'ages' | 'bigkeys' | 'hotkeys' | 'habits' | 'http' | 'latency' | 'loops' | 'refusals' | 'sizing'

/** The facts from which the sizes of regions are computed. */
interface RegionFacts {
  readonly options: Options
  /** The threads that may write: those that serve clients, and those that attach to a cache. */
  readonly threads: number
}

interface RegionRow {
  readonly name: RegionName
  readonly alignment: number
  readonly bytes: (facts: RegionFacts) => number
}

const regionRows: readonly RegionRow[] = [
  { name: 'http', alignment: CACHE_LINE, bytes: () => Places.BYTES },
  { name: 'latency', alignment: CACHE_LINE, bytes: ({ threads }) => Latency.bytesFor(threads) },
  { name: 'habits', alignment: CACHE_LINE, bytes: ({ threads }) => Habits.bytesFor(threads) },
  { name: 'hotkeys', alignment: CACHE_LINE, bytes: ({ threads }) => HotKeys.bytesFor(threads) },
  { name: 'bigkeys', alignment: CACHE_LINE, bytes: ({ threads }) => BigKeys.bytesFor(threads) },
  { name: 'loops', alignment: CACHE_LINE, bytes: ({ threads }) => Loops.bytesFor(threads) },
  { name: 'refusals', alignment: CACHE_LINE, bytes: ({ threads }) => Refusals.bytesFor(threads) },
  { name: 'sizing', alignment: CACHE_LINE, bytes: ({ options, threads }) => Sizing.bytesFor(options, threads) },
  { name: 'ages', alignment: CACHE_LINE, bytes: () => Ages.BYTES },
]

function regionsFor(facts: RegionFacts): Regions<RegionName> {
  return new Regions(regionRows.map(({ name, alignment, bytes }) => ({ name, alignment, bytes: bytes(facts) })))
}

export class Insight {
  /** When values were stored. */
  readonly ages: Ages
  /** The places of HTTP. */
  readonly places: Places
  /** Takes some of the requests of this thread, for those who learn from samples. */
  readonly sampler: Sampler
  /** How long requests take. */
  readonly latency: Latency
  /** What clients do, for `stats advice`. */
  readonly habits: Habits
  /** The keys that are read and written most. */
  readonly hotKeys: HotKeys
  /** The keys with the largest values. */
  readonly bigKeys: BigKeys
  /** The delays of the threads' event loops. */
  readonly loops: Loops
  /** The writes that were refused last. */
  readonly refusals: Refusals
  /** The hit ratio with more or less memory. */
  readonly sizing: Sizing

  /** The bytes of memory that an Insight needs, which are 0 at the start. */
  static bytesFor(options: Options, threads: number): number { return regionsFor({ options, threads }).end }

  /**
   * @param memory of `bytesFor(options, store.options.threads)` bytes
   * @param store that of this thread
   */
  constructor(readonly memory: ArrayBuffer | SharedArrayBuffer, readonly options: Options, readonly store: Store) {
    const { context, thread, options: { threads } } = store
    const regions = regionsFor({ options, threads })
    this.ages = new Ages(memory, regions.startOf('ages'), context)
    this.places = new Places(memory, regions.startOf('http'))
    this.latency = new Latency(memory, regions.startOf('latency'), threads, thread)
    this.refusals = context.refusalSink = new Refusals(memory, regions.startOf('refusals'), context, threads, thread)
    this.hotKeys = new HotKeys(memory, regions.startOf('hotkeys'), store, options.hotkeys)
    this.bigKeys = new BigKeys(memory, regions.startOf('bigkeys'), store)
    if (options.hotkeys > 0) context.walkSink = this.bigKeys
    this.sampler = new Sampler(options.hotkeys, store)
    this.habits = new Habits(memory, regions.startOf('habits'), threads, thread, options.hotkeys, options.itemSizeMax)
    for (const learner of [this.latency, this.habits, this.hotKeys, this.bigKeys]) this.sampler.teach(learner)
    this.loops = new Loops(memory, regions.startOf('loops'), threads, thread)
    this.sizing = new Sizing(memory, regions.startOf('sizing'), options, store)
  }

  /** Forgets everything, as the server begins anew. No thread may be serving meanwhile. */
  beginAnew(): void {
    this.latency.clear()
    this.hotKeys.clear()
    this.bigKeys.clear()
    this.refusals.clear()
    this.habits.clear()
  }

  /** `stats reset`: sets back what is counted as the counters of `stats` are. */
  reset(): void { this.habits.clear() }
}
