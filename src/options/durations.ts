// Durations as programs write them: milliseconds, or a text such as '31d', '90s' or '1h30m'.

/** A duration: milliseconds, or a text such as '31d', '12h', '5m', '90s', '250ms' or '1h30m'. */
export type Duration = number | string

const MS = 1
const SECOND = 1000 * MS
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

const UNITS: Readonly<Record<string, number>> = { ms: MS, s: SECOND, m: MINUTE, h: HOUR, d: DAY, w: 7 * DAY }

const TEXT = /^(?:\d+(?:\.\d+)?(?:ms|[smhdw])\s*)+$/
const PART = /(\d+(?:\.\d+)?)(ms|[smhdw])/g

/** A description of the texts that `readDuration` takes, for messages. */
export const DURATION_FORM = "milliseconds, or a text such as '31d', '12h', '5m', '90s' or '250ms'"

/** The milliseconds of a duration, which are not rounded; undefined if it is none. */
export function readDuration(duration: unknown): number | undefined {
  if (typeof duration === 'number') return Number.isFinite(duration) ? duration : undefined
  if (typeof duration !== 'string' || !TEXT.test(duration)) return undefined
  let milliseconds = 0
  for (const [, number, unit] of duration.matchAll(PART)) milliseconds += Number(number) * UNITS[unit!]!
  return milliseconds
}
