// How several threads listen in one place: each with a socket of its own, or all by one file descriptor. Of that each
// thread has a handle for the same number, so each of them closes that number when it stops; and once the first has, the
// kernel gives the number to the next file that anybody in the process opens, unless a lower one is free. A socket that is
// to be shared therefore gets a high number, far above those that are in use, and nobody comes by it in the moment until
// the last thread has closed it.
//
// Should the numbers below it all be taken by then, whoever stops looks whether the number still is what it was. If it is
// somebody else's it must stay open: then the handle is left alone, and with it its thread, whose end would close it too.
//
// An event loop that is to wait for a number that has been closed meanwhile aborts the process. Threads that are told to end
// do so when nobody begins to listen any more; one that dies waits for those who do, see Beginners.
import { closeSync, fstatSync, openSync } from 'node:fs'
import { devNull } from 'node:os'
import { monotonicMilliseconds } from '../clock.js'
import { MemslabError } from '../errors.js'
import { filesAllowed, filesToStart } from '../process/limits.js'
import { type Options } from '../options/options.js'

/** Whether several threads may listen on one port, each with a socket of its own: then the kernel shares out who comes. */
const canSharePorts = process.platform === 'linux' && hasReusePort(process.versions.node)

/** Since 23.1, and on the branch before it since 22.12. */
function hasReusePort(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major > 23 || major === 23 && minor >= 1 || major === 22 && minor >= 12
}

/**
 * Whether each thread of a server has a socket of its own as well: TCP's for those who come once all threads serve, UDP's
 * in place of a shared one. A Unix socket is a file that only one of them can open.
 */
export function sharesPorts({ threads, socketPath }: Options): boolean {
  return threads > 1 && socketPath === undefined && canSharePorts
}

/** How many numbers are free below that of a shared socket when it is opened; where there are not so many, half of them. */
const SPARE_NUMBERS = 512

/** Does what opens sockets, and has them get high numbers; so many threads may be starting, which takes numbers too. */
export async function withHighNumbers<Result>(threads: number, open: () => Promise<Result>): Promise<Result> {
  const lower: number[] = []
  try {
    takeNumbers(lower, Math.min(SPARE_NUMBERS, Math.max(0, filesAllowed() - filesToStart(threads)) >> 1))
    return await open()
  } finally {
    for (const number of lower) closeSync(number)
  }
}

function takeNumbers(taken: number[], count: number): void {
  try {
    while (taken.length < count) taken.push(openSync(devNull, 'r'))
  } catch {
    // the process may open no more files
    for (const number of taken.splice(taken.length >> 1)) closeSync(number)
  }
}

export class SharedDescriptor {
  private readonly file: string | undefined

  /** @param number as it was shared, open */
  constructor(private readonly number: number) { this.file = fileOf(number) }

  /** Whether closing the number closes nobody else's file. */
  get mayBeClosed(): boolean {
    const file = fileOf(this.number)
    return file === undefined || file === this.file
  }
}

/** What the kernel calls the file behind a descriptor; undefined if there is none. */
function fileOf(number: number): string | undefined {
  try {
    const { dev, ino } = fstatSync(number)
    return `${dev} ${ino}`
  } catch {
    return undefined
  }
}

/** The one word: how many begin to listen, and so much more for each thread that has died. */
const DEATH = 1 << 16
/** Nobody takes that long to begin. */
const BEGIN_PATIENCE_MS = 1000

/** Who begins to listen by a number of which other threads have a handle too, in memory that all of them share. */
export class Beginners {
  /** The bytes of memory that this needs, all 0 at the start. */
  static readonly BYTES = Int32Array.BYTES_PER_ELEMENT

  private readonly word: Int32Array
  /** How many of them are in this thread. */
  private own = 0

  /** @param memory `BYTES` of it */
  constructor(memory: SharedArrayBuffer) { this.word = new Int32Array(memory) }

  /** Does what begins to listen, and ends when the event loop waits for it. Rejects if a thread has died. */
  async begin(action: () => Promise<void>): Promise<void> {
    this.own++
    const before = Atomics.add(this.word, 0, 1)
    try {
      if (before >= DEATH) throw new MemslabError('EDIED', 'another thread has died')
      await action()
    } finally {
      this.leave(Math.min(this.own, 1))
    }
  }

  private leave(count: number): void {
    this.own -= count
    Atomics.sub(this.word, 0, count)
    Atomics.notify(this.word, 0)
  }

  /** This thread dies, and closes its numbers: waits until nobody begins with one of them, and nobody will. */
  die(): void {
    Atomics.add(this.word, 0, DEATH)
    this.leave(this.own)
    const end = monotonicMilliseconds() + BEGIN_PATIENCE_MS
    for (;;) {
      const now = Atomics.load(this.word, 0)
      const left = end - monotonicMilliseconds()
      if (now % DEATH === 0 || left <= 0) return
      Atomics.wait(this.word, 0, now, left)
    }
  }
}
