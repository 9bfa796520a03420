// Starts the threads of workers. To load what it needs takes a worker longer than all the rest of a server's start, so who
// knows early that there will be workers starts them before it loads its own part. A worker waits until it is told what
// it is to serve.
import { Worker } from 'node:worker_threads'

/** Starts one; `thread` counts from 1. It does not keep the process alive until somebody makes it, with `ref`. */
export function startWorker(thread: number): Worker {
  // what was said to the process, a loader for one, is not for it
  const worker = new Worker(new URL('./worker.js', import.meta.url), { execArgv: [], name: `memslab ${thread}` })
  worker.unref()
  return worker
}

/** Starts as many as a server with this many threads has: none if it has only one. */
export function startWorkers(threads: number): Worker[] {
  return threads === 1 ? [] : Array.from({ length: threads }, (_, index) => startWorker(index + 1))
}
