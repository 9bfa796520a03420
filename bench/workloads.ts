// What is measured, a row each, with the limits that the project has set itself.
//
// A speed row is driven by `connections` that each keep `depth` requests under way. What counts is the ratio of server
// CPU time a request; `cpuLimit` is the largest that is accepted.

import type { ProtocolName } from './exchanges.js'

export interface SpeedWorkload {
  readonly kind: 'speed'
  readonly name: string
  readonly command: 'get' | 'set' | 'mixed' | 'multi-get' | 'miss' | 'incr' | 'churn'
  readonly protocol?: ProtocolName     // of get, set and mixed; the others, and what is not said, are classic
  readonly connections: number
  readonly depth: number
  readonly keys: number
  readonly valueBytes: number
  readonly megabytes: number
  readonly cpuLimit?: number
  readonly inQuick?: false             // left out of --quick, as neighbouring rows go the same ways
}

// How many items of a size a server holds before it evicts as fast as it is filled.
export interface HeldWorkload {
  readonly kind: 'held'
  readonly name: string
  readonly valueBytes: number
  readonly megabytes: number
}

// Look-aside use: get, and on a miss set. Keys come by popularity, and there is `timesMemory` more data than memory.
export interface HitsWorkload {
  readonly kind: 'hits'
  readonly name: string
  readonly valueBytes: number
  readonly megabytes: number
  readonly timesMemory: number
  readonly zipfExponent: number
}

// What a Node server's garbage collector does while a million requests are served and while it is filled.
export interface GarbageWorkload {
  readonly kind: 'garbage'
  readonly name: string
}

// The parts of memslab one by one.
export interface LayersWorkload {
  readonly kind: 'layers'
  readonly name: string
}

export type Workload = SpeedWorkload | HeldWorkload | HitsWorkload | GarbageWorkload | LayersWorkload

const KEYS = 10_000
const small = { kind: 'speed', connections: 50, keys: KEYS, valueBytes: 100, megabytes: 64 } as const

const workloads: readonly Workload[] = [
  { ...small, name: 'get 100 B, depth 1', command: 'get', depth: 1, cpuLimit: 1.2 },
  { ...small, name: 'get 100 B, depth 10', command: 'get', depth: 10, cpuLimit: 0.9, inQuick: false },
  { ...small, name: 'get 100 B, depth 100', command: 'get', depth: 100, cpuLimit: 0.5 },
  { ...small, name: 'get 100 B, one connection', command: 'get', connections: 1, depth: 1 },
  { ...small, name: 'get 100 B, 1,000 connections', command: 'get', connections: 1000, depth: 1 },
  { ...small, name: 'set 100 B, depth 1', command: 'set', depth: 1 },
  { ...small, name: 'set 100 B, depth 10', command: 'set', depth: 10, inQuick: false },
  { ...small, name: 'set 100 B, depth 100', command: 'set', depth: 100, cpuLimit: 0.6 },
  { ...small, name: 'mixed 1:10, depth 1', command: 'mixed', depth: 1 },
  { ...small, name: 'mixed 1:10, depth 10', command: 'mixed', depth: 10, inQuick: false },
  { ...small, name: 'multi-get of 50', command: 'multi-get', depth: 1 },
  { ...small, name: 'miss, depth 1', command: 'miss', depth: 1 },
  { ...small, name: 'miss, depth 100', command: 'miss', depth: 100 },
  { ...small, name: 'incr, depth 1', command: 'incr', depth: 1 },
  { ...small, name: 'incr, depth 100', command: 'incr', depth: 100 },
  { ...small, name: 'churn 100 B, depth 10', command: 'churn', depth: 10 },
  { ...small, name: 'churn 1 KiB, depth 10', command: 'churn', depth: 10, valueBytes: 1024, inQuick: false },
  ...protocolRows('meta'),
  ...protocolRows('binary'),
  ...largeRows('4 KiB', 4096, 50, 1),
  ...largeRows('4 KiB', 4096, 50, 10),
  ...largeRows('64 KiB', 65536, 50, 1, 1.2),
  ...largeRows('512 KiB', 524288, 10, 1),
  { kind: 'held', name: 'held 10 B', valueBytes: 10, megabytes: 64 },
  { kind: 'held', name: 'held 100 B', valueBytes: 100, megabytes: 64 },
  { kind: 'held', name: 'held 1 KiB', valueBytes: 1024, megabytes: 64 },
  { kind: 'hits', name: 'hit ratio 1 KiB', valueBytes: 1024, megabytes: 64, timesMemory: 10, zipfExponent: 0.99 },
  { kind: 'garbage', name: 'garbage' },
  { kind: 'layers', name: 'layers' },
]

// The rows that a run measures: those asked for by name, or those of a quick run, or all.
export function pickRows(only: RegExp | undefined, quick: boolean): readonly Workload[] {
  if (only !== undefined) return workloads.filter(({ name }) => only.test(name))
  return quick ? workloads.filter(row => row.kind !== 'speed' || row.inQuick !== false) : workloads
}

// At depth 1 nearly all is the kernel's work; from depth 10 on the C server must be beaten.
function protocolRows(protocol: ProtocolName): SpeedWorkload[] {
  return (['get', 'set'] as const).flatMap(command => [1, 10, 100].map((depth): SpeedWorkload => ({
    ...small, name: `${protocol} ${command} 100 B, depth ${depth}`, protocol, command, depth,
    cpuLimit: depth === 1 ? 1.15 : 1, ...(depth === 10 ? { inQuick: false } : {}),
  })))
}

// As many keys as make 16 MiB of values, in a cache that holds them all.
function largeRows(size: string, valueBytes: number, connections: number, depth: number, cpuLimit?: number): SpeedWorkload[] {
  return (['get', 'set'] as const).map(command => ({
    kind: 'speed', name: `${command} ${size}, depth ${depth}`, command, connections, depth,
    keys: 2 ** 24 / valueBytes, valueBytes, megabytes: 1024,
    ...(cpuLimit === undefined ? {} : { cpuLimit }), ...(depth === 10 ? { inQuick: false } : {}),
  }))
}
