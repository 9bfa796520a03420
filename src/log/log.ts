// The log that `watch` shows, in memory that threads share: the kinds that are watched, and for each thread a ring of events that
// it alone writes. A thread that serves watchers is a reader: it reads all rings, and keeps a mark in each, see reader.ts. No
// thread waits: if its ring has no room because a reader is behind, it drops the event and counts it.
//
// A store has a second log of the same form, for programs that listen to what leaves a Cache. So a slow listener costs no watcher
// an event, and watchers see nothing of listeners. There each thread has a word with the kinds that it listens to, so that they
// can be forgotten when the thread is terminated.
//
//   | control | thread 0 | thread 1 ... | marks: a row for each | ring 0 | ring 1 ...      thread   head  isReading  kinds  lost
//    32 words   16 words each             reader with a word                                       the end of its ring; 1 if it
//                                         for each ring                                            is a reader; the kinds that it
//                                                                                                  listens to; its lost events
//
//   event    word 0      1      2     3     4       5       6       7 - 11   12         13
//            word count  event  gid   gid   second  micros  client  numbers  textBytes  text ...
//
// An event is contiguous. If it does not fit behind the last one, a word count of 0 says that the ring goes on at its start.
// A thread stores its head when an event is complete, which publishes the event. A reader stores its mark when it no longer needs
// the events before it. A thread takes a gid only when its ring has room, so gids have no gaps: if a reader misses one, it knows
// that the event is still to come.
import { assert, MemslabError } from '../errors.js'
import { timeOfDay, type Clock } from '../clock.js'
import { Memory } from '../memory/bytes.js'
import { type Lives } from '../memory/lives.js'
import { Locks } from '../memory/lock.js'
import { Counter64 } from '../memory/counter64.js'
import { Counter, type Counters } from '../stats/counters.js'
import { Event, Kind, type CloseReason, type DeleteCommand, type GetStatus, type StoreStatus,
  type Transport } from './events.js'

/** The most watchers, as in memcached. More are refused, as each may use a buffer of -o watcher_logbuf_size. */
const WATCHERS_MAX = 20

/** The control words at the start. */
const enum Word { Lock, Kinds, Watchers, Gid, KindCounts = 8, Threads = 32 }

/** The words of a thread. */
const enum Row { Head, IsReading, Kinds, Dropped, Stride = 16 }

/** The words of an event. */
export const enum Field {
  Words, Event, GidLow, GidHigh, Second, Microsecond, Client, Numbers, TextBytes = 12, Text,
}

/** The parts of a log. */
export interface LogParts {
  /** The size of each thread's ring: -o worker_logbuf_size, in bytes. */
  readonly ringBytes: number
  readonly threads: number
  /** The number of this thread, from 0. */
  readonly thread: number
  readonly clock: Clock
  /** Counts the events for `stats`. Without it, the log alone counts those that it drops. */
  readonly counters?: Counters
  /** The record of threads that have died; needed if there are several threads. */
  readonly lives?: Lives
}

export class Log {
  readonly words: Int32Array
  readonly bytes: Uint8Array
  /** The number of words of a ring. */
  readonly ringWords: number
  private readonly text: Memory
  private readonly locks: Locks
  private readonly gid: Counter64
  /** The end of this thread's ring, in words from its start. */
  private head: number
  /** The words that may be written before this thread reads the marks of the readers again. */
  private free = 0

