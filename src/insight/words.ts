// Words for what reports say in sentences: durations, sizes, times and reasons.
import { Refusal } from '../store/outcome.js'

const MINUTE = 60
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** The words for Refusal in fields. */
const REASONS: readonly string[] = ['too_large', 'no_memory', 'bad_data']

/** A duration in words: `12 s`, `40 min`, `3 h`, `5 days`. Rounded down, and short ones not at all. */
export function duration(seconds: number): string {
  if (seconds < 2 * MINUTE) return `${seconds} s`
  if (seconds < 2 * HOUR) return `${Math.floor(seconds / MINUTE)} min`
  return seconds < 2 * DAY ? `${Math.floor(seconds / HOUR)} h` : `${Math.floor(seconds / DAY)} days`
}

/** The same for a time that has passed. */
export function ago(seconds: number): string { return seconds <= 0 ? 'just now' : `${duration(seconds)} ago` }

/** A number of bytes in words, with a digit behind the point: `1.4 MB`. */
export function size(bytes: number): string {
  if (bytes < 1000) return bytes === 1 ? '1 byte' : `${bytes} bytes`
  return bytes < 1_000_000 ? `${tenth(bytes / 1000)} kB` : `${tenth(bytes / 1_000_000)} MB`
}

function tenth(number: number): string { return String(Math.round(number * 10) / 10) }

/** The time of day of a Unix second. */
export function clockTime(second: number): string {
  const parts = [second % DAY / HOUR, second % HOUR / MINUTE, second % MINUTE]
  return `${parts.map(part => String(Math.floor(part)).padStart(2, '0')).join(':')} UTC`
}

/** The word for a reason in fields; or, with the largest size of an item, in a sentence. */
export function reasonWord(reason: Refusal, itemSizeMax?: number): string {
  if (itemSizeMax === undefined) return REASONS[reason]!
  switch (reason) {
    case Refusal.TooLarge: return `too large, the limit is ${size(itemSizeMax)}`
    case Refusal.NoMemory: return 'no memory'
    case Refusal.BadData: return 'its line was wrong, or no line end followed the value'
  }
}
