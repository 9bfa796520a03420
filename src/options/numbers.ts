// How memcached reads the numbers of its command line. Most it takes as C's atoi, atof and strtol do: the digits count,
// what follows them is dropped, and what has none is 0. Some it takes whole or not at all.

/** A number, and whether it is all that was written. */
export interface Reading {
  readonly value: number
  readonly isPlain: boolean
}

const LONG_MAX = 2n ** 63n - 1n

/** As atoi: a whole number of 32 bits, from which larger ones are cut. */
export function readWhole(text: string): Reading {
  const digits = /^\s*([+-]?\d+)/.exec(text)
  if (digits === null) return { value: 0, isPlain: false }
  const number = BigInt(digits[1]?.replace('+', '') ?? 0)
  const long = number > LONG_MAX ? LONG_MAX : number < -LONG_MAX ? -LONG_MAX - 1n : number
  const value = BigInt.asIntN(32, long)
  return { value: Number(value), isPlain: digits[0].length === text.length && value === number }
}

/** As strtol with base 8, of 32 bits. */
export function readOctal(text: string): Reading {
  const digits = /^\s*([+-]?)([0-7]+)/.exec(text)
  if (digits === null) return { value: 0, isPlain: false }
  const number = parseInt(digits[2] ?? '0', 8) * (digits[1] === '-' ? -1 : 1)
  const value = Math.min(Math.max(number, -(2 ** 31)), 2 ** 31 - 1)
  return { value, isPlain: digits[0].length === text.length && value === number }
}

/** As atof. */
export function readFraction(text: string): Reading {
  const number = /^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?/i.exec(text)
  return number === null ? { value: 0, isPlain: false } : { value: Number(number[0]), isPlain: number[0].length === text.length }
}

/** A whole number with nothing but spaces beside it; undefined if there is anything else. */
export function readStrictly(text: string): Reading | undefined {
  return /^\s*[+-]?\d{1,15}\s*$/.test(text) ? { value: Number(text), isPlain: true } : undefined
}

/** The same, with a point or without. */
export function readFractionStrictly(text: string): Reading | undefined {
  const number = readFraction(text.trimEnd())
  return number.isPlain ? number : undefined
}

/**
 * As memcached reads `-I`: a k or m at the very end means 1,024 bytes or as many of those; before it anything may stand
 * behind the digits.
 */
export function readSize(text: string): Reading {
  const unit = { k: 1024, m: 1024 * 1024 }[text.slice(-1).toLowerCase()]
  if (unit === undefined) return readWhole(text)
  const { value, isPlain } = readWhole(text.slice(0, -1))
  return { value: value * unit, isPlain }
}
