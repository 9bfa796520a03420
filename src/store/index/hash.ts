// The hash of keys: SipHash-1-3, with 128 random bits as its key, which no client learns. So clients cannot choose keys that fall
// into one bucket. SipHash was designed for this, and no way is known to find keys that collide more often than by chance, not
// even for a client that learns which of its keys have collided. Rust and Python use it for their tables. 32 of its 64 bits are
// used here. A hash that is a sum over the parts of a key is not as strong, whatever the summands: two parts that were once found
// to collide do so in every key. This rules out tabulation, polynomials, and all hashes that add up products with secret
// numbers, though they are fast.
//
// Nanoseconds for a key of 8 / 16 / 32 / 64 / 250 bytes, on Node 20: WebAssembly 12 / 14 / 19 / 27 / 78, JavaScript
// 49 / 65 / 88 / 143 / 448. HalfSipHash-1-3, which is made for 32-bit words, takes 21 / 23 / 38 / 65 / 189 in JavaScript; but its
// 64-bit key can be found by brute force, and few cryptographers have studied it. Tabulation takes 13 / 18 / 34 / 68 / 264, and
// half of that if the parser computes it on its way; but its tables take 1 KiB of the processor's cache for each byte of a key.
import { closeSync, openSync, readSync } from 'node:fs'
import { type Arena } from '../../memory/arena.js'
import { assemble, type AssemblyCall } from '../../memory/assembly.js'
import { isBuffer } from '../../memory/wasm.js'
import { KEY_WORDS, sipHash, sipHashFunction } from './siphash.js'

/** The hash function of a store. The low bits of a hash choose bucket and stripe, the highest eight bits choose the shard. */
export class Hash {
  private readonly bytes: Uint8Array
  private readonly hash: AssemblyCall | undefined

  /**
   * @param key KEY_WORDS words, the same in all threads and shards of a store
   * @param arena the arena that has most of the keys to be hashed; those are hashed by WebAssembly
   */
  constructor(private readonly key: Int32Array, { wasmMemory, memory }: Pick<Arena, 'wasmMemory' | 'memory'>) {
    this.bytes = memory.bytes
    this.hash = isBuffer(wasmMemory) ? undefined : assemble(wasmMemory, [sipHashFunction(key)]).hash
  }

  static readonly KEY_WORDS = KEY_WORDS

  /** Makes a random key. */
  static fillKey(key: Int32Array): void {
    if (readRandom(key)) return
    const { randomFillSync } = require('node:crypto') as typeof import('node:crypto')
    randomFillSync(key)
  }

  /**
   * The hash of the key in `[start, end)`, which must not begin in the first eight bytes of the arena. If another thread reuses
   * the chunk of the item meanwhile, `end` may be beyond the end of memory; then the hash is meaningless.
   */
  of(bytes: Uint8Array, start: number, end: number): number {
    const isHere = bytes === this.bytes && end <= bytes.length
    return isHere && this.hash !== undefined ? this.hash(start, end) : sipHash(this.key, bytes, start, end)
  }
}

/** Fills words from the system's file of random bytes, as node:crypto takes a millisecond to load. Returns false without it. */
function readRandom(words: Int32Array): boolean {
  try {
    const file = openSync('/dev/urandom', 'r')
    try {
      return readSync(file, words) === words.byteLength
    } finally {
      closeSync(file)
    }
  } catch {
    return false
  }
}
