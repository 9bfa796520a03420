// A worker thread that holds a share of a workload's connections, to one server or to several at once, and keeps those to one of
// them busy. It does what the orders of load.ts say, one after the other: open each side, run and rest them in turn, close all.

import { parentPort } from 'node:worker_threads'
import { BriefConnections } from './brief.js'
import { Connection, type Tally } from './connection.js'
import { makeFeeds, type Batch } from './feeds.js'
import { Histogram } from './histogram.js'
import { PacedConnection, Pacer } from './paced.js'
import type { SpeedWorkload } from './workloads.js'

export interface OpenOrder {
  readonly do: 'open'
  readonly side: number        // of the servers, the one with this port
  readonly workload: SpeedWorkload
  readonly port: number
  readonly round: number
  readonly first: number       // the first of its connections, counted over all threads
  readonly count: number
  readonly perSecond: number   // requests that become due; 0: each connection sends when it has its answer
}

// `rest` ends with all answers in.
export type Order = OpenOrder | { readonly do: 'run' | 'rest', readonly side: number } | { readonly do: 'close' }

export interface Report {
  readonly failure: string | undefined
  readonly requests: number          // since the last report, as the rest
  readonly refused: number
  readonly latency: Uint32Array
}

interface Side {
  readonly connections: readonly (Connection | BriefConnections | PacedConnection)[]
  readonly pacer: Pacer | undefined
  running: Promise<unknown>
}

// Opening more at once would overflow what a server lets wait.
const OPENING_MAX = 250

const port = parentPort!
const tally: Tally = { requests: 0, refused: 0, latency: new Histogram() }
const sides: Side[] = []

port.on('message', (order: Order) => {
  obey(order).then(() => report(undefined), (error: Error) => report(error.message))
})

async function obey(order: Order): Promise<void> {
  switch (order.do) {
    case 'open': sides[order.side] = await open(order); return
    case 'run': return run(sides[order.side]!)
    case 'rest': return rest(sides[order.side]!)
    case 'close': sides.splice(0).forEach(({ connections }) => connections.forEach(connection => connection.close()))
  }
}

async function open(order: OpenOrder): Promise<Side> {
  const { port, perSecond, workload } = order
  const running = Promise.resolve()
  if (perSecond === 0) {
    const Kind = workload.isBrief === true ? BriefConnections : Connection
    return { connections: await openAll(order, next => new Kind(port, next, tally)), pacer: undefined, running }
  }
  const connections = await openAll(order, next => new PacedConnection(port, next, tally))
  return { connections, pacer: new Pacer(connections, perSecond), running }
}

async function openAll<T extends { readonly opened: Promise<void> }>(order: OpenOrder,
  make: (next: () => Batch) => T): Promise<T[]> {
  const { workload, round, first, count } = order
  const feedOf = makeFeeds(workload, round)
  const opened: T[] = []
  while (opened.length < count) {
    const some = Array.from({ length: Math.min(OPENING_MAX, count - opened.length) }, (_, index) => {
      const feed = feedOf(first + opened.length + index)
      return make(() => feed.next())
    })
    await Promise.all(some.map(connection => connection.opened))
    opened.push(...some)
  }
  return opened
}

function run(side: Side): void {
  side.running = Promise.all(side.connections.map(connection => connection.run()))
  side.running.catch(() => {})
  side.pacer?.start()
}

async function rest({ connections, pacer, running }: Side): Promise<void> {
  pacer?.stop()
  connections.forEach(connection => connection.rest())
  await running
}

function report(failure: string | undefined): void {
  const answer: Report = { failure, requests: tally.requests, refused: tally.refused, latency: tally.latency.counts.slice() }
  tally.requests = 0
  tally.refused = 0
  tally.latency.clear()
  port.postMessage(answer)
}
