// How late the event loops of the threads come to what is due: a histogram for each thread. A timer of the thread says it, which
// is due every 20 ms while clients send something, and once a second otherwise, so that an idle process sleeps. All requests of
// a thread wait while it is late.
//
//   a row a thread | bucket | bucket ... | above the last | sum in seconds |   doubles
import { Pace, type Clock } from '../clock.js'
import { Counter, type Counters } from '../stats/counters.js'

/** The upper bounds of the buckets, in seconds. Timers are exact to a millisecond. */
export const LOOP_BUCKETS: readonly number[] = [1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.25, 0.5, 1, 2.5, 5]
const COUNTS = LOOP_BUCKETS.length + 1
const SUM = COUNTS
const ROW = COUNTS + 1

const BUSY_MS = 20
const IDLE_MS = 1000

/** The histogram of a thread: how often its loop was so late. The last count is for what is above all bounds. */
export interface LoopHistogram {
  readonly thread: number
  readonly counts: readonly number[]
  /** The seconds of all delays. */
  readonly sum: number
}

export class Loops {
  private readonly rows: Float64Array
  private readonly row: Float64Array

  static bytesFor(threads: number): number { return threads * ROW * 8 }

  /** @param at byte index of `bytesFor(threads)` in `memory`; @param thread the number of this thread */
  constructor(memory: ArrayBuffer | SharedArrayBuffer, at: number, private readonly threads: number, thread: number) {
    this.rows = new Float64Array(memory, at, threads * ROW)
    this.row = this.rows.subarray(thread * ROW, (thread + 1) * ROW)
  }

  /** Notes that the loop of this thread was late. */
  note(seconds: number): void {
    let bucket = 0
    while (bucket < LOOP_BUCKETS.length && seconds > LOOP_BUCKETS[bucket]!) bucket++
    this.row[bucket]!++
    this.row[SUM]! += seconds
  }

  /** The histograms of the threads that watch their loops. */
  *histograms(): Iterable<LoopHistogram> {
    for (let thread = 0; thread < this.threads; thread++) {
      const row = this.rows.subarray(thread * ROW, (thread + 1) * ROW)
      const counts = Array.from(row.subarray(0, COUNTS))
      if (counts.some(count => count > 0)) yield { thread, counts, sum: row[SUM]! }
    }
  }
}

/** Watches the event loop of this thread. */
export class LoopWatch {
  private readonly pace: Pace
  private dueAt = 0
  private bytesBefore = 0

  /** @param now the time in milliseconds, from any moment */
  constructor(clock: Clock, private readonly loops: Loops, private readonly counters: Counters,
    private readonly now: () => number) {
    this.pace = new Pace(clock, () => this.tick())
  }

  start(): void { this.expect(BUSY_MS) }

  stop(): void { this.pace.set(0) }

  private tick(): void {
    this.loops.note(Math.max(this.now() - this.dueAt, 0) / 1000)
    const bytes = this.counters.own(Counter.BytesRead)
    const isBusy = bytes !== this.bytesBefore
    this.bytesBefore = bytes
    this.expect(isBusy ? BUSY_MS : IDLE_MS)
  }

  private expect(intervalMs: number): void {
    this.pace.set(intervalMs)
    this.dueAt = this.now() + intervalMs
  }
}
