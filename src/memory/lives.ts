// A record of the threads that share memory: which of them may hold locks, and whether one of them has died, so that nothing may
// be served from the memory any more.
//
// A thread that waits for a lock waits as long as the holder lives, however slow the holder is: the process may have been stopped
// for a while, or the machine may be busy. But a dead thread never releases its locks, so a waiting thread checks this record now
// and then. Each batch of requests begins with a check too, so that no thread serves requests after a death.
//
// A server's thread that dies of an error records that itself, and the main thread records it for a worker that it sees end
// (`fail`). A thread may also end without recording it while the main thread waits for a lock and cannot see it end. So on Linux
// each thread stores its thread id here: while the thread lives, the system has a folder of that name under /proc/self/task. On
// other systems, only `fail` reports the death of a server's thread.
//
// The threads of a program that attach to a cache have the last numbers, which are called places. They may be terminated at any
// time, which does no harm unless they hold a lock. So a waiting thread looks at such a thread only if it holds the lock. On
// systems other than Linux, a thread in a place counts as dead if it has held the same lock for SLOW_LOOKS looks.
import { existsSync, readlinkSync } from 'node:fs'

const enum Word { HasFailed, FirstPlace, Threads }

/** The number of a thread that has a place, on a system that does not say its id. */
const UNKNOWN = -1

/** The milliseconds between two looks of a thread that waits for a lock. Looks this rare cost next to nothing. */
const LOOK_MS = 500
/**
 * The looks after which the holder of a lock counts as dead if nothing is known about it: ten seconds in which the waiting thread
 * was awake to look, so that a process that was stopped for a while goes on.
 */
const SLOW_LOOKS = 20

export class Lives {
  /** The bytes of memory that this needs, zeroed at the start. */
  static bytesFor(threads: number): number { return (Word.Threads + threads) * 4 }

  /**
   * @param words as many as `bytesFor` gives for all threads
   * @param thread the number of this thread
   * @param lookMs the interval between two looks while this thread waits for a lock; a test may pass a shorter one
   */
  constructor(private readonly words: Int32Array, readonly thread: number, readonly lookMs = LOOK_MS) {}

  /** The byte index of the record in its memory. */
  get at(): number { return this.words.byteOffset }

  /** Sets the number of the first place. Called once, before another thread knows the memory. Default: there are no places. */
  set firstPlace(thread: number) { this.words[Word.FirstPlace] = thread }
  get firstPlace(): number { return this.words[Word.FirstPlace]! || this.count }

  /** The number of threads. */
  private get count(): number { return this.words.length - Word.Threads }

  /**
   * Takes a free place for this thread, as `enter` does for a thread whose number is its own from the start.
   * @param words those of all threads
   * @returns the number of this thread; undefined if all places are taken
   */
  static tryTake(words: Int32Array): number | undefined {
    const id = systemThread() || UNKNOWN
    for (let at = Word.Threads + words[Word.FirstPlace]!; at < words.length; at++) {
      if (Atomics.compareExchange(words, at, 0, id) === 0) return at - Word.Threads
    }
    return undefined
  }

  /** True if a place is going to be free soon, as its thread has ended. @param words those of all threads */
  static isPlaceComing(words: Int32Array): boolean { return new Lives(words, 0).endedPlaces().length > 0 }

  /** Records that this thread may hold locks from now on. */
  enter(): void { this.words[Word.Threads + this.thread] = systemThread() }

  /** Records that this thread holds no lock, so that it may end. Gives its place back. */
  leave(): void { this.free(this.thread) }

  /** Gives the place of a thread back that has ended. */
  free(thread: number): void { Atomics.store(this.words, Word.Threads + thread, 0) }

  /** Records that a thread has died, perhaps while it held locks. */
  fail(): void { Atomics.store(this.words, Word.HasFailed, 1) }

  /** True if a thread is known to have died. A plain load, as each batch of requests asks: the value may be a moment old. */
  get hasFailed(): boolean { return this.words[Word.HasFailed] !== 0 }

  /**
   * Looks for a thread that has ended without `leave`, and calls `fail` if there is one. Of the threads in places, it looks only
   * at the holder of the lock.
   * @param holder the thread that holds the lock; @param looks the number of looks since it was found to hold it
   */
  look(holder: number, looks: number): void {
    const { firstPlace } = this
    for (let thread = 0; thread < firstPlace; thread++) if (this.hasEnded(thread)) this.fail()
    if (holder < firstPlace) return
    const isSlow = Atomics.load(this.words, Word.Threads + holder) === UNKNOWN && looks >= SLOW_LOOKS
    if (isSlow || this.hasEnded(holder)) this.fail()
  }

  /** True if a thread has ended without `leave`. */
  hasEnded(thread: number): boolean {
    const at = Word.Threads + thread
    const id = Atomics.load(this.words, at)
    // read again: the thread may have left in the meantime
    return id > 0 && !existsSync(`/proc/self/task/${id}`) && Atomics.load(this.words, at) === id
  }

  /** The threads in places that have ended without `leave`. */
  endedPlaces(): number[] {
    const ended: number[] = []
    for (let thread = this.firstPlace; thread < this.count; thread++) if (this.hasEnded(thread)) ended.push(thread)
    return ended
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
