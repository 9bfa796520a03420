// What the main thread and its workers tell each other, and what a worker starts from. Everything else that they have in
// common lies in memory that they share.
import { type SharedTime } from '../clock.js'
import { type Users } from '../protocol/credentials.js'
import { type Certificates } from '../net/certificates.js'
import { type WriteWay } from '../net/handle.js'
import { type Listening } from '../net/listeners.js'
import { type Options } from '../options/options.js'
import { type SharedStore } from '../store/store.js'
import { type Opened } from './engine.js'

/** What all workers start from. */
export interface SharedParts {
  readonly options: Options
  readonly store: SharedStore
  readonly live: SharedArrayBuffer
  readonly places: SharedArrayBuffer
  /** See Shares. */
  readonly shares: SharedArrayBuffer
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
  /** How sockets are written to, see proof.ts; undefined: as streams, as far as is known. */
  readonly quickWay: WriteWay | undefined
}

/** What a worker starts with that is to listen before anything else. */
export interface Order {
  readonly options: Options
  readonly shares: SharedArrayBuffer
}

/** What went wrong: a MemslabError. */
export interface Problem { readonly code: string; readonly message: string }

/** The first thing that a worker is told; `thread` counts from 1. */
export interface WorkerParts extends SharedParts { readonly thread: number }

/** What the main thread asks of a worker; each is answered, with its number. */
export type Task =
  /** Serve what has been opened, and open what still is not. */
  | { readonly do: 'open' }
  /** Listen where another worker does. */
  | { readonly do: 'follow'; readonly opened: Opened }
  /** Take nobody in any more. */
  | { readonly do: 'drop' }
  /** Close all connections. */
  | { readonly do: 'close' }

export type NumberedTask = Task & { readonly task: number }

/** What the main thread lets a worker know. */
export type Notice =
  /** There is room for a connection that waits. */
  | { readonly do: 'admit' }
  /** Unfinished requests take more memory than they may, see Unfinished. */
  | { readonly do: 'make room' }
  | { readonly do: 'use certificates'; readonly certificates: Certificates }
  | { readonly do: 'use users'; readonly users: Users }
  | { readonly do: 'use quick way'; readonly quickWay: WriteWay | undefined }

/** The answer to a task. */
export interface Done {
  readonly tell: 'done'
  readonly task: number
  /** open: where it listens now. */
  readonly opened?: Opened
  /** drop: the thread must not end, see SharedDescriptor. */
  readonly mustStay?: boolean
  /** It could not be done. */
  readonly problem?: Problem
}

/** What a worker tells the main thread of its own accord. */
export type News =
  /** It listens, and cannot serve yet. */
  | { readonly tell: 'listening'; readonly listening: readonly Listening[] }
  | { readonly tell: 'not listening'; readonly problem: Problem }
  /** So many have come by now that others should see to them. */
  | { readonly tell: 'crowd' }
  /** It can serve. */
  | { readonly tell: 'ready' }
  | { readonly tell: 'line'; readonly line: string }
  | { readonly tell: 'shutdown'; readonly isGraceful: boolean }
  | { readonly tell: 'certificates'; readonly certificates: Certificates }
  /** It has given back a place that somebody in another thread waits for. */
  | { readonly tell: 'room' }
  /** Unfinished requests take more memory than they may, and this thread has its share at most. */
  | { readonly tell: 'memory short' }
  /** A crawl was asked for. */
  | { readonly tell: 'crawl' }
  /** A page is to move. */
  | { readonly tell: 'move' }
