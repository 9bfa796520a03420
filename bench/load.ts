// The load threads, and one round of a row with them: connections to all servers at once, of which one server is asked at a time.
// They take turns in slices; between two slices all answers are in and all servers idle, so the CPU time that a server used in
// its slices is that of the requests counted.

import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { placementFor } from './cores.js'
import { Histogram } from './histogram.js'
import type { Order, Report } from './loader.js'
import type { RunningServer } from './servers.js'
import type { SpeedWorkload } from './workloads.js'

// What a server did in its slices of a round.
export interface Sample {
  readonly requests: number
  readonly refused: number           // of them
  readonly requestsPerSecond: number
  readonly slices: readonly number[] // CPU time a request in each of them, µs
  readonly busy: number              // share of the wall clock that the server used CPU
  readonly p50: number               // µs from a batch's first byte sent, or due to be, to its last byte received
  readonly p99: number
  readonly p999: number
  readonly rssBytes: number
}

export interface Round {
  readonly workload: SpeedWorkload
  readonly round: number
  readonly warmUpMs: number
  readonly sliceMs: number
  readonly slices: number            // of each server
  readonly perSecond: number         // see OpenOrder
}

interface Slice {
  readonly reports: readonly Report[]
  readonly requests: number
  readonly cpuNs: number
  readonly wallMs: number
}

const REPORT_MS_MAX = 30_000   // longer than a connection waits for an answer

export class Load {
  private readonly workers: Worker[] = []

  // A sample for each of the servers.
  async measure(servers: readonly RunningServer[], round: Round): Promise<Sample[]> {
    const workers = this.workersFor(round.workload)
    for (const [side, { port }] of servers.entries()) await openSide(workers, side, port, round)
    for (const [side, server] of servers.entries()) await slice(workers, side, server, round.warmUpMs)
    const slices = servers.map((): Slice[] => [])
    for (let turn = 0; turn < round.slices; turn++) {
      for (const [side, server] of servers.entries()) slices[side]!.push(await slice(workers, side, server, round.sliceMs))
    }
    const samples = servers.map((server, side) => sampleOf(slices[side]!, server.rssBytes()))
    await giveAll(workers, { do: 'close' })
    return samples
  }

  private workersFor({ threads = 1, connections }: SpeedWorkload): readonly Worker[] {
    const count = Math.min(placementFor(threads).loadThreads, connections)
    while (this.workers.length < count) this.workers.push(new Worker(new URL('./loader.js', import.meta.url)))
    return this.workers.slice(0, count)
  }

  async close(): Promise<void> {
    await Promise.all(this.workers.map(worker => worker.terminate()))
  }
}

async function openSide(workers: readonly Worker[], side: number, port: number, given: Round): Promise<void> {
  const { workload, round, perSecond } = given
  const { connections } = workload
  await Promise.all(workers.map((worker, index) => {
    const first = Math.floor(connections * index / workers.length)
    const count = Math.floor(connections * (index + 1) / workers.length) - first
    return give(worker, { do: 'open', side, workload, port, round, first, count, perSecond: perSecond * count / connections })
  }))
}

async function slice(workers: readonly Worker[], side: number, server: RunningServer, ms: number): Promise<Slice> {
  const before = { cpuNs: server.cpuNs(), at: performance.now() }
  await giveAll(workers, { do: 'run', side })
  await sleep(ms)
  const reports = await giveAll(workers, { do: 'rest', side })
  const wallMs = performance.now() - before.at
  return { reports, requests: sum(reports, 'requests'), cpuNs: server.cpuNs() - before.cpuNs, wallMs }
}

function sampleOf(slices: readonly Slice[], rssBytes: number): Sample {
  const reports = slices.flatMap(slice => slice.reports)
  const latency = new Histogram()
  for (const report of reports) latency.addAll(report.latency)
  const requests = sum(slices, 'requests')
  const wallMs = sum(slices, 'wallMs')
  return {
    requests,
    refused: sum(reports, 'refused'),
    requestsPerSecond: requests / wallMs * 1000,
    slices: slices.map(slice => slice.cpuNs / 1000 / slice.requests),
    busy: sum(slices, 'cpuNs') / 1e6 / wallMs,
    p50: latency.percentile(0.5),
    p99: latency.percentile(0.99),
    p999: latency.percentile(0.999),
    rssBytes,
  }
}

function sum<K extends string>(all: readonly Readonly<Record<K, number>>[], figure: K): number {
  return all.reduce((total, one) => total + one[figure], 0)
}

function giveAll(workers: readonly Worker[], order: Order): Promise<Report[]> {
  return Promise.all(workers.map(worker => give(worker, order)))
}

async function give(worker: Worker, order: Order): Promise<Report> {
  worker.postMessage(order)
  const [report] = await once(worker, 'message', { signal: AbortSignal.timeout(REPORT_MS_MAX) }) as [Report]
  if (report.failure !== undefined) throw new Error(report.failure)
  return report
}
