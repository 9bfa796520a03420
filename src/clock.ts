// The only file that reads the time and repeats tasks. Everything that depends on time takes a Clock, so tests pass one that they
// move by hand. As in memcached, a server follows the machine's monotonic clock: it reads the time of day once, at the start, and
// adds the time that has passed since, so that setting the machine's clock makes no difference. All threads of a server have one
// origin.
import { performance as machine } from 'node:perf_hooks'
import { clearInterval, setInterval } from './timers.js'

/**
 * A source of time, and a timer. A program or a test may pass its own. Expiry, idle times, `stats time` and `stats uptime` follow
 * `milliseconds` alone. If a clock jumps forward, items expire accordingly. If it goes back, the server's time stands still and
 * then goes on from there.
 */
export interface Clock {
  /** Unix time in milliseconds: the time of day at the start, plus the time that has passed since. It should not jump. */
  milliseconds(): number
  /**
   * The present time of day as Unix time in milliseconds, which may jump. Only the lines of `watch` are stamped with it. Default:
   * `milliseconds()`.
   */
  timeOfDay?(): number
  /** Calls `task` about every `intervalMs` until the returned function is called. Never keeps the process alive. */
  every(intervalMs: number, task: () => void): () => void
}

/** The moment from which a server counts, by both clocks of the machine, in milliseconds. */
export interface Origin { readonly unix: number; readonly monotonic: number }

// references taken when the module loads, so that fakes which a program's tests install later move no server
const sinceThreadBegan = machine.now.bind(machine)
const unixMilliseconds = Date.now

/** The moment at which this thread began. Read from `process.hrtime`, as `performance.timeOrigin` is a time of day. */
const threadBegan = Number(process.hrtime.bigint()) / 1e6 - sinceThreadBegan()

/**
 * The machine's monotonic clock in milliseconds. It is the same in all threads of a process, to a few microseconds. It never
 * jumps and never goes back; on Linux it stands still while the machine is suspended. `performance.now()` reads the same clock as
 * `process.hrtime.bigint()`, and makes no BigInt, which would cost each batch 2 % of a small request.
 */
export function monotonicMilliseconds(): number { return threadBegan + sinceThreadBegan() }

/**
 * The machine's time: the time of day when the clock was made, plus the time that has passed since on the monotonic clock. So
 * items expire neither early nor late when the machine's clock is set. On Linux no time passes while the machine is suspended.
 *
 * Fake timers of a program's tests do not move this clock: it uses `Date.now`, `performance.now` and `setInterval` as they were
 * when this module was loaded. A test that needs to move time passes a clock of its own, or has a `TestServer`.
 */
export class SystemClock implements Clock {
  /** @param origin the origin of another thread's clock, so that both agree. Default: now. */
  constructor(readonly origin: Origin = { unix: unixMilliseconds(), monotonic: monotonicMilliseconds() }) {}

  milliseconds(): number {
    const { unix, monotonic } = this.origin
    return Math.floor(unix + monotonicMilliseconds() - monotonic)
  }

  timeOfDay(): number { return unixMilliseconds() }

  every(intervalMs: number, task: () => void): () => void { return repeat(intervalMs, task) }
}

function repeat(intervalMs: number, task: () => void): () => void {
  const timer = setInterval(task, intervalMs)
  timer.unref()
  return () => clearInterval(timer)
}

/** Repeats a task at an interval that changes, by a clock. It begins at rest. */
export class Pace {
  private intervalMs = 0
  private stopTimer = (): void => {}

  constructor(private readonly clock: Clock, private readonly task: () => void) {}

  /** Repeats the task about every `intervalMs` from now on; with 0, no more. */
  set(intervalMs: number): void {
    if (intervalMs === this.intervalMs) return
    this.stopTimer()
    this.intervalMs = intervalMs
    this.stopTimer = intervalMs === 0 ? () => {} : this.clock.every(intervalMs, this.task)
  }
}

/** The time of day of a clock. */
export function timeOfDay(clock: Clock): number { return clock.timeOfDay?.() ?? clock.milliseconds() }

/** The most milliseconds by which a mirrored clock is behind. */
const MIRROR_MS = 10

