// What clients do, as far as advice is about it: counts of sampled requests. advice.ts says what they mean. Rates are those of
// samples that were drawn by chance; what a client does in a row is known from the samples that follow one of the same client.
//
//   a row a thread | a count or a largest value, by Habit, doubles | length and bytes of the key of the last herd
//
// A herd: clients that miss one key at the same time, so that each makes its value and stores it. Each thread remembers some keys
// that were missed in the last seconds, by their hash; two keys at one place push each other out. As only samples are seen, and
// each thread sees its own, a small herd stays unknown.
import { Use, type Learner, type Sample } from './sampler.js'
import { Command } from './commands.js'

/** The counts, and after them the largest values. */
export const enum Habit {
  /** All samples. */
  Requests,
  /** The weights of the samples that were drawn by chance: each stands for weight/rate requests. */
  ByChance,
  /** Gets of one key whose client was seen again; and those of them that were followed by another such get without a pause. */
  GetsFollowed, SingleGets,
  Keys, LongKeys,
  /** Values that clients send, and those near the limit. */
  Values, LargeValues,
  /** Ttls but 0, and those that look like milliseconds. */
  Ttls, MillisecondTtls,
  Herds,
  LongestKey, LargestValue, MillisecondTtl,
  /** The misses of the largest herd, by an estimate. */
  HerdMisses,
  KeyLength,
  Count,
}

/** A get that comes so soon after the answer to another one does not wait for a person or a timer, in milliseconds. */
export const PAUSE_MS = 5
/** The least length of a long key. */
export const LONG_KEY_BYTES = 200
/** The share of -I from which a value is near the limit. */
export const LARGE_SHARE = 0.8
/** The largest exptime that is not a date, in seconds. */
export const TTL_MAX = 60 * 60 * 24 * 30
/** Dates before this one, in 2001, are no dates that anyone means. */
const DATE_MIN = 1e9
/** The seconds within which the misses of a herd come, and the store after them. */
export const HERD_SECONDS = 2
/** The least misses of a herd, seen and by the estimate. */
const HERD_SEEN_MIN = 3
const HERD_MISSES_MIN = 20

const KEY_BYTES_MAX = 250
const ROW_BYTES = Habit.Count * 8 + Math.ceil(KEY_BYTES_MAX / 8) * 8

/** The places for keys that were missed, a power of two, and the words of a place. */
const PLACES = 256
const enum Missed { Hash, Since, Count, Weight, Client, Clients, Stride = 8 }

export class Habits implements Learner {
  private readonly rows: readonly Float64Array[]
  private readonly keys: readonly Uint8Array[]
  private readonly row: Float64Array
  private readonly missed = new Int32Array(PLACES * Missed.Stride)

  static bytesFor(threads: number): number { return threads * ROW_BYTES }

  /**
   * @param at byte index of `bytesFor(threads)` in `memory`, a multiple of 8
   * @param thread the number of this thread
   * @param rate the share of the requests that are sampled
   * @param valueBytesMax that of -I
   */
  constructor(memory: ArrayBuffer | SharedArrayBuffer, at: number, threads: number, private readonly thread: number,
    private readonly rate: number, private readonly valueBytesMax: number) {
    const starts = Array.from({ length: threads }, (_, index) => at + index * ROW_BYTES)
    this.rows = starts.map(start => new Float64Array(memory, start, Habit.Count))
    this.keys = starts.map(start => new Uint8Array(memory, start + Habit.Count * 8, KEY_BYTES_MAX))
    this.row = this.rows[thread]!
  }

  // Sums over all threads

  sum(habit: Habit): number { return this.rows.reduce((sum, row) => sum + row[habit]!, 0) }

  largest(habit: Habit): number { return this.rows.reduce((largest, row) => Math.max(largest, row[habit]!), 0) }

  /** The key of the largest herd. */
  get herdKey(): Uint8Array {
    const thread = this.rows.findIndex(row => row[Habit.HerdMisses] === this.largest(Habit.HerdMisses))
    return this.keys[thread]!.subarray(0, this.rows[thread]![Habit.KeyLength])
  }

  /** Forgets everything. What other threads note at this moment may stay. */
  clear(): void {
    for (const row of this.rows) row.fill(0)
    this.missed.fill(0)
  }

  // Samples

