// Reads numbers as memcached reads those of its command line. Most are read as by C's atoi, atof and strtol: the digits count,
// the text behind them is ignored, and a text without digits is 0. Some are read strictly: other text is refused.

/** A number that was read from a text. */
export interface Reading {
  readonly value: number
  /** True if the whole text is this number. */
  readonly isPlain: boolean
}

const LONG_MAX = 2n ** 63n - 1n

/** Reads as atoi: a whole number, of which the lowest 32 bits are kept. */
export function readWhole(text: string): Reading {
  const digits = /^\s*([+-]?\d+)/.exec(text)
  if (digits === null) return { value: 0, isPlain: false }
  const number = BigInt(digits[1]?.replace('+', '') ?? 0)
  const long = number > LONG_MAX ? LONG_MAX : number < -LONG_MAX ? -LONG_MAX - 1n : number
  const value = BigInt.asIntN(32, long)
  return { value: Number(value), isPlain: digits[0].length === text.length && value === number }
}

/** Reads as strtol with base 8, limited to 32 bits. */
export function readOctal(text: string): Reading {
  const digits = /^\s*([+-]?)([0-7]+)/.exec(text)
  if (digits === null) return { value: 0, isPlain: false }
  const number = parseInt(digits[2] ?? '0', 8) * (digits[1] === '-' ? -1 : 1)
  const value = Math.min(Math.max(number, -(2 ** 31)), 2 ** 31 - 1)
  return { value, isPlain: digits[0].length === text.length && value === number }
}

/** Reads as atof. */
export function readFraction(text: string): Reading {
  const number = /^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?/i.exec(text)
  return number === null ? { value: 0, isPlain: false } : { value: Number(number[0]), isPlain: number[0].length === text.length }
}

/** Reads a whole number that may have spaces around it; undefined if there is anything else. */
export function readStrictly(text: string): Reading | undefined {
  return /^\s*[+-]?\d{1,15}\s*$/.test(text) ? { value: Number(text), isPlain: true } : undefined
}

/** Reads a number, with or without a decimal point, that may have spaces around it; undefined if there is anything else. */
export function readFractionStrictly(text: string): Reading | undefined {
  const number = readFraction(text.trimEnd())
  return number.isPlain ? number : undefined
}

/**
 * Reads as memcached reads `-I`: a k or m at the very end means KiB or MiB. Between the digits and that letter there may be
 * any text.
 */
export function readSize(text: string): Reading {
  const unit = { k: 1024, m: 1024 * 1024 }[text.slice(-1).toLowerCase()]
  if (unit === undefined) return readWhole(text)
  const { value, isPlain } = readWhole(text.slice(0, -1))
  return { value: value * unit, isPlain }
}
