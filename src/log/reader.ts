// Reads the rings of all threads, on behalf of the watchers of one, in the order of their gids.
import { NUMBERS_MAX, type Event } from './events.js'
import { Field, type Log } from './log.js'

/** Where a thread is in its ring, or none. */
const NOTHING = -1

export class Reader {
  // the event that was read last
  event: Event = 0
  gidLow = 0
  gidHigh = 0
  second = 0
  microsecond = 0
  client = 0
  numbers: Int32Array
  /** Its text, in `log.bytes`. */
  textStart = 0
  textEnd = 0

  /** The low half of the gid that comes next. */
  private expected = 0
  /** How far each ring has been read, as long as this one reads. */
  private readonly places: Int32Array
  /** Whose event was read last: the next one is often from the same. */
  private last = 0

  constructor(private readonly log: Log) {
    this.places = new Int32Array(log.threads)
    this.numbers = log.words.subarray(0, NUMBERS_MAX)
  }

  /** Begins with what happens from now on. */
  open(): void {
    const { log, places } = this
    // first of all, so that no thread writes over what lies behind a mark; an old mark is only in its way for a moment
    log.setReading(log.thread, true)
    for (let thread = 0; thread < log.threads; thread++) {
      places[thread] = log.headOf(thread)
      log.setMark(log.thread, thread, places[thread]!)
    }
    // what was given a smaller one may still come behind the marks, but is from before
    this.expected = (log.lastGid + 1) | 0
  }

  close(): void { this.log.setReading(this.log.thread, false) }

  /** Reads the next event; false if there is none yet. Before the next call, or `release`, it must be done with. */
  next(): boolean {
    const { log } = this
    for (let count = 0; count < log.threads; count++) {
      const thread = this.last + count < log.threads ? this.last + count : this.last + count - log.threads
      if (!this.isNext(thread)) continue
      this.last = thread
      return true
    }
    return false
  }

  /** Gives back the room of what has been read. */
  release(): void {
    const { log, places } = this
    for (let thread = 0; thread < log.threads; thread++) log.setMark(log.thread, thread, places[thread]!)
  }

  /** Whether the next event is one of this thread; then it is taken. */
  private isNext(thread: number): boolean {
    const { log } = this
    const { words } = log
    for (let at = this.oldest(thread); at !== NOTHING; at = this.oldest(thread)) {
      const lag = (words[at + Field.GidLow]! - this.expected) | 0
      if (lag > 0) return false
      this.places[thread] = (this.places[thread]! + words[at + Field.Words]!) % log.ringWords
      if (lag < 0) continue
      this.take(at)
      return true
    }
    return false
  }

  /** The word index of the oldest unread event of a thread. */
  private oldest(thread: number): number {
    const { log, places } = this
    const start = log.ringStart(thread)
    if (places[thread] === log.headOf(thread)) return NOTHING
    if (log.words[start + places[thread]!] === 0) places[thread] = 0
    return start + places[thread]!
  }

  private take(at: number): void {
    const { words } = this.log
    this.expected = (this.expected + 1) | 0
    this.event = words[at + Field.Event]!
    this.gidLow = words[at + Field.GidLow]! >>> 0
    this.gidHigh = words[at + Field.GidHigh]! >>> 0
    this.second = words[at + Field.Second]!
    this.microsecond = words[at + Field.Microsecond]!
    this.client = words[at + Field.Client]!
    this.numbers = words.subarray(at + Field.Numbers, at + Field.TextBytes)
    this.textStart = (at + Field.Text) * 4
    this.textEnd = this.textStart + words[at + Field.TextBytes]!
  }
}
