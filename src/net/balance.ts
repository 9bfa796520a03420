// How many connections each thread has accepted and still serves, so that none takes far more than its share. Where all
// threads listen by one descriptor, a connection goes to whoever is quickest, and one that wakes up for a crowd takes all
// of it. So a thread that is ahead of the others waits a moment behind a connection it has accepted; that lets another
// one have the next. It waits for as long as it takes until it is no longer ahead, which among threads with nothing else to
// do is less than a tenth of a millisecond, and at most for one.
//
// The first thread may listen before the others have started. It does not wait for those: whoever comes until then is served
// by it, at once. Later the others are left more, until the numbers are even.
import { monotonicMilliseconds } from '../clock.js'

/** How far ahead of the one with the fewest a thread may be: so many, and a part of what that one has. */
const LEAD = 2
const LEAD_PART = 0.125

const PATIENCE_MS = 1

/**
 * Word 0 changes whenever anybody accepts, or begins to. Then each thread has a word for what it serves, and after those a
 * word that is 1 once it listens.
 */
const CHANGES = 0

export class Balance {
  static bytesFor(threads: number): number { return (1 + 2 * threads) * Int32Array.BYTES_PER_ELEMENT }

  private readonly words: Int32Array
  private readonly threads: number

  /**
   * @param memory `bytesFor(threads)` of it, zeroed
   * @param thread the number of this one, from 1
   * @param areEvenLater the kernel shares out whoever comes once all threads listen, so that they need not wait then
   */
  constructor(memory: SharedArrayBuffer, private readonly thread: number, private readonly areEvenLater = false) {
    this.words = new Int32Array(memory)
    this.threads = (this.words.length - 1) / 2
  }

  /** This thread listens: from now on the others leave it some, and it them. */
  join(): void {
    Atomics.store(this.words, this.threads + this.thread, 1)
    this.tell()
  }

  /** So many more, or fewer, are served here, or wait for a place. */
  add(change: number): void {
    this.words[this.thread]! += change
    this.tell()
  }

  private tell(): void {
    Atomics.add(this.words, CHANGES, 1)
    Atomics.notify(this.words, CHANGES)
  }

  /** Waits a moment if this thread is ahead of another. */
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

  /** Of those that listen. */
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
