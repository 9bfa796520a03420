// What the system allows this process.
import { readFileSync } from 'node:fs'
import { type Options } from './options.js'

/** What a thread needs besides connections: its event loop, its listeners. */
const FILES_PER_THREAD = 16
const FILES_OF_PROCESS = 32

/** What a thread that starts may have open at once: it reads its modules side by side. */
const FILES_PER_START = 56

/** What keeps so many threads from starting, in one line; undefined if nothing does. */
export function whyNotStart(threads: number): string | undefined {
  // the main thread is one more
  const needed = (threads === 1 ? 1 : threads + 1) * FILES_PER_START
  const allowed = filesAllowed()
  return allowed >= needed ? undefined
    : `failed to start: ${threads === 1 ? '1 thread needs' : `${threads} threads need`} up to ${needed} open files, and ulimit -n allows ${allowed}`
}

/** Whether threads can still start when as many clients are there as may ever be: those of -c, and those who wait behind them. */
export function canStartBesideClients({ threads, maxconns, backlog }: Options): boolean {
  return filesAllowed() >= maxconns + backlog + (threads + 1) * FILES_PER_START
}

/** How many connections there can be with so many threads, by `ulimit -n`; Infinity where nobody says. */
export function connectionsAllowed(threads: number): number {
  const files = filesAllowed()
  return Math.max(1, files - FILES_OF_PROCESS - threads * FILES_PER_THREAD)
}

/** Node.js raises its own limit as far as it may go. */
function filesAllowed(): number {
  try {
    const [, hard] = /^Max open files +\S+ +(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1')) ?? []
    return hard === undefined ? Infinity : Number(hard)
  } catch {
    // not Linux
    return Infinity
  }
}
