// Which of the threads that work on the same memory have died. Whoever waits for a lock goes on waiting as long as its holder
// lives, however slow that is: the process may have been stopped for a while, or the machine be busy. It asks here whether a
// thread has died, as nobody would give back what that one held.
//
// A thread that dies of an error says so itself, and the main thread says so of one that it sees end (`fail`). One that ends
// without a word while the main thread waits for a lock has nobody to tell of it. So on Linux each thread writes down its number
// in the system, which has a folder for each thread of the process as long as it lives. Elsewhere the main thread's word is all.
import { existsSync, readlinkSync } from 'node:fs'

const enum Word { HasFailed, Threads }

export class Lives {
  /** The bytes of memory that this needs, zeroed at the start. */
  static bytesFor(threads: number): number { return (Word.Threads + threads) * 4 }

  /** @param words `bytesFor` the threads */
  constructor(private readonly words: Int32Array) {}

  /** This thread, number `thread`, may hold locks from now on. */
  enter(thread: number): void { this.words[Word.Threads + thread] = systemThread() }

  /** It holds none, and may end. */
  leave(thread: number): void { this.words[Word.Threads + thread] = 0 }

  /** A thread has died, perhaps with locks in its hands. */
  fail(): void { Atomics.store(this.words, Word.HasFailed, 1) }

  /** Whether somebody said so. */
  get hasFailed(): boolean { return Atomics.load(this.words, Word.HasFailed) !== 0 }

  /** Looks whether one of the threads has died without a word. */
  look(): void {
    for (let at = Word.Threads as number; at < this.words.length; at++) {
      const number = Atomics.load(this.words, at)
      // read again: it may have left in this moment
      if (number !== 0 && !existsSync(`/proc/self/task/${number}`) && Atomics.load(this.words, at) === number) this.fail()
    }
  }
}

/** The number that the system gave to this thread; 0 where it does not tell. */
function systemThread(): number {
  try {
    return Number(readlinkSync('/proc/thread-self').split('/').at(-1))
  } catch {
    return 0
  }
}
