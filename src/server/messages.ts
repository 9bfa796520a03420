// What the main thread and its workers tell each other, and what a worker starts from. Everything else that they have in
// common lies in memory that they share.
import { type SharedTime } from '../clock.js'
import { type Users } from '../secrets/credentials.js'
import { type Certificates } from '../secrets/certificates.js'
import { type WriteWay } from '../net/handle.js'
import { type Listening } from '../net/listeners.js'
import { type Options } from '../options/options.js'
import { type SharedStore } from '../store/store.js'
import { type Opened } from './engine.js'
import { type SignalMessage, type ThreadSignalMessage } from './signals.js'

/** What all workers start from. */
export interface SharedParts {
  readonly options: Options
  readonly store: SharedStore
  readonly settings: SharedArrayBuffer
  readonly slots: SharedArrayBuffer
  readonly balance: SharedArrayBuffer
  readonly prefixes: SharedArrayBuffer
  readonly epitaph: SharedArrayBuffer
  readonly beginners: SharedArrayBuffer
  /** Of a MovableClock, where there is one. */
  readonly debugClock: SharedArrayBuffer | undefined
  readonly time: SharedTime
  /** Unix time in milliseconds. */
  readonly startedAt: number
  readonly users: Users | undefined
  readonly certificates: Certificates | undefined
}

/** What a worker starts with that is to listen before anything else. */
export interface Order {
  readonly options: Options
  readonly balance: SharedArrayBuffer
}

/** What went wrong: a MemslabError. */
export interface Problem { readonly code: string; readonly message: string }

/** The first thing that a worker is told; `thread` counts from 1. */
export interface WorkerParts extends SharedParts { readonly thread: number }

/** What the main thread asks of a worker; each is answered, with its number. */
export type Task =
  /** Serve what has been opened, and open what still is not. `quickWay`: how sockets are written to, see proof.ts. */
  | { readonly do: 'open'; readonly quickWay: WriteWay | undefined }
  /** Listen where another worker does. */
  | { readonly do: 'follow'; readonly opened: Opened; readonly quickWay: WriteWay | undefined }
  /** Take nobody in any more. */
  | { readonly do: 'drop' }
  /** Close all connections. */
  | { readonly do: 'close' }

export type NumberedTask = Task & { readonly task: number }

/** The answer to a task. */
export interface Done {
  readonly task: number
  /** open: where it listens now. */
  readonly opened?: Opened
  /** drop: the thread must not end, see SharedDescriptor. */
  readonly mustStay?: boolean
  /** It could not be done. */
  readonly problem?: Problem
}

/** How far a worker has come, as it tells the main thread of its own accord. */
export type Life =
  /** It listens, and cannot serve yet. */
  | { readonly life: 'listening'; readonly listening: readonly Listening[] }
  | { readonly life: 'not listening'; readonly problem: Problem }
  /** So many clients have come by now that other threads should take some. */
  | { readonly life: 'crowded' }
  /** It can serve. */
  | { readonly life: 'ready' }

/** Everything that a worker is posted after its parts. */
export type ToWorker = NumberedTask | ThreadSignalMessage

/** Everything that a worker posts. */
export type FromWorker = Done | Life | SignalMessage
