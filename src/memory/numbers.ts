// Reads and writes numbers as decimal digits. A 64-bit number is two words, `high` and `low`. Only numbers of 2^53 and more are
// converted to BigInt.

import { Ascii } from './ascii.js'

const DIGITS_MAX = 20

/** An unsigned 64-bit number, as two unsigned words. */
export class Uint64 {
  high = 0
  low = 0

  set(high: number, low: number): void {
    this.high = high
    this.low = low
  }

  get isZero(): boolean { return this.high === 0 && this.low === 0 }

  setBigInt(value: bigint): void {
    this.high = Number((value >> 32n) & 0xffffffffn)
    this.low = Number(value & 0xffffffffn)
  }

  toBigInt(): bigint { return toBigInt(this.high, this.low) }

  /** Adds, wrapping at 2^64. */
  add(high: number, low: number): void {
    const sum = this.low + low
    this.low = sum >>> 0
    this.high = (this.high + high + (sum > 0xffffffff ? 1 : 0)) >>> 0
  }

  /** Subtracts, stopping at 0. */
  subtract(high: number, low: number): void {
    if (this.high < high || (this.high === high && this.low <= low)) return this.set(0, 0)
    const difference = this.low - low
    this.low = difference >>> 0
    this.high = this.high - high - (difference < 0 ? 1 : 0)
  }
}

/** A number as decimal digits, at most as many as 64 bits take. */
export class Digits {
  readonly bytes = new Uint8Array(DIGITS_MAX)
  count = 0

  set(high: number, low: number): void { this.count = writeUint64(this.bytes, 0, high, low) }

  /** Copies the digits in `[start, end)`. */
  copyFrom(from: Uint8Array, start: number, end: number): void {
    const { bytes } = this
    const count = end - start
    for (let i = 0; i < count; i++) bytes[i] = from[start + i]!
    this.count = count
  }

  readInto(number: Uint64): void { parseUint64(this.bytes, 0, this.count, number) }

  /** The number, which is exact up to 2^53. */
  toNumber(): number {
    let value = 0
    for (let i = 0; i < this.count; i++) value = value * 10 + this.bytes[i]! - Ascii.Zero
    return value
  }

  toString(): string { return Buffer.from(this.bytes.subarray(0, this.count)).toString('latin1') }
}

/** Reads the digits in `[start, end)`. Returns false if the range is empty, has another byte or a number of over 64 bits. */
export function parseUint64(bytes: Uint8Array, start: number, end: number, into: Uint64): boolean {
  if (start >= end) return false
  let value = 0
  for (let at = start; at < end; at++) {
    const digit = bytes[at]! - Ascii.Zero
    if (digit < 0 || digit > 9) return false
    value = value * 10 + digit
  }
  if (value <= Number.MAX_SAFE_INTEGER) {
    into.set(Math.floor(value / 0x100000000), value >>> 0)
    return true
  }
  // half a megabyte of digits is not made a BigInt, which would take long
  while (bytes[start] === Ascii.Zero) start++
  if (end - start > DIGITS_MAX) return false
  const exact = BigInt(Buffer.from(bytes.subarray(start, end)).toString('latin1'))
  if (exact > 0xffffffffffffffffn) return false
  into.setBigInt(exact)
  return true
}

/** Writes a whole number from 0 to 2^53 - 1 in decimal at `at`; returns the index behind it. */
export function writeNumber(bytes: Uint8Array, at: number, value: number): number {
  if (value < 10) {
    bytes[at] = Ascii.Zero + value
    return at + 1
  }
  if (value > 0x7fffffff) {
    const low = value % 1e9
    return writeLast(bytes, writeNumber(bytes, at, (value - low) / 1e9), low, 9)
  }
  return writeLast(bytes, at, value, digitCount(value))
}

/** The number of digits of a number from 10 to 2^31 - 1. */
function digitCount(value: number): number {
  let count = 2
  for (let limit = 100; value >= limit; limit *= 10) count++
  return count
}

/** Writes the last `count` digits of a number below 2^31 at `at`; returns the index behind them. */
function writeLast(bytes: Uint8Array, at: number, value: number, count: number): number {
  let rest = value | 0
  for (let place = at + count - 1; place >= at; place--) {
    const next = (rest / 10) | 0
    bytes[place] = Ascii.Zero + (rest - next * 10)
    rest = next
  }
  return at + count
}

/** Writes two words as one decimal number at `at`, at most 20 digits; returns the index behind it. */
export function writeUint64(bytes: Uint8Array, at: number, high: number, low: number): number {
  if (high < 0x200000) return writeNumber(bytes, at, high * 0x100000000 + low)
  const digits = toBigInt(high, low).toString()
  for (let i = 0; i < digits.length; i++) bytes[at + i] = digits.charCodeAt(i)
  return at + digits.length
}

/** Two unsigned words as one number. */
export function toBigInt(high: number, low: number): bigint {
  return (BigInt(high) << 32n) | BigInt(low)
}
