// The only reader of time and the only owner of repeated work. Everything that depends on time takes a Clock, so tests hand
// in one they move by hand. A server follows the machine's monotonic clock, as memcached does: the time of day is read once, at
// the start, and the time that has passed since is added, so that setting the machine's clock makes no difference.
// All threads of a server have one origin.

/**
 * Time and repeated work. A program or a test may hand in its own. Expiry, idle times, `stats time` and `stats uptime` follow
 * `milliseconds` alone. If a clock jumps on, items expire accordingly; if it goes back, the server's time stands still and goes
 * on from there.
 */
export interface Clock {
  /** Unix time in milliseconds: the time of day at some start, and what has passed since. It should not jump. */
  milliseconds(): number
  /**
   * The time of day as it is now, Unix time in milliseconds, however it may jump. Only what `watch` tells is stamped with
   * it. Default: `milliseconds()`.
   */
  timeOfDay?(): number
  /** Calls `task` about every `intervalMs` until the returned function is called. Never keeps the process alive. */
  every(intervalMs: number, task: () => void): () => void
}

/** A moment by both clocks of the machine, in milliseconds: from here on a server counts. */
export interface Origin { readonly unix: number; readonly monotonic: number }

// held from the beginning, so that what a program's tests put in their place later moves no server
const { bigint: nanoseconds } = process.hrtime
const { setInterval: startTimer, clearInterval: stopTimer } = globalThis

const NANOSECONDS_PER_MS = 1e6

/**
 * Milliseconds by the machine's monotonic clock, the same in all threads of a process, which `performance.now()` is not. It
 * never jumps and never goes back; on Linux it stands still while the machine is suspended.
 */
export function monotonicMilliseconds(): number { return Number(nanoseconds()) / NANOSECONDS_PER_MS }

/**
 * The time of the machine: the time of day when this was made, and what has passed since by the monotonic clock. So items
 * neither expire early nor live on when the machine's clock is set. While the machine is suspended no time passes on Linux.
 *
 * Fake timers of a program's tests do not move it: it reads `Date.now()` once, fake or not, when it is made, and afterwards
 * only for the stamps of `watch`; `process.hrtime` and `setInterval` it takes as they were when this module was loaded. A
 * test that wants to move time hands in a clock of its own.
 */
export class SystemClock implements Clock {
  /** @param origin of the clock of another thread, which this one is to agree with. Default: now. */
  constructor(readonly origin: Origin = { unix: Date.now(), monotonic: monotonicMilliseconds() }) {}

  milliseconds(): number {
    const { unix, monotonic } = this.origin
    return Math.floor(unix + monotonicMilliseconds() - monotonic)
  }

  timeOfDay(): number { return Date.now() }

  every(intervalMs: number, task: () => void): () => void { return repeat(intervalMs, task) }
}

function repeat(intervalMs: number, task: () => void): () => void {
  const timer = startTimer(task, intervalMs)
  timer.unref()
  return () => stopTimer(timer)
}

/** The time of day by a clock. */
export function timeOfDay(clock: Clock): number { return clock.timeOfDay?.() ?? clock.milliseconds() }

/** How old the time of a mirrored clock may be. */
const MIRROR_MS = 10

/** The numbers in the memory of a mirrored clock, in milliseconds. */
const enum Mirrored { Milliseconds, TimeOfDay, Count }

/** Writes down the time of a clock for other threads, which cannot be handed it; until the returned function is called. */
export function mirror(clock: Clock, memory: SharedArrayBuffer): () => void {
  const times = new Float64Array(memory, 0, Mirrored.Count)
  const write = (): void => {
    times[Mirrored.Milliseconds] = clock.milliseconds()
    times[Mirrored.TimeOfDay] = timeOfDay(clock)
  }
  write()
  return clock.every(MIRROR_MS, write)
}

/** The clock of another thread, as that thread writes it down. Its timers are the machine's. */
export class MirroredClock implements Clock {
  /** The bytes of memory that this needs. */
  static readonly BYTES = Mirrored.Count * Float64Array.BYTES_PER_ELEMENT

  private readonly times: Float64Array

  constructor(memory: SharedArrayBuffer) {
    this.times = new Float64Array(memory, 0, Mirrored.Count)
  }

  milliseconds(): number { return this.times[Mirrored.Milliseconds]! }

  timeOfDay(): number { return this.times[Mirrored.TimeOfDay]! }

  every(intervalMs: number, task: () => void): () => void { return repeat(intervalMs, task) }
}

/** The server's clock for a worker: its origin, or the memory in which it is mirrored if it is not the machine's. */
export type SharedTime = Origin | SharedArrayBuffer

/** The clock of a worker. */
export function clockOf(time: SharedTime): Clock {
  return time instanceof SharedArrayBuffer ? new MirroredClock(time) : new SystemClock(time)
}

/** The farthest that a clock can be moved, in milliseconds: the store's seconds have 31 bits. */
const MOVE_MAX = 2 ** 30 * 1000

/** The numbers in the memory of a clock that can be moved, in milliseconds. */
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

  /** Not moved. */
  timeOfDay(): number { return timeOfDay(this.clock) }

  every(intervalMs: number, task: () => void): () => void { return this.clock.every(intervalMs, task) }

  /** Moves it on, or back again, but never behind the clock that it is made of. */
  move(seconds: number): void {
    this.moved[Moved.By] = Math.min(Math.max(this.moved[Moved.By]! + seconds * 1000, 0), MOVE_MAX)
  }

  /** Time stands still until `go`, but can be moved. */
  stop(): void { this.moved[Moved.StoppedAt] ||= this.clock.milliseconds() }

  go(): void { this.moved[Moved.StoppedAt] = 0 }
}

/**
 * A clock that a program may have handed in. An error of a task goes to `failed`, not to the program that moves the clock. If the
 * clock goes back, time stands still and goes on from there, so no time is before the start.
 */
export class GuardedClock implements Clock {
  /** The last time of the clock, and how far it has gone back so far, in milliseconds. */
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
