// Runs one row of the table on each of the servers, in alternation, and returns what came out.

import { setTimeout as sleep } from 'node:timers/promises'
import { askStats } from './connection.js'
import { fillUntil, sendAll } from './drive.js'
import { preload } from './feeds.js'
import { measureGarbage, type GarbageResult } from './garbage.js'
import type { LayerResult } from './layers.js'
import type { Load, Sample } from './load.js'
import type { LockResult } from './locks.js'
import { LookAside } from './lookaside.js'
import { measureFootprints, measureHeld, measureIdle, measureStarts, type FootprintSide, type HeldSide, type IdleSide,
  type StartSide } from './memory.js'
import { median } from './numbers.js'
import {
  connectionsMax, hasNanoseconds, memslab, responder, RunningServer, startAll, stopAll, type ServerCommand, type StartOptions,
} from './servers.js'
import { measureTrace, type TraceResult } from './traces/measure.js'
import type { FootprintWorkload, HeldWorkload, HitsWorkload, IdleWorkload, SpeedWorkload, StartWorkload, WaitsWorkload,
  Workload } from './workloads.js'
import type { StripesResult } from './stripes.js'
import { measureWaits, type WaitsSide } from './waits.js'

export interface Plan {
  readonly servers: readonly ServerCommand[]   // the first is the one in question, the second what it is compared with
  readonly rounds: number
  readonly seconds: number
  readonly quick: boolean
  readonly tell: (step: string, share: number) => void   // hears how much of the row is done
}

export interface SpeedResult {
  readonly kind: 'speed'
  readonly workload: SpeedWorkload
  readonly sides: readonly { readonly server: string, readonly samples: readonly Sample[] }[]
}

// A row that cannot be measured here.
export interface SkippedResult {
  readonly kind: 'skipped'
  readonly workload: Workload
  readonly reason: string
}

export interface HeldResult {
  readonly kind: 'held'
  readonly workload: HeldWorkload
  readonly sides: readonly HeldSide[]
}

export interface FootprintResult {
  readonly kind: 'footprint'
  readonly workload: FootprintWorkload
  readonly sides: readonly FootprintSide[]   // for each number of threads one of each server
}

export interface IdleResult {
  readonly kind: 'idle'
  readonly workload: IdleWorkload
  readonly sides: readonly IdleSide[]   // Node's, then for each number of threads one of each server
}

export interface StartResult {
  readonly kind: 'start'
  readonly workload: StartWorkload
  readonly sides: readonly StartSide[]
}

export interface HitsResult {
  readonly kind: 'hits'
  readonly workload: HitsWorkload
  readonly sides: readonly { readonly server: string, readonly gets: number, readonly hitRatio: number }[]
}

export interface GarbageResults {
  readonly kind: 'garbage'
  readonly sides: readonly GarbageResult[]
}

export interface LayerResults {
  readonly kind: 'layers'
  readonly layers: readonly LayerResult[]
}

export interface LocksResult {
  readonly kind: 'locks'
  readonly layers: readonly LockResult[]
}

export interface StripesResults {
  readonly kind: 'stripes'
  readonly cases: readonly StripesResult[]
}

export interface WaitsResult {
  readonly kind: 'waits'
  readonly workload: WaitsWorkload
  readonly sides: readonly WaitsSide[]
}

export type Result = SpeedResult | SkippedResult | HeldResult | FootprintResult | IdleResult | StartResult | HitsResult |
  TraceResult | GarbageResults | WaitsResult | LayerResults | LocksResult | StripesResults

// Long enough that its start and its end do not count, and so short that what disturbs the machine disturbs both servers.
const SLICE_MS = 100
const SETTLE_MS = 100           // for what a server still does in the background after it was filled
const GETS_PER_KEY = 4          // half of them to fill the cache, half to count
const QUICK_DIVISOR = 8
const EVICTED_SHARE_MIN = 0.9   // of the sets of a churn workload, so that it measures what it says
const SATURATION_ROUNDS = 3
const PACE_SHARE = 0.5          // of what the second server answers when it is asked as fast as it answers

