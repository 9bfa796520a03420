// A driver for unstorage in a Cache. It is written to unstorage's interface of drivers, and needs nothing of the package.
// unstorage calls the methods without the driver, so they are closures.
import { type Cache } from '../embed/cache.js'
import { cacheFor, type AdapterOptions } from './cache.js'
import { cacheKeyOf, deleteWith, keysWith } from './keys.js'
import { decodeValue, encodeValue, textOf } from './values.js'

/** Options of the driver. */
export interface MemslabDriverOptions extends AdapterOptions {
  /** What the keys begin with in the cache, followed by `:`. Default: none. */
  base?: string
  /** How long items live that are set without a ttl: seconds, as in other drivers. Default: for ever. */
  ttl?: number
}

/** Settings of one write. */
export interface MemslabItemOptions {
  /** How long the item lives, in seconds. Default: as the driver's options say. */
  ttl?: number
}

/** A driver of unstorage. */
export interface MemslabDriver {
  readonly name: 'memslab'
  readonly options: MemslabDriverOptions
  getInstance(): Cache
  hasItem(key: string): boolean
  /** The value as a text; null if there is none. */
  getItem(key: string): string | null
  /** The value as it was given to `setItemRaw`; null if there is none. */
  getItemRaw(key: string): unknown
  setItem(key: string, value: string, options?: MemslabItemOptions): void
  setItemRaw(key: string, value: unknown, options?: MemslabItemOptions): void
  removeItem(key: string): void
  /** The keys that begin with a base, without the base of the driver. */
  getKeys(base?: string): Promise<string[]>
  /** Deletes the keys that begin with a base. */
  clear(base?: string): Promise<void>
  /** Closes the cache if it is the driver's own. */
  dispose(): void
}

/**
 * Makes a driver: `createStorage({ driver: memslabDriver({ memory: '64m' }) })`.
 * @throws MemslabError with code 'EUSAGE' and all `problems` if an option is wrong
 */
export function memslabDriver(options: MemslabDriverOptions = {}): MemslabDriver {
  const { base = '', ttl: ttlOfDriver, ...cacheOptions } = options
  const { cache, close } = cacheFor(cacheOptions)
  const prefix = base === '' || base.endsWith(':') ? base : `${base}:`
  const keyOf = (key: string): string => cacheKeyOf(prefix + key)
  const put = (key: string, value: unknown, ttl = ttlOfDriver): void => {
    const { bytes, flags } = encodeValue(value)
    cache.set(keyOf(key), bytes, { flags, ttl: ttl === undefined ? 0 : ttl * 1000 })
  }
  return {
    name: 'memslab',
    options,
    getInstance: () => cache,
    hasItem: key => cache.has(keyOf(key)),
    getItem: key => {
      const value = cache.get(keyOf(key))
      return value === undefined ? null : textOf(value)
    },
    getItemRaw: key => decodeValue(cache.gets(keyOf(key))) ?? null,
    setItem: (key, value, { ttl } = {}) => put(key, value, ttl),
    setItemRaw: (key, value, { ttl } = {}) => put(key, value, ttl),
    removeItem: key => { cache.delete(keyOf(key)) },
    getKeys: async (within = '') => (await keysWith(cache, prefix + within)).map(key => key.slice(prefix.length)),
    clear: async (within = '') => {
      if (prefix === '' && within === '') cache.flush()
      else await deleteWith(cache, prefix + within)
    },
    dispose: close,
  }
}

export default memslabDriver
