// The clock of a TestServer, which a test moves by hand: see testing/clock.ts. All threads of a server share its memory, and each
// has a TestClock over it. The store's seconds begin long before the server, so this clock may go back, too.
import { type Clock } from '../clock.js'

/** The numbers in memory: milliseconds that are added to the clock below, and the time at which it is frozen; 0 if it runs. */
const enum Moved { By, FrozenAt, Count }
/** The words of the same memory; the numbers above take four. */
const enum Word { RunCount = 4, Count = 6 }

/** A task that is repeated, by the timer of the clock below and when the time is moved. */
interface Repeated {
  readonly intervalMs: number
  readonly task: () => void
  /** The time by this clock at which it last ran, or began. */
  ranAt: number
}

export class TestClock implements Clock {
  /** The bytes of memory that a TestClock needs, all 0 at the start. */
  static readonly BYTES = Word.Count * 4

  private readonly moved: Float64Array
  private readonly words: Int32Array
  private readonly repeated = new Set<Repeated>()

  /** @param below the clock that this one follows while it is not frozen */
  constructor(private readonly below: Clock, memory: SharedArrayBuffer) {
    this.moved = new Float64Array(memory, 0, Moved.Count)
    this.words = new Int32Array(memory)
  }

  milliseconds(): number {
    const frozenAt = this.moved[Moved.FrozenAt]!
    return frozenAt === 0 ? this.below.milliseconds() + this.moved[Moved.By]! : frozenAt
  }

  every(intervalMs: number, task: () => void): () => void {
    const repeated: Repeated = { intervalMs, task, ranAt: this.milliseconds() }
    this.repeated.add(repeated)
    const stop = this.below.every(intervalMs, () => this.run(repeated))
    return () => {
      stop()
      this.repeated.delete(repeated)
    }
  }

  private run(repeated: Repeated): void {
    repeated.ranAt = this.milliseconds()
    repeated.task()
  }

  /** Sets the time, from which the clock goes on if it is not frozen. */
  set(milliseconds: number): void {
    if (this.isFrozen) this.moved[Moved.FrozenAt] = milliseconds
    else this.moved[Moved.By] = milliseconds - this.below.milliseconds()
  }

  get isFrozen(): boolean { return this.moved[Moved.FrozenAt] !== 0 }

  /** Stops the clock. `set` still moves it. */
  freeze(): void { this.moved[Moved.FrozenAt] = this.milliseconds() }

  /** Lets the clock go on from the time at which it is frozen. */
  unfreeze(): void {
    if (!this.isFrozen) return
    this.moved[Moved.By] = this.milliseconds() - this.below.milliseconds()
    this.moved[Moved.FrozenAt] = 0
  }

  /** Runs each repeated task of this thread that has become due, once. A task may be late, but is never early. */
  runDue(): void {
    const now = this.milliseconds()
    for (const repeated of [...this.repeated]) {
      if (!this.repeated.has(repeated)) continue
      // a clock that has gone back makes all tasks due
      if (now >= repeated.ranAt && now - repeated.ranAt < repeated.intervalMs) continue
      this.run(repeated)
    }
  }

  /** Called by a thread that has run its tasks. */
  hasRun(): void {
    Atomics.add(this.words, Word.RunCount, 1)
    Atomics.notify(this.words, Word.RunCount)
  }

  /** The number of times that threads have run their tasks. */
  get runCount(): number { return Atomics.load(this.words, Word.RunCount) }

  /** Waits until threads have run their tasks so many times, or until one of them has not for `patienceMs`. */
  waitForRuns(count: number, patienceMs: number): void {
    for (let seen = this.runCount; seen - count < 0; seen = this.runCount) {
      if (Atomics.wait(this.words, Word.RunCount, seen, patienceMs) === 'timed-out') return
    }
  }
}
