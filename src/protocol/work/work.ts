// One piece of work of a session that is more than a request of one batch. A session has at most one, which may have another
// waiting behind it. The session calls `resume` until `isDone`, or `drop` once.
import { type ConnectionState } from './state.js'

/** What a piece of work waits for. */
export const enum Wait {
  /** More input, which it takes before the next request. */
  Input,
  /** Its output to be taken. */
  Output,
  /** Its next turn, when the other connections have had theirs. */
  Turn,
}

export interface Work {
  readonly wait: Wait
  readonly state: ConnectionState
  /** Whether nothing is left to do. */
  readonly isDone: boolean
  /** What the session goes on with when this is done. */
  next: Work | undefined
  /** Goes on, with the input from `at` to `end`; returns where it has stopped in that. */
  resume(at: number, end: number): number
  /** Gives back what it holds, as the session ends. */
  drop(): void
}
