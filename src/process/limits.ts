// What the system allows this process. A leaf: anyone may import it.
import { readFileSync } from 'node:fs'
import { MemslabError } from '../errors.js'
import { type Options } from '../options/options.js'

/** Files of a thread besides connections: its event loop, its listeners. */
const FILES_PER_THREAD = 16
const FILES_OF_PROCESS = 32

/** The most files that a starting thread has open at a time: it reads its modules side by side. */
const FILES_PER_START = 56

/**
 * With no more threads than can start.
 * @throws MemslabError whose message is one clear line if not even one can
 */
export function withAllowedThreads(options: Options, complain: (line: string) => void): Options {
  const allowed = filesAllowed()
  let { threads } = options
  while (threads > 1 && filesToStart(threads) > allowed) threads--
  if (filesToStart(threads) > allowed) {
    throw new MemslabError('EMFILE', `failed to start: 1 thread needs up to ${filesToStart(1)} open files, and ulimit -n allows ${allowed}`)
  }
  if (threads === options.threads) return options
  complain(`WARNING: -t ${options.threads} is lowered to ${threads}, as this process may not open more files (ulimit -n)`)
  return { ...options, threads }
}

/** The files that threads have open while they all start; the main thread is one more. */
export function filesToStart(threads: number): number { return (threads === 1 ? 1 : threads + 1) * FILES_PER_START }

/** True if threads can still start beside the most clients there can be: those of -c, and those that wait in the queue. */
export function canStartBesideClients({ threads, maxconns, backlog }: Options): boolean {
  return filesAllowed() >= maxconns + queueOf(backlog) + filesToStart(threads)
}

/** The most connections with so many threads, by `ulimit -n`; Infinity where the system has no limit. */
export function connectionsAllowed(threads: number): number {
  const files = filesAllowed()
  return Math.max(1, files - FILES_OF_PROCESS - threads * FILES_PER_THREAD)
}

/** Node.js raises its own limit as far as it may go. */
export function filesAllowed(): number {
  try {
    const [, hard] = /^Max open files +\S+ +(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1')) ?? []
    return hard === undefined ? Infinity : Number(hard)
  } catch {
    // not Linux
    return Infinity
  }
}

/** How many connections wait in the kernel's queue by `-b`: 1 for 0, and for negative numbers as many as the system allows. */
export function queueOf(backlog: number): number {
  return Math.min(backlog < 0 ? Infinity : Math.max(backlog, 1), systemsMost())
}

const INT_MAX = 2 ** 31 - 1

/** The kernel keeps to it anyway. */
function systemsMost(): number {
  try {
    return Number(readFileSync('/proc/sys/net/core/somaxconn', 'latin1'))
  } catch {
    // not Linux
    return INT_MAX
  }
}
