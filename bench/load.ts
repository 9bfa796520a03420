// The load threads, and one measurement with them: warm up, then count requests and server CPU time between two marks.
// Of paced requests all that were due are counted, those answered after the second mark too.

import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { placementFor } from './cores.js'
import { Histogram } from './histogram.js'
import type { Order, Report } from './loader.js'
import type { RunningServer } from './servers.js'
import type { SpeedWorkload } from './workloads.js'

export interface Sample {
  readonly requests: number
  readonly refused: number           // of them
  readonly requestsPerSecond: number
  readonly cpuUsPerRequest: number
  readonly busy: number              // share of the wall clock that the server used CPU
  readonly p50: number               // µs from a batch's first byte sent, or due to be, to its last byte received
  readonly p99: number
  readonly p999: number
  readonly rssBytes: number
}

export interface Measurement {
  readonly workload: SpeedWorkload
  readonly round: number
  readonly warmUpMs: number
  readonly ms: number
  readonly perSecond: number         // see OpenOrder
}

const RETRY_MS = 50
const REPORT_MS_MAX = 30_000   // longer than a connection waits for an answer

export class Load {
  private readonly workers: Worker[] = []

  async measure(server: RunningServer, { workload, round, warmUpMs, ms, perSecond }: Measurement): Promise<Sample> {
    const { connections } = workload
    const workers = this.workersFor(workload)
    await Promise.all(workers.map((worker, index) => {
      const first = Math.floor(connections * index / workers.length)
      const count = Math.floor(connections * (index + 1) / workers.length) - first
      return give(worker, { do: 'open', workload, port: server.port, round, first, count, perSecond: perSecond * count / connections })
    }))
    await giveAll(workers, { do: 'start' })
    await sleep(warmUpMs)
    await giveAll(workers, { do: 'mark' })
    const before = { cpuNs: server.cpuNs(), at: performance.now() }
    await sleep(ms)
    const reports = await markAll(workers)
    const cpuNs = server.cpuNs() - before.cpuNs
    const wallMs = performance.now() - before.at
    const rssBytes = server.rssBytes()
    const late = await giveAll(workers, { do: 'stop' })
    return sampleOf(reports, perSecond > 0 ? late : [], cpuNs, wallMs, rssBytes)
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

// `late` are the requests answered after the end, of which only the latencies count.
function sampleOf(reports: readonly Report[], late: readonly Report[], cpuNs: number, wallMs: number, rssBytes: number): Sample {
  const latency = new Histogram()
  for (const report of [...reports, ...late]) latency.addAll(report.latency)
  const requests = reports.reduce((sum, report) => sum + report.requests, 0)
  return {
    requests,
    refused: reports.reduce((sum, report) => sum + report.refused, 0),
    requestsPerSecond: requests / wallMs * 1000,
    cpuUsPerRequest: cpuNs / 1000 / requests,
    busy: cpuNs / 1e6 / wallMs,
    p50: latency.percentile(0.5),
    p99: latency.percentile(0.99),
    p999: latency.percentile(0.999),
    rssBytes,
  }
}

// A mark with at least one answer before it: on a busy machine a short measurement may have none yet.
async function markAll(workers: readonly Worker[]): Promise<Report[]> {
  for (let waitedMs = 0; ; waitedMs += RETRY_MS) {
    const reports = await giveAll(workers, { do: 'mark' })
    if (reports.some(report => report.requests > 0)) return reports
    if (waitedMs >= REPORT_MS_MAX) throw new Error('no request was answered')
    await sleep(RETRY_MS)
  }
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
