// The rows of the table, and which of them a run measures. At depth 1 nearly all of a request is the kernel's work, so
// there the aim is to lose little; from depth 10 on the C server must be beaten.

import { statSync } from 'node:fs'
import type { ProtocolName } from './exchanges.js'
import type { Limits, SpeedWorkload, Workload } from './workloads.js'

const KEYS = 10_000
const small = { kind: 'speed', connections: 50, keys: KEYS, valueBytes: 100, megabytes: 64 } as const

const single: Limits = { cpu: 1.08, rate: 0.95 }
const few: Limits = { cpu: 0.8 }
const large: Limits = { cpu: 1.05 }
const crowd: Limits = { cpu: 1.1 }
const onTime: Limits = { p50: 1.1, p99: 1.1, p999: 1.3 }

const rows: readonly Workload[] = [
  { ...small, name: 'get 100 B, depth 1', command: 'get', depth: 1, limits: single },
  { ...small, name: 'get 100 B, depth 10', command: 'get', depth: 10, limits: few, inQuick: false },
  { ...small, name: 'get 100 B, depth 100', command: 'get', depth: 100, limits: { cpu: 0.38 } },
  { ...small, name: 'get 100 B, one connection', command: 'get', connections: 1, depth: 1 },
  { ...small, name: 'get 100 B, 1,000 connections', command: 'get', connections: 1000, depth: 1, limits: crowd },
  { ...small, name: 'get 100 B, 5,000 connections', command: 'get', connections: 5000, depth: 1, limits: crowd, inQuick: false },
  { ...small, name: 'get 100 B, one a connection', command: 'get', connections: 16, depth: 1, isBrief: true,
    limits: { cpu: 1.4 } },
  { ...small, name: 'set 100 B, depth 1', command: 'set', depth: 1, limits: single },
  { ...small, name: 'set 100 B, depth 10', command: 'set', depth: 10, limits: few, inQuick: false },
  { ...small, name: 'set 100 B, depth 100', command: 'set', depth: 100, limits: { cpu: 0.48 } },
  ...bareRows(),
  { ...small, name: 'mixed 1:10, depth 1', command: 'mixed', depth: 1 },
  { ...small, name: 'mixed 1:10, depth 10', command: 'mixed', depth: 10, inQuick: false },
  { ...small, name: 'multi-get of 50', command: 'multi-get', depth: 1, limits: { cpu: 0.65 } },
  { ...small, name: 'miss, depth 1', command: 'miss', depth: 1 },
  { ...small, name: 'miss, depth 10', command: 'miss', depth: 10, limits: { cpu: 0.95 }, inQuick: false },
  { ...small, name: 'miss, depth 100', command: 'miss', depth: 100 },
  { ...small, name: 'incr, depth 1', command: 'incr', depth: 1, limits: { cpu: 1.22 } },
  { ...small, name: 'incr, depth 10', command: 'incr', depth: 10, inQuick: false },
  { ...small, name: 'incr, depth 100', command: 'incr', depth: 100, limits: { cpu: 0.9 } },
  { ...small, name: 'churn 100 B, depth 1', command: 'churn', depth: 1, limits: { cpu: 1.22 }, inQuick: false },
  { ...small, name: 'churn 100 B, depth 10', command: 'churn', depth: 10, inQuick: false },
  { ...small, name: 'churn 100 B, depth 100', command: 'churn', depth: 100, limits: { cpu: 0.7 } },
  { ...small, name: 'churn 1 KiB, depth 10', command: 'churn', depth: 10, valueBytes: 1024, inQuick: false },
  ...protocolRows('meta'),
  ...protocolRows('binary'),
  ...largeRows('4 KiB', 4096, 50, 1, large),
  ...largeRows('4 KiB', 4096, 50, 10, { cpu: 0.9 }),
  ...largeRows('64 KiB', 65536, 50, 1, large),
  ...largeRows('512 KiB', 524288, 10, 1, large),
  { ...small, name: 'open loop get 100 B', command: 'get', depth: 1, isPaced: true, limits: onTime },
  { ...small, name: 'open loop set 100 B', command: 'set', depth: 1, isPaced: true, limits: onTime, inQuick: false },
  ...[2, 4].flatMap(threads => [
    { ...small, name: `get 100 B, depth 1, -t ${threads}`, command: 'get', depth: 1, threads, limits: { rate: 1 },
      inQuick: false },
    { ...small, name: `get 100 B, depth 100, -t ${threads}`, command: 'get', depth: 100, threads, limits: { rate: 1.3 },
      ...(threads === 2 ? {} : { inQuick: false }) },
    { ...small, name: `get one key, depth 100, -t ${threads}`, command: 'get', depth: 100, keys: 1, threads, inQuick: false },
    { ...small, name: `set 100 B, depth 1, -t ${threads}`, command: 'set', depth: 1, threads, limits: { rate: 1 },
      inQuick: false },
    { ...small, name: `set 100 B, depth 100, -t ${threads}`, command: 'set', depth: 100, threads, limits: { rate: 1.3 },
      inQuick: false },
    { ...small, name: `set one key, depth 100, -t ${threads}`, command: 'set', depth: 100, keys: 1, threads, inQuick: false },
  ] satisfies Workload[]),
  ...memoryRows(64),
  ...memoryRows(1024),
  { kind: 'idle', name: 'memory, idle', megabytes: 64, threads: [1, 4] },
  { kind: 'start', name: 'memory, start -t 1 -m 1024', megabytes: 1024, threads: 1 },
  { kind: 'start', name: 'memory, start -t 4 -m 1024', megabytes: 1024, threads: 4 },
  { kind: 'start', name: 'memory, start -m 16384', megabytes: 16384, threads: 1 },
  { kind: 'hits', name: 'hit ratio 1 KiB', valueBytes: 1024, megabytes: 64, timesMemory: 10, zipfExponent: 0.99 },
  { kind: 'hits', name: 'hit ratio 1 KiB, 30 % once', valueBytes: 1024, megabytes: 64, timesMemory: 10, zipfExponent: 0.99,
    onceShare: 0.3 },
  { kind: 'hits', name: 'hit ratio 10 KiB', valueBytes: 10_240, megabytes: 64, timesMemory: 10, zipfExponent: 0.99 },
  { kind: 'hits', name: 'hit ratio 1 KiB, then 10 KiB', firstBytes: 1024, valueBytes: 10_240, megabytes: 64, timesMemory: 10,
    zipfExponent: 0.99 },
  { kind: 'waits', name: 'waits -t 1', items: 5_000_000, megabytes: 1024, threads: 1, inQuick: false },
  { kind: 'waits', name: 'waits -t 4', items: 5_000_000, megabytes: 1024, threads: 4, inQuick: false },
  { kind: 'garbage', name: 'garbage' },
  { kind: 'layers', name: 'layers' },
  { kind: 'locks', name: 'locks' },
  { kind: 'stripes', name: 'locks, stripe' },
]

