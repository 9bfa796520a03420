// How many connections each thread has accepted and still serves, so that none takes far more than its share. Where all
// threads listen by one descriptor, a connection goes to whoever is quickest, and one that wakes up for a crowd takes all
// of it. So a thread that is ahead of the others waits a moment behind a connection it has accepted; that lets another
// one have the next. It waits for as long as it takes until it is no longer ahead, which among threads with nothing else to
// do is less than a tenth of a millisecond, and never for longer than one.

/** How far ahead of the one with the fewest a thread may be: so many, and a part of what that one has. */
const LEAD = 2
const LEAD_PART = 0.125

const PATIENCE_MS = 1

/** Word 0 changes whenever anybody accepts; then a word for each thread, whose numbers begin at 1. */
const CHANGES = 0

export class Shares {
  static bytesFor(threads: number): number { return (threads + 1) * 4 }

  private readonly words: Int32Array

  /** @param memory `bytesFor(threads)` of it, zeroed; @param thread the number of this one */
  constructor(memory: SharedArrayBuffer, private readonly thread: number) { this.words = new Int32Array(memory) }

  /** So many more, or fewer, are served here. */
  add(change: number): void {
    this.words[this.thread]! += change
    Atomics.add(this.words, CHANGES, 1)
    Atomics.notify(this.words, CHANGES)
  }

  /** Waits a moment if this thread is ahead of another. */
  leaveSome(): void {
    if (!this.isAhead) return
    const end = performance.now() + PATIENCE_MS
    for (let left = PATIENCE_MS; left > 0; left = end - performance.now()) {
      const changes = Atomics.load(this.words, CHANGES)
      if (!this.isAhead) return
      Atomics.wait(this.words, CHANGES, changes, left)
    }
  }

  private get isAhead(): boolean {
    const { words } = this
    let fewest = Infinity
    for (let thread = 1; thread < words.length; thread++) fewest = Math.min(fewest, words[thread]!)
    return words[this.thread]! > fewest * (1 + LEAD_PART) + LEAD
  }
}
