// The watchers of one thread, and the step that sends them the events of all threads. The thread that serves a watcher reads the
// rings itself. So it knows at once whether the watcher is slow, no thread forwards events to another, and the main thread of a
// program with an embedded server has nothing to do. A server of one thread works in the same way. There is a timer only while
// there are watchers.
import { Pace, type Clock } from '../clock.js'
import { toBigInt } from '../memory/numbers.js'
import { Counter, type Counters } from '../stats/counters.js'
import { kindOf, lineOf } from './events.js'
import { type Log } from './log.js'
import { Reader } from './reader.js'

/** Milliseconds between two steps while there are events; memcached's log thread is no faster. */
const BUSY_MS = 1
/** Milliseconds between two steps while there are no events. */
const IDLE_MS = 20
/** The most events of one step, so that it takes well below two milliseconds. */
const EVENTS_MAX = 2000
/** The first size of a watcher's buffer, in bytes; it grows up to -o watcher_logbuf_size. */
const FIRST_BYTES = 16 * 1024

/** The other end of a watcher: its connection. */
export interface WatcherSink {
  /** Writes bytes. Returns false if the write is still under way; then the caller keeps the bytes, and calls `hold`. */
  write(bytes: Uint8Array): boolean
  /** Has `settle` of a watcher called when the write under way has ended. */
  hold(watcher: Watcher): void
}

export class Watchers {
  private readonly all = new Set<Watcher>()
  private readonly reader: Reader
  private readonly pace: Pace

  /** @param bufferBytes -o watcher_logbuf_size, in bytes */
  constructor(private readonly log: Log, clock: Clock, private readonly counters: Counters,
    private readonly bufferBytes: number) {
    this.reader = new Reader(log)
    this.pace = new Pace(clock, () => this.step())
  }

  /** Adds a watcher: `sink` gets events of these kinds until `end`. Returns undefined if there are too many watchers already. */
  add(kinds: number, sink: WatcherSink): Watcher | undefined {
    const { log } = this
    // first, so that no event for it is missed
    if (this.all.size === 0) this.reader.open()
    const isAdded = log.addWatcher(kinds)
    if (!isAdded) {
      if (this.all.size === 0) this.reader.close()
      return undefined
    }
    const watcher = new Watcher(kinds, sink, this.bufferBytes, this.counters, () => this.remove(watcher))
    this.all.add(watcher)
    if (this.all.size === 1) this.pace.set(IDLE_MS)
    return watcher
  }

  private remove(watcher: Watcher): void {
    if (!this.all.delete(watcher)) return
    this.log.removeWatcher(watcher.kinds)
    if (this.all.size > 0) return
    this.pace.set(0)
    this.reader.close()
  }

  private step(): void {
    const { reader } = this
    let count = 0
    for (; count < EVENTS_MAX && reader.next(); count++) this.send()
    reader.release()
    for (const watcher of this.all) watcher.flush()
    if (this.all.size > 0) this.pace.set(count === 0 ? IDLE_MS : BUSY_MS)
  }

  /** Gives the event that was just read to the watchers of its kind. */
  private send(): void {
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
    const fields = lineOf(reader.event, reader.numbers, reader.client, log.bytes, reader.textStart, reader.textEnd)
    return `ts=${reader.second}.${String(reader.microsecond).padStart(6, '0')} gid=${gid} ${fields}\n`
  }
}

/** A watcher. Its lines wait in its buffer until the client reads them; a line that does not fit is skipped and counted. */
export class Watcher {
  private buffer: Buffer
  private filled = 0
  /** The number of bytes at the start of the buffer that the write under way still needs. */
  private underWay = 0
  private skipped = 0

  /** @param bytesMax the largest size of its buffer; @param ended called when it ends */
  constructor(readonly kinds: number, private readonly sink: WatcherSink, private readonly bytesMax: number,
    private readonly counters: Counters, private readonly ended: () => void) {
    this.buffer = Buffer.allocUnsafeSlow(Math.min(FIRST_BYTES, bytesMax))
  }

  /** Appends a line to the buffer, or skips it if there is no room. The next line that fits begins with the number of those. */
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
    // a write under way keeps the old buffer until it is done
    const larger = Buffer.allocUnsafeSlow(Math.min(Math.max(needed, this.buffer.length * 2), this.bytesMax))
    this.buffer.copy(larger, 0, 0, this.filled)
    this.buffer = larger
    return true
  }

  /** Writes the lines in the buffer, unless a write is still under way. */
  flush(): void {
    if (this.filled === 0 || this.underWay > 0) return
    if (this.sink.write(this.buffer.subarray(0, this.filled))) {
      this.filled = 0
      return
    }
    this.underWay = this.filled
    this.sink.hold(this)
  }

  /** Called when the write under way has ended or failed: removes its bytes from the buffer. */
  settle(): void {
    this.buffer.copyWithin(0, this.underWay, this.filled)
    this.filled -= this.underWay
    this.underWay = 0
  }

  /** Removes the watcher. May be called twice. */
  end(): void { this.ended() }
}