export async function measure(row: Workload, plan: Plan, load: Load): Promise<Result> {
  const workload = plan.quick ? lessen(row) : row
  const { servers, quick } = plan
  switch (workload.kind) {
    case 'speed': return measureSpeed(workload, plan, load)
    case 'held': return { kind: 'held', workload,
      sides: await oneByOne(plan, { megabytes: workload.megabytes }, server => measureHeld(workload, server)) }
    case 'footprint': return { kind: 'footprint', workload, sides: await measureFootprints(workload, servers) }
    case 'idle': return { kind: 'idle', workload, sides: await measureIdle(workload, servers, quick) }
    case 'start': return { kind: 'start', workload, sides: await measureStarts(workload, servers, quick) }
    case 'hits': return { kind: 'hits', workload, sides: await measureHits(workload, plan) }
    case 'trace': return measureTrace(workload, servers, plan.rounds,
      share => plan.tell(`${(share * 100).toFixed(0)} % replayed`, share))
    case 'waits': return { kind: 'waits', workload, sides: await measureAllWaits(workload, plan) }
    case 'garbage': return { kind: 'garbage', sides: await measureAllGarbage(plan) }
    case 'layers': return { kind: 'layers', layers: await measureAllLayers(plan) }
    case 'locks': return { kind: 'locks', layers: await measureAllLocks(plan) }
    case 'stripes': return { kind: 'stripes', cases: await measureAllStripes(plan) }
  }
}

// The rows that fill a server are done sooner with a smaller one.
function lessen(workload: Workload): Workload {
  switch (workload.kind) {
    case 'speed': return workload.command === 'churn' ? lessened(workload) : workload
    case 'held': case 'footprint': case 'hits': return lessened(workload)
    case 'waits': return { ...lessened(workload), items: workload.items / QUICK_DIVISOR }
    default: return workload
  }
}

function lessened<T extends { readonly megabytes: number }>(workload: T): T {
  return { ...workload, megabytes: workload.megabytes / QUICK_DIVISOR }
}

// Each round has servers of its own: what a process is dealt, such as where its memory lies and how V8 has compiled it, it keeps.
async function measureSpeed(workload: SpeedWorkload, plan: Plan, load: Load): Promise<SpeedResult | SkippedResult> {
  if (workload.connections * plan.servers.length > connectionsMax()) {
    return { kind: 'skipped', workload, reason: `only ${connectionsMax()} connections can be opened, see ulimit -n` }
  }
  const commands = workload.isBare === true ? [plan.servers[0]!, responder] : plan.servers
  const sides = commands.map(({ name }) => ({ server: name, samples: [] as Sample[] }))
  let perSecond = 0
  for (let round = 0; round < plan.rounds; round++) {
    plan.tell(`round ${round + 1} of ${plan.rounds}`, round / plan.rounds)
    // the server that is started and asked first needs up to 2 % more, so each is the first in turn
    const inTurn = <Each>(of: readonly Each[]): readonly Each[] => round % 2 === 0 ? of : of.toReversed()
    const servers = inTurn(await startAll(inTurn(commands), { megabytes: workload.megabytes, threads: workload.threads ?? 1 }))
    try {
      await Promise.all(servers.map(server => prepare(workload, server)))
      await sleep(plan.quick ? 0 : SETTLE_MS)
      if (workload.isPaced === true && round === 0) perSecond = await paceOf(workload, servers.at(-1)!, plan, load)
      const samples = inTurn(await measureRound(workload, inTurn(servers), { round, perSecond }, plan, load))
      for (const [index, sample] of samples.entries()) sides[index]!.samples.push(sample)
    } finally {
      await stopAll(servers)
    }
  }
  return { kind: 'speed', workload, sides }
}

async function prepare(workload: SpeedWorkload, server: RunningServer): Promise<void> {
  await sendAll(server.port, preload(workload))
  if (workload.command === 'churn') await fillUntil(server.port, workload.valueBytes, stats => stats.get('evictions')! > 0)
}

// How many requests a second become due in a paced row.
async function paceOf(workload: SpeedWorkload, server: RunningServer, plan: Plan, load: Load): Promise<number> {
  const rates: number[] = []
  for (let round = 0; round < Math.min(SATURATION_ROUNDS, plan.rounds); round++) {
    const [sample] = await measureRound(workload, [server], { round, perSecond: 0 }, plan, load)
    rates.push(sample!.requestsPerSecond)
  }
  return median(rates) * PACE_SHARE
}

