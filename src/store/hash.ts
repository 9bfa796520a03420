// Hash of keys by tabulation: for each position in a key a table of 256 random words, one for each byte; the words of
// all bytes are combined by exclusive or. With tables filled from a random seed nobody can choose keys that fall into
// one bucket, and the bytes can be hashed while they are scanned, one load a byte.
import { randomFillSync } from 'node:crypto'
import { Size } from '../memory/layout.js'

/** The words of position p begin at p * 256. One position more than a key can have, so that a scan may overrun by one. */
export class Hash {
  /** @param words WORDS random words, or to be filled by `randomize` */
  constructor(readonly words: Int32Array) {}

  static readonly WORDS = (Size.KeyMax + 1) * 256

  randomize(): void { randomFillSync(this.words) }

  of(bytes: Uint8Array, start: number, end: number): number {
    const words = this.words
    let hash = 0
    for (let at = start, row = 0; at < end; at++, row += 256) hash ^= words[row + bytes[at]!]!
    return hash
  }
}
