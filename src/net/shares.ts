// How many connections each thread has accepted and still serves, so that none takes far more than its share. Where all
// threads listen by one descriptor, a connection goes to whoever is quickest, and one that wakes up for a crowd takes all
// of it. So a thread that is ahead of the others waits a moment behind a connection it has accepted; that lets another
// one have the next. It waits for as long as it takes until it is no longer ahead, which among threads with nothing else to
// do is less than a tenth of a millisecond, and never for longer than one.
//
// The first thread listens before the others have started. Those who all come at once then, since the server was away, are
// to be shared out too, so for that time it has more patience.

/** How far ahead of the one with the fewest a thread may be: so many, and a part of what that one has. */
const LEAD = 2
const LEAD_PART = 0.125

const PATIENCE_MS = 1
/** Until all threads listen. */
const START_PATIENCE_MS = 1000

/**
 * Word 0 changes whenever anybody accepts, or begins to. Then each thread has a word for what it serves, and after those a
 * word that is 1 once it listens.
 */
const CHANGES = 0

export class Shares {
  static bytesFor(threads: number): number { return (1 + 2 * threads) * Int32Array.BYTES_PER_ELEMENT }

  private readonly words: Int32Array
  private readonly threads: number

  /** @param memory `bytesFor(threads)` of it, zeroed; @param thread the number of this one, from 1 */
  constructor(memory: SharedArrayBuffer, private readonly thread: number) {
    this.words = new Int32Array(memory)
    this.threads = (this.words.length - 1) / 2
  }

  /** This thread listens: from now on the others leave it some, and it them. */
  join(): void {
    Atomics.store(this.words, this.threads + this.thread, 1)
    this.tell()
  }

  /** So many more, or fewer, are served here. */
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
    if (!this.isAhead || !this.listens(this.thread)) return
    const start = performance.now()
    for (let left = this.patienceMs; left > 0; left = start + this.patienceMs - performance.now()) {
      const changes = Atomics.load(this.words, CHANGES)
      if (!this.isAhead) return
      Atomics.wait(this.words, CHANGES, changes, left)
    }
  }

  private get isAhead(): boolean {
    const { words } = this
    let fewest = Infinity
    for (let thread = 1; thread <= this.threads; thread++) fewest = Math.min(fewest, words[thread]!)
    return words[this.thread]! > fewest * (1 + LEAD_PART) + LEAD
  }

  private get patienceMs(): number {
    for (let thread = 1; thread <= this.threads; thread++) if (!this.listens(thread)) return START_PATIENCE_MS
    return PATIENCE_MS
  }

  private listens(thread: number): boolean { return Atomics.load(this.words, this.threads + thread) === 1 }
}
