// The types of keys, items and settings of a Cache, as programs see them.
import { type Duration } from '../options/durations.js'

/**
 * A key: a string, which is stored in UTF-8, or bytes; 1 to 250 bytes of any kind. A string and the same bytes are the same key.
 * A key with blanks or control characters, for which the text protocol has no form, is a base64 key of the meta commands there.
 */
export type CacheKey = string | Uint8Array

/** What other threads need to attach to a cache. It can be posted to a worker, or be its `workerData`; it has no other use. */
export interface CacheHandle {
  /** The version of memslab that made it. Only the same version attaches. */
  readonly memslab: string
}

/** Settings of one write. */
export interface WriteOptions {
  /**
   * How long the item lives: milliseconds, or a text such as '90s', '15m' or '31d', of any length. 0 and Infinity mean that it
   * does not expire. The store counts in seconds, as memcached does, so an item expires up to one second late and never early.
   * Default 0.
   */
  ttl?: Duration
  /** memcached's client flags, 32 bits, which are stored with the item and mean nothing to the cache. Default 0. */
  flags?: number
}

/** Settings of `incr` and `decr`. */
export interface CountOptions {
  /** The number that a missing key gets, to which nothing is added. Default: a missing key stays missing. */
  initial?: number | bigint
  /** How long an item lives that is made so. An item that is there keeps its time. Default 0, it does not expire. */
  ttl?: Duration
}

/** Settings of `getOrSet`. */
export interface GetOrSetOptions extends WriteOptions {
  /**
   * How long a value may be used after its `ttl`, while it is made again: milliseconds, or a text such as '5m'. It stays in the
   * cache so much longer. At most 3650 days. Default 0.
   */
  staleTtl?: Duration
  /** How long others wait for a factory before one of them calls its own. Default '30s'. */
  lease?: Duration
}

/** An item as `gets` returns it. */
export interface CacheItem<Value> {
  readonly value: Value
  /** memcached's client flags, 32 bits. */
  readonly flags: number
  /** The number that each change of the item replaces by a new one; for `cas`. It is 0n in a cache with `useCas: false`. */
  readonly cas: bigint
}

/** The statistics of a cache by memcached's names, such as `get_hits`, `curr_items`, `evictions` and `bytes`. */
export type CacheStats = Readonly<Record<string, number>>

/** The names of the events of a cache. */
export type CacheEventName = 'evict' | 'expire' | 'delete'

/** The reason why an item has left a cache. */
export type LeaveReason =
  /** Memory was needed. */
  | 'evicted'
  /** Its time was over. It is reported when an operation or the background work meets it, which may be some time later. */
  | 'expired'
  /** A caller or a client has deleted it. */
  | 'deleted'
  /** A new value for its key was refused, as the item would have been too large, or as there was no memory for it. */
  | 'too large'
  | 'no memory'

/** An item that has left the cache. */
export interface CacheEvent {
  readonly key: CacheKey
  readonly reason: LeaveReason
  /** The length of its value in bytes. */
  readonly bytes: number
  /** The flags that it was stored with. */
  readonly flags: number
  /** The milliseconds since its last use, in whole seconds. */
  readonly age: number
  /** The milliseconds that it still had to live, in whole seconds; undefined if it would not have expired. */
  readonly ttl: number | undefined
  /** True if its value had been read since it was stored. */
  readonly fetched: boolean
  /** The number of the thread that has removed it; 0 is the thread that made the cache. */
  readonly thread: number
  /** The time at which it was removed, in milliseconds as `Date.now()` gives them. */
  readonly time: number
}

/** A listener for events of a cache. */
export type CacheListener = (event: CacheEvent) => void
