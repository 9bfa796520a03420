// The load threads, and one measurement with them: warm up, then count requests and server CPU time between two marks.

import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
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
  readonly p50: number               // µs from a batch's first byte sent to its last byte received
  readonly p99: number
  readonly p999: number
  readonly rssBytes: number
}

const THREADS_MAX = 3   // enough to saturate one server thread, where there are cores for them
const RETRY_MS = 50
const REPORT_MS_MAX = 30_000   // longer than a connection waits for an answer

export class Load {
  private readonly workers: readonly Worker[]

  constructor() {
    const count = Math.min(THREADS_MAX, Math.max(1, availableParallelism() - 1))
    this.workers = Array.from({ length: count }, () => new Worker(new URL('./loader.js', import.meta.url)))
  }

  async measure(workload: SpeedWorkload, server: RunningServer, round: number, warmUpMs: number, ms: number): Promise<Sample> {
    const workers = this.workers.slice(0, workload.connections)
    await Promise.all(workers.map((worker, index) => {
      const first = Math.floor(workload.connections * index / workers.length)
      const end = Math.floor(workload.connections * (index + 1) / workers.length)
      return give(worker, { do: 'open', workload, port: server.port, round, first, count: end - first })
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
    await giveAll(workers, { do: 'stop' })
    return sampleOf(reports, cpuNs, wallMs, rssBytes)
  }

  async close(): Promise<void> {
    await Promise.all(this.workers.map(worker => worker.terminate()))
  }
}

function sampleOf(reports: readonly Report[], cpuNs: number, wallMs: number, rssBytes: number): Sample {
  const latency = new Histogram()
  for (const report of reports) latency.addAll(report.latency)
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
