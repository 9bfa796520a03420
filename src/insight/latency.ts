// How long sampled requests take: a histogram for each command, from the moment when the server begins a request to that when
// its answer is in the output. The network, and the requests before it in the same read, are not in it. A request whose value
// comes or goes in parts is not counted, as its time is its client's.
//
//   a row a thread | command | command ...    each    | bucket | bucket ... | above the last | sum in seconds |   doubles
import { Command, COMMAND_NAMES } from './commands.js'
import { UNTIMED, type Learner, type Sample } from './sampler.js'

/** The upper bounds of the buckets, in seconds. */
export const LATENCY_BUCKETS: readonly number[] = [
  1e-6, 2.5e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.5, 1,
]
const COUNTS = LATENCY_BUCKETS.length + 1
const SUM = COUNTS
const STRIDE = COUNTS + 1
const ROW = Command.Count * STRIDE

/** The histogram of a command. */
export interface Histogram {
  readonly command: string
  /** The number of requests by bucket: above the bound before, and not above its own. The last is for those above all bounds. */
  readonly counts: readonly number[]
  /** The seconds that all of them took. */
  readonly sum: number
}

export class Latency implements Learner {
  private readonly rows: Float64Array
  private readonly row: Float64Array

  static bytesFor(threads: number): number { return threads * ROW * 8 }

  /** @param at byte index of `bytesFor(threads)` in `memory`; @param thread the number of this thread */
  constructor(memory: ArrayBuffer | SharedArrayBuffer, at: number, private readonly threads: number, thread: number) {
    this.rows = new Float64Array(memory, at, threads * ROW)
    this.row = this.rows.subarray(thread * ROW, (thread + 1) * ROW)
  }

  request({ command, isChance, microseconds, weight }: Sample): void {
    if (!isChance || microseconds === UNTIMED) return
    const seconds = microseconds / 1e6
    let bucket = 0
    while (bucket < LATENCY_BUCKETS.length && seconds > LATENCY_BUCKETS[bucket]!) bucket++
    this.row[command * STRIDE + bucket]! += weight
    this.row[command * STRIDE + SUM]! += seconds * weight
  }

  /** The histograms of all threads together, for the commands that have been sampled since the start. */
  *histograms(): Iterable<Histogram> {
    for (let command = 0; command < Command.Count; command++) {
      const counts = Array.from({ length: COUNTS }, (_, bucket) => this.sumOf(command, bucket))
      if (counts.some(count => count > 0)) yield { command: COMMAND_NAMES[command]!, counts, sum: this.sumOf(command, SUM) }
    }
  }

  private sumOf(command: Command, place: number): number {
    let sum = 0
    for (let thread = 0; thread < this.threads; thread++) sum += this.rows[thread * ROW + command * STRIDE + place]!
    return sum
  }

  /** Forgets all requests. No thread may be serving meanwhile. */
  clear(): void { this.rows.fill(0) }
}
