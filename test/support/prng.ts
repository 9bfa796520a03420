// Random numbers that can be had again: the same seed gives the same sequence
// on every machine. A failing test prints its seed.
import './fresh.js'

export class Prng {
  private state: number

  constructor(readonly seed: number) {
    this.state = seed >>> 0
  }

  /** 0 <= result < 2^32 (mulberry32). */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0
    let mixed = this.state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return (mixed ^ (mixed >>> 14)) >>> 0
  }

  /** An integer of 0 to `limit` - 1. */
  below(limit: number): number {
    return Math.floor((this.next() / 0x1_0000_0000) * limit)
  }

  /** An integer of `least` to `most`, both possible. */
  between(least: number, most: number): number {
    return least + this.below(most - least + 1)
  }

  bytes(count: number): Buffer {
    const bytes = Buffer.alloc(count)
    for (let at = 0; at < count; at++) bytes[at] = this.below(256)
    return bytes
  }

  /** True once in `times`. */
  oneIn(times: number): boolean {
    return this.below(times) === 0
  }

  pick<T>(choices: readonly T[]): T {
    const choice = choices[this.below(choices.length)]
    if (choice === undefined) throw new Error('nothing to pick from')
    return choice
  }

  /** The same in any order. */
  shuffled<T>(things: readonly T[]): T[] {
    const all = [...things]
    for (let last = all.length - 1; last > 0; last--) {
      const other = this.below(last + 1)
      const thing = all[last]!
      all[last] = all[other]!
      all[other] = thing
    }
    return all
  }

  /** One of the choices; `weight` says how often each comes up. */
  pickWeighted<T extends { readonly weight: number }>(choices: readonly T[]): T {
    let left = this.below(choices.reduce((sum, choice) => sum + choice.weight, 0))
    for (const choice of choices) {
      left -= choice.weight
      if (left < 0) return choice
    }
    throw new Error('nothing to pick from')
  }
}
