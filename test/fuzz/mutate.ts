// Ways to spoil a stream of requests.

import { toBuffer } from '../support/bytes.js'
import type { Prng } from '../support/prng.js'

const FLIPS_MAX = 8
const INSERTED_MAX = 30
/** Numbers that a text protocol may stumble over, and what may stand in the length fields of a binary header. */
const NUMBERS = [
  '0', '-1', '1', '250', '251', '1048576', '1073741824', '2147483647', '2147483648', '4294967295', '4294967296',
  '18446744073709551615', '18446744073709551616',
]
const LENGTHS = [0, 1, 7, 8, 9, 23, 24, 250, 251, 255, 256, 65535, 1048576, 0x7fffffff, 0x80000000, 0xffffffff]
/** The fields of a binary header that are lengths: where they lie, how many bytes they have. */
const LENGTH_FIELDS = [{ at: 2, bytes: 2 }, { at: 4, bytes: 1 }, { at: 8, bytes: 4 }]

type Mutation = (bytes: Buffer, prng: Prng) => Buffer

/** Mutations that suit any stream. */
const COMMON: readonly Mutation[] = [
  (bytes, prng) => {
    const flipped = Buffer.from(bytes)
    for (let count = prng.between(1, FLIPS_MAX); count > 0; count--) {
      const at = prng.below(bytes.length)
      flipped.writeUInt8(flipped.readUInt8(at) ^ 1 << prng.below(8), at)
    }
    return flipped
  },
  (bytes, prng) => bytes.subarray(0, prng.below(bytes.length)),
  (bytes, prng) => {
    const { start, end } = range(bytes, prng)
    return Buffer.concat([bytes.subarray(0, end), bytes.subarray(start)])
  },
  (bytes, prng) => {
    const { start, end } = range(bytes, prng)
    return Buffer.concat([bytes.subarray(0, start), bytes.subarray(end)])
  },
  (bytes, prng) => {
    const at = prng.below(bytes.length)
    const inserted = Buffer.from(Array.from({ length: prng.between(1, INSERTED_MAX) }, () => prng.below(256)))
    return Buffer.concat([bytes.subarray(0, at), inserted, bytes.subarray(at)])
  },
]

const TEXT: readonly Mutation[] = [
  ...COMMON,
  (bytes, prng) => {
    const numbers = [...bytes.subarray(0, 10_000).toString('latin1').matchAll(/\d+/g)]
    if (numbers.length === 0) return bytes
    const number = prng.pick(numbers)
    return Buffer.concat([bytes.subarray(0, number.index), toBuffer(prng.pick(NUMBERS)),
      bytes.subarray(number.index + number[0].length)])
  },
]

const BINARY: readonly Mutation[] = [
  ...COMMON,
  (bytes, prng) => {
    const field = prng.pick(LENGTH_FIELDS)
    const length = prng.pick(LENGTHS) % 2 ** (8 * field.bytes)
    if (bytes.length < field.at + field.bytes) return bytes
    const changed = Buffer.from(bytes)
    changed.writeUIntBE(length, field.at, field.bytes)
    return changed
  },
]

/** One frame, spoiled. */
export function mutate(frame: Buffer, prng: Prng, isBinary: boolean): Buffer {
  return frame.length === 0 ? frame : prng.pick(isBinary ? BINARY : TEXT)(frame, prng)
}

/** The start of one stream and the end of another. */
export function splice(one: Buffer, other: Buffer, prng: Prng): Buffer {
  return Buffer.concat([one.subarray(0, prng.below(one.length + 1)), other.subarray(prng.below(other.length + 1))])
}

function range(bytes: Buffer, prng: Prng): { start: number, end: number } {
  const start = prng.below(bytes.length)
  return { start, end: start + prng.below(Math.min(bytes.length - start, 2000)) + 1 }
}
