// The events of a cache, for `cache.on`: items that were evicted, have expired or were deleted, in any thread. Each thread logs
// the items that it removes (store.departed), and a thread that listens reads the logs of all, so no thread forwards events to
// another. Nothing is logged while there is no listener. Listeners are called by a timer, never in the middle of an operation, so
// they may use the cache. The timer runs only while there are listeners, and does not keep the process alive.
import { EventEmitter } from 'node:events'
import { Pace, type Clock } from '../clock.js'
import { MemslabError } from '../errors.js'
import { Leaving } from '../log/events.js'
import { type Log } from '../log/log.js'
import { Reader } from '../log/reader.js'
import { DepartedBit } from '../store/context.js'
import { Departure } from '../store/departures.js'
import { queueMicrotask } from '../timers.js'
import { keyOf } from './decode.js'
import { type CacheEvent, type CacheEventName, type CacheListener, type LeaveReason } from './interface.js'

/** Milliseconds between two steps while there are events, and while there are none. */
const BUSY_MS = 1
const IDLE_MS = 20
/** The most events of one step, so that the thread can do other work in between. */
const EVENTS_MAX = 1000

const KINDS: Readonly<Record<CacheEventName, Leaving>> = {
  evict: Leaving.Evicted, expire: Leaving.Expired, delete: Leaving.Deleted,
}
const NAMES = Object.keys(KINDS) as readonly CacheEventName[]

/** The event and the reason of each Departure that has an event. */
const DEPARTURES: Readonly<Partial<Record<number, readonly [event: CacheEventName, reason: LeaveReason]>>> = {
  [Departure.Evicted]: ['evict', 'evicted'],
  [Departure.Expired]: ['expire', 'expired'],
  [Departure.Deleted]: ['delete', 'deleted'],
  [Departure.TooLarge]: ['delete', 'too large'],
  [Departure.NoMemory]: ['delete', 'no memory'],
}

/** The event and the reason of an item that has left. @param reason a Departure, with bits of DepartedBit */
export function departureOf(reason: number): readonly [event: CacheEventName, reason: LeaveReason] {
  return DEPARTURES[reason & ~DepartedBit.Fetched] ?? ['delete', 'deleted']
}

export class CacheEvents {
  private readonly emitter = new EventEmitter()
  private readonly reader: Reader
  /** The kinds that this thread listens to, as bits of Leaving. */
  private kinds = 0
  private readonly pace: Pace
  /** The events dropped before this thread began to listen; and those dropped while it last listened. */
  private droppedBefore = 0
  private droppedLast = 0

  /** @param isOpen false once another thread has closed the cache, so that listeners cannot use it any more */
  constructor(private readonly log: Log, clock: Clock, private readonly isOpen = () => true) {
    this.reader = new Reader(log)
    this.pace = new Pace(clock, () => this.step())
  }

  on(name: CacheEventName, listener: CacheListener): void {
    this.emitter.on(name, listener)
    this.update()
  }

  once(name: CacheEventName, listener: CacheListener): void {
    this.emitter.once(name, listener)
    this.update()
  }

  off(name: CacheEventName, listener: CacheListener): void {
    this.emitter.off(name, listener)
    this.update()
  }

  /** The events that were lost since this thread began to listen, as a listener of some thread was too slow. */
  get dropped(): number { return this.droppedLast + (this.kinds === 0 ? 0 : this.log.dropped - this.droppedBefore) }

  /** Delivers the events that are due, and removes all listeners. */
  close(): void {
    if (this.isOpen()) this.deliver(Infinity)
    this.emitter.removeAllListeners()
    this.update()
  }

  /** Delivers nothing any more, and leaves the log alone, as it cannot be trusted. */
  stop(): void {
    this.emitter.removeAllListeners()
    this.kinds = 0
    this.pace.set(0)
  }

  /** Has the log write what there are listeners for. */
  private update(): void {
    const { log, reader } = this
    const kinds = NAMES.reduce((bits, name) => this.emitter.listenerCount(name) > 0 ? bits | KINDS[name] : bits, 0)
    if (kinds === this.kinds) return
    if (this.kinds === 0) {
      this.droppedBefore = log.dropped - this.droppedLast
      this.droppedLast = 0
      reader.open()
    }
    log.listen(kinds)
    if (kinds === 0) {
      this.droppedLast = log.dropped - this.droppedBefore
      reader.close()
    }
    this.kinds = kinds
    this.pace.set(kinds === 0 ? 0 : IDLE_MS)
  }

  private step(): void {
    if (!this.isOpen()) return this.stop()
    const count = this.deliver(EVENTS_MAX)
    if (this.kinds !== 0) this.pace.set(count === 0 ? IDLE_MS : BUSY_MS)
  }

  /** Delivers the events that have been logged by now, at most `max`. Returns their number. */
  private deliver(max: number): number {
    const { log, reader } = this
    const last = log.lastGid
    let count = 0
    // a listener may remove listeners, or close the cache
    while (this.kinds !== 0 && this.isOpen() && count < max && ((last - reader.lastRead) | 0) > 0 && reader.next()) {
      count++
      this.emit()
    }
    if (this.kinds !== 0) reader.release()
    return count
  }

  private emit(): void {
    const { reader } = this
    const [name, reason] = departureOf(reader.numbers[0]!)
    const event = this.eventOf(reason)
    try {
      this.emitter.emit(name, event)
    } catch (error) {
      // uncaught, as with any EventEmitter, but the other events are delivered; another thread may just have closed the cache
      if (this.isOpen() || !(error instanceof MemslabError)) throwLater(error)
    }
    // a listener that was added with `once` is gone by now
    this.update()
  }

  /** The event that was read last. */
  private eventOf(reason: LeaveReason): CacheEvent {
    const { log: { bytes }, reader: { numbers, second, microsecond, textStart, textEnd, thread } } = this
    const [departure = 0, flags = 0, ttl = 0, age = 0, valueBytes = 0] = numbers
    const facts = factsOf(reason, departure, bytes, textStart, textEnd, flags >>> 0, ttl, age, valueBytes)
    return { ...facts, thread, time: second * 1000 + Math.floor(microsecond / 1000) }
  }
}

/** The facts about an item that has left; see DepartureSink.departed, which takes the same. */
export function factsOf(reason: LeaveReason, departure: number, bytes: Uint8Array, start: number, end: number, flags: number,
  ttl: number, age: number, valueBytes: number): Omit<CacheEvent, 'thread' | 'time'> {
  return {
    key: keyOf(Buffer.from(bytes.subarray(start, end))),
    reason,
    bytes: valueBytes,
    flags,
    age: age * 1000,
    ttl: ttl < 0 ? undefined : ttl * 1000,
    fetched: (departure & DepartedBit.Fetched) !== 0,
  }
}

function throwLater(error: unknown): void {
  queueMicrotask(() => { throw error })
}
