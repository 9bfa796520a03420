// State of a running server that all its threads use, in memory that they share: whether it serves, the verbosity, the number
// of log lines that wait to be written, the times at which the server started and at which the certificates were last read, and
// the settings of `extstore`. A leaf: any file may import it.

/** The words, which are followed by doubles: two times, and the settings of `extstore`. */
const enum Word { Verbosity, LinesUnderWay, LinesLost, ExternalSet, ServerState, Count = 6 }

/** What a server does. Zeroed memory is a server that starts. */
export const enum ServerState { Starting, Serving, Stopping }

/** The times, in milliseconds. */
const enum Time { CertificatesRead, Started, Count }

/** The settings of the command `extstore`. They are stored only for `stats settings` to show, as there is no external storage. */
export const enum External {
  ItemSize, ItemAge, LowTtl, RecacheRate, CompactUnder, DropUnder, MaxSleep, MaxFrag, DropUnread, Count,
}

/** The names of the settings in the command, by External. `stats settings` prefixes them with `ext_`. */
export const EXTERNAL_NAMES: readonly string[] = [
  'item_size', 'item_age', 'low_ttl', 'recache_rate', 'compact_under', 'drop_under', 'max_sleep', 'max_frag', 'drop_unread',
]

/** The most lines of workers that may wait to be written. The main thread may be slower than all workers together. */
const LINES_MAX = 1000

export class Settings {
  /** The bytes of memory that Settings need. */
  static readonly BYTES = Word.Count * 4 + (Time.Count + External.Count) * 8

  private readonly words: Int32Array
  private readonly times: Float64Array
  private readonly externals: Float64Array

  /** @param memory of BYTES bytes */
  constructor(memory: ArrayBuffer | SharedArrayBuffer) {
    this.words = new Int32Array(memory, 0, Word.Count)
    this.times = new Float64Array(memory, Word.Count * 4, Time.Count)
    this.externals = new Float64Array(memory, Word.Count * 4 + Time.Count * 8, External.Count)
  }

  /** The verbosity, 0 to 3: see -v. */
  get verbosity(): number { return this.words[Word.Verbosity]! }
  set verbosity(level: number) { this.words[Word.Verbosity] = level }

  /** Serving from the time when all threads answer clients. */
  get serverState(): ServerState { return this.words[Word.ServerState]! as ServerState }
  set serverState(state: ServerState) { this.words[Word.ServerState] = state }

  /** Counts a line that a worker posts to the main thread. Returns false if too many wait: then the line is counted as lost. */
  mayPostLine(): boolean {
    if (Atomics.add(this.words, Word.LinesUnderWay, 1) < LINES_MAX) return true
    Atomics.sub(this.words, Word.LinesUnderWay, 1)
    Atomics.add(this.words, Word.LinesLost, 1)
    return false
  }

  /** Called when the main thread has written a posted line. Returns the number of lines that were lost since the last call. */
  lineWritten(): number {
    Atomics.sub(this.words, Word.LinesUnderWay, 1)
    return Atomics.exchange(this.words, Word.LinesLost, 0)
  }

  /** The clock's time in milliseconds at which the TLS certificates were last read or found unchanged. */
  get certificatesReadAt(): number { return this.times[Time.CertificatesRead]! }
  set certificatesReadAt(milliseconds: number) { this.times[Time.CertificatesRead] = milliseconds }

  /** The clock's time in milliseconds at which the server was made. */
  get startedAt(): number { return this.times[Time.Started]! }
  set startedAt(milliseconds: number) { this.times[Time.Started] = milliseconds }

  /** Forgets the settings that `extstore` has changed. */
  forgetExternals(): void { this.words[Word.ExternalSet] = 0 }

  setExternal(setting: External, value: number): void {
    this.externals[setting] = value
    Atomics.or(this.words, Word.ExternalSet, 1 << setting)
  }

  /** The settings that `extstore` has changed so far, with the names and values of `stats settings`. */
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
