// What locks and shared memory cost a thread that nobody disturbs: the same batches through sessions over a store for
// several threads and over one for a single thread. Each store has a thread of its own, as code that has seen both
// kinds of memory runs slower on either; they work in turn, so that the machine's moods meet both.

import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { median } from './numbers.js'

export interface LockResult {
  readonly name: string
  readonly ownNs: number      // CPU time of a request, the store being this thread's own
  readonly sharedNs: number
  readonly ratio: number      // median over the rounds
}

// What the threads are told: how many times to do the work of which layer (0: look whether the store is sound); and what
// they answer.
export interface LockOrder { readonly layer: number, readonly times: number }
export interface LockReport { readonly names: readonly string[], readonly ns: number }

const ROUNDS = 15

export async function measureLocks(quick: boolean): Promise<LockResult[]> {
  const [own, shared] = [false,
    true].map(workerData => new Worker(new URL('./locker.js', import.meta.url), { workerData })) as [Worker, Worker]
  try {
    const times = quick ? 10_000 : 200_000
    const { names } = await give(own, { layer: 0, times: 0 })
    const results: LockResult[] = []
    for (const [layer, name] of names.entries()) results.push(await compare(own, shared, name, { layer, times }))
    for (const worker of [own, shared]) await give(worker, { layer: 0, times: 0 })
    return results
  } finally {
    await Promise.all([own.terminate(), shared.terminate()])
  }
}

async function compare(own: Worker, shared: Worker, name: string, order: LockOrder): Promise<LockResult> {
  for (const worker of [own, shared]) await give(worker, { ...order, times: order.times * 2 })   // until it is compiled
  const rounds: { ownNs: number, sharedNs: number }[] = []
  for (let round = 0; round < ROUNDS; round++) {
    rounds.push({ ownNs: (await give(own, order)).ns, sharedNs: (await give(shared, order)).ns })
  }
  return {
    name,
    ownNs: median(rounds.map(({ ownNs }) => ownNs)),
    sharedNs: median(rounds.map(({ sharedNs }) => sharedNs)),
    ratio: median(rounds.map(({ ownNs, sharedNs }) => sharedNs / ownNs)),
  }
}

async function give(worker: Worker, order: LockOrder): Promise<LockReport> {
  worker.postMessage(order)
  const [report] = await once(worker, 'message') as [LockReport]
  return report
}
