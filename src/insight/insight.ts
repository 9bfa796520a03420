// What a server learns about its clients and their keys, beside what memcached counts. It lies in memory of its own that all
// threads share, cut into regions, a row each. A thread writes its own part of a region, and any thread reads all of it.
import { CACHE_LINE, Regions } from '../memory/regions.js'
import { type Options } from '../options/options.js'
import { Places } from './places.js'
import { type Store } from '../store/store.js'

/** The names of the regions. */
type RegionName = 'http'

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
]

function regionsFor(facts: RegionFacts): Regions<RegionName> {
  return new Regions(regionRows.map(({ name, alignment, bytes }) => ({ name, alignment, bytes: bytes(facts) })))
}

export class Insight {
  /** The places of HTTP. */
  readonly places: Places

  /** The bytes of memory that an Insight needs, which are 0 at the start. */
  static bytesFor(options: Options, threads: number): number { return regionsFor({ options, threads }).end }

  /**
   * @param memory of `bytesFor(options, store.options.threads)` bytes
   * @param store that of this thread
   */
  constructor(readonly memory: ArrayBuffer | SharedArrayBuffer, readonly options: Options, readonly store: Store) {
    const regions = regionsFor({ options, threads: store.options.threads })
    this.places = new Places(memory, regions.startOf('http'))
  }
}
