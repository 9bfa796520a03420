// A 64-bit counter that all threads advance without a lock; no number is given out twice. It lies in two words of shared memory,
// which no single atomic operation can advance together.
//
// The first word is the low half of the number. The second counts the crossings: how often the first has entered the other half
// of its range. So the lowest bit of the crossings should equal the highest bit of the low word. The thread whose number is the
// first of a half adds the crossing right after it took that number. If a thread finds the two bits different and its number is
// early in its half, the thread that crossed has not added the crossing yet. If its number is late in its half, a thread that is
// ahead has added the next crossing already. This would fail only if a thread stood still while others took 2^30 numbers.
import { Counter64Word } from './layout.js'
import { type Instructions } from './wasm.js'

const TOP_BIT = 0x80000000
const LATE_BIT = 0x40000000

export class Counter64 {
  /** The number that the last `advance` took, as two unsigned words. */
  high = 0
  low = 0

  /**
   * @param at index of Counter64Word.End words; @param shared whether other threads use them
   * @param instructions those of the memory, all of which `words` must cover; without them, Atomics are used
   */
  constructor(private readonly words: Int32Array, private readonly at: number, private readonly shared: boolean,
    private readonly instructions?: Instructions) {}

  advance(): void {
    const { words, at } = this
    this.low = (this.shared ? this.takeLow() : ++words[at]!) >>> 0
    const isCrossing = this.low === 0 || this.low === TOP_BIT
    let crossings = isCrossing ? Atomics.add(words, at + Counter64Word.Crossings, 1) + 1 : words[at + Counter64Word.Crossings]!
    if ((crossings & 1) !== this.low >>> 31) crossings += (this.low & LATE_BIT) === 0 ? 1 : -1
    this.high = crossings >>> 1
  }

  /** The number that a thread took last, rounded above 2^53. */
  get last(): number {
    const { words, at } = this
    const low = Atomics.load(words, at + Counter64Word.Low) >>> 0
    let crossings = Atomics.load(words, at + Counter64Word.Crossings)
    if ((crossings & 1) !== low >>> 31) crossings += (low & LATE_BIT) === 0 ? 1 : -1
    return (crossings >>> 1) * 0x100000000 + low
  }

  private takeLow(): number {
    const { at, instructions } = this
    return (instructions === undefined ? Atomics.add(this.words, at, 1) : instructions.add(at << 2, 1)) + 1
  }
}