interface Turn { readonly round: number, readonly perSecond: number }

async function measureRound(workload: SpeedWorkload, servers: readonly RunningServer[], { round, perSecond }: Turn, plan: Plan,
  load: Load): Promise<Sample[]> {
  const ms = plan.seconds * 1000
  // requests that become due one by one need one long slice: each slice begins with an idle server
  const slices = perSecond === 0 && hasNanoseconds() ? Math.max(1, Math.round(ms / SLICE_MS)) : 1
  const given = { workload, round, warmUpMs: ms, sliceMs: ms / slices, slices, perSecond }
  const measured = (): Promise<Sample[]> => load.measure(servers, given)
  return workload.command === 'churn' ? evicting(servers, measured) : measured()
}

async function evicting(servers: readonly RunningServer[], measured: () => Promise<Sample[]>): Promise<Sample[]> {
  const before = await Promise.all(servers.map(({ port }) => askStats(port)))
  const samples = await measured()
  for (const [index, { name, port }] of servers.entries()) {
    const after = await askStats(port)
    const grown = (figure: string): number => after.get(figure)! - before[index]!.get(figure)!
    if (grown('evictions') < EVICTED_SHARE_MIN * grown('cmd_set')) throw new Error(`${name}: not every set evicted an item`)
  }
  return samples
}

async function measureHits(workload: HitsWorkload, plan: Plan): Promise<HitsResult['sides']> {
  const { megabytes, timesMemory, zipfExponent, firstBytes, valueBytes, onceShare } = workload
  const keysOf = (bytes: number): number => Math.floor(megabytes * 2 ** 20 * timesMemory / bytes)
  const keys = keysOf(valueBytes)
  const gets = plan.quick ? keys : keys * GETS_PER_KEY
  return oneByOne(plan, { megabytes }, async server => {
    if (firstBytes !== undefined) {
      await new LookAside(keysOf(firstBytes), zipfExponent, firstBytes, 0, 'f').run(server.port, keysOf(firstBytes))
      await sleep(SETTLE_MS)
    }
    const client = new LookAside(keys, zipfExponent, valueBytes, onceShare)
    return { server: server.name, gets, hitRatio: await client.run(server.port, gets) }
  })
}

async function measureAllWaits(workload: WaitsWorkload, plan: Plan): Promise<readonly WaitsSide[]> {
  const { megabytes, threads } = workload
  return oneByOne(plan, { megabytes, threads, more: ['-o', 'track_sizes'] },
    server => measureWaits(workload, server, plan.rounds, plan.quick))
}

async function measureAllGarbage(plan: Plan): Promise<readonly GarbageResult[]> {
  const results: GarbageResult[] = []
  for (const command of plan.servers) {
    const result = await measureGarbage(command, plan.quick ? 100_000 : 1_000_000)
    if (result !== undefined) results.push(result)
  }
  return results
}

// Loaded only here, so that other servers can be measured without a memslab that compiles.
async function measureAllLayers(plan: Plan): Promise<readonly LayerResult[]> {
  if (!plan.servers.includes(memslab)) return []
  const { measureLayers } = await import('./layers.js')
  return measureLayers(plan.quick)
}

async function measureAllLocks(plan: Plan): Promise<readonly LockResult[]> {
  if (!plan.servers.includes(memslab)) return []
  const { measureLocks } = await import('./locks.js')
  return measureLocks(plan.quick)
}

async function measureAllStripes(plan: Plan): Promise<readonly StripesResult[]> {
  if (!plan.servers.includes(memslab)) return []
  const { measureStripes } = await import('./stripes.js')
  return measureStripes(plan.quick)
}

async function oneByOne<T>(plan: Plan, options: StartOptions, task: (server: RunningServer) => Promise<T>): Promise<T[]> {
  const results: T[] = []
  for (const command of plan.servers) {
    const server = await RunningServer.start(command, options)
    try {
      results.push(await task(server))
    } finally {
      await server.stop()
    }
  }
  return results
}
