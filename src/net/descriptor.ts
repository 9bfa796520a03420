// Several threads listen on one address in two ways: each with a socket of its own, or all on one file descriptor. With one
// descriptor, each thread has a handle with the same number, and closes that number when it stops. Once the first thread has
// closed it, the kernel gives the number to the next file that any thread opens, unless a lower number is free. A socket that is
// to be shared therefore gets a high number, far above those in use, so that no other file gets it until the last thread has
// closed it. It does so even if other threads close files, and thereby free low numbers, while it is opened.
//
// All lower numbers may be in use by then. So a thread that stops checks whether the number still belongs to the socket. If it
// belongs to another file, it must stay open: the thread does not close its handle, and it must not end, as that would close the
// handle too.
//
// The process aborts if an event loop begins to wait for a number that has been closed meanwhile. So threads end only when no
// thread is beginning to listen, and one that dies waits for those that are, see Beginners.
import { closeSync, fstatSync, openSync } from 'node:fs'
import { monotonicMilliseconds } from '../clock.js'
import { MemslabError } from '../errors.js'
import { NO_DESCRIPTOR } from './handle.js'
import { filesAllowed, filesToStart } from '../process/limits.js'
import { type Options } from '../options/options.js'

/** True if several threads can listen on one port, each with a socket of its own. Then the kernel distributes the clients. */
const canSharePorts = process.platform === 'linux' && hasReusePort(process.versions.node)

/** True if Node.js has the option `reusePort`: from 23.1 on, and in version 22 from 22.12 on. */
function hasReusePort(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major > 23 || major === 23 && minor >= 1 || major === 22 && minor >= 12
}

/**
 * True if each thread of a server opens sockets of its own. With TCP it does so besides the shared one, and they get the clients
 * that connect once all threads serve. With UDP it does so instead. Threads always share a Unix socket, as it is one file.
 */
export function sharesPorts({ threads, socketPath }: Options): boolean {
  return threads > 1 && socketPath === undefined && canSharePorts
}

/**
 * The free numbers below that of a shared socket when it is opened. If there are fewer in all, it is half of them. With those in
 * use at the start they are less than 256. From there on, and again from 512 on, Linux enlarges the table of a process's files,
 * and a process of several threads waits about 10 ms for it.
 */
const SPARE_NUMBERS = 192

/** The most times that a socket is opened again because another thread closed a file with a lower number meanwhile. */
const TRIES_MAX = 16

/**
 * Calls `open`, which opens sockets that get high numbers by way of its argument.
 * @param threads the number of threads that may be starting, which open files too
 */
export async function withHighNumbers<Result>(threads: number, open: (high: HighNumbers) => Promise<Result>): Promise<Result> {
  const high = new HighNumbers(Math.min(SPARE_NUMBERS, Math.max(0, filesAllowed() - filesToStart(threads)) >> 1))
  try {
    return await open(high)
  } finally {
    high.end()
  }
}

/** A socket that can be opened more than once. */
interface Openable<Opened> {
  open(): Promise<Opened>
  numberOf(opened: Opened): number
  close(opened: Opened): Promise<unknown>
}

/** Takes many of the numbers that are free, from the lowest on, so that the next files get higher ones. */
export class HighNumbers {
  private readonly taken: number[] = []

  /** @param count how many numbers to take */
  constructor(count: number) {
    while (this.taken.length < count && this.take()) { /* the next one */ }
  }

  private get highest(): number { return this.taken.at(-1) ?? 0 }

  /**
   * Takes the lowest free number.
   * @returns false if the process may open no more files; then half of the numbers that were taken are free again
   */
  private take(): boolean {
    const { taken } = this
    const { devNull } = require('node:os') as typeof import('node:os')
    try {
      taken.push(openSync(devNull, 'r'))
      return true
    } catch {
      for (const number of taken.splice(taken.length >> 1)) closeSync(number)
      return false
    }
  }

  /** Opens a socket that has a higher number than those that were taken, if that can be. */
  async open<Opened>({ open, numberOf, close }: Openable<Opened>): Promise<Opened> {
    for (let tries = 1; ; tries++) {
      const opened = await open()
      const number = numberOf(opened)
      if (number === NO_DESCRIPTOR || number > this.highest || tries === TRIES_MAX) return opened
      await close(opened)
      this.takeFreed()
    }
  }

  /** Takes the numbers below the highest one that are free again, as the process has closed their files meanwhile. */
  private takeFreed(): void {
    const { highest } = this
    while (this.take() && this.highest <= highest) { /* the next one */ }
  }

  /** Gives back all numbers that were taken. */
  end(): void { for (const number of this.taken.splice(0)) closeSync(number) }
}

/** Opens a socket, which gets a high number if `high` is given. */
export async function openHigh<Opened>(socket: Openable<Opened>, high: HighNumbers | undefined): Promise<Opened> {
  return await (high === undefined ? socket.open() : high.open(socket))
}

export class SharedDescriptor {
  private readonly file: string | undefined

  /** @param number the number of the shared socket, which is open */
  constructor(private readonly number: number) { this.file = fileOf(number) }

  /** True if closing the number would not close another file. */
  get mayBeClosed(): boolean {
    const file = fileOf(this.number)
    return file === undefined || file === this.file
  }
}

/** The kernel's identity of the file behind a descriptor; undefined if there is none. */
function fileOf(number: number): string | undefined {
  try {
    const { dev, ino } = fstatSync(number)
    return `${dev} ${ino}`
  } catch {
    return undefined
  }
}

/** The amount that each death adds to the word of Beginners, above the count of threads that are beginning to listen. */
const DEATH = 1 << 16
/** The longest wait for threads that are beginning, in milliseconds: far more than it takes them. */
const BEGIN_PATIENCE_MS = 1000

/** A count, in shared memory, of the threads that are beginning to listen on numbers that other threads have too. */
export class Beginners {
  /** The bytes of memory that Beginners need, all 0 at the start. */
  static readonly BYTES = Int32Array.BYTES_PER_ELEMENT

  private readonly word: Int32Array
  /** The part of the count that is this thread's: its actions that are under way. */
  private own = 0

  /** @param memory of BYTES bytes */
  constructor(memory: SharedArrayBuffer) { this.word = new Int32Array(memory) }

  /**
   * Runs an action that begins to listen, and is counted until it ends. Rejects if a thread has died.
   * @param action ends when the event loop waits for the descriptor
   */
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

  /** Called when this thread dies, which closes its numbers: stops new actions in all threads, and waits for those under way. */
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
