// The settings of the lists of all classes, which commands change while the store is in use. They lie in memory that all threads
// of a store share. Each thread reads them when it needs them, so a change applies to all threads at once. A value may be a
// moment old when it is used; no code needs two values from the same moment.

/** The settings of the lists, at the start and at run time. */
export interface LruSettings {
  /** False: there is one list, and a hit moves its item to the head (at most once a minute), as in memcached 1.4. */
  lruSegmented: boolean
  /** The shares of HOT and WARM in percent of a class's bytes. */
  hotLruPct: number
  warmLruPct: number
  /** The age at which an item leaves HOT or WARM, as a multiple of the age of COLD's tail. */
  hotMaxFactor: number
  warmMaxFactor: number
  /** True: items that expire within temporaryTtl seconds have a list of their own, from which no item is evicted. */
  tempLru: boolean
  temporaryTtl: number
}

/** The words, which are followed by doubles. `Changes` counts the changes. */
const enum Word { IsSegmented, HasTemp, Changes, Count = 4 }
const enum Double { HotPct, WarmPct, HotFactor, WarmFactor, TemporaryTtl, Count }

export class LruTuning implements LruSettings {
  /** The bytes of memory that LruTuning needs. */
  static readonly BYTES = Word.Count * 4 + Double.Count * 8

  private readonly words: Int32Array
  private readonly doubles: Float64Array

  /** @param at byte index of BYTES bytes in `buffer`, divisible by 8 */
  constructor(buffer: ArrayBuffer | SharedArrayBuffer, at: number) {
    this.words = new Int32Array(buffer, at, Word.Count)
    this.doubles = new Float64Array(buffer, at + Word.Count * 4, Double.Count)
  }

  /** Sets all values, when a store is made. */
  begin(settings: LruSettings): void {
    this.lruSegmented = settings.lruSegmented
    this.tempLru = settings.tempLru
    this.temporaryTtl = settings.temporaryTtl
    this.tune(settings.hotLruPct, settings.warmLruPct, settings.hotMaxFactor, settings.warmMaxFactor)
  }

  /** Sets the values of `lru tune`; see LruSettings. */
  tune(hotPct: number, warmPct: number, hotFactor: number, warmFactor: number): void {
    this.doubles[Double.HotPct] = hotPct
    this.doubles[Double.WarmPct] = warmPct
    this.doubles[Double.HotFactor] = hotFactor
    this.doubles[Double.WarmFactor] = warmFactor
    Atomics.add(this.words, Word.Changes, 1)
  }

  /** The number of changes. After a change the lists may need maintenance even if no item is stored. */
  get changes(): number { return this.words[Word.Changes]! }

  get lruSegmented(): boolean { return this.words[Word.IsSegmented]! !== 0 }
  set lruSegmented(isSegmented: boolean) {
    this.words[Word.IsSegmented] = isSegmented ? 1 : 0
    Atomics.add(this.words, Word.Changes, 1)
  }

  get tempLru(): boolean { return this.words[Word.HasTemp]! !== 0 }
  set tempLru(hasTemp: boolean) { this.words[Word.HasTemp] = hasTemp ? 1 : 0 }

  get temporaryTtl(): number { return this.doubles[Double.TemporaryTtl]! }
  set temporaryTtl(seconds: number) { this.doubles[Double.TemporaryTtl] = seconds }

  get hotLruPct(): number { return this.doubles[Double.HotPct]! }
  get warmLruPct(): number { return this.doubles[Double.WarmPct]! }
  get hotMaxFactor(): number { return this.doubles[Double.HotFactor]! }
  get warmMaxFactor(): number { return this.doubles[Double.WarmFactor]! }
}
