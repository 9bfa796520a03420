// The state that all arenas of a store share: the time, the cas number, the generation, the stripes, the memory limit, the log,
// and this thread's counters. Each thread has a context of its own over the same memory.
import { StoreWord } from '../memory/layout.js'
import { type Instructions } from '../memory/wasm.js'
import { Counter64 } from '../memory/counter64.js'
import { type Log } from '../log/log.js'
import { Counter, type Counters } from '../stats/counters.js'
import { Access, Accesses } from './accesses.js'
import { type Departures } from './departures.js'
import { nominalOverhead } from './slabs/classes.js'
import { type Hash } from './index/hash.js'
import { type FlushedPrefixes } from './items/flushes.js'
import { type ItemId, type Items } from './items/items.js'
import { type Refusal } from './outcome.js'
import { type PrefixUse } from './items/prefixes.js'
import { type Sizes } from './items/sizes.js'
import { type Client, type Request } from './request.js'
import { type Stripes } from './index/stripes.js'

/** The settings of a store that do not change. LruTuning, Crawler and AutomoveSettings have those that commands change. */
export interface StoreSettings {
  /** False: a full store refuses items rather than evicting others (-M). */
  evictions: boolean
  /** False: a page stays in its first class (-o no_slab_reassign). */
  slabReassign: boolean
  /** False: items have no cas number (-C). */
  useCas: boolean
  /** The largest item in bytes as memcached counts them (-I). */
  itemSizeMax: number
}

/** A receiver of the items that leave the store while this thread carries out an operation. */
export interface DepartureSink {
  /**
   * Takes the facts about an item, whose key is `[start, end)` of `bytes`. Locks are held, so it begins no operation of the
   * store.
   * @param reason a Departure, with DepartedBit.Fetched if a client has fetched the item
   * @param ttl in seconds, -1 for an item that never expires; @param age in seconds since its last use
   */
  departed(reason: number, bytes: Uint8Array, start: number, end: number, flags: number, ttl: number, age: number,
    valueBytes: number): void
}

/** A receiver of the writes that this thread refuses. */
export interface RefusalSink {
  /**
   * Takes a write whose key is `[start, end)` of `bytes`. Locks may be held, so it begins no operation of the store.
   * @param valueBytes the length of the value; 0 if it is not known
   * @param order see Departures; 0 for a line that was wrong
   */
  refused(reason: Refusal, bytes: Uint8Array, start: number, end: number, valueBytes: number, order: number): void
}

/** A receiver of the items that the background walk passes. */
export interface WalkSink {
  /**
   * Takes the facts about an item, whose key is `[start, end)` of `bytes`. The item is not locked, so they are hints: another
   * thread may be changing them. It begins no operation of the store.
   */
  walked(slabClass: number, valueBytes: number, bytes: Uint8Array, start: number, end: number): void
}

/** A bit beside the Departure of an item that a client has fetched. */
export const enum DepartedBit { Fetched = 1 << 8 }

export class StoreContext {
  /** The store time: seconds since the store began, plus 2. It is updated once for each batch of requests. */
  now = 2
  /** The kinds of events that clients watch, see Log.kinds. Updated together with the time. */
  watched = 0
  /** Set while an operation is to report the items that leave. Beside it, `departed` has all of them for listeners. */
  departureSink: DepartureSink | undefined
  refusalSink: RefusalSink | undefined
  /** The client that stands for the program itself. */
  readonly program: Client = { id: 0, address: 'program', clientNumber: 0 }
  /** The client whose request this thread carries out. */
  client = this.program
  /** The receiver of the items that the background walk passes, if this thread carries out the walk. */
  walkSink: WalkSink | undefined
  /** The accesses of this thread to keys of a sample, for a sink outside the store. */
  readonly accesses = new Accesses()
  /** The bytes that memcached counts for an item beside its key, flags and value. */
  readonly overhead: number
  private readonly cas: Counter64

  /**
   * @param words the memory with the StoreWords, which begin at `at`
   * @param sizes given with -o track_sizes; @param prefixes given if what prefixes have is counted
   * @param departures the rings of all threads; this thread writes its own
   * @param log the log that clients watch
   * @param departed the log of the listeners
   */
  constructor(readonly settings: StoreSettings, readonly hash: Hash, readonly stripes: Stripes, readonly counters: Counters,
    private readonly words: Int32Array, private readonly at: number, shared: boolean,
    readonly sizes: Sizes | undefined, readonly prefixes: PrefixUse | undefined, readonly departures: Departures,
    readonly flushedPrefixes: FlushedPrefixes, readonly log: Log, readonly departed: Log,
    instructions: Instructions | undefined) {
    this.overhead = nominalOverhead(settings.useCas)
    this.cas = new Counter64(words, at + StoreWord.Cas, shared, instructions)
  }

