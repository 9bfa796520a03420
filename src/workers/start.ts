// Starts the threads of workers. To load what it needs takes a worker longer than all the rest of a server's start, so who
// knows early that there will be workers starts them before it loads its own part. A worker waits until it is told what
// it is to serve.
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { isSharedByDescriptor } from '../net/descriptor.js'
import { type Options } from '../options.js'

/** Starts one; `thread` counts from 1. It does not keep the process alive until somebody makes it, with `ref`. */
export function startWorker(thread: number): Worker {
  // what was said to the process, a loader for one, is not for it
  const worker = new Worker(new URL('./worker.js', import.meta.url), { execArgv: [], name: `memslab ${thread}` })
  worker.unref()
  return worker
}

/**
 * Starts those that a server waits for before its first one listens: none if it has one thread. By one descriptor the others
 * can start while clients come, of whom they then get their share, see Shares; so these are no more than start side by side,
 * beside the main thread. Where each thread has a socket of its own they are all.
 * @param mayStartLater whether threads can start though clients are there
 */
export function startFirstWorkers(options: Options, mayStartLater: boolean): Worker[] {
  const { threads } = options
  const canStartLater = mayStartLater && isSharedByDescriptor(options)
  const count = canStartLater ? Math.min(threads, Math.max(1, availableParallelism() - 1)) : threads
  return Array.from({ length: threads === 1 ? 0 : count }, (_, index) => startWorker(index + 1))
}
