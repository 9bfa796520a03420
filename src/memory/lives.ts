// Which of the threads that work on the same memory have died. A thread that waits for a lock goes on waiting as long as its
// holder lives, however slow that is: the process may have been stopped for a while, or the machine be busy. Now and then it
// looks here whether a thread has died, as no thread would release what that one held. Each batch of requests begins with a look
// too, so that nothing more is served.
//
// A thread that dies of an error says so itself, and the main thread says so of one that it sees end (`fail`). One that ends
// without a word while the main thread waits for a lock is seen by no other. So on Linux each thread writes down its number in
// the system, which has a folder for each thread of the process as long as it lives. Elsewhere the main thread's word is all.
import { existsSync, readlinkSync } from 'node:fs'

const enum Word { HasFailed, Threads }

/** How often a thread that waits for a lock looks, in milliseconds: seldom enough to cost nothing, and soon enough to end. */
const LOOK_MS = 500

export class Lives {
  /** The bytes of memory that this needs, zeroed at the start. */
  static bytesFor(threads: number): number { return (Word.Threads + threads) * 4 }

  /**
   * @param words `bytesFor` the threads
   * @param thread the number of this one
   * @param lookMs how often it looks while it waits for a lock; a test may hand in less
   */
  constructor(private readonly words: Int32Array, readonly thread: number, readonly lookMs = LOOK_MS) {}

  /** This thread may hold locks from now on. */
  enter(): void { this.words[Word.Threads + this.thread] = systemThread() }

  /** This thread holds no lock, and may end. */
  leave(): void { this.words[Word.Threads + this.thread] = 0 }

  /** A thread has died, perhaps while it held locks. */
  fail(): void { Atomics.store(this.words, Word.HasFailed, 1) }

  /** True if a thread is known to have died. Not an atomic load, as each batch of requests asks: a moment late will do. */
  get hasFailed(): boolean { return this.words[Word.HasFailed] !== 0 }

  /** Looks whether a thread has died without a word. */
  look(): void {
    for (let at = Word.Threads as number; at < this.words.length; at++) {
      const number = Atomics.load(this.words, at)
      // read again: it may have left in this moment
      if (number !== 0 && !existsSync(`/proc/self/task/${number}`) && Atomics.load(this.words, at) === number) this.fail()
    }
  }
}

/** The system's number of this thread; 0 where the system has no such folder. */
function systemThread(): number {
  try {
    return Number(readlinkSync('/proc/thread-self').split('/').at(-1))
  } catch {
    return 0
  }
}
