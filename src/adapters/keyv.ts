// A store for Keyv 5 and 6 in a Cache. It is written to Keyv's interface of stores, and needs nothing of the package. Keyv 5
// takes it as it is. Keyv 6 finds that all methods are asynchronous functions, and passes them times to live in milliseconds, as
// Keyv 5 does.
import { type Cache } from '../embed/cache.js'
import { cacheFor, type AdapterOptions } from './cache.js'
import { cacheKeyOf, deleteWith, keysWith } from './keys.js'
import { decodeValue, encodeValue } from './values.js'

/** Options of a KeyvMemslab. */
export interface KeyvMemslabOptions extends AdapterOptions {
  /** What its keys begin with, followed by `::`. Keyv sets it to its own namespace. Default: none. */
  namespace?: string
}

/** An entry of `setMany`. */
export interface KeyvEntry {
  readonly key: string
  readonly value: unknown
  /** The time to live in milliseconds. Default: for ever. */
  readonly ttl?: number | undefined
}

/**
 * A store for Keyv: `new Keyv({ store: new KeyvMemslab({ memory: '64m' }), namespace: 'app' })`. Instances of Keyv with different
 * namespaces may share a cache, each through a KeyvMemslab of its own. An operation that fails rejects with a MemslabError.
 */
export class KeyvMemslab {
  /** The cache of the items. */
  readonly cache: Cache
  /** For Keyv 5, which iterates only over the stores of some dialects: those of Redis have the same order of keys, none. */
  readonly opts: { readonly dialect: 'redis', readonly url: string } = { dialect: 'redis', url: 'memslab' }
  namespace: string | undefined
  private readonly close: () => void

  /** @throws MemslabError with code 'EUSAGE' and all `problems` if an option is wrong */
  constructor({ namespace, ...options }: KeyvMemslabOptions = {}) {
    const { cache, close } = cacheFor(options)
    this.cache = cache
    this.close = close
    this.namespace = namespace
  }

  async get<Value = unknown>(key: string): Promise<Value | undefined> {
    return decodeValue(this.cache.gets(this.keyOf(key))) as Value | undefined
  }

  async getMany<Value = unknown>(keys: readonly string[]): Promise<(Value | undefined)[]> {
    return keys.map(key => decodeValue(this.cache.gets(this.keyOf(key))) as Value | undefined)
  }

  /** @param ttl in milliseconds; without it, the item does not expire. A ttl that is over deletes the key */
  async set(key: string, value: unknown, ttl?: number): Promise<boolean> {
    this.put(key, value, ttl)
    return true
  }

  async setMany(entries: readonly KeyvEntry[]): Promise<boolean[]> {
    return entries.map(({ key, value, ttl }) => {
      this.put(key, value, ttl)
      return true
    })
  }

  /** @returns true if the key was there */
  async delete(key: string): Promise<boolean> { return this.cache.delete(this.keyOf(key)) }

  /** @returns true if all keys were there */
  async deleteMany(keys: readonly string[]): Promise<boolean> {
    return keys.map(key => this.cache.delete(this.keyOf(key))).every(Boolean)
  }

  async has(key: string): Promise<boolean> { return this.cache.has(this.keyOf(key)) }

  async hasMany(keys: readonly string[]): Promise<boolean[]> { return keys.map(key => this.cache.has(this.keyOf(key))) }

  /** Deletes the keys of the namespace; without a namespace, all items of the cache. */
  async clear(): Promise<void> {
    if (this.namespace === undefined) this.cache.flush()
    else await deleteWith(this.cache, this.keyOf(''))
  }

  /** The keys and values of a namespace, in no order. Default: of its own namespace. */
  async *iterator<Value = unknown>(namespace = this.namespace): AsyncGenerator<[key: string, value: Value], void> {
    const prefix = prefixOf(namespace)
    for (const key of await keysWith(this.cache, prefix)) {
      const item = this.cache.gets(key)
      if (item !== undefined) yield [key.slice(prefix.length), decodeValue(item) as Value]
    }
  }

  /** Part of Keyv's interface. It never emits: an operation that fails rejects. */
  on(_event: string, _listener: (...values: never[]) => void): this { return this }

  /** Closes the cache if it is its own. */
  async disconnect(): Promise<void> { this.close() }

  private keyOf(key: string): string { return cacheKeyOf(prefixOf(this.namespace) + key) }

  private put(key: string, value: unknown, ttl = Infinity): void {
    const cacheKey = this.keyOf(key)
    if (ttl <= 0) {
      this.cache.delete(cacheKey)
      return
    }
    const { bytes, flags } = encodeValue(value)
    this.cache.set(cacheKey, bytes, { flags, ttl })
  }
}

export default KeyvMemslab

function prefixOf(namespace: string | undefined): string { return namespace === undefined ? '' : `${namespace}::` }
