// A record of whether one of the threads that share memory has died. A thread that waits for a lock waits as long as the holder
// lives, however slow the holder is: the process may have been stopped for a while, or the machine may be busy. But a dead thread
// never releases its locks, so a waiting thread checks this record now and then. Each batch of requests begins with a check too,
// so that no thread serves requests after a death.
//
// A thread that dies of an error records that itself, and the main thread records it for a worker that it sees end (`fail`). A
// thread may also end without recording it while the main thread waits for a lock and cannot see it end. So on Linux each thread
// stores its thread id here: while the thread lives, the system has a folder of that name under /proc/self/task. On other
// systems, only `fail` reports a death.
import { existsSync, readlinkSync } from 'node:fs'

const enum Word { HasFailed, Threads }

/** The number of a thread that has a place, on a system that does not say its number. */
const UNKNOWN = -1

/** The milliseconds between two looks of a thread that waits for a lock. Looks this rare cost next to nothing. */
const LOOK_MS = 500

export class Lives {
  /** The bytes of memory that this needs, zeroed at the start. */
  static bytesFor(threads: number): number { return (Word.Threads + threads) * 4 }

  /**
   * @param words as many as `bytesFor` gives for all threads
   * @param thread the number of this thread
   * @param lookMs the interval between two looks while this thread waits for a lock; a test may pass a shorter one
   */
  constructor(private readonly words: Int32Array, readonly thread: number, readonly lookMs = LOOK_MS) {}

  /**
   * Takes a free place for this thread, as `enter` does for a thread whose number is its own from the start.
   * @param words those of all threads; @param from, to the numbers of threads to choose from, half-open
   * @returns the number of this thread; undefined if all are taken
   */
  static tryTake(words: Int32Array, from: number, to: number): number | undefined {
    const number = systemThread() || UNKNOWN
    for (let thread = from; thread < to; thread++) {
      if (Atomics.compareExchange(words, Word.Threads + thread, 0, number) === 0) return thread
    }
    return undefined
  }

  /** Records that this thread may hold locks from now on. */
  enter(): void { this.words[Word.Threads + this.thread] = systemThread() }

  /** Records that this thread holds no lock, so that it may end. */
  leave(): void { Atomics.store(this.words, Word.Threads + this.thread, 0) }

  /** The byte index of the record in its memory. */
  get at(): number { return this.words.byteOffset }

  /** Records that a thread has died, perhaps while it held locks. */
  fail(): void { Atomics.store(this.words, Word.HasFailed, 1) }

  /** True if a thread is known to have died. A plain load, as each batch of requests asks: the value may be a moment old. */
  get hasFailed(): boolean { return this.words[Word.HasFailed] !== 0 }

  /** Looks for a thread that has ended without `leave`, and calls `fail` if there is one. */
  look(): void {
    for (let at = Word.Threads as number; at < this.words.length; at++) {
      const number = Atomics.load(this.words, at)
      // read again: the thread may have left in the meantime
      if (number > 0 && !existsSync(`/proc/self/task/${number}`) && Atomics.load(this.words, at) === number) this.fail()
    }
  }
}

/** The system's id of this thread; 0 on a system without /proc/thread-self. */
function systemThread(): number {
  try {
    return Number(readlinkSync('/proc/thread-self').split('/').at(-1))
  } catch {
    return 0
  }
}
