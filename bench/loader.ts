// A worker thread that holds a share of a workload's connections and keeps them busy. It does what the orders of
// load.ts say, one after the other: open, start, mark (twice), stop.

import { parentPort } from 'node:worker_threads'
import { BriefConnections } from './brief.js'
import { Connection, type Tally } from './connection.js'
import { makeFeeds, type Batch } from './feeds.js'
import { Histogram } from './histogram.js'
import { PacedConnection, Pacer } from './paced.js'
import type { SpeedWorkload } from './workloads.js'

export interface OpenOrder {
  readonly do: 'open'
  readonly workload: SpeedWorkload
  readonly port: number
  readonly round: number
  readonly first: number       // the first of its connections, counted over all threads
  readonly count: number
  readonly perSecond: number   // requests that become due; 0: each connection sends when it has its answer
}

export type Order = OpenOrder | { readonly do: 'start' | 'mark' | 'stop' }

export interface Report {
  readonly failure: string | undefined
  readonly requests: number          // since the last report, as the rest
  readonly refused: number
  readonly latency: Uint32Array
}

// Opening more at once would overflow what a server lets wait.
const OPENING_MAX = 250

const port = parentPort!
const tally: Tally = { requests: 0, refused: 0, latency: new Histogram() }
let connections: (Connection | BriefConnections | PacedConnection)[] = []
let start: () => void = () => {}
let stopPacing: () => void = () => {}

port.on('message', (order: Order) => {
  obey(order).then(() => report(undefined), (error: Error) => report(error.message))
})

async function obey(order: Order): Promise<void> {
  switch (order.do) {
    case 'open': return open(order)
    case 'start': return start()
    case 'mark': return
    case 'stop':
      stopPacing()
      connections.forEach(connection => connection.stop())
      await Promise.all(connections.map(connection => connection.ended))
  }
}

async function open(order: OpenOrder): Promise<void> {
  const { port, perSecond, workload } = order
  if (perSecond === 0) {
    const Kind = workload.isBrief === true ? BriefConnections : Connection
    const opened = await openAll(order, next => new Kind(port, next, tally))
    start = () => opened.forEach(connection => connection.start())
    stopPacing = () => {}
    connections = opened
  } else {
    const opened = await openAll(order, next => new PacedConnection(port, next, tally))
    const pacer = new Pacer(opened, perSecond)
    start = () => pacer.start()
    stopPacing = () => pacer.stop()
    connections = opened
  }
}

async function openAll<T extends { readonly opened: Promise<void> }>(order: OpenOrder, make: (next: () => Batch) => T): Promise<T[]> {
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

function report(failure: string | undefined): void {
  const answer: Report = { failure, requests: tally.requests, refused: tally.refused, latency: tally.latency.counts.slice() }
  tally.requests = 0
  tally.refused = 0
  tally.latency.clear()
  port.postMessage(answer)
}
