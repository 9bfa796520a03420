// The clock of a TestServer, as a test sees it. Its time lies in memory that all threads of the server share, see
// server/testclock.ts; the servers of a TestCluster share one clock.
import { SystemClock } from '../clock.js'
import { MemslabError } from '../errors.js'
import { DURATION_FORM, readDuration } from '../options/durations.js'
import { TestClock as SharedClock } from '../server/testclock.js'

/**
 * The seconds by which the clock may go back before its start: half of those that the store can count, some 34 years. As many lie
 * ahead.
 */
const PAST_SECONDS = 2 ** 30

// as it was when the module was loaded: a test may replace the global one
const { parse: parseDate } = Date

/** A server that has the clock. */
export interface Clocked {
  /** Runs the repeated tasks of all threads that have become due. */
  clockMoved(): void
}

/**
 * The clock of a TestServer. Expiry, `stats` (`time` and `uptime`), idle timeouts, timeouts of authentication and delayed flushes
 * follow it, in all threads. At the start it shows the machine's time and goes on with it. Fake timers of a test do not move it.
 *
 * When one of its methods returns, all threads have the new time, and what is repeated has been done once if it was due: idle
 * clients have been disconnected, say. Memcached counts in whole seconds, and so an item that was set with an exptime of 10 may
 * expire up to a second earlier than 10,000 ms from then, as in memcached.
 */
export class TestClock {
  readonly #start = new SystemClock()
  readonly #memory = new SharedArrayBuffer(SharedClock.BYTES)
  readonly #clock = new SharedClock(this.#start, this.#memory)
  readonly #servers = new Set<Clocked>()

  /** The present time in Unix milliseconds. */
  now(): number { return this.#clock.milliseconds() }

  /** True from `freeze` to `unfreeze` or `reset`. */
  get isFrozen(): boolean { return this.#clock.isFrozen }

  /**
   * Moves the time on.
   * @param duration milliseconds, or a text such as '31d', '12h', '5m', '90s', '250ms' or '1h30m'
   * @throws MemslabError with code 'EUSAGE' if it is neither, if it is negative, or if the time would be out of range
   */
  tick(duration: number | string): void {
    const milliseconds = readDuration(duration)
    if (milliseconds === undefined || milliseconds < 0) {
      throw usage(`tick: ${shown(duration)} is not ${DURATION_FORM}`)
    }
    this.#set(this.now() + milliseconds)
  }

  /**
   * Sets the time, forward or back. Items that were stored in what is now the future stay, with the expiry dates that they have.
   * @param time a Date, Unix time in milliseconds, or a text that Date understands, such as '2030-01-01T12:00Z'
   * @throws MemslabError with code 'EUSAGE' if it is none of them, or more than 34 years from the time of day
   */
  setTime(time: Date | number | string): void {
    const milliseconds = typeof time === 'string' ? parseDate(time) : Number(time)
    if (!Number.isFinite(milliseconds)) throw usage(`setTime: ${shown(time)} is not a date`)
    this.#set(milliseconds)
  }

  /** Stops the clock at the present time. `tick` and `setTime` still move it. */
  freeze(): void { this.#clock.freeze() }

  /** Lets a frozen clock go on from the time that it shows. */
  unfreeze(): void { this.#clock.unfreeze() }

  /** Sets the clock to the machine's time again, and lets it go on. */
  reset(): void {
    this.#clock.unfreeze()
    this.#set(this.#start.milliseconds())
  }

  #set(milliseconds: number): void {
    const distance = (milliseconds - this.#start.origin.unix) / 1000
    if (Math.abs(distance) > PAST_SECONDS - RESERVE_SECONDS) {
      throw usage('the clock can be moved by at most 34 years from the time of day')
    }
    this.#clock.set(milliseconds)
    for (const server of this.#servers) server.clockMoved()
  }

  /** For TestServer: the parts that a server of this clock is made from. */
  static partsOf(clock: TestClock): { clock: SystemClock, time: SharedArrayBuffer, pastSeconds: number } {
    return { clock: clock.#start, time: clock.#memory, pastSeconds: PAST_SECONDS }
  }

  /** For TestServer: has a server act on each move of the clock, until the returned function is called. */
  static attach(clock: TestClock, server: Clocked): () => void {
    clock.#servers.add(server)
    return () => { clock.#servers.delete(server) }
  }
}

/** The seconds at both ends of the range that are left for exptimes of relative times. */
const RESERVE_SECONDS = 60 * 60 * 24 * 31

function shown(value: unknown): string { return typeof value === 'string' ? `"${value}"` : String(value) }

function usage(problem: string): MemslabError { return new MemslabError('EUSAGE', problem, [problem]) }
