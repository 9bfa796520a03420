// Seeded random numbers, so that every run, and both servers of a run, see the same keys in the same order.

// mulberry32: 32 bits of state are plenty for shuffling keys.
export class Prng {
  constructor(private state: number) {}

  // 0 <= x < 1
  next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0
    let x = Math.imul(this.state ^ (this.state >>> 15), this.state | 1)
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61)
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32
  }

  below(limit: number): number {
    return Math.floor(this.next() * limit)
  }
}

export function shuffle<T>(things: T[], prng: Prng): T[] {
  for (let last = things.length - 1; last > 0; last--) {
    const other = prng.below(last + 1)
    const thing = things[last]!
    things[last] = things[other]!
    things[other] = thing
  }
  return things
}

// Ranks 0 to count - 1, where rank r comes with a probability proportional to 1 / (r + 1) ** exponent.
export class Zipf {
  private readonly cumulative: Float64Array

  constructor(count: number, exponent: number, private readonly prng: Prng) {
    this.cumulative = new Float64Array(count)
    let sum = 0
    for (let rank = 0; rank < count; rank++) {
      sum += 1 / (rank + 1) ** exponent
      this.cumulative[rank] = sum
    }
  }

  next(): number {
    const wanted = this.prng.next() * this.cumulative[this.cumulative.length - 1]!
    let low = 0
    let high = this.cumulative.length - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.cumulative[middle]! < wanted) low = middle + 1
      else high = middle
    }
    return low
  }
}
