// Hash of keys: SipHash-1-3 under a key of 128 random bits that no client gets to see. So clients cannot choose keys that fall
// into one bucket. Its authors made it against just that, and no way is known to find keys that collide more often than by
// chance, not even for a client that learns which of its keys have collided. Rust and Python hash their tables with it. Of the 64
// bits that it yields 32 are used. A hash that is a sum over the parts of a key, whatever the sum, has no such strength: two
// parts that were once found to collide do so in every key. This rules out tabulation, polynomials, and all hashes that add up
// products with secret numbers, quick as they are.
//
// Nanoseconds for a key of 8 / 16 / 32 / 64 / 250 bytes, on Node 20: as WebAssembly 12 / 14 / 19 / 27 / 78, in JavaScript
// 49 / 65 / 88 / 143 / 448. HalfSipHash-1-3, which is made for words of 32 bits, takes 21 / 23 / 38 / 65 / 189 in JavaScript; its
// key of 64 bits can be found by trying, and few have looked at it. Tabulation takes 13 / 18 / 34 / 68 / 264, and half of that
// where a parser does it on its way; but its tables take 1 KiB of the processor's cache for each byte of a key.
import { randomFillSync } from 'node:crypto'
import { type Arena } from '../../memory/arena.js'
import { assemble, type AssemblyCall } from '../../memory/assembly.js'
import { isBuffer } from '../../memory/wasm.js'
import { KEY_WORDS, sipHash, sipHashFunction } from './siphash.js'

/** The low bits of a hash choose bucket and stripe, the highest eight the shard. */
export class Hash {
  private readonly bytes: Uint8Array
  private readonly hash: AssemblyCall | undefined

  /**
   * @param key KEY_WORDS words, the same for all of a store
   * @param arena in which most of the keys are that it is asked for
   */
  constructor(private readonly key: Int32Array, { wasmMemory, memory }: Pick<Arena, 'wasmMemory' | 'memory'>) {
    this.bytes = memory.bytes
    this.hash = isBuffer(wasmMemory) ? undefined : assemble(wasmMemory, [sipHashFunction(key)]).hash
  }

  static readonly KEY_WORDS = KEY_WORDS

  /** Makes a random key. */
  static fillKey(key: Int32Array): void { randomFillSync(key) }

  /**
   * The hash of the key `[start, end)`, which does not begin in the first eight bytes of the arena. Where another thread is
   * making something else of the item that is looked at, the key may seem to go on beyond the end of memory; then the hash
   * is of no meaning.
   */
  of(bytes: Uint8Array, start: number, end: number): number {
    const isHere = bytes === this.bytes && end <= bytes.length
    return isHere && this.hash !== undefined ? this.hash(start, end) : sipHash(this.key, bytes, start, end)
  }
}
