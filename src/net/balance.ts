// Keeps the numbers of connections of threads even. If all threads listen on one descriptor, the first thread that is awake
// accepts a connection, and a thread that wakes up for many connections accepts all of them. So a thread that is ahead of the
// others waits after a connection that it has accepted, which lets another thread accept the next. It waits until it is no longer
// ahead, at most a millisecond. If the other threads have nothing else to do, that takes less than a tenth of a millisecond.
//
// The first thread may listen before the others have started. It does not wait for those, but serves all clients that connect
// until then at once. The others may wait for a second client before they start; then the first one hands some of its clients
// over to them, see handover.ts. Otherwise it leaves more of the later clients to them, until the numbers are even.
import { monotonicMilliseconds } from '../clock.js'

/** A thread is ahead if it has this many connections more than the thread with the fewest, and this part of that number. */
const LEAD = 2
const LEAD_PART = 0.125

/** The longest wait of a thread that is ahead, in milliseconds. */
const PATIENCE_MS = 1

/**
 * The index of the word that changes whenever a thread accepts a connection or starts to listen. Behind it is a word for each
 * thread with the number of its connections, and then a word for each thread that is 1 once it listens. The last word is 1 while
 * the other threads wait for the first one to ask for them.
 */
const CHANGES = 0
/** The words that do not belong to a thread. */
const COMMON = 2

/** The clients of the first thread for which the other threads start. */
const CROWD = 2

export class Balance {
  static bytesFor(threads: number): number { return (COMMON + 2 * threads) * Int32Array.BYTES_PER_ELEMENT }

  private readonly words: Int32Array
  private readonly threads: number

  /**
   * @param memory zeroed memory of `bytesFor(threads)` bytes
   * @param thread the number of this thread, from 1
   * @param areEvenLater true if the kernel distributes clients once all threads listen, so that threads need not wait then
   */
  constructor(memory: SharedArrayBuffer, private readonly thread: number, private readonly areEvenLater = false) {
    this.words = new Int32Array(memory)
    this.threads = (this.words.length - COMMON) / 2
  }

  /** Records that this thread listens. From now on the other threads leave it some connections, and it leaves them some. */
  join(): void {
    Atomics.store(this.words, this.threads + this.thread, 1)
    this.notify()
  }

  /** Changes the number of this thread's connections, which includes accepted sockets that wait for a slot. */
  add(change: number): void {
    this.words[this.thread]! += change
    this.notify()
  }

  /** Has the first thread ask for the others when there is something for them to do. */
  awaitNeed(): void { Atomics.store(this.words, this.words.length - 1, 1) }

  /** True if other threads are to start now: `clients` are there at the same time, and no thread has asked before. */
  takeNeed(clients = this.count): boolean {
    const last = this.words.length - 1
    return clients >= CROWD && this.words[last] === 1 && Atomics.compareExchange(this.words, last, 1, 0) === 1
  }

  /** The number of this thread's connections. */
  get count(): number { return this.words[this.thread]! }

  /** The number of connections of each thread that listens, by the thread's number. */
  get counts(): Map<number, number> {
    const counts = new Map<number, number>()
    for (let thread = 1; thread <= this.threads; thread++) {
      if (Atomics.load(this.words, this.threads + thread) !== 0) counts.set(thread, Atomics.load(this.words, thread))
    }
    return counts
  }

  private notify(): void {
    Atomics.add(this.words, CHANGES, 1)
    Atomics.notify(this.words, CHANGES)
  }

  /** Waits, at most PATIENCE_MS, while this thread is ahead, so that others accept the next connections. */
  leaveSome(): void {
    if (!this.isAhead || this.areEvenLater && this.allListen) return
    const end = monotonicMilliseconds() + PATIENCE_MS
    for (;;) {
      const changes = Atomics.load(this.words, CHANGES)
      if (!this.isAhead || this.areEvenLater && this.allListen) return
      const left = end - monotonicMilliseconds()
      if (left <= 0) return
      Atomics.wait(this.words, CHANGES, changes, left)
    }
  }

  /** True if this thread is ahead of another thread that listens. */
  private get isAhead(): boolean {
    const { words, threads } = this
    let fewest = Infinity
    for (let thread = 1; thread <= threads; thread++) {
      if (Atomics.load(words, threads + thread) !== 0) fewest = Math.min(fewest, words[thread]!)
    }
    return words[this.thread]! > fewest * (1 + LEAD_PART) + LEAD
  }

  private get allListen(): boolean {
    const { words, threads } = this
    for (let thread = 1; thread <= threads; thread++) if (Atomics.load(words, threads + thread) === 0) return false
    return true
  }
}
