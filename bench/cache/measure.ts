// Measures rows of the benchmark inside a process. Each side has a process of its own, as code that serves one cache is compiled
// for it, and the heap of one must not be the other's. The sides work in turn, slice by slice: A B A B.

import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { median, quantile } from '../numbers.js'
import type { MemoryUse, Order, SideOptions, Slice } from './side.js'
import type { Operation, SideName } from './sides.js'

export interface CacheRow {
  readonly name: string
  readonly items: number
  readonly operation: Operation
  /** The share of sets among the operations, besides those of a row of sets. */
  readonly setShare?: number
  readonly threads?: number
  /** Shows the heap and the pauses of the collector. */
  readonly showsHeap?: true
}

const ITEMS = 10_000
const ITEMS_MANY = 2_000_000
const THREADS = 4

export const CACHE_ROWS: readonly CacheRow[] = [
  { name: 'get 100 B, a copy', items: ITEMS, operation: 'get' },
  { name: 'get 100 B, in place', items: ITEMS, operation: 'view' },
  { name: 'set 100 B', items: ITEMS, operation: 'set' },
  { name: 'get 100 B, a copy, 2 million items', items: ITEMS_MANY, operation: 'get' },
  { name: `get 100 B, a copy, ${THREADS} threads`, items: ITEMS, operation: 'get', threads: THREADS },
  { name: 'heap, 10 thousand items', items: ITEMS, operation: 'get', setShare: 0.1, showsHeap: true },
  { name: 'heap, 2 million items', items: ITEMS_MANY, operation: 'get', setShare: 0.1, showsHeap: true },
]

export interface CachePlan {
  readonly rounds: number
  readonly seconds: number
  readonly quick: boolean
  /** Where lru-cache is; undefined to measure memslab alone. */
  readonly lruCache: string | undefined
}

export interface CacheSide {
  readonly name: SideName
  readonly operationsPerSecond: number
  readonly cpuNs: number
  /** Milliseconds of pauses in a second, and the longest pause of all. */
  readonly pausedMs: number
  readonly longestPauseMs: number
  readonly memory: MemoryUse
  readonly checksum: number
}

export interface CacheResult {
  readonly row: CacheRow
  readonly sides: readonly CacheSide[]
  /** Of memslab, divided by that of lru-cache: the medians over the rounds. Undefined without lru-cache. */
  readonly ratio: { readonly speed: number, readonly cpu: number } | undefined
  readonly skipped?: string
}

const SLICE_MS = 100
const QUICK_DIVISOR = 40
const LEAST_SHARE = 0.75   // of the slices are slower: what disturbs a slice makes it slower

/** A process with one of the caches. */
class SideProcess {
  readonly slices: Slice[] = []
  memory: MemoryUse = { heapBytes: 0, rssBytes: 0, collectionMs: 0 }
  private readonly child: ChildProcess
  private readonly failed: Promise<never>

  constructor(readonly name: SideName, options: SideOptions) {
    this.child = fork(new URL('./side.js', import.meta.url), [JSON.stringify(options)], { execArgv: ['--expose-gc'] })
    this.failed = once(this.child, 'exit').then(([code]) => { throw new Error(`${this.name} ended with code ${code}`) })
    this.failed.catch(() => {})   // it is looked at while an answer is awaited
  }

  async give<Answer>(order: Order): Promise<Answer> {
    this.child.send(order)
    return (await Promise.race([once(this.child, 'message'), this.failed]))[0] as Answer
  }

  async end(): Promise<void> {
    if (this.child.exitCode !== null) return
    const ended = once(this.child, 'exit')
    this.child.kill()
    await ended
  }
}

export async function measureCaches(row: CacheRow, plan: CachePlan): Promise<CacheResult> {
  const { threads = 1 } = row
  if (threads > availableParallelism()) {
    return { row, sides: [], ratio: undefined, skipped: `${threads} threads need as many cores, and there are ${availableParallelism()}` }
  }
  const names: readonly SideName[] = plan.lruCache === undefined ? ['memslab'] : ['memslab', 'lru-cache']
  const items = plan.quick ? Math.ceil(row.items / QUICK_DIVISOR) : row.items
  const rounds: (readonly SideProcess[])[] = []
  for (let round = 0; round < plan.rounds; round++) {
    // each is the first in turn
    const inTurn = round % 2 === 0 ? names : names.toReversed()
    const sides = inTurn.map(name => new SideProcess(name, { name, items, threads, lruCache: plan.lruCache ?? '' }))
    try {
      await measureRound(row, plan, sides)
    } finally {
      await Promise.all(sides.map(side => side.end()))
    }
    rounds.push(names.map(name => sides.find(side => side.name === name)!))
  }
  const sides = names.map((name, index) => summaryOf(name, rounds.map(round => round[index]!)))
  if (names.length < 2) return { row, sides, ratio: undefined }
  const ratioOf = (figure: (slices: readonly Slice[]) => number): number =>
    median(rounds.map(([memslab, other]) => figure(memslab!.slices) / figure(other!.slices)))
  return { row, sides, ratio: { speed: ratioOf(speedOf), cpu: ratioOf(cpuNsOf) } }
}

async function measureRound(row: CacheRow, plan: CachePlan, sides: readonly SideProcess[]): Promise<void> {
  const { operation, setShare = 0 } = row
  const slices = Math.max(1, Math.round(plan.seconds * 1000 / SLICE_MS))
  const ms = plan.seconds * 1000 / slices
  for (const side of sides) await side.give({ kind: 'fill' })
  // until it is compiled
  for (const side of sides) await side.give({ kind: 'slice', operation, setShare, ms: plan.seconds * 1000 })
  for (let slice = 0; slice < slices; slice++) {
    for (const side of sides) side.slices.push(await side.give<Slice>({ kind: 'slice', operation, setShare, ms }))
  }
  for (const side of sides) side.memory = await side.give<MemoryUse>({ kind: 'memory' })
}

function speedOf(slices: readonly Slice[]): number {
  return quantile(slices.map(({ operations, ms }) => operations / ms * 1000), LEAST_SHARE)
}

function cpuNsOf(slices: readonly Slice[]): number {
  return quantile(slices.map(({ operations, cpuMs }) => cpuMs * 1e6 / operations), 1 - LEAST_SHARE)
}

function summaryOf(name: SideName, rounds: readonly SideProcess[]): CacheSide {
  const slices = rounds.flatMap(round => round.slices)
  const total = (field: 'ms' | 'pausedMs' | 'checksum'): number => slices.reduce((sum, slice) => sum + slice[field], 0)
  const middle = (field: keyof MemoryUse): number => median(rounds.map(({ memory }) => memory[field]))
  return {
    name,
    operationsPerSecond: median(rounds.map(round => speedOf(round.slices))),
    cpuNs: median(rounds.map(round => cpuNsOf(round.slices))),
    pausedMs: total('pausedMs') / total('ms') * 1000,
    longestPauseMs: Math.max(...slices.map(({ longestPauseMs }) => longestPauseMs)),
    memory: { heapBytes: middle('heapBytes'), rssBytes: middle('rssBytes'), collectionMs: middle('collectionMs') },
    checksum: total('checksum'),
  }
}
