// The hash of keys without a store around it, under a key that is the same each time.
import { sipHash } from '../../src/store/index/siphash.js'

const KEY = Int32Array.of(1, 2, 3, 4)

export const knownHash = { of: (bytes: Uint8Array, start: number, end: number): number => sipHash(KEY, bytes, start, end) }
