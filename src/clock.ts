// The only reader of the time of day and the only owner of timers. Everything that depends on time takes a Clock, so
// tests hand in one they move by hand.

/** Time and repeated work. An embedder or a test may hand in its own. */
export interface Clock {
  /** Unix time in milliseconds. */
  milliseconds(): number
  /** Calls `task` about every `intervalMs` until the returned function is called. Never keeps the process alive. */
  every(intervalMs: number, task: () => void): () => void
}

/** The time of the machine. */
export class SystemClock implements Clock {
  milliseconds(): number {
    return Date.now()
  }

  every(intervalMs: number, task: () => void): () => void {
    const timer = setInterval(task, intervalMs)
    timer.unref()
    return () => clearInterval(timer)
  }
}

/** How old the time of a mirrored clock may be. */
const MIRROR_MS = 10

/** Writes down the time of a clock for other threads, which cannot be handed it; until the returned function is called. */
export function mirror(clock: Clock, time: Float64Array): () => void {
  const write = (): void => { time[0] = clock.milliseconds() }
  write()
  return clock.every(MIRROR_MS, write)
}

/** The clock of another thread, as that thread writes it down. Its timers are the machine's. */
export class MirroredClock implements Clock {
  private readonly timers = new SystemClock()

  constructor(private readonly time: Float64Array) {}

  milliseconds(): number { return this.time[0]! }

  every(intervalMs: number, task: () => void): () => void { return this.timers.every(intervalMs, task) }
}

/** How far a clock can be moved, in milliseconds: what the store counts of seconds has 31 bits. */
const MOVE_MAX = 2 ** 30 * 1000

/** What lies in the memory of a clock that can be moved, in milliseconds. */
const enum Moved { By, StoppedAt, Count }

/** A clock that tests move by command, for all threads that share its memory. Its timers are not moved. */
export class MovableClock implements Clock {
  /** The bytes of memory that this needs, all 0 at the start. */
  static readonly BYTES = Moved.Count * 8

  private readonly moved: Float64Array

  constructor(private readonly clock: Clock, memory: ArrayBuffer | SharedArrayBuffer) {
    this.moved = new Float64Array(memory, 0, Moved.Count)
  }

  milliseconds(): number {
    const stoppedAt = this.moved[Moved.StoppedAt]!
    return (stoppedAt === 0 ? this.clock.milliseconds() : stoppedAt) + this.moved[Moved.By]!
  }

  every(intervalMs: number, task: () => void): () => void { return this.clock.every(intervalMs, task) }

  /** Moves it on, or back again, but never behind the clock that it is made of. */
  move(seconds: number): void {
    this.moved[Moved.By] = Math.min(Math.max(this.moved[Moved.By]! + seconds * 1000, 0), MOVE_MAX)
  }

  /** Time stands still until `go`, but can be moved. */
  stop(): void { this.moved[Moved.StoppedAt] ||= this.clock.milliseconds() }

  go(): void { this.moved[Moved.StoppedAt] = 0 }
}

/** A clock whose tasks may fail: what one of them throws is told, rather than thrown at whoever moves the clock. */
export class GuardedClock implements Clock {
  constructor(private readonly clock: Clock, private readonly failed: (error: unknown) => void) {}

  milliseconds(): number { return this.clock.milliseconds() }

  every(intervalMs: number, task: () => void): () => void {
    return this.clock.every(intervalMs, () => {
      try {
        task()
      } catch (error) { this.failed(error) }
    })
  }
}
