// How the lists of all classes are kept, as far as commands change it while the store is in use. It lies in memory that all
// threads of a store share, and each reads it there whenever it needs it, so a change counts in all of them at once. A value
// may be a moment old when it is used; nothing needs two of them to fit each other.

/** The settings of the lists, at the start and at run time. */
export interface LruSettings {
  /** False: one list, every hit moves its item to the head (at most once a minute), as memcached 1.4 did. */
  lruSegmented: boolean
  /** The shares of HOT and WARM in percent of a class's bytes. */
  hotLruPct: number
  warmLruPct: number
  /** The age, as a multiple of that of COLD's tail, from which an item leaves HOT or WARM. */
  hotMaxFactor: number
  warmMaxFactor: number
  /** Items that live no longer than temporaryTtl seconds get a list of their own, from which nothing is evicted. */
  tempLru: boolean
  temporaryTtl: number
}

/** Words; then doubles. Changes grows with every change. */
const enum Word { IsSegmented, HasTemp, Changes, Count = 4 }
const enum Double { HotPct, WarmPct, HotFactor, WarmFactor, TemporaryTtl, Count }

export class LruTuning implements LruSettings {
  /** The bytes of memory that this needs. */
  static readonly BYTES = Word.Count * 4 + Double.Count * 8

  private readonly words: Int32Array
  private readonly doubles: Float64Array

  /** @param at byte index of `BYTES` in `buffer`, divisible by 8 */
  constructor(buffer: ArrayBuffer | SharedArrayBuffer, at: number) {
    this.words = new Int32Array(buffer, at, Word.Count)
    this.doubles = new Float64Array(buffer, at + Word.Count * 4, Double.Count)
  }

  /** Takes all values over, those of a store that is made. */
  begin(settings: LruSettings): void {
    this.lruSegmented = settings.lruSegmented
    this.tempLru = settings.tempLru
    this.temporaryTtl = settings.temporaryTtl
    this.tune(settings.hotLruPct, settings.warmLruPct, settings.hotMaxFactor, settings.warmMaxFactor)
  }

  /** Sets what `lru tune` does; see LruSettings. */
  tune(hotPct: number, warmPct: number, hotFactor: number, warmFactor: number): void {
    this.doubles[Double.HotPct] = hotPct
    this.doubles[Double.WarmPct] = warmPct
    this.doubles[Double.HotFactor] = hotFactor
    this.doubles[Double.WarmFactor] = warmFactor
    Atomics.add(this.words, Word.Changes, 1)
  }

  /** A number that is another one after each change: then the lists may have to be put in order though nothing is stored. */
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
