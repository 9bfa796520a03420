// The other end of a session, as the session sees it: what a connection, a datagram or a test does for it.
import { type Sink } from './output.js'

export interface Peer extends Sink {
  /** Resumes the session when the other connections have had their turn. */
  yield(): void
  /** Reads no more input until `resume` is called. */
  pause(): void
  /** Ends the conversation: writes what was given, then closes. */
  end(): void
  /** Ends the conversation at once; what was given and not written yet is lost. */
  drop(): void
  /** A number for logs and statistics: the file descriptor where there is one. */
  readonly id: number
  /**
   * Whether it stays when a request is answered, so that more can be written later. One that does not gets a turn for each
   * request.
   */
  readonly isLasting: boolean
}

/** A subscription to events, of a client that watches. */
export interface Watching { end(): void }
