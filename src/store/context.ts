// What all arenas of a store have in common: the time, the cas number, the generation that flush_all moves on, the
// stripes of locks, the settings that can change at run time, and this thread's counters. One of these for each thread.
import { StoreWord } from '../memory/layout.js'
import { type Instructions } from '../memory/wasm.js'
import { Counter64 } from '../memory/counter64.js'
import { type Log } from '../log/log.js'
import { type Counters } from '../stats/counters.js'
import { type Departures } from './departures.js'
import { nominalOverhead } from './slabs/classes.js'
import { type Hash } from './index/hash.js'
import { type FlushedPrefixes } from './items/flushes.js'
import { type ItemId, type Items } from './items/items.js'
import { type Sizes } from './items/sizes.js'
import { type Stripes } from './index/stripes.js'

/** What of a store is set at its start; LruTuning has what of it commands change. */
export interface StoreSettings {
  /** False: a full store answers with an error rather than evicting (-M). */
  evictions: boolean
  /** False: a page stays with the class that first had it (-o no_slab_reassign). */
  slabReassign: boolean
  /** False: items have no cas number (-C). */
  useCas: boolean
  /** The largest item in bytes as memcached counts them (-I). */
  itemSizeMax: number
}

export class StoreContext {
  /** Seconds since the store began, plus 2; read once for each batch of requests. */
  now = 2
  /** Of what events somebody wants to know, see Log.kinds; read as often as the time. */
  watched = 0
  /** What of an item's nominal size is not key, flags or value. */
  readonly overhead: number
  private readonly cas: Counter64

  /**
   * @param words where the StoreWords lie, at `at`
   * @param sizes only with -o track_sizes
   * @param departures of which this thread writes its ring
   */
  constructor(readonly settings: StoreSettings, readonly hash: Hash, readonly stripes: Stripes, readonly counters: Counters,
    private readonly words: Int32Array, private readonly at: number, shared: boolean,
    readonly sizes: Sizes | undefined, readonly departures: Departures,
    readonly flushedPrefixes: FlushedPrefixes, readonly log: Log, instructions: Instructions | undefined) {
    this.overhead = nominalOverhead(settings.useCas)
    this.cas = new Counter64(words, at + StoreWord.Cas, shared, instructions)
  }

  // What follows about generations is explained in generations.ts. A thread that sets any of it has all stripes.

  /** The generation that the last flush of any kind began, from 1 to GENERATIONS_MAX. */
  get generation(): number { return this.words[this.at + StoreWord.Generation]! }
  set generation(generation: number) { this.words[this.at + StoreWord.Generation] = generation }

  /** Items of older generations than this are dead; 0 if there are none. */
  get floor(): number { return this.words[this.at + StoreWord.Floor]! }
  set floor(generation: number) { this.words[this.at + StoreWord.Floor] = generation }

  /** Whether there may be items that a flush has left dead. */
  get mayHoldDead(): boolean { return this.words[this.at + StoreWord.MayHoldDead] !== 0 }
  set mayHoldDead(may: boolean) { this.words[this.at + StoreWord.MayHoldDead] = may ? 1 : 0 }

  /** The second at which a delayed flush_all falls due; 0 for none. */
  get flushAt(): number { return this.words[this.at + StoreWord.FlushAt]! }
  set flushAt(second: number) { this.words[this.at + StoreWord.FlushAt] = second }

  /** The second of the last flush of everything; 0 for none. */
  get flushedAt(): number { return this.words[this.at + StoreWord.FlushedAt]! }
  set flushedAt(second: number) { this.words[this.at + StoreWord.FlushedAt] = second }

  /** The generation up to which no flush has left a dead item any more; 0 while that is none. */
  get sweptGeneration(): number { return this.words[this.at + StoreWord.SweptGeneration]! }
  set sweptGeneration(generation: number) { this.words[this.at + StoreWord.SweptGeneration] = generation }

  /** The generation in which the current walk over the memory began: when it ends, it is the one up to which that is so. */
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

  /** How many items the longest chain has that chains.ts has met in this period, and in the one before. */
  get longestChain(): number { return this.words[this.at + StoreWord.LongestChain]! }
  set longestChain(items: number) { this.words[this.at + StoreWord.LongestChain] = items }

  get longestChainBefore(): number { return this.words[this.at + StoreWord.LongestChainBefore]! }
  set longestChainBefore(items: number) { this.words[this.at + StoreWord.LongestChainBefore] = items }

  /** Gives an item the next cas number of the store. */
  stampCas(items: Items, item: ItemId): void {
    if (!this.settings.useCas) return items.setCas(item, 0, 0)
    this.cas.advance()
    items.setCas(item, this.cas.high, this.cas.low)
  }

  /** The size of an item as memcached counts it, for its class, -I and what clients are shown: its header is larger than ours. */
  nominalBytes(keyBytes: number, flags: number, valueBytes: number): number {
    return this.overhead + keyBytes + (flags === 0 ? 0 : 4) + valueBytes
  }

  countSize(items: Items, item: ItemId, change: 1 | -1): void {
    const sizes = this.sizes
    if (sizes === undefined) return
    const bytes = this.nominalBytes(items.keyBytes(item), items.flags(item), items.valueBytes(item))
    sizes.count(bytes, change)
  }
}
