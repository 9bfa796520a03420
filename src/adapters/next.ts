// The cacheHandler of a Next.js application in a Cache: pages, route handlers and fetches lie outside the heap, and all instances
// of the handler in a process share them. It is written to the interface that Next.js documents for `cacheHandler`, from version
// 14.1 on, and needs nothing of the package.
//
// Next.js makes an instance for each request, so all state is that of the class. A tag that is revalidated makes the entries with
// that tag outdated that were stored before. An entry of an expired tag is not returned any more. That of a stale tag is to be
// shown while Next.js renders it anew, in the background. Next.js does so with entries that are older than their `revalidate`
// time, so such an entry is returned as that old.
import { deserialize, serialize } from 'node:v8'
import { SystemClock, timeOfDay, type Clock } from '../clock.js'
import { type Cache } from '../embed/cache.js'
import { MemslabError } from '../errors.js'
import { readMemory } from '../options/memory.js'
import { cacheFor, type AdapterOptions } from './cache.js'
import { cacheKeyOf } from './keys.js'
import { textOf } from './values.js'

/** The header in which Next.js keeps the tags of a page. */
const TAGS_HEADER = 'x-next-cache-tags'
/** What the keys of entries and of tags begin with. */
const ENTRY = 'next:entry:'
const TAG = 'next:tag:'
/** The size of a page or a fetch that Next.js may store. Its own limit for a fetch is 2 MB. */
const ITEM_BYTES_MAX = 16 * 1024 * 1024
/** The environment variable with the memory of the default handler, such as `256m`. */
const MEMORY_VARIABLE = 'MEMSLAB_NEXT_MEMORY'
const MEMORY = '64m'

/** What Next.js passes to the constructor; more than this. */
export interface NextHandlerContext {
  /** Tags that the request under way has revalidated. */
  readonly revalidatedTags?: readonly string[]
}

/** What Next.js passes to `get`; more than this. */
export interface NextGetContext {
  readonly tags?: readonly string[]
  /** Tags of the paths that the request is for. */
  readonly softTags?: readonly string[]
}

/** What Next.js passes to `set`; more than this. */
export interface NextSetContext {
  readonly tags?: readonly string[]
  /** How long a page may be shown. Next.js has this from version 15.3 on. */
  readonly cacheControl?: NextCacheControl
}

/** How long a page may be shown: for so many seconds as it is, and while it is rendered anew, until `expire`. */
export interface NextCacheControl {
  readonly revalidate?: number | false
  readonly expire?: number | undefined
}

/** An entry as Next.js gets it back. */
export interface NextCacheEntry {
  /** The time at which it was set, in milliseconds. */
  readonly lastModified: number
  /** What was set: pages with their buffers and maps, fetches, or null for what was not found. */
  readonly value: unknown
  readonly cacheControl?: NextCacheControl
}

/** An entry as it is stored. */
interface StoredEntry extends NextCacheEntry {
  readonly tags: readonly string[]
}

/** A handler as Next.js uses it. */
export interface NextCacheHandler {
  get(key: string, context?: NextGetContext): Promise<NextCacheEntry | null>
  set(key: string, data: unknown, context?: NextSetContext): Promise<void>
  /** @param durations given if entries may still be shown while they are rendered anew: for `expire` seconds, or for ever */
  revalidateTag(tags: string | readonly string[], durations?: { readonly expire?: number }): Promise<void>
  resetRequestCache(): void
}

/** A class of handlers, for `cacheHandler` in next.config.js. */
export interface NextCacheHandlerClass {
  new (context?: NextHandlerContext): NextCacheHandler
  /** The cache that all handlers of the class share. */
  readonly cache: Cache
}

/**
 * Makes a class of handlers that share one cache. The cache is made when Next.js makes the first handler. By default it has 64
 * MB, and entries of at most 16 MB. If an option is wrong, making the cache throws a MemslabError with code 'EUSAGE'.
 */
export function createHandler({ clock, ...options }: AdapterOptions = {}): NextCacheHandlerClass {
  let made: Shared | undefined
  const shared = (): Shared => made ??= new Shared(cacheFor(withDefaults(options, clock)).cache, clock)
  return class MemslabCacheHandler extends Handler {
    static get cache(): Cache { return shared().cache }
    constructor({ revalidatedTags = [] }: NextHandlerContext = {}) { super(shared(), revalidatedTags) }
  }
}

/** The options of the cache, with a larger `itemSizeMax` as far as the memory allows. */
function withDefaults(options: AdapterOptions, clock: Clock | undefined): AdapterOptions {
  if (options.cache !== undefined) return options
  const { memory = MEMORY, maxbytes } = options
  const bytes = maxbytes ?? readMemory({ memory }).options.maxbytes
  const itemSizeMax = bytes === undefined ? {} : { itemSizeMax: Math.min(ITEM_BYTES_MAX, Math.floor(bytes / 2)) }
  return { ...itemSizeMax, ...options, ...clock === undefined ? {} : { clock } }
}

