// The messages between the main thread and its workers, and the parts that a worker starts from. Everything else that they have
// in common is in shared memory.
import { type MessagePort } from 'node:worker_threads'
import { type SharedTime } from '../clock.js'
import { type Users } from '../secrets/credentials.js'
import { type Certificates } from '../secrets/certificates.js'
import { type WriteWay } from '../net/lesson.js'
import { type Door } from '../net/handover.js'
import { type Listening } from '../net/listeners.js'
import { type Options } from '../options/options.js'
import { type SharedStore } from '../store/store.js'
import { type Opened } from './engine.js'
import { type SignalMessage, type ThreadSignalMessage } from './signals.js'

/** The parts that all workers start from. */
export interface SharedParts {
  readonly options: Options
  readonly store: SharedStore
  readonly settings: SharedArrayBuffer
  readonly slots: SharedArrayBuffer
  readonly balance: SharedArrayBuffer
  readonly prefixes: SharedArrayBuffer
  readonly insight: SharedArrayBuffer
  readonly epitaph: SharedArrayBuffer
  readonly beginners: SharedArrayBuffer
  /** The memory of a Cluster, if there is one. */
  readonly cluster: SharedArrayBuffer | undefined
  /** The memory of a MovableClock, if there is one. */
  readonly debugClock: SharedArrayBuffer | undefined
  /** The memory of a TestClock, if there is one. */
  readonly testClock: SharedArrayBuffer | undefined
  readonly time: SharedTime
  readonly users: Users | undefined
  readonly certificates: Certificates | undefined
}

/** The start data of the worker that is to listen before anything else. */
export interface ListenOrder {
  readonly options: Options
  readonly balance: SharedArrayBuffer
}

/** The code and message of a MemslabError. */
export interface Problem { readonly code: string; readonly message: string }

/** The first message to a worker. Threads are numbered from 1. */
export interface WorkerParts extends SharedParts { readonly thread: number, readonly tap: TapData | undefined }

/** What the tap of a worker starts from, for the file that has it: its `makeTap` gets this and the host. */
export interface TapData { readonly module: string }

/** The same with the ports in it, which are to be transferred. */
export interface TapSeat { readonly data: TapData, readonly transfer: readonly MessagePort[] }

/** Tasks that the main thread gives a worker. The worker answers each with its number. */
export type Task =
  /** Open all listeners that are not open yet, and serve. `quickWay` is the way to write to sockets, see proof.ts. */
  | { readonly do: 'open'; readonly quickWay: WriteWay | undefined }
  /** Listen on the sockets of another worker. */
  | { readonly do: 'follow'; readonly opened: Opened; readonly quickWay: WriteWay | undefined }
  /** Let the others in that take over clients. */
  | { readonly do: 'invite' }
  /** Take over clients of another worker, which has invited this one. */
  | { readonly do: 'join', readonly door: Door }
  /** Hand clients over to the workers that have joined, until all have as many. `count` is that of those workers. */
  | { readonly do: 'share', readonly count: number }
  /** Accept no more clients. */
  | { readonly do: 'drop' }
  /** Close all connections. */
  | { readonly do: 'close' }

export type NumberedTask = Task & { readonly task: number }

/** The answer to a task. */
export interface Done {
  readonly task: number
  /** After `open`: the addresses and sockets that it listens on. */
  readonly opened?: Opened
  /** After `invite`. */
  readonly door?: Door
  /** After `drop`: true if the thread must not end, see SharedDescriptor. */
  readonly mustStay?: boolean
  /** The reason why the task failed; undefined if it succeeded. */
  readonly problem?: Problem
}

/** A worker's progress, which it reports to the main thread without being asked. */
export type Life =
  /** It listens, but cannot serve yet. */
  | { readonly life: 'listening'; readonly listening: readonly Listening[] }
  | { readonly life: 'not listening'; readonly problem: Problem }
  /** There is something to do for the other threads: they should start, and take some of the clients. */
  | { readonly life: 'crowded' }
  /** It has loaded its code, and waits for its parts or has them already. */
  | { readonly life: 'loaded' }
  /** It can serve. */
  | { readonly life: 'ready' }

/** Everything that is posted to a worker after its parts. */
export type ToWorker = NumberedTask | ThreadSignalMessage

/** Everything that a worker posts. */
export type FromWorker = Done | Life | SignalMessage