  // generations.ts explains generations. A thread that sets any of the following words has all stripes.

  /** The generation that the last flush of any kind began, from 1 to GENERATIONS_MAX. */
  get generation(): number { return this.words[this.at + StoreWord.Generation]! }
  set generation(generation: number) { this.words[this.at + StoreWord.Generation] = generation }

  /** Items of older generations than this are dead; 0 if there are none. */
  get floor(): number { return this.words[this.at + StoreWord.Floor]! }
  set floor(generation: number) { this.words[this.at + StoreWord.Floor] = generation }

  /** True while there may be items that a flush has left dead. */
  get mayHoldDead(): boolean { return this.words[this.at + StoreWord.MayHoldDead] !== 0 }
  set mayHoldDead(may: boolean) { this.words[this.at + StoreWord.MayHoldDead] = may ? 1 : 0 }

  /** The second at which a delayed flush_all falls due; 0 for none. */
  get flushAt(): number { return this.words[this.at + StoreWord.FlushAt]! }
  set flushAt(second: number) { this.words[this.at + StoreWord.FlushAt] = second }

  /** The second of the last flush of everything; 0 for none. */
  get flushedAt(): number { return this.words[this.at + StoreWord.FlushedAt]! }
  set flushedAt(second: number) { this.words[this.at + StoreWord.FlushedAt] = second }

  /** The generation that this flush began; 0 for none. */
  get flushedIn(): number { return this.words[this.at + StoreWord.FlushedIn]! }
  set flushedIn(generation: number) { this.words[this.at + StoreWord.FlushedIn] = generation }

  /** The generation up to which no dead item of a flush is left. */
  get sweptGeneration(): number { return this.words[this.at + StoreWord.SweptGeneration]! }
  set sweptGeneration(generation: number) { this.words[this.at + StoreWord.SweptGeneration] = generation }

  /** The generation in which the current walk over the memory began. When the walk ends, it becomes the swept generation. */
  get sweepGeneration(): number { return this.words[this.at + StoreWord.SweepGeneration]! }
  set sweepGeneration(generation: number) { this.words[this.at + StoreWord.SweepGeneration] = generation }

  /** The memory limit in bytes, up to 2^53. */
  get maxbytes(): number {
    return this.words[this.at + StoreWord.MaxbytesHigh]! * 0x100000000 + (this.words[this.at + StoreWord.MaxbytesLow]! >>> 0)
  }

  set maxbytes(bytes: number) {
    this.words[this.at + StoreWord.MaxbytesHigh] = Math.floor(bytes / 0x100000000)
    this.words[this.at + StoreWord.MaxbytesLow] = bytes >>> 0
  }

  /** The length of the longest chain that chains.ts has met in this period, and in the one before. */
  get longestChain(): number { return this.words[this.at + StoreWord.LongestChain]! }
  set longestChain(items: number) { this.words[this.at + StoreWord.LongestChain] = items }

  get longestChainBefore(): number { return this.words[this.at + StoreWord.LongestChainBefore]! }
  set longestChainBefore(items: number) { this.words[this.at + StoreWord.LongestChainBefore] = items }

  /** The last cas number that the store has given to an item; 0 for none. Above 2^53 it is rounded. */
  get casGiven(): number { return this.cas.last }

  /** Gives an item the next cas number of the store. */
  stampCas(items: Items, item: ItemId): void {
    if (!this.settings.useCas) return items.setCas(item, 0, 0)
    this.cas.advance()
    items.setCas(item, this.cas.high, this.cas.low)
  }

  /** The size of an item as memcached counts it, with its larger header. It decides the item's class and is shown to clients. */
  nominalBytes(keyBytes: number, flags: number, valueBytes: number): number {
    return this.overhead + keyBytes + (flags === 0 ? 0 : 4) + valueBytes
  }

  /** Counts a write that is refused, and passes it to the sink: see RefusalSink. */
  countRefused(reason: Refusal, bytes: Uint8Array, start: number, end: number, valueBytes: number, order = 0): void {
    this.counters.add(Counter.RefusedTooLarge + reason)
    this.refusalSink?.refused(reason, bytes, start, end, valueBytes, order)
  }

  /** Notes that the value of a sampled key was stored. */
  noteStored({ hash, keyStart, keyEnd, flags, valueBytes, expiresAt }: Request): void {
    this.accesses.note(Access.Stored, hash, this.nominalBytes(keyEnd - keyStart, flags, valueBytes), expiresAt)
  }

  countSize(items: Items, item: ItemId, change: 1 | -1): void {
    const sizes = this.sizes
    if (sizes === undefined) return
    const bytes = this.nominalBytes(items.keyBytes(item), items.flags(item), items.valueBytes(item))
    sizes.count(bytes, change)
  }
}
