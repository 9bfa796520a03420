// The limits that the system sets for this process. A leaf: any file may import it.
import { readFileSync } from 'node:fs'
import { MemslabError } from '../errors.js'
import { type Options } from '../options/options.js'

/** The files that a thread has open besides connections: those of its event loop, and its listeners. */
const FILES_PER_THREAD = 16
/** The files that the process has open besides those of its threads. */
const FILES_OF_PROCESS = 32

/** The most files that a starting thread has open at a time, as it reads its modules in parallel. */
const FILES_PER_START = 56

/**
 * The options with no more threads than can start. Complains if that lowers their number.
 * @throws MemslabError whose message is one line if not even one thread can start
 */
export function withAllowedThreads(options: Options, complain: (line: string) => void): Options {
  const filesMax = filesAllowed()
  const filesToStartAll = (threads: number): number => filesToStart(threadsOfAll({ ...options, threads }))
  let { threads } = options
  while (threads > 1 && filesToStartAll(threads) > filesMax) threads--
  if (filesToStartAll(threads) > filesMax) {
    throw new MemslabError('EMFILE',
      `failed to start: 1 thread needs up to ${filesToStart(1)} open files, and ulimit -n allows ${filesMax}`)
  }
  if (threads === options.threads) return options
  complain(`WARNING: -t ${options.threads} is lowered to ${threads}, as this process may not open more files (ulimit -n)`)
  return { ...options, threads }
}

/** The threads of all nodes: with one thread each, the main thread serves them all. */
function threadsOfAll({ threads, nodes }: Options): number { return threads === 1 ? 1 : threads * nodeCount(nodes) }

/** The number of servers in the process. */
function nodeCount(nodes: number): number { return Math.max(nodes, 1) }

/** The most open files while so many threads start at once. With several threads, the main thread is one more. */
export function filesToStart(threads: number): number { return (threads === 1 ? 1 : threads + 1) * FILES_PER_START }

/** True if threads can start even while there are as many clients as possible: those of -c, and those in the kernel's queue. */
export function canStartBesideClients(options: Options): boolean {
  const { maxconns, backlog, nodes } = options
  return filesAllowed() >= (maxconns + queueOf(backlog)) * nodeCount(nodes) + filesToStart(threadsOfAll(options))
}

/** The memory that a thread takes when it starts, in bytes: 18 MiB with Node 20, 33 MiB with Node 24. */
const MEMORY_PER_START = 24 * 1024 * 1024

/**
 * True if memory that was to be had at the start is to be had later, too. Where the address space is limited, or the system lets
 * programs reserve no more than there is, a thread that finds no memory for its heap would end the process.
 */
export function hasMemoryLater(): boolean {
  const areUnlimited = ['Max address space', 'Max data size'].every(name => processLimits(name).soft === Infinity)
  return areUnlimited && overcommitMode() !== NO_OVERCOMMIT
}

/** The number of threads for which there is memory now, in the machine and in the container. */
export function threadsInMemory(): number {
  const { freemem } = require('node:os') as typeof import('node:os')
  // without a limit it is 0, undefined or more than any machine has
  const limit = process.constrainedMemory() || Infinity
  return Math.max(0, Math.floor(Math.min(freemem(), limit - process.memoryUsage.rss()) / MEMORY_PER_START))
}

/** The value of vm.overcommit_memory with which Linux promises no memory that it does not have. */
const NO_OVERCOMMIT = 2

function overcommitMode(): number {
  try {
    return Number(readFileSync('/proc/sys/vm/overcommit_memory', 'latin1'))
  } catch {
    // not Linux, or hidden
    return NO_OVERCOMMIT
  }
}

/** The most connections that `ulimit -n` allows each server of the process; Infinity if the system has no limit. */
export function connectionsAllowed({ threads, nodes }: Options): number {
  const count = nodeCount(nodes)
  return Math.max(1, Math.floor((filesAllowed() - FILES_OF_PROCESS) / count) - threads * FILES_PER_THREAD)
}

let allowed: number | undefined

/** The most files that the process may open: the hard limit, as Node.js raises the soft one. Infinity if there is none. */
export function filesAllowed(): number { return allowed ??= processLimits('Max open files').hard ?? Infinity }

/** The limits of this name that the system sets for the process: Infinity where there is none, undefined if it is not known. */
function processLimits(name: string): { readonly soft?: number, readonly hard?: number } {
  try {
    const limits = readFileSync('/proc/self/limits', 'latin1')
    const [, soft, hard] = new RegExp(`^${name} +(\\S+) +(\\S+)`, 'm').exec(limits) ?? []
    return soft === undefined || hard === undefined ? {} : { soft: limitOf(soft), hard: limitOf(hard) }
  } catch {
    // not Linux
    return {}
  }
}

function limitOf(text: string): number { return text === 'unlimited' ? Infinity : Number(text) }

/** The length of the kernel's queue of connections with `-b`: 1 for 0, and for negative numbers as long as the system allows. */
export function queueOf(backlog: number): number {
  return Math.min(backlog < 0 ? Infinity : Math.max(backlog, 1), queueMax())
}

const INT_MAX = 2 ** 31 - 1

let longestQueue: number | undefined

/** The longest queue that the system allows. A longer one would be cut to this by the kernel anyway. */
function queueMax(): number { return longestQueue ??= readQueueMax() }

function readQueueMax(): number {
  try {
    return Number(readFileSync('/proc/sys/net/core/somaxconn', 'latin1'))
  } catch {
    // not Linux
    return INT_MAX
  }
}
