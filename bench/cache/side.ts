// A process, or a thread of one, with one of the two caches: it fills the cache and works for a slice of time, as the benchmark
// tells it. In a process, more threads work on the same cache, or on one of their own where they cannot share.

import { once } from 'node:events'
import { PerformanceObserver } from 'node:perf_hooks'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import type { CacheHandle } from '../../dist/index.js'
import { makeSide, type Operation, type Side, type SideName } from './sides.js'

export interface SideOptions {
  readonly name: SideName
  readonly items: number
  readonly threads: number
  readonly lruCache: string
  /** Given to the other threads of a process. */
  readonly handle?: CacheHandle | undefined
}

/** What a process or a thread is asked to do. The share is that of sets among the operations; the others are gets. */
export type Order =
  | { readonly kind: 'fill' }
  | { readonly kind: 'slice', readonly operation: Operation, readonly setShare: number, readonly ms: number }
  | { readonly kind: 'memory' }

export interface Slice {
  readonly operations: number
  readonly ms: number
  /** CPU time of the whole process, with the threads of the collector. */
  readonly cpuMs: number
  readonly pauses: number
  readonly pausedMs: number
  readonly longestPauseMs: number
  readonly checksum: number
}

export interface MemoryUse {
  readonly heapBytes: number
  readonly rssBytes: number
  /** The pause of a full collection. */
  readonly collectionMs: number
}

const VALUE = Buffer.alloc(100, 'v')
/** Keys that are used; those of a large cache are spread over all. They are strings that are there before. */
const KEYS_MAX = 50_000
const BATCH = 500

const keyOf = (index: number): string => `user:${String(index).padStart(11, '0')}`

/** Does what is asked, on one cache. */
class Work {
  private readonly side: Side
  private keys: readonly string[]
  private at = 0

  constructor(private readonly options: SideOptions) {
    const { name, items, lruCache, handle } = options
    this.side = makeSide(name, items, lruCache, handle)
    const count = Math.min(items, KEYS_MAX)
    // in an order that has nothing to do with that in memory
    this.keys = Array.from({ length: count }, (_, index) => keyOf(Math.floor((index * 7919 % count) * (items / count))))
  }

  get handle(): CacheHandle | undefined { return this.side.handle }

  /** Frees the benchmark's own keys, so that the heap is that of the cache. Nothing can be run any more. */
  dropKeys(): void { this.keys = [] }

  fill(): void {
    if (this.options.handle !== undefined) return
    for (let index = 0; index < this.options.items; index++) this.side.set(keyOf(index), VALUE)
  }

  run(operation: Operation, setShare: number, ms: number): { operations: number, ms: number, checksum: number } {
    const begin = performance.now()
    let operations = 0
    let checksum = 0
    let now = begin
    for (; now < begin + ms; now = performance.now()) {
      checksum += this.batch(operation, BATCH - Math.round(BATCH * setShare))
      if (setShare > 0) checksum += this.batch('set', Math.round(BATCH * setShare))
      operations += BATCH
    }
    return { operations, ms: now - begin, checksum }
  }

  /** A loop for each operation, so that each calls one function, as a program does. */
  private batch(operation: Operation, count: number): number {
    const { side, keys } = this
    let { at } = this
    let sum = 0
    const next = (): string => {
      if (++at >= keys.length) at = 0
      return keys[at]!
    }
    switch (operation) {
      case 'get':
        for (let index = 0; index < count; index++) sum += side.get(next())
        break
      case 'view':
        for (let index = 0; index < count; index++) sum += side.view(next())
        break
      case 'set':
        for (let index = 0; index < count; index++) sum += side.set(next(), VALUE)
        break
    }
    this.at = at
    return sum
  }
}

/** The pauses of the collector in the main thread. */
class Pauses {
  private durations: number[] = []
  private readonly observer = new PerformanceObserver(list => this.take(list.getEntries()))

  constructor() { this.observer.observe({ entryTypes: ['gc'] }) }

  private take(entries: readonly { readonly duration: number }[]): void {
    for (const { duration } of entries) this.durations.push(duration)
  }

  async collect(): Promise<Pick<Slice, 'pauses' | 'pausedMs' | 'longestPauseMs'>> {
    await new Promise(resolve => setImmediate(resolve))
    this.take(this.observer.takeRecords())
    const { durations } = this
    this.durations = []
    return {
      pauses: durations.length,
      pausedMs: durations.reduce((sum, duration) => sum + duration, 0),
      longestPauseMs: Math.max(0, ...durations),
    }
  }
}

function memoryUse(): MemoryUse {
  const collect = globalThis.gc!
  collect()
  const before = performance.now()
  collect()
  const collectionMs = performance.now() - before
  const { heapUsed, rss } = process.memoryUsage()
  return { heapBytes: heapUsed, rssBytes: rss, collectionMs }
}

async function runProcess(options: SideOptions): Promise<void> {
  const work = new Work(options)
  const pauses = new Pauses()
  const workers = Array.from({ length: options.threads - 1 }, () =>
    new Worker(new URL(import.meta.url), { workerData: { ...options, handle: work.handle } satisfies SideOptions }))
  const answer = async (order: Order): Promise<Slice | MemoryUse | 'done'> => {
    const others = workers.map(async worker => {
      worker.postMessage(order)
      return (await once(worker, 'message'))[0] as { operations: number, checksum: number }
    })
    switch (order.kind) {
      case 'fill':
        work.fill()
        await Promise.all(others)
        return 'done'
      case 'memory':
        work.dropKeys()
        return memoryUse()
      case 'slice': {
        await pauses.collect()
        const before = process.cpuUsage()
        const own = work.run(order.operation, order.setShare, order.ms)
        const all = [own, ...await Promise.all(others)]
        const { user, system } = process.cpuUsage(before)
        return {
          operations: all.reduce((sum, { operations }) => sum + operations, 0), ms: own.ms, cpuMs: (user + system) / 1000,
          checksum: all.reduce((sum, { checksum }) => sum + checksum, 0), ...await pauses.collect(),
        }
      }
    }
  }
  process.on('message', async (order: Order) => process.send!(await answer(order)))
}

function runThread(options: SideOptions): void {
  const work = new Work(options)
  parentPort!.on('message', (order: Order) => {
    if (order.kind === 'fill') work.fill()
    parentPort!.postMessage(order.kind === 'slice' ? work.run(order.operation, order.setShare, order.ms) : 'done')
  })
}

if (isMainThread) await runProcess(JSON.parse(process.argv[2]!) as SideOptions)
else runThread(workerData as SideOptions)
