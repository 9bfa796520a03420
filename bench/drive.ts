// Sends a given number of requests from the main thread and waits for all answers: to fill a server, or where a count
// rather than a time is wanted. Batches are compared byte for byte here too.

import { askStats, Connection } from './connection.js'
import { FreshFeed, mixedSizes, sameSizes, type Batch, type Feed } from './feeds.js'
import { Histogram } from './histogram.js'

export const FILL_ROUND = 99        // keeps the keys of filling apart from those of the measurements
const FILL_STEP_BYTES = 2 ** 23
const FILL_CONNECTIONS = 16         // so that every thread of a server has some
const FILL_DEPTH = 100

export type Stats = ReadonlyMap<string, number>

// Every batch once, over one connection.
export async function sendAll(port: number, batches: readonly Batch[]): Promise<void> {
  let sent = 0
  await drive(port, [() => batches[sent++]])
}

// About `requests` requests over several connections: each ends with the batch that reaches its share.
export async function sendCount(port: number, feeds: readonly Feed[], requests: number): Promise<void> {
  await drive(port, feeds.map(feed => {
    let left = requests / feeds.length
    return () => {
      if (left <= 0) return undefined
      const batch = feed.next()
      left -= batch.requests
      return batch
    }
  }))
}

// Sets ever new keys until the statistics satisfy the caller; returns those.
export async function fillUntil(port: number, valueBytes: number | 'mixed', isEnough: (stats: Stats) => boolean): Promise<Stats> {
  const sizes = Array.from({ length: FILL_CONNECTIONS }, (_, connection) =>
    valueBytes === 'mixed' ? mixedSizes(FILL_DEPTH, connection) : sameSizes(FILL_DEPTH, valueBytes))
  const feeds = sizes.map((some, connection) => new FreshFeed(FILL_ROUND, connection, some))
  const meanBytes = sizes.flat().reduce((sum, size) => sum + size, 0) / (FILL_CONNECTIONS * FILL_DEPTH)
  const requests = FILL_STEP_BYTES / (meanBytes + 64)
  for (;;) {
    await sendCount(port, feeds, requests)
    const stats = await askStats(port)
    if (isEnough(stats)) return stats
  }
}

async function drive(port: number, sources: readonly (() => Batch | undefined)[]): Promise<void> {
  const tally = { requests: 0, refused: 0, latency: new Histogram() }
  const connections = sources.map(next => new Connection(port, next, tally))
  await Promise.all(connections.map(connection => connection.opened))
  await Promise.all(connections.map(connection => connection.run()))
  connections.forEach(connection => connection.close())
}
