// Numbers of 64 bits that never come twice, for all threads, without a lock: two words of shared memory that no single
// atomic operation can advance.
//
// The first is the low half of the number. The second counts how often the first has come into a new half of its range,
// so that its lowest bit is what the highest bit of the low word should be. The thread that crosses into the new half counts
// right afterwards. A thread that finds the two bits different is early in its half, and the thread that crossed has not
// counted yet; or it is late in its half, and a thread that is ahead has counted already. That would go wrong only if a thread
// stood still for 2^30 numbers.
import { Counter64Word } from './layout.js'
import { type Instructions } from './wasm.js'

const TOP_BIT = 0x80000000
const LATE_BIT = 0x40000000

export class Counter64 {
  /** The number that `advance` came to, in two words without sign. */
  high = 0
  low = 0

  /**
   * @param at index of Counter64Word.End words; @param shared whether other threads use them
   * @param instructions of the memory of which `words` are all; none: Atomics
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

  private takeLow(): number {
    const { at, instructions } = this
    return (instructions === undefined ? Atomics.add(this.words, at, 1) : instructions.add(at << 2, 1)) + 1
  }
}
