// Reads the rings of all threads for the watchers of one thread, in the order of the events' gids.
import { NUMBERS_MAX, type Event } from './events.js'
import { Field, type Log } from './log.js'

/** The index that stands for no event. */
const NO_EVENT = -1

export class Reader {
  // the fields of the event that was read last
  event: Event = 0
  gidLow = 0
  gidHigh = 0
  second = 0
  microsecond = 0
  client = 0
  numbers: Int32Array
  /** The range of its text in `log.bytes`. */
  textStart = 0
  textEnd = 0

  /** The low half of the gid that comes next. */
  private expected = 0
  /** The place in each ring up to which it has been read, while this reader is open. */
  private readonly places: Int32Array
  /** The thread whose event was read last: the next event is often from the same thread. */
  private last = 0

  /** The low half of the gid of the event that was read last, or of the last one that is not read. */
  get lastRead(): number { return (this.expected - 1) | 0 }

  /** The number of the thread whose event was read last. */
  get thread(): number { return this.last }

  constructor(private readonly log: Log) {
    this.places = new Int32Array(log.threads)
    this.numbers = log.words.subarray(0, NUMBERS_MAX)
  }

  /** Starts reading with the next event that any thread logs. */
  open(): void {
    const { log, places } = this
    // first, so that no thread overwrites events behind a mark; an old mark is in a thread's way for only a moment
    log.setReading(log.thread, true)
    for (let thread = 0; thread < log.threads; thread++) {
      places[thread] = log.headOf(thread)
      log.setMark(log.thread, thread, places[thread]!)
    }
    // an event with a smaller gid may still follow the marks, but it began before this call: it is skipped
    this.expected = (log.lastGid + 1) | 0
  }

  close(): void { this.log.setReading(this.log.thread, false) }

  /** Reads the next event; false if there is none yet. Its fields are valid until the next call, or until `release`. */
  next(): boolean {
    const { log } = this
    for (let count = 0; count < log.threads; count++) {
      const thread = this.last + count < log.threads ? this.last + count : this.last + count - log.threads
      if (!this.readNextOf(thread)) continue
      this.last = thread
      return true
    }
    return false
  }

  /** Lets the threads overwrite the events that have been read. */
  release(): void {
    const { log, places } = this
    for (let thread = 0; thread < log.threads; thread++) log.setMark(log.thread, thread, places[thread]!)
  }

  /** Reads the next event if this thread has logged it; false if not. */
  private readNextOf(thread: number): boolean {
    const { log } = this
    const { words } = log
    for (let at = this.oldest(thread); at !== NO_EVENT; at = this.oldest(thread)) {
      const lag = (words[at + Field.GidLow]! - this.expected) | 0
      if (lag > 0) return false
      this.places[thread] = (this.places[thread]! + words[at + Field.Words]!) % log.ringWords
      if (lag < 0) continue
      this.take(at)
      return true
    }
    return false
  }

  /** The word index of the oldest unread event of a thread; NO_EVENT if there is none. */
  private oldest(thread: number): number {
    const { log, places } = this
    const start = log.ringStart(thread)
    if (places[thread] === log.headOf(thread)) return NO_EVENT
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
