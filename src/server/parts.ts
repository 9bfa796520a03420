// What a program may hand to a server beside its options. A file of its own, as the public types need it and nothing else of
// the server's inside.
import { type Clock } from '../clock.js'

/** What a program hands to a server beside its options; all of it may be left out. */
export interface ServerParts {
  /**
   * The time of the server, and its repeated work. Default: a `SystemClock` made together with the server, which the fake
   * timers of a program's tests do not move.
   */
  clock?: Clock
  /** Takes each line that the command line prints on stderr, without its end. Default: the lines are dropped. */
  log?: (line: string) => void
  /**
   * Called once when a bug of memslab has shown itself: an invariant is broken, or a thread has died. The server closes
   * itself then, as its memory cannot be trusted; the program goes on. The cause is printed on stderr in any case. Default:
   * nothing more is done.
   */
  failed?: (error: Error) => void
}