  /** Allocates zeroed memory for a log. @param shared whether several threads use it */
  static allocate(threads: number, ringBytes: number, shared: boolean): ArrayBuffer | SharedArrayBuffer {
    const bytes = (ringAt(threads, 0, 0) + threads * (ringBytes >> 2)) * 4
    try {
      return shared ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes)
    } catch {
      throw new MemslabError('ENOMEM',
        `failed to allocate ${bytes} bytes for the log of ${threads} threads: Cannot allocate memory`)
    }
  }

  /** @param memory from `allocate`, for as many threads */
  constructor(readonly memory: ArrayBuffer | SharedArrayBuffer, private readonly parts: LogParts) {
    const isShared = memory instanceof SharedArrayBuffer
    this.words = new Int32Array(memory)
    this.bytes = new Uint8Array(memory)
    this.text = new Memory(this.bytes)
    this.ringWords = parts.ringBytes >> 2
    this.locks = new Locks(this.words, isShared, parts.lives)
    this.gid = new Counter64(this.words, Word.Gid, isShared)
    this.head = this.headOf(parts.thread)
  }

  get threads(): number { return this.parts.threads }
  get thread(): number { return this.parts.thread }

  // Watchers

  /** The kinds of events that watchers want, as bits of Kind; 0 while there is no watcher. Hot code reads it once a batch. */
  get kinds(): number { return this.words[Word.Kinds]! }

  /** The number of watchers. */
  get watchers(): number { return Atomics.load(this.words, Word.Watchers) }

  /** Adds a watcher of these kinds. Returns false if there are too many already. */
  addWatcher(kinds: number): boolean {
    this.locks.take(Word.Lock)
    const hasRoom = this.words[Word.Watchers]! < WATCHERS_MAX
    if (hasRoom) this.countLocked(kinds, 1)
    this.locks.release(Word.Lock)
    return hasRoom
  }

  removeWatcher(kinds: number): void {
    this.locks.take(Word.Lock)
    this.countLocked(kinds, -1)
    this.locks.release(Word.Lock)
  }

  private countLocked(kinds: number, change: 1 | -1): void {
    this.words[Word.Watchers]! += change
    this.countKindsLocked(kinds, change)
  }

  private countKindsLocked(kinds: number, change: 1 | -1): void {
    const { words } = this
    let watched = 0
    for (let index = 0; index < Kind.Count; index++) {
      if ((kinds & (1 << index)) !== 0) words[Word.KindCounts + index]! += change
      if (words[Word.KindCounts + index]! > 0) watched |= 1 << index
    }
    Atomics.store(words, Word.Kinds, watched)
  }

  // Listeners

  /** Sets the kinds of events that this thread listens to, in place of those before; 0 for none. */
  listen(kinds: number): void { this.listenFor(this.thread, kinds) }

  /** True if a thread holds the lock of the log. */
  isLockedBy(thread: number): boolean { return this.locks.isHeldBy(Word.Lock, thread) }

  /** Ends what a thread that was terminated has begun: its reading, and its listening. */
  forget(thread: number): void {
    this.setReading(thread, false)
    this.listenFor(thread, 0)
  }

  private listenFor(thread: number, kinds: number): void {
    const { words } = this
    const at = rowOf(thread) + Row.Kinds
    this.locks.take(Word.Lock)
    // in this order, so that no event is missed of a kind that stays
    this.countKindsLocked(kinds, 1)
    this.countKindsLocked(words[at]!, -1)
    words[at] = kinds
    this.locks.release(Word.Lock)
  }

  /** The number of events that all threads together have dropped. */
  get dropped(): number {
    let sum = 0
    for (let thread = 0; thread < this.threads; thread++) sum += this.words[rowOf(thread) + Row.Dropped]! >>> 0
    return sum
  }

  // Events. Each method does nothing if no watcher wants its kind.

  itemGet(client: number, key: Uint8Array, start: number, end: number, status: GetStatus, slabClass: number, size: number): void {
    if ((this.kinds & Kind.Fetchers) !== 0) this.write(Event.ItemGet, client, key, start, end, status, slabClass, size)
  }

  /** @param command a Mode of the store; @param ttl in seconds, 0 for an item that never expires, -1 for one that has expired */
  itemStore(client: number, key: Uint8Array, start: number, end: number, status: StoreStatus, command: number, ttl: number,
    slabClass: number, size: number): void {
    if ((this.kinds & Kind.Mutations) !== 0) {
      this.write(Event.ItemStore, client, key, start, end, status, command, ttl, slabClass, size)
    }
  }

  /** @param ttl in seconds, -1 for an item that never expires; @param age in seconds since its last use */
  eviction(key: Uint8Array, start: number, end: number, isFetched: boolean, ttl: number, age: number, slabClass: number,
    size: number): void {
    if ((this.kinds & Kind.Evictions) !== 0) {
      this.write(Event.Eviction, 0, key, start, end, isFetched ? 1 : 0, ttl, age, slabClass, size)
    }
  }

  deleted(client: number, key: Uint8Array, start: number, end: number, command: DeleteCommand, slabClass: number,
    size: number): void {
    if ((this.kinds & Kind.Deletions) !== 0) this.write(Event.Deleted, client, key, start, end, command, slabClass, size)
  }

  connNew(client: number, address: string, port: number, transport: Transport): void {
    if ((this.kinds & Kind.ConnEvents) === 0) return
    const text = Buffer.from(address, 'latin1')
    this.write(Event.ConnNew, client, text, 0, text.length, transport, port)
  }

  connClose(client: number, address: string, port: number, transport: Transport, reason: CloseReason): void {
    if ((this.kinds & Kind.ConnEvents) === 0) return
    const text = Buffer.from(address, 'latin1')
    this.write(Event.ConnClose, client, text, 0, text.length, transport, port, reason)
  }

  slabMove(from: number, to: number): void {
    if ((this.kinds & Kind.SysEvents) !== 0) this.write(Event.SlabMove, 0, this.bytes, 0, 0, from, to)
  }

  /**
   * Logs for listeners that an item has left the store.
   * @param reason a Departure of the store; @param ttl in seconds, -1 for an item that never expires
   * @param age in seconds since its last use
   */
  departed(kind: number, key: Uint8Array, start: number, end: number, reason: number, flags: number, ttl: number, age: number,
    valueBytes: number): void {
    if ((this.kinds & kind) !== 0) this.write(Event.Departed, 0, key, start, end, reason, flags, ttl, age, valueBytes)
  }

  // The ring of this thread

  private write(event: Event, client: number, text: Uint8Array, start: number, end: number,
    first: number, second: number, third = 0, fourth = 0, fifth = 0): void {
    const { clock, counters } = this.parts
    const { words, gid } = this
    const count = Field.Text + ((end - start + 3) >> 2)
    if (!this.makeRoom(count)) return this.drop()
    const at = this.ringStart(this.thread) + this.head
    const milliseconds = timeOfDay(clock)
    gid.advance()
    words[at + Field.Words] = count
    words[at + Field.Event] = event
    words[at + Field.GidLow] = gid.low
    words[at + Field.GidHigh] = gid.high
    words[at + Field.Second] = Math.floor(milliseconds / 1000)
    words[at + Field.Microsecond] = Math.floor((milliseconds % 1000) * 1000)
    words[at + Field.Client] = client
    words[at + Field.Numbers] = first
    words[at + Field.Numbers + 1] = second
    words[at + Field.Numbers + 2] = third
    words[at + Field.Numbers + 3] = fourth
    words[at + Field.Numbers + 4] = fifth
    words[at + Field.TextBytes] = end - start
    this.text.copyFrom(text, start, (at + Field.Text) * 4, end - start)
    this.head = (this.head + count) % this.ringWords
    this.free -= count
    Atomics.store(words, rowOf(this.thread) + Row.Head, this.head)
    counters?.add(Counter.LogWorkerWritten)
  }

  private drop(): void {
    this.words[rowOf(this.thread) + Row.Dropped]!++
    this.parts.counters?.add(Counter.LogWorkerDropped)
  }

  /** Makes room at `head` for `count` words. Returns false if a reader still needs the events there. */
  private makeRoom(count: number): boolean {
    const rest = this.ringWords - this.head
    const needed = count <= rest ? count : rest + count
    if (needed > this.free) this.free = this.findFree()
    if (needed > this.free) return false
    if (count > rest) {
      this.words[this.ringStart(this.thread) + this.head] = 0
      this.head = 0
      this.free -= rest
    }
    return true
  }

  /** The number of words that may be written. One word stays free, so that a full ring differs from an empty one. */
  private findFree(): number {
    let used = 0
    for (let reader = 0; reader < this.threads; reader++) {
      if (!this.isReading(reader)) continue
      used = Math.max(used, this.distance(this.markOf(reader, this.thread), this.head))
    }
    return this.ringWords - 1 - used
  }

  /** The number of words from one place of a ring forward to another. */
  private distance(from: number, to: number): number { return to >= from ? to - from : to - from + this.ringWords }

  // For readers

  /** The low half of the last gid. */
  get lastGid(): number { return Atomics.load(this.words, Word.Gid) }

  /** The index of the first word of a ring. */
  ringStart(thread: number): number { return ringAt(this.threads, thread, this.ringWords) }

  headOf(thread: number): number { return Atomics.load(this.words, rowOf(thread) + Row.Head) }

  markOf(reader: number, thread: number): number { return Atomics.load(this.words, markAt(this.threads, reader, thread)) }
  setMark(reader: number, thread: number, place: number): void {
    Atomics.store(this.words, markAt(this.threads, reader, thread), place)
  }

  isReading(reader: number): boolean { return Atomics.load(this.words, rowOf(reader) + Row.IsReading) !== 0 }
  setReading(reader: number, isReading: boolean): void {
    Atomics.store(this.words, rowOf(reader) + Row.IsReading, isReading ? 1 : 0)
  }

  /** The number of words that readers have yet to read, in all rings together. */
  get unreadWords(): number {
    let unread = 0
    for (let reader = 0; reader < this.threads; reader++) {
      if (!this.isReading(reader)) continue
      for (let thread = 0; thread < this.threads; thread++) {
        unread += this.distance(this.markOf(reader, thread), this.headOf(thread))
      }
    }
    return unread
  }

  /** Throws if something is inconsistent. No other thread may use the log meanwhile. */
  verify(): void {
    const { words } = this
    let watched = 0
    for (let index = 0; index < Kind.Count; index++) {
      const count = words[Word.KindCounts + index]!
      const most = this.watchers + this.listenersTo(1 << index)
      assert(count >= 0 && count <= most, `${count} of ${most} watchers and listeners want kind ${index}`)
      if (count > 0) watched |= 1 << index
    }
    assert(watched === this.kinds, 'the kinds that are logged are not those that watchers want')
    for (let reader = 0; reader < this.threads; reader++) {
      if (!this.isReading(reader)) continue
      assert(this.watchers > 0 || this.kinds !== 0, `thread ${reader} is a reader, though there is no watcher`)
      for (let thread = 0; thread < this.threads; thread++) this.verifyRing(thread, this.markOf(reader, thread))
    }
  }

  /** The number of threads that listen to a kind. */
  private listenersTo(kind: number): number {
    let count = 0
    for (let thread = 0; thread < this.threads; thread++) {
      if ((this.words[rowOf(thread) + Row.Kinds]! & kind) !== 0) count++
    }
    return count
  }

  /** Checks that the words between a mark and the head of a ring are whole events. */
  private verifyRing(thread: number, mark: number): void {
    const head = this.headOf(thread)
    let place = mark
    for (let left = this.distance(mark, head); left > 0;) {
      const count = this.words[this.ringStart(thread) + place]!
      const step = count === 0 ? this.ringWords - place : count
      assert(step <= left && (count === 0 || count >= Field.Text), `an event of ${count} words in ring ${thread}`)
      left -= step
      place = (place + step) % this.ringWords
    }
    assert(place === head, `ring ${thread} does not end with an event`)
  }
}

function rowOf(thread: number): number { return Word.Threads + thread * Row.Stride }

/** The index of the mark of a reader in the ring of a thread. */
function markAt(threads: number, reader: number, thread: number): number { return rowOf(threads) + reader * threads + thread }

function ringAt(threads: number, thread: number, ringWords: number): number {
  return rowOf(threads) + threads * threads + thread * ringWords
}