interface Sizes {
  readonly servers: readonly unknown[]
  readonly rounds: number
  readonly seconds: number
  readonly quick: boolean
}

// What rows took on some machine. Only how they stand to each other matters.
const ROUND_SECONDS = 1       // to start and fill the servers
const MADE_TRACE_SECONDS = 15
const TRACE_BYTES_PER_SECOND = 16_000
const QUICK_DIVISOR = 8
const otherSeconds: Readonly<Record<Exclude<Workload['kind'], 'speed' | 'trace'>, number>> =
  { held: 10, footprint: 12, idle: 30, start: 15, hits: 25, waits: 300, garbage: 20, layers: 30, locks: 30, stripes: 15 }

// The rows of --threads where no others are asked for.
const threadRows = ['get 100 B, depth 1', 'get 100 B, depth 10', 'get 100 B, depth 100', 'set 100 B, depth 1',
  'set 100 B, depth 100', 'mixed 1:10, depth 10']

// What most people do with a cache, and what they wait for: the rows of --main.
const mainRows = ['get 100 B, depth 1', 'set 100 B, depth 1', 'meta get 100 B, depth 1', 'binary get 100 B, depth 1',
  'incr, depth 1', 'incr, depth 100', 'churn 100 B, depth 1', 'churn 100 B, depth 100', 'get 100 B, depth 10', 'miss, depth 10',
  'get 4 KiB, depth 10', 'get 100 B, 1,000 connections', 'get 100 B, 5,000 connections', 'get 100 B, one a connection',
  'memory, start -t 1 -m 1024', 'memory, start -t 4 -m 1024', 'memory, idle']

export function isMain(name: string): boolean { return mainRows.some(row => name === row || name.startsWith(`${row}, -t`)) }

// The rows that a run measures: those asked for by name, or those of a quick run, or all.
export function pickRows(only: RegExp | undefined, quick: boolean, main: boolean): readonly Workload[] {
  if (main) return mainRows.flatMap(wanted => rows.filter(({ name }) => name === wanted && only?.test(name) !== false))
  if (only !== undefined) return rows.filter(({ name }) => only.test(name))
  return quick ? rows.filter(row => row.inQuick !== false) : rows
}

