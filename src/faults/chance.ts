// Chance with a seed: the same seed gives the same numbers, in any thread.

/** A number from 0 to below 1 for the n-th of something. */
export function chanceOf(seed: number, n: number): number { return mix(mix(seed | 0) ^ Math.imul(n, 0x9e3779b9)) / 2 ** 32 }

/** A row of numbers from 0 to below 1, one for each connection of a fault. */
export class Chance {
  private count = 0
  private readonly seed: number

  constructor(seed: number, connection: number) { this.seed = mix((seed | 0) ^ Math.imul(connection, 0x85ebca6b)) }

  next(): number { return chanceOf(this.seed, ++this.count) }

  /** A whole number from -`bound` to `bound`. */
  around(bound: number): number { return Math.floor(this.next() * (2 * bound + 1)) - bound }
}

/** Mixes the bits of a number, as murmur3 ends with. */
function mix(number: number): number {
  let bits = number
  bits = Math.imul(bits ^ bits >>> 16, 0x85ebca6b)
  bits = Math.imul(bits ^ bits >>> 13, 0xc2b2ae35)
  return (bits ^ bits >>> 16) >>> 0
}
