// The watchers of one thread, and the step in which they are told what has happened in all of them. The thread that serves
// a watcher reads the rings itself: it knows at once whether its watcher is slow, nothing has to be handed from thread to
// thread, one thread and many work alike, and the main thread of a program with a server inside it is left alone. There is
// a timer only while somebody watches.
import { type Clock } from '../clock.js'
import { toBigInt } from '../memory/numbers.js'
import { Counter, type Counters } from '../stats/counters.js'
import { kindOf, lineOf } from './events.js'
import { type Log } from './log.js'
import { Reader } from './reader.js'

/** How often rings are read while there is something in them; memcached's log thread does not come sooner either. */
const BUSY_MS = 1
/** And while there is nothing. */
const IDLE_MS = 20
/** The events of one step at most, so that it stays well below two milliseconds. */
const EVENTS_MAX = 2000
/** A watcher's buffer begins with this and grows up to -o watcher_logbuf_size. */
const FIRST_BYTES = 16 * 1024

/** What a watcher writes to: the other end of its conversation. */
export interface Ear {
  /** Takes bytes. True: they are gone. False: they are needed until what was last given to `hold` is settled. */
  write(bytes: Uint8Array): boolean
  hold(watcher: Watcher): void
}

export class Watchers {
  private readonly all = new Set<Watcher>()
  private readonly reader: Reader
  private intervalMs = 0
  private stopTimer: () => void = () => {}

  /** @param bufferBytes -o watcher_logbuf_size, in bytes */
  constructor(private readonly log: Log, private readonly clock: Clock, private readonly counters: Counters,
    private readonly bufferBytes: number) {
    this.reader = new Reader(log)
  }

  /** Tells `ear` of events of these kinds from now on, until the watcher is ended; undefined if too many watch already. */
  add(kinds: number, ear: Ear): Watcher | undefined {
    const { log } = this
    // before anything is written for it
    if (this.all.size === 0) this.reader.open()
    const isAdded = log.addWatcher(kinds)
    if (!isAdded) {
      if (this.all.size === 0) this.reader.close()
      return undefined
    }
    const watcher = new Watcher(kinds, ear, this.bufferBytes, this.counters, () => this.remove(watcher))
    this.all.add(watcher)
    if (this.all.size === 1) this.setPace(IDLE_MS)
    return watcher
  }

  private remove(watcher: Watcher): void {
    if (!this.all.delete(watcher)) return
    this.log.removeWatcher(watcher.kinds)
    if (this.all.size > 0) return
    this.setPace(0)
    this.reader.close()
  }

  private setPace(intervalMs: number): void {
    if (intervalMs === this.intervalMs) return
    this.stopTimer()
    this.intervalMs = intervalMs
    this.stopTimer = intervalMs === 0 ? () => {} : this.clock.every(intervalMs, () => this.step())
  }

  private step(): void {
    const { reader } = this
    let count = 0
    for (; count < EVENTS_MAX && reader.next(); count++) this.tell()
    reader.release()
    for (const watcher of this.all) watcher.flush()
    if (this.all.size > 0) this.setPace(count === 0 ? IDLE_MS : BUSY_MS)
  }

  /** Tells the event that was just read to those who want it. */
  private tell(): void {
    const { reader } = this
    const kind = kindOf(reader.event)
    let line: string | undefined
    for (const watcher of this.all) {
      if ((watcher.kinds & kind) !== 0) watcher.take(line ??= this.line())
    }
  }

  private line(): string {
    const { reader, log } = this
    const gid = toBigInt(reader.gidHigh, reader.gidLow)
    const what = lineOf(reader.event, reader.numbers, reader.client, log.bytes, reader.textStart, reader.textEnd)
    return `ts=${reader.second}.${String(reader.microsecond).padStart(6, '0')} gid=${gid} ${what}\n`
  }
}

/** One who watches. What it is told waits in its buffer until the other end takes it; what does not fit is skipped and counted. */
export class Watcher {
  private buffer: Buffer
  private filled = 0
  /** How much of the buffer is still needed for a write. */
  private underWay = 0
  private skipped = 0

  /** @param bytesMax the size of its buffer at most; @param ended called when it ends */
  constructor(readonly kinds: number, private readonly ear: Ear, private readonly bytesMax: number,
    private readonly counters: Counters, private readonly ended: () => void) {
    this.buffer = Buffer.allocUnsafeSlow(Math.min(FIRST_BYTES, bytesMax))
  }

  /** Takes a line, if there is room for it. The first one after some that were skipped comes with their number. */
  take(line: string): void {
    const text = this.skipped === 0 ? line : `skipped=${this.skipped}\n${line}`
    if (!this.makeRoom(text.length)) {
      this.skipped++
      return this.counters.add(Counter.LogWatcherSkipped)
    }
    this.filled += this.buffer.write(text, this.filled, 'latin1')
    this.skipped = 0
    this.counters.add(Counter.LogWatcherSent)
  }

  private makeRoom(count: number): boolean {
    const needed = this.filled + count
    if (needed > this.bytesMax) return false
    if (needed <= this.buffer.length) return true
    // a write that is under way keeps the old one until it is done
    const larger = Buffer.allocUnsafeSlow(Math.min(Math.max(needed, this.buffer.length * 2), this.bytesMax))
    this.buffer.copy(larger, 0, 0, this.filled)
    this.buffer = larger
    return true
  }

  /** Writes what waits, unless the other end has not taken the last of it. */
  flush(): void {
    if (this.filled === 0 || this.underWay > 0) return
    if (this.ear.write(this.buffer.subarray(0, this.filled))) {
      this.filled = 0
      return
    }
    this.underWay = this.filled
    this.ear.hold(this)
  }

  /** What was under way is gone, or never will be. */
  settle(): void {
    this.buffer.copyWithin(0, this.underWay, this.filled)
    this.filled -= this.underWay
    this.underWay = 0
  }

  /** It watches no more. May be called twice. */
  end(): void { this.ended() }
}