// About how long a row takes.
export function secondsOf(row: Workload, { servers, rounds, seconds, quick }: Sizes): number {
  switch (row.kind) {
    case 'speed': return rounds * (ROUND_SECONDS + 2 * seconds * servers.length)
    case 'trace': return rounds * (row.file === undefined ? MADE_TRACE_SECONDS : statSync(row.file).size / TRACE_BYTES_PER_SECOND)
    default: return quick ? otherSeconds[row.kind] / QUICK_DIVISOR : otherSeconds[row.kind]
  }
}

// Speed rows, each with every number of threads. What a row may cost is only said for the numbers in the table above.
export function pickThreadRows(only: RegExp | undefined, counts: readonly number[]): readonly SpeedWorkload[] {
  const isWanted = (name: string): boolean => only === undefined ? threadRows.includes(name) : only.test(name)
  return rows.flatMap(row => {
    if (row.kind !== 'speed' || row.threads !== undefined || row.isBare === true || !isWanted(row.name)) return []
    return counts.map(threads => withThreads(row, threads))
  })
}

function withThreads({ limits: _, ...row }: SpeedWorkload, threads: number): SpeedWorkload {
  const name = `${row.name}, -t ${threads}`
  const known = rows.find((other): other is SpeedWorkload => other.kind === 'speed' && other.name === name)
  return known ?? { ...row, name, threads }
}

function protocolRows(protocol: ProtocolName): SpeedWorkload[] {
  return (['get', 'set'] as const).flatMap(command => [1, 10, 100].map((depth): SpeedWorkload => ({
    ...small, name: `${protocol} ${command} 100 B, depth ${depth}`, protocol, command, depth,
    limits: { cpu: depth === 1 ? 1.15 : depth === 100 && command === 'get' ? 0.5 : 1 },
    ...(depth === 10 ? { inQuick: false } : {}),
  })))
}

function bareRows(): SpeedWorkload[] {
  const bare = { ...small, depth: 1, isBare: true } as const
  return [
    { ...bare, name: 'bare responder, get, depth 1', command: 'get', limits: { cpu: 1.03 } },
    { ...bare, name: 'bare responder, set, depth 1', command: 'set', limits: { cpu: 1.06 }, inQuick: false },
    { ...bare, name: 'bare responder, mg, depth 1', command: 'get', protocol: 'meta', inQuick: false },
    { ...bare, name: 'bare responder, miss, depth 1', command: 'miss', limits: { cpu: 1.06 }, inQuick: false },
    { ...bare, name: 'bare responder, incr, depth 1', command: 'incr', limits: { cpu: 1.05 }, inQuick: false },
    { ...bare, name: 'bare responder, get, 1,000 connections', command: 'get', connections: 1000, inQuick: false },
    { ...bare, name: 'bare responder, get, one a connection', command: 'get', connections: 16, isBrief: true, inQuick: false },
  ]
}

// As many keys as make 16 MiB of values, in a cache that holds them all.
function largeRows(size: string, valueBytes: number, connections: number, depth: number, limits: Limits): SpeedWorkload[] {
  return (['get', 'set'] as const).map(command => ({
    kind: 'speed', name: `${command} ${size}, depth ${depth}`, command, connections, depth,
    keys: 2 ** 24 / valueBytes, valueBytes, megabytes: 1024, limits, ...(depth === 10 ? { inQuick: false } : {}),
  }))
}

// Which of mixed sizes a server keeps is its own affair, so their number says little and has no limit.
function memoryRows(megabytes: number): Workload[] {
  const quick = megabytes > 64 ? { inQuick: false } as const : {}
  return [
    { kind: 'held', name: `memory, 10 B, -m ${megabytes}`, valueBytes: 10, megabytes, ratioMin: 1.05, ...quick },
    { kind: 'held', name: `memory, 100 B, -m ${megabytes}`, valueBytes: 100, megabytes, ratioMin: 1.05, ...quick },
    { kind: 'held', name: `memory, 1 KiB, -m ${megabytes}`, valueBytes: 1024, megabytes, ratioMin: 1, ...quick },
    { kind: 'held', name: `memory, mixed sizes, -m ${megabytes}`, valueBytes: 'mixed', megabytes, ...quick },
    { kind: 'footprint', name: `memory, RSS, -m ${megabytes}`, valueBytes: 100, megabytes, threads: [1, 4], ...quick },
  ]
}
