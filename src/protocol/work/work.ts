// The work of a session: a task that takes longer than one request of a batch. A session has at most one piece of work, behind
// which another may wait. The session calls `resume` until `isDone` is true, or `drop` once.
import { type ConnectionState } from './state.js'

/** The events that work waits for. */
export const enum Wait {
  /** More input, which the work takes before the next request. */
  Input,
  /** The client's taking of the output. */
  Output,
  /** The next turn of the session, when the other connections have had theirs. */
  Turn,
}

export interface Work {
  readonly wait: Wait
  readonly state: ConnectionState
  /** True if nothing is left to do. */
  readonly isDone: boolean
  /** The work with which the session goes on when this is done. */
  next: Work | undefined
  /** Goes on, with the input from `at` to `end`. Returns the index at which it stopped. */
  resume(at: number, end: number): number
  /** Frees what it holds, as the session ends. */
  drop(): void
}
