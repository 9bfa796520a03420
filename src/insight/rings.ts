// The memory of `stats sizing`, which all threads share: a ring for each thread, in which it notes accesses to keys of a sample,
// and what the first thread makes of them (estimate.ts).
//
//   region   | bounds | (to the next cache line) | results: doubles | (to the next cache line) | ring | ring ...   one a thread
//   ring     | written | lost | (to the next cache line) | read | (to the next cache line) | access | access ...
//   access     word 0   1       2           3
//              hash     Access  item bytes  expires at
//
// `written`, `lost` and `read` are counts modulo 2^32. A ring's own thread writes the first two, the first thread all else.
import { CACHE_LINE } from '../memory/regions.js'
import { type Options } from '../options/options.js'
import { Access, Bound } from '../store/accesses.js'

/** The memory of the models, as multiples of the store's. */
export const FACTORS: readonly number[] = [0.25, 0.5, 1, 2, 4]
/** The model whose memory is that of the store. */
export const ACTUAL = 2

/** The accesses that a ring has room for, a power of two. They take 64 KiB. */
const ACCESSES = 4096
const LINE_WORDS = CACHE_LINE / 4
const enum AccessWord { Hash, Access, ItemBytes, ExpiresAt, Stride }
const enum RingWord { Written = 0, Lost = 1, Read = 16, Accesses = 32 }
const RING_WORDS = RingWord.Accesses + ACCESSES * AccessWord.Stride

/**
 * The results: the share and the number of the sampled keys; the gets and misses of the store; the gets of all keys while
 * accesses were noted, without those that rings had no room for; and the hits of each model, each counted for as many as it
 * stands for.
 */
export const enum Result { Rate, Keys, Gets, Misses, NotedGets, Hits, End = Hits + 5 }
const RINGS_AT = LINE_WORDS + Math.ceil(Result.End * 2 / LINE_WORDS) * LINE_WORDS

/** A receiver of accesses. */
interface Taker {
  /** Returns what it cost, in units of the taker. */
  take(access: Access, hash: number, itemBytes: number, expiresAt: number): number
}

export class Rings {
  readonly results: Float64Array
  /** The bounds of the sample, see AccessSink. */
  readonly bounds: Int32Array
  private readonly words: Int32Array
  /** The index of this thread's ring, and its count of accesses. */
  private readonly own: number
  private written: number

  /** The bytes of memory that Rings need for `threads`, which are 0 at the start. None with -o no_sizing. */
  static bytesFor({ sizing }: Options, threads: number): number { return sizing ? (RINGS_AT + threads * RING_WORDS) * 4 : 0 }

  /** @param at byte index of `bytesFor(options, threads)` bytes, which are not none; @param thread the number of this thread */
  constructor(memory: ArrayBuffer | SharedArrayBuffer, at: number, private readonly threads: number, thread: number) {
    this.words = new Int32Array(memory, at, RINGS_AT + threads * RING_WORDS)
    this.bounds = new Int32Array(memory, at, Bound.Count)
    this.results = new Float64Array(memory, at + CACHE_LINE, Result.End)
    this.own = ringOf(thread)
    this.written = this.words[this.own + RingWord.Written]!
  }

  /** Notes an access of this thread. Returns true if the ring has just become half full. */
  note(access: Access, hash: number, itemBytes: number, expiresAt: number): boolean {
    const { own, words, written } = this
    const waiting = written - words[own + RingWord.Read]! | 0
    if (waiting >= ACCESSES) {
      if (access <= Access.Miss) words[own + RingWord.Lost]!++
      return false
    }
    const at = own + RingWord.Accesses + (written & (ACCESSES - 1)) * AccessWord.Stride
    words[at + AccessWord.Hash] = hash
    words[at + AccessWord.Access] = access
    words[at + AccessWord.ItemBytes] = itemBytes
    words[at + AccessWord.ExpiresAt] = expiresAt
    this.written = written + 1 | 0
    // atomically, so that the first thread does not see the count before the access
    Atomics.store(words, own + RingWord.Written, this.written)
    return waiting === ACCESSES / 2
  }

  /** True if a thread has ever noted an access. */
  get hasAny(): boolean {
    for (let thread = 0; thread < this.threads; thread++) if (this.words[ringOf(thread) + RingWord.Written] !== 0) return true
    return false
  }

  /** The gets for which a thread's ring had no room. */
  lost(thread: number): number { return this.words[ringOf(thread) + RingWord.Lost]! }

  /** Takes the accesses out of a thread's ring, in the first thread. Returns what they cost. */
  take(thread: number, taker: Taker): number {
    const { words } = this
    const ring = ringOf(thread)
    const end = Atomics.load(words, ring + RingWord.Written)
    let read = words[ring + RingWord.Read]!
    let cost = 0
    for (; read !== end; read = read + 1 | 0) {
      const at = ring + RingWord.Accesses + (read & (ACCESSES - 1)) * AccessWord.Stride
      cost += taker.take(words[at + AccessWord.Access]! as Access, words[at + AccessWord.Hash]!,
        words[at + AccessWord.ItemBytes]!, words[at + AccessWord.ExpiresAt]!)
    }
    // atomically, so that the thread does not overwrite an access before it was read
    Atomics.store(words, ring + RingWord.Read, read)
    return cost
  }
}

/** The index of the first word of a thread's ring. */
function ringOf(thread: number): number { return RINGS_AT + thread * RING_WORDS }
