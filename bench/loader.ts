// A worker thread that holds a share of a workload's connections and keeps them busy. It does what the orders of
// load.ts say, one after the other: open, start, mark (twice), stop.

import { parentPort } from 'node:worker_threads'
import { Connection, type Tally } from './connection.js'
import { makeFeeds } from './feeds.js'
import { Histogram } from './histogram.js'
import type { SpeedWorkload } from './workloads.js'

export interface OpenOrder {
  readonly do: 'open'
  readonly workload: SpeedWorkload
  readonly port: number
  readonly round: number
  readonly first: number   // the first of its connections, counted over all threads
  readonly count: number
}

export type Order = OpenOrder | { readonly do: 'start' | 'mark' | 'stop' }

export interface Report {
  readonly failure: string | undefined
  readonly requests: number          // since the last report, as the rest
  readonly refused: number
  readonly latency: Uint32Array
}

const port = parentPort!
const tally: Tally = { requests: 0, refused: 0, latency: new Histogram() }
let connections: Connection[] = []

port.on('message', (order: Order) => {
  obey(order).then(() => report(undefined), (error: Error) => report(error.message))
})

async function obey(order: Order): Promise<void> {
  switch (order.do) {
    case 'open': return open(order)
    case 'start': return connections.forEach(connection => connection.start())
    case 'mark': return
    case 'stop':
      connections.forEach(connection => connection.stop())
      await Promise.all(connections.map(connection => connection.ended))
  }
}

async function open({ workload, port, round, first, count }: OpenOrder): Promise<void> {
  const feedOf = makeFeeds(workload, round)
  connections = Array.from({ length: count }, (_, index) => {
    const feed = feedOf(first + index)
    return new Connection(port, () => feed.next(), tally)
  })
  await Promise.all(connections.map(connection => connection.opened))
}

function report(failure: string | undefined): void {
  const answer: Report = { failure, requests: tally.requests, refused: tally.refused, latency: tally.latency.counts.slice() }
  tally.requests = 0
  tally.refused = 0
  tally.latency.clear()
  port.postMessage(answer)
}