/** The numbers in the memory of a mirrored clock, in milliseconds. */
const enum Mirrored { Milliseconds, TimeOfDay, Count }

/** Copies the time of a clock to memory, for other threads that cannot call it, until the returned function is called. */
export function mirror(clock: Clock, memory: SharedArrayBuffer): () => void {
  const times = new Float64Array(memory, 0, Mirrored.Count)
  const write = (): void => {
    times[Mirrored.Milliseconds] = clock.milliseconds()
    times[Mirrored.TimeOfDay] = timeOfDay(clock)
  }
  write()
  return clock.every(MIRROR_MS, write)
}

/** The clock of another thread, which copies its time to memory with `mirror`. Its timers are the machine's. */
export class MirroredClock implements Clock {
  /** The bytes of memory that a MirroredClock needs. */
  static readonly BYTES = Mirrored.Count * Float64Array.BYTES_PER_ELEMENT

  private readonly times: Float64Array

  constructor(memory: SharedArrayBuffer) {
    this.times = new Float64Array(memory, 0, Mirrored.Count)
  }

  milliseconds(): number { return this.times[Mirrored.Milliseconds]! }

  timeOfDay(): number { return this.times[Mirrored.TimeOfDay]! }

  every(intervalMs: number, task: () => void): () => void { return repeat(intervalMs, task) }
}

/** The server's clock in a form for workers: its origin, or the memory in which a program's own clock is mirrored. */
export type SharedTime = Origin | SharedArrayBuffer

/** The clock of a worker. */
export function clockOf(time: SharedTime): Clock {
  return time instanceof SharedArrayBuffer ? new MirroredClock(time) : new SystemClock(time)
}

/** The farthest that a clock can be moved, in milliseconds: the store's seconds have 31 bits. */
const MOVE_MAX = 2 ** 30 * 1000

/** The numbers in the memory of a clock that can be moved, in milliseconds. */
const enum Moved { By, StoppedAt, Count }

/** A clock that tests move with the command `debugtime`, for all threads that share its memory. Its timers are not moved. */
export class MovableClock implements Clock {
  /** The bytes of memory that a MovableClock needs, all 0 at the start. */
  static readonly BYTES = Moved.Count * 8

  private readonly moved: Float64Array

  constructor(private readonly clock: Clock, memory: ArrayBuffer | SharedArrayBuffer) {
    this.moved = new Float64Array(memory, 0, Moved.Count)
  }

  milliseconds(): number {
    const stoppedAt = this.moved[Moved.StoppedAt]!
    return (stoppedAt === 0 ? this.clock.milliseconds() : stoppedAt) + this.moved[Moved.By]!
  }

  /** The time of day of the underlying clock, which is not moved. */
  timeOfDay(): number { return timeOfDay(this.clock) }

  every(intervalMs: number, task: () => void): () => void { return this.clock.every(intervalMs, task) }

  /** Moves the clock forward, or back again, but never behind the underlying clock. */
  move(seconds: number): void {
    this.moved[Moved.By] = Math.min(Math.max(this.moved[Moved.By]! + seconds * 1000, 0), MOVE_MAX)
  }

  /** Stops the clock until `go`. A stopped clock can still be moved. */
  stop(): void { this.moved[Moved.StoppedAt] ||= this.clock.milliseconds() }

  go(): void { this.moved[Moved.StoppedAt] = 0 }
}

/**
 * A wrapper for a program's clock. An error of a task is passed to `failed`, and not thrown at the program that moves the clock.
 * If the clock goes back, time stands still and then goes on from there, so no time is before the start.
 */
export class GuardedClock implements Clock {
  /** The last time of the clock, and the sum of the distances that it has gone back, in milliseconds. */
  private last = -Infinity
  private behindMs = 0

  constructor(private readonly clock: Clock, private readonly failed: (error: unknown) => void) {}

  milliseconds(): number {
    const now = this.clock.milliseconds()
    if (now < this.last) this.behindMs += this.last - now
    this.last = now
    return now + this.behindMs
  }

  timeOfDay(): number { return timeOfDay(this.clock) }

  every(intervalMs: number, task: () => void): () => void {
    return this.clock.every(intervalMs, () => {
      try {
        task()
      } catch (error) { this.failed(error) }
    })
  }
}
