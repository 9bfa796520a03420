// Several real threads that run one module at once, over memory they share. A module is handed what it works with as
// `workerData`; it calls `meet` before it begins, so that no thread has ended before the last has started.
import { Worker } from 'node:worker_threads'
import './fresh.js'

/**
 * Runs a module once for each entry of `data`.
 * @param during called again and again until all threads have ended
 */
export async function runThreads(module: URL, data: readonly unknown[], during = () => {}): Promise<void> {
  const workers = data.map(workerData => new Worker(module, { workerData }))
  let running = workers.length
  const ended = Promise.all(workers.map(worker => new Promise<void>((resolve, reject) => {
    worker.once('error', reject)
    worker.once('exit', () => {
      running--
      resolve()
    })
  })))
  const watching = (async () => {
    while (running > 0) {
      during()
      // now and then rather than all the time: the threads need the processors
      await new Promise(resolve => setTimeout(resolve, 1))
    }
  })()
  try {
    await Promise.race([ended, watching.then(() => ended)])
  } finally {
    // where one has failed the others may wait for it
    await Promise.all(workers.map(worker => worker.terminate()))
    await watching.catch(() => {})
  }
}

/** Waits until `count` threads have come here; `gate` is one word of shared memory, 0 at first. */
export function meet(gate: Int32Array, count: number): void {
  let here = Atomics.add(gate, 0, 1) + 1
  Atomics.notify(gate, 0)
  for (; here < count; here = Atomics.load(gate, 0)) Atomics.wait(gate, 0, here)
}
