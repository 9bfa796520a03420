// What a row of the table can be: what is measured, with what, and which limits the project has set itself. The rows
// are in rows.ts.

import type { ProtocolName } from './exchanges.js'

export type Workload = SpeedWorkload | HeldWorkload | FootprintWorkload | IdleWorkload | StartWorkload | HitsWorkload |
  TraceWorkload | GarbageWorkload | WaitsWorkload | LayersWorkload | LocksWorkload | StripesWorkload

interface Row {
  readonly name: string
  readonly inQuick?: false   // left out of --quick, as neighbouring rows go the same ways or it takes long
}

// What of the first server may be how many times that of the second: CPU time a request and latencies at most, requests
// a second at least.
export interface Limits {
  readonly cpu?: number
  readonly rate?: number
  readonly p50?: number
  readonly p99?: number
  readonly p999?: number
}

// Driven by `connections` that each keep `depth` requests under way. A paced row sends its requests one by one when they
// are due instead, answered or not, half as many as the second server can answer. In a brief row each of the clients, as
// many as there are connections, opens another one for each batch. A bare row compares the first server with the bare responder
// in place of the second server.
export interface SpeedWorkload extends Row {
  readonly kind: 'speed'
  readonly command: 'get' | 'set' | 'mixed' | 'multi-get' | 'miss' | 'incr' | 'churn'
  readonly protocol?: ProtocolName     // of get, set and mixed; the others, and what is not said, are classic
  readonly connections: number
  readonly depth: number
  readonly keys: number
  readonly valueBytes: number
  readonly megabytes: number
  readonly threads?: number            // of the servers; 1 if not said
  readonly isPaced?: true
  readonly isBrief?: true
  readonly isBare?: true
  readonly limits?: Limits
}

// How many items a server holds that is filled with twice what it can hold. `ratioMin`: at least so many times the items
// of the second server.
export interface HeldWorkload extends Row {
  readonly kind: 'held'
  readonly valueBytes: number | 'mixed'
  readonly megabytes: number
  readonly ratioMin?: number
}

// What a process takes beside the memory of -m, empty and full, with each of several numbers of threads.
export interface FootprintWorkload extends Row {
  readonly kind: 'footprint'
  readonly valueBytes: number
  readonly megabytes: number
  readonly threads: readonly number[]
}

// What an idle process takes, with each of several numbers of threads, beside a Node process that does nothing but listen.
export interface IdleWorkload extends Row {
  readonly kind: 'idle'
  readonly megabytes: number
  readonly threads: readonly number[]
}

// How soon a server answers after it was started.
export interface StartWorkload extends Row {
  readonly kind: 'start'
  readonly megabytes: number
  readonly threads: number
}

// Look-aside use: get, and on a miss set. Keys come by popularity, and there is `timesMemory` more data than memory.
// `onceShare` of the gets are for keys that never come again, as when somebody reads through everything; they do not count.
// With `firstBytes` the cache was first used, until it was full, for other keys with values of that size.
export interface HitsWorkload extends Row {
  readonly kind: 'hits'
  readonly firstBytes?: number
  readonly valueBytes: number
  readonly megabytes: number
  readonly timesMemory: number
  readonly zipfExponent: number
  readonly onceShare?: number
}

// Look-aside use of the keys of a trace, with values of one size, see traces/.
export interface TraceWorkload extends Row {
  readonly kind: 'trace'
  readonly file?: string     // none: it is made up
  readonly valueBytes: number
  readonly megabytes: number
}

// What a Node server's garbage collector does while a million requests are served and while it is filled.
export interface GarbageWorkload extends Row {
  readonly kind: 'garbage'
}

// How long clients wait while somebody else gives commands that concern all of so many items.
export interface WaitsWorkload extends Row {
  readonly kind: 'waits'
  readonly items: number
  readonly megabytes: number
  readonly threads: number
}

// The parts of memslab one by one.
export interface LayersWorkload extends Row {
  readonly kind: 'layers'
}

// Sessions over shared memory with its locks beside sessions over memory of their own.
export interface LocksWorkload extends Row {
  readonly kind: 'locks'
}

// The lock of a stripe, taken by one thread and by several.
export interface StripesWorkload extends Row {
  readonly kind: 'stripes'
}
