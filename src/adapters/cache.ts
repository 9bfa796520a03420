// The cache of an adapter: one that the program has, or one of the adapter's own.
import { Cache } from '../embed/cache.js'
import { usage, type CacheOptions } from '../embed/options.js'
import { kindOf } from '../options/embedded.js'

/** Options of all adapters: a cache that is there, or options for one of its own. */
export interface AdapterOptions extends CacheOptions {
  /** A cache that other parts of the program or other threads may use, too. Default: a new one with the other options. */
  cache?: Cache<unknown>
}

export interface AdapterCache {
  readonly cache: Cache
  /** Closes the cache if it is the adapter's own. */
  close(): void
}

/** @throws MemslabError with code 'EUSAGE' and all `problems` if an option is wrong */
export function cacheFor({ cache: given, ...options }: AdapterOptions): AdapterCache {
  if (given === undefined) {
    const cache = new Cache(options)
    return { cache, close: () => cache.close() }
  }
  if (typeof given.as !== 'function') throw usage([`cache: must be a Cache, not ${kindOf(given)}`])
  const problems = Object.keys(options).map(name => `${name}: is an option for a new cache, while cache is given`)
  if (problems.length > 0) throw usage(problems)
  return { cache: given.as('bytes'), close: () => {} }
}