  request(sample: Sample): void {
    const { row } = this
    row[Habit.Requests]!++
    if (sample.isChance) row[Habit.ByChance]! += sample.weight
    if (sample.isNext && isGet(sample.previous) && sample.previousKeys === 1) {
      row[Habit.GetsFollowed]!++
      if (isGet(sample.command) && sample.keys === 1 && sample.isLast && sample.previousMs <= PAUSE_MS) row[Habit.SingleGets]!++
    }
  }

  key(sample: Sample): void {
    const { use } = sample
    if (use === Use.Read && sample.isHit) this.forgetMisses(sample.hash)
    else if (use === Use.Read) this.miss(sample)
    else if (use === Use.Store) this.stored(sample)
    // those that follow others come from the clients that send most
    if (!sample.isChance) return
    this.noteKey(sample.keyEnd - sample.keyStart)
    if (use === Use.Store) this.noteValue(sample.valueBytes)
    if (sample.exptime > 0) this.noteTtl(sample.exptime)
  }

  private noteKey(bytes: number): void {
    const { row } = this
    row[Habit.Keys]!++
    if (bytes >= LONG_KEY_BYTES) row[Habit.LongKeys]!++
    if (bytes > row[Habit.LongestKey]!) row[Habit.LongestKey] = bytes
  }

  private noteValue(bytes: number): void {
    const { row } = this
    row[Habit.Values]!++
    if (bytes >= LARGE_SHARE * this.valueBytesMax) row[Habit.LargeValues]!++
    if (bytes > row[Habit.LargestValue]!) row[Habit.LargestValue] = bytes
  }

  private noteTtl(exptime: number): void {
    const { row } = this
    row[Habit.Ttls]!++
    if (!looksLikeMilliseconds(exptime)) return
    row[Habit.MillisecondTtls]!++
    row[Habit.MillisecondTtl] = exptime
  }

  // Herds

  private miss({ hash, now, client, weight }: Sample): void {
    const { missed } = this
    const place = placeOf(hash)
    if (!this.isMissed(hash, now)) {
      missed[place + Missed.Hash] = hash
      missed[place + Missed.Since] = now
      missed[place + Missed.Weight] = 0
      missed[place + Missed.Count] = missed[place + Missed.Clients] = 1
    } else {
      missed[place + Missed.Count]!++
      if (missed[place + Missed.Client] !== client) missed[place + Missed.Clients]!++
    }
    missed[place + Missed.Weight]! += weight
    missed[place + Missed.Client] = client
  }

  private stored(sample: Sample): void {
    const { missed, row } = this
    const place = placeOf(sample.hash)
    if (!this.isMissed(sample.hash, sample.now)) return
    const seen = missed[place + Missed.Count]!
    const misses = Math.round(missed[place + Missed.Weight]! / this.rate)
    if (seen < HERD_SEEN_MIN || misses < HERD_MISSES_MIN || missed[place + Missed.Clients]! < 2) return
    this.forgetMisses(sample.hash)
    row[Habit.Herds]!++
    if (misses > row[Habit.HerdMisses]!) this.noteHerd(sample, misses)
  }

  private noteHerd({ bytes, keyStart, keyEnd }: Sample, misses: number): void {
    this.row[Habit.HerdMisses] = misses
    this.row[Habit.KeyLength] = keyEnd - keyStart
    this.keys[this.thread]!.set(bytes.subarray(keyStart, keyEnd))
  }

  /** True if a key was missed within the last seconds, and not found since. */
  private isMissed(hash: number, now: number): boolean {
    const { missed } = this
    const place = placeOf(hash)
    return missed[place + Missed.Count]! > 0 && missed[place + Missed.Hash] === hash &&
      now - missed[place + Missed.Since]! <= HERD_SECONDS
  }

  private forgetMisses(hash: number): void {
    const place = placeOf(hash)
    if (this.missed[place + Missed.Hash] === hash) this.missed[place + Missed.Count] = 0
  }
}

function placeOf(hash: number): number { return (hash & (PLACES - 1)) * Missed.Stride }

function isGet(command: Command): boolean {
  return command === Command.Get || command === Command.Gets || command === Command.Mg
}

/**
 * True if an exptime is a round number of seconds when it is read as milliseconds, and no round number of hours when it is read
 * as seconds; also if memcached takes it as a date that was long ago.
 */
function looksLikeMilliseconds(exptime: number): boolean {
  if (exptime > TTL_MAX) return exptime < DATE_MIN
  return exptime > 10_000 && exptime % 1000 === 0 && exptime % 3600 !== 0 && exptime !== 100_000 && exptime !== 1_000_000
}
