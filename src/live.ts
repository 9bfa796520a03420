// What commands change while a server runs and all its threads go by, in memory that they share: how much is logged, what of
// it waits to be written, and when the certificates were last read. A leaf: anyone may import it.

/** Words, and then one double. */
const enum Word { Verbosity, LinesUnderWay, LinesLost, Count = 4 }

/** How many lines of workers may wait to be written; the main thread may be slower than all of them together. */
const LINES_MAX = 1000

export class Live {
  /** The bytes of memory that this needs. */
  static readonly BYTES = Word.Count * 4 + 8

  private readonly words: Int32Array
  private readonly readAt: Float64Array

  /** @param memory `BYTES` of it */
  constructor(memory: ArrayBuffer | SharedArrayBuffer) {
    this.words = new Int32Array(memory, 0, Word.Count)
    this.readAt = new Float64Array(memory, Word.Count * 4, 1)
  }

  /** 0 to 3, see -v. */
  get verbosity(): number { return this.words[Word.Verbosity]! }
  set verbosity(level: number) { this.words[Word.Verbosity] = level }

  /** Whether a worker may tell the main thread another line; if not, the line is lost, and counted. */
  mayTellLine(): boolean {
    if (Atomics.add(this.words, Word.LinesUnderWay, 1) < LINES_MAX) return true
    Atomics.sub(this.words, Word.LinesUnderWay, 1)
    Atomics.add(this.words, Word.LinesLost, 1)
    return false
  }

  /** A line that was told has been written; answers how many were lost since the last. */
  lineTold(): number {
    Atomics.sub(this.words, Word.LinesUnderWay, 1)
    return Atomics.exchange(this.words, Word.LinesLost, 0)
  }

  /** Unix time in milliseconds at which the TLS certificates were last read, or found to be what they were. */
  get certificatesReadAt(): number { return this.readAt[0]! }
  set certificatesReadAt(milliseconds: number) { this.readAt[0] = milliseconds }
}
