// What a program may hand to a server beside its options. It has a file of its own, as the public types need it and nothing else
// from inside the server. Public types name nothing of Node.js, so that they need no @types/node.
import { type Clock } from '../clock.js'

/** Parts that a program may hand to a server beside its options. */
export interface ServerParts {
  /**
   * The clock that gives the server its time and repeats its background work. Default: a `SystemClock` made together with the
   * server, which the fake timers of a program's tests do not move.
   */
  clock?: Clock
  /**
   * The number of other threads of the program that may attach to `Server.cache` at a time, 0 to 256. Default 0: then `cache` has
   * no `handle`, and a server of one thread saves the cost of locks.
   */
  attachable?: number
  /** Called with each line that the command line would print on stderr, without its line end. Default: the lines are dropped. */
  log?: (line: string) => void
  /**
   * Called once if a bug of memslab has shown itself: an invariant is broken, or a thread has died. The server then closes
   * itself, as its memory cannot be trusted; the program goes on. The cause is printed on stderr in any case. Default: nothing
   * else is done.
   */
  failed?: (error: Error) => void
}

/**
 * A stream of bytes in both directions: any `Duplex` of Node.js, such as a `net.Socket` or a `tls.TLSSocket`. This type lists
 * only some of its members, so that a program's types need none of Node's.
 */
export interface DuplexStream {
  readonly readable: boolean
  readonly writable: boolean
  readonly destroyed: boolean
  write(chunk: Uint8Array): boolean
  end(): unknown
  pause(): unknown
  resume(): unknown
  destroy(error?: Error): unknown
  on(event: string, listener: (...args: never[]) => void): unknown
}
