// Keys that are scanned before their requests are served, of one line or of the lines behind it, so that their look-ups can be
// prefetched together: see Store.prefetch. A key that was scanned ahead is not scanned again. It is found by the place at which
// it begins, so a key that is never asked for, because its line is wrong or has to wait, does no harm.
import { Ascii } from '../memory/ascii.js'
import { PREFETCH_MAX, type Store } from '../store/store.js'
import { type Host } from './host.js'
import { type Input } from './input.js'
import { type Ahead, type LineParser } from './line.js'

const SET_BYTES = 'set'.length
/** An index beyond all batches. */
const UNKNOWN = 0x7fffffff

/** The places of a key: see LineParser. */
const enum Place { KeyStart, KeyEnd, Stop, Count }

export class KeysAhead implements Ahead {
  private readonly input: Input
  private readonly store: Store
  private readonly bytes: Uint8Array
  // the results of LineParser.scanKey for each key; of the `count` keys, the last `keysLeft` of the parser have not been read yet
  private readonly hashes = new Int32Array(PREFETCH_MAX)
  private readonly places = new Int32Array(PREFETCH_MAX * Place.Count)
  private count = 0
  /** The batch in whose bytes they are. */
  private batch = 0

  constructor({ input, store }: Host, private readonly parser: LineParser) {
    this.input = input
    this.store = store
    this.bytes = input.bytes
  }

  recall(at: number): boolean {
    const { parser } = this
    const index = this.count - parser.keysLeft
    if (this.places[index * Place.Count + Place.KeyStart] === at && this.batch === this.input.batch) {
      this.take(index)
      return true
    }
    parser.keysLeft = 0
    return parser.scanKey(at)
  }

  scanLine(): void {
    const { parser } = this
    let count = 0
    do this.keep(count++)
    while (count < PREFETCH_MAX && parser.scanKey(parser.skipSpaces(parser.stop)) && parser.keyEnd > parser.keyStart)
    this.prefetch(count)
  }

  scanLines(at: number, end: number): void {
    const { bytes, parser } = this
    let count = 0
    this.keep(count++)
    while (count < PREFETCH_MAX && at < end) {
      let nameEnd = at
      while (bytes[nameEnd]! > Ascii.Space) nameEnd++
      if (bytes[nameEnd] !== Ascii.Space || !parser.scanKey(nameEnd + 1) || parser.keyEnd === parser.keyStart) break
      this.keep(count++)
      at = this.lineBehind(at, nameEnd)
    }
    this.prefetch(count)
  }

  /** The line behind the one that begins at `at`, whose key was just scanned; UNKNOWN if it may be in the middle of a value. */
  private lineBehind(at: number, nameEnd: number): number {
    const { bytes, parser } = this
    switch (bytes[at]) {
      // a get of more keys scans them itself, and what is behind it
      case Ascii.G: return bytes[parser.stop] === Ascii.LineEnd ? parser.stop + 1 : UNKNOWN
      case Ascii.S: return nameEnd - at === SET_BYTES ? this.lineBehindValue(3) : UNKNOWN
      case Ascii.M: return bytes[at + 1] === Ascii.S ? this.lineBehindValue(1) : parser.lineEndAt(parser.stop) + 1
      // decr, delete, incr, touch
      case Ascii.D: case Ascii.I: case Ascii.T: return parser.lineEndAt(parser.stop) + 1
      default: return UNKNOWN
    }
  }

  /** The line behind a value whose length is the last of so many numbers behind the key. */
  private lineBehindValue(numbers: number): number {
    const { bytes, parser } = this
    for (let number = 0; number < numbers; number++) {
      if (bytes[parser.stop] !== Ascii.Space || !parser.readDigits(parser.stop + 1)) return UNKNOWN
    }
    return parser.lineEndAt(parser.stop) + 1 + parser.value + 2
  }

  private prefetch(count: number): void {
    this.count = count
    this.batch = this.input.batch
    this.take(0)
    if (count > 1) this.store.prefetch(this.hashes, count)
  }

  private keep(index: number): void {
    const { parser } = this
    const { places } = this
    this.hashes[index] = parser.hash
    places[index * Place.Count + Place.KeyStart] = parser.keyStart
    places[index * Place.Count + Place.KeyEnd] = parser.keyEnd
    places[index * Place.Count + Place.Stop] = parser.stop
  }

  /** Makes a key the scanned one. */
  private take(index: number): void {
    const { parser, places } = this
    parser.hash = this.hashes[index]!
    parser.keyStart = places[index * Place.Count + Place.KeyStart]!
    parser.keyEnd = places[index * Place.Count + Place.KeyEnd]!
    parser.stop = places[index * Place.Count + Place.Stop]!
    parser.keysLeft = this.count - index - 1
  }
}
