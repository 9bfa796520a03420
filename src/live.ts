// What commands change while a server runs and all its threads go by, in memory that they share: how much is logged, and
// when the certificates were last read. A leaf: anyone may import it.

/** Words, and doubles where it says so. */
const enum Word { Verbosity, ReadAtDouble = 1, Count = 2 }

export class Live {
  /** The bytes of memory that this needs. */
  static readonly BYTES = Word.Count * 8

  private readonly words: Int32Array
  private readonly doubles: Float64Array

  /** @param memory `BYTES` of it */
  constructor(memory: ArrayBuffer | SharedArrayBuffer) {
    this.words = new Int32Array(memory)
    this.doubles = new Float64Array(memory)
  }

  /** 0 to 3, see -v. */
  get verbosity(): number { return this.words[Word.Verbosity]! }
  set verbosity(level: number) { this.words[Word.Verbosity] = level }

  /** Unix time in milliseconds at which the TLS certificates were last read, or found to be what they were. */
  get certificatesReadAt(): number { return this.doubles[Word.ReadAtDouble]! }
  set certificatesReadAt(milliseconds: number) { this.doubles[Word.ReadAtDouble] = milliseconds }
}