/** The times at which a tag became stale and expires; 0 for never. */
interface Revalidation {
  readonly staleAt: number
  readonly expiresAt: number
}

const enum Freshness { Fresh, Stale, Expired }

/** The cache, and the tags that were revalidated. */
class Shared {
  /**
   * The tags that this process has revalidated, as Next.js keeps them itself. The cache has them too, for the case that other
   * threads share it, but may evict them.
   */
  private readonly revalidations = new Map<string, Revalidation>()

  constructor(readonly cache: Cache, private readonly clock: Clock = new SystemClock()) {}

  /** The time of day in milliseconds, by which Next.js counts the age of entries. */
  now(): number { return timeOfDay(this.clock) }

  /** @param expireSeconds the time for which entries may still be shown; undefined for ever */
  revalidate(tag: string, expireSeconds: number | undefined): void {
    const now = this.now()
    const revalidation = { staleAt: now, expiresAt: expireSeconds === undefined ? 0 : now + expireSeconds * 1000 }
    this.revalidations.set(tag, revalidation)
    this.cache.set(cacheKeyOf(TAG + tag), Buffer.from(JSON.stringify(revalidation)))
  }

  /** The state of an entry with these tags that was stored at a time. */
  freshness(tags: Iterable<string>, storedAt: number): Freshness {
    const now = this.now()
    let freshness = Freshness.Fresh
    for (const tag of tags) {
      for (const revalidation of [this.revalidations.get(tag), this.storedRevalidation(tag)]) {
        if (revalidation === undefined || revalidation.staleAt < storedAt) continue
        const { expiresAt } = revalidation
        if (expiresAt !== 0 && expiresAt <= now) return Freshness.Expired
        freshness = Freshness.Stale
      }
    }
    return freshness
  }

  private storedRevalidation(tag: string): Revalidation | undefined {
    const stored = this.cache.get(cacheKeyOf(TAG + tag))
    return stored === undefined ? undefined : JSON.parse(textOf(stored)) as Revalidation
  }
}

class Handler implements NextCacheHandler {
  constructor(private readonly shared: Shared, private readonly revalidatedTags: readonly string[]) {}

  async get(key: string, { tags = [], softTags = [] }: NextGetContext = {}): Promise<NextCacheEntry | null> {
    const { shared } = this
    const stored = shared.cache.get(cacheKeyOf(ENTRY + key))
    if (stored === undefined) return null
    const { tags: storedTags, ...entry } = deserialize(stored) as StoredEntry
    const all = new Set([...tags, ...softTags, ...storedTags])
    if (this.revalidatedTags.some(tag => all.has(tag))) return null
    switch (shared.freshness(all, entry.lastModified)) {
      case Freshness.Fresh: return entry
      case Freshness.Stale: return this.aged(entry)
      case Freshness.Expired: return null
    }
  }

  /** An entry that Next.js shows while it renders it anew; null if that is only done at once, as it has no time for it. */
  private aged(entry: NextCacheEntry): NextCacheEntry | null {
    const { revalidate } = entry.cacheControl ?? (entry.value ?? {}) as NextCacheControl
    if (typeof revalidate !== 'number') return null
    return { ...entry, lastModified: Math.min(entry.lastModified, this.shared.now() - (revalidate + 1) * 1000) }
  }

  async set(key: string, data: unknown, { tags = [], cacheControl }: NextSetContext = {}): Promise<void> {
    const { shared } = this
    const entry: StoredEntry = {
      lastModified: shared.now(), value: data, tags: [...tags, ...tagsOfPage(data)],
      ...cacheControl === undefined ? {} : { cacheControl },
    }
    try {
      shared.cache.set(cacheKeyOf(ENTRY + key), serialize(entry))
    } catch (error) {
      // a page that does not fit is rendered each time
      if (!(error instanceof MemslabError) || (error.code !== 'ETOOLARGE' && error.code !== 'EFULL')) throw error
    }
  }

  async revalidateTag(tags: string | readonly string[], durations?: { readonly expire?: number }): Promise<void> {
    const expireSeconds = durations === undefined ? 0 : durations.expire
    for (const tag of typeof tags === 'string' ? [tags] : tags) this.shared.revalidate(tag, expireSeconds)
  }

  resetRequestCache(): void {}
}

/** The tags in the header of a page or a route handler. */
function tagsOfPage(data: unknown): readonly string[] {
  const { headers } = (data ?? {}) as { readonly headers?: Readonly<Record<string, unknown>> }
  const tags = headers?.[TAGS_HEADER]
  return typeof tags === 'string' && tags !== '' ? tags.split(',') : []
}

/** The handler of a program that names this module as its `cacheHandler`. MEMSLAB_NEXT_MEMORY has the size of its cache. */
const MemslabCacheHandler = createHandler({ memory: process.env[MEMORY_VARIABLE] ?? MEMORY })
export { MemslabCacheHandler }
export default MemslabCacheHandler
