// The two caches that are compared inside a process: memslab's Cache, and lru-cache, which the user of the benchmark has installed.
// Both copy what is copied: a value that a program keeps must not change when the cache does, or the other way round.

import { createRequire } from 'node:module'
import { resolve } from 'node:path'
import { Cache, type CacheHandle } from '../../dist/index.js'

export type Operation = 'get' | 'view' | 'set'
export type SideName = 'memslab' | 'lru-cache'

/** A cache as the rows use it. Each operation returns a byte of the value, for the checksum. */
export interface Side {
  /** A copy of the value. */
  get(key: string): number
  /** The value in place: memslab's view of it, lru-cache's own object. */
  view(key: string): number
  set(key: string, value: Buffer): number
  /** What another thread needs to use the same cache; undefined if it must have its own. */
  readonly handle: CacheHandle | undefined
}

/** What is used of lru-cache. */
interface Lru { get(key: string): Buffer | undefined, set(key: string, value: Buffer): unknown }
interface LruModule { readonly LRUCache: new (options: { readonly max: number }) => Lru }

/** Bytes of an item of 100 bytes in memslab, with its share of everything else. */
const ITEM_BYTES = 240
const MIB = 1024 * 1024

export function makeSide(name: SideName, items: number, lruCache: string, handle?: CacheHandle): Side {
  return name === 'memslab' ? memslabSide(items, handle) : lruSide(items, lruCache)
}

function memslabSide(items: number, handle: CacheHandle | undefined): Side {
  const cache = handle === undefined
    ? new Cache({ maxbytes: 64 * MIB + Math.ceil(items * ITEM_BYTES / MIB) * MIB })
    : Cache.attach(handle)
  const first = (view: Uint8Array): number => view[0]!
  return {
    get: key => cache.get(key)![0]!,
    view: key => cache.getView(key, first)!,
    set: (key, value) => {
      cache.set(key, value)
      return value[0]!
    },
    get handle() { return cache.handle },
  }
}

function lruSide(items: number, path: string): Side {
  const { LRUCache } = createRequire(import.meta.url)(path) as LruModule
  const cache = new LRUCache({ max: items + 1000 })
  return {
    get: key => Buffer.from(cache.get(key)!)[0]!,
    view: key => cache.get(key)![0]!,
    set: (key, value) => {
      cache.set(key, Buffer.from(value))
      return value[0]!
    },
    handle: undefined,
  }
}

/**
 * Where lru-cache is, and its version; or the reason why it is not used.
 * @param given a folder with it, such as node_modules/lru-cache. Default: what a program in the current folder would load
 */
export function findLruCache(given: string | undefined): { readonly path: string, readonly version: string } | string {
  const require = createRequire(resolve('package.json'))
  try {
    const path = require.resolve(given === undefined ? 'lru-cache' : resolve(given))
    const module = require(path) as Partial<LruModule>
    if (typeof module.LRUCache !== 'function') return `${path} has no LRUCache; versions before 7 are not measured`
    return { path, version: versionAt(path) }
  } catch (error) {
    return `lru-cache was not found (npm install lru-cache, or --lru-cache PATH): ${(error as Error).message.split('\n')[0]}`
  }
}

/** The version in the package.json of the package that a file belongs to. */
function versionAt(path: string): string {
  const require = createRequire(path)
  for (let up = '.'; up.length < 40; up += '/..') {
    try {
      const { name, version } = require(resolve(path, up, 'package.json')) as { name?: string, version?: string }
      if (name === 'lru-cache' && version !== undefined) return version
    } catch { /* this folder has none */ }
  }
  return 'unknown'
}
