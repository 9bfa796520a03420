// What commands change while a server runs and all its threads go by, in memory that they share: how much is logged, what of
// it waits to be written, when the certificates were last read, and what `extstore` has set. A leaf: anyone may import it.

/** Words, and then doubles: one for the certificates, the others for `extstore`. */
const enum Word { Verbosity, LinesUnderWay, LinesLost, ExternalSet, Count = 4 }

/** What the command `extstore` sets. There is no external storage here, so it is only kept, for `stats settings` to show. */
export const enum External { ItemSize, ItemAge, LowTtl, RecacheRate, CompactUnder, DropUnder, MaxSleep, MaxFrag, DropUnread, Count }

/** By setting, what the command calls it; `stats settings` puts `ext_` in front. */
export const EXTERNAL_NAMES: readonly string[] = [
  'item_size', 'item_age', 'low_ttl', 'recache_rate', 'compact_under', 'drop_under', 'max_sleep', 'max_frag', 'drop_unread',
]

/** How many lines of workers may wait to be written; the main thread may be slower than all of them together. */
const LINES_MAX = 1000

export class Settings {
  /** The bytes of memory that this needs. */
  static readonly BYTES = Word.Count * 4 + (1 + External.Count) * 8

  private readonly words: Int32Array
  private readonly readAt: Float64Array
  private readonly externals: Float64Array

  /** @param memory `BYTES` of it */
  constructor(memory: ArrayBuffer | SharedArrayBuffer) {
    this.words = new Int32Array(memory, 0, Word.Count)
    this.readAt = new Float64Array(memory, Word.Count * 4, 1)
    this.externals = new Float64Array(memory, Word.Count * 4 + 8, External.Count)
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

  /** The clock's time in milliseconds at which the TLS certificates were last read, or found to be what they were. */
  get certificatesReadAt(): number { return this.readAt[0]! }
  set certificatesReadAt(milliseconds: number) { this.readAt[0] = milliseconds }

  setExternal(setting: External, value: number): void {
    this.externals[setting] = value
    Atomics.or(this.words, Word.ExternalSet, 1 << setting)
  }

  /** What `extstore` has set so far, by the names and in the form of `stats settings`. */
  get external(): ReadonlyMap<string, string> {
    const set = this.words[Word.ExternalSet]!
    const values = EXTERNAL_NAMES.map((name, setting) => [`ext_${name}`, this.externalText(setting)] as const)
    return new Map(values.filter((_, setting) => (set & 1 << setting) !== 0))
  }

  private externalText(setting: External): string {
    const value = this.externals[setting]!
    if (setting === External.DropUnread) return value === 0 ? 'no' : 'yes'
    return setting === External.MaxFrag ? value.toFixed(2) : String(value)
  }
}
