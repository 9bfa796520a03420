// Makes a Cache over a CacheThread, for a server, which has its store already.
import { Cache } from './cache.js'
import { type CacheOptions } from './options.js'
import { type CacheThread } from './thread.js'

/** A cache of bytes. */
export function cacheOver(thread: CacheThread): Cache {
  return new Cache(thread as unknown as CacheOptions & { values?: 'bytes' })
}
