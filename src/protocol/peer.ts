// The peer of a session, through which it writes to its client and ends the conversation: a connection, a datagram or a test.
import { type Client } from '../store/request.js'
import { type Sink } from './output.js'

export interface Peer extends Sink, Client {
  /** Resumes the session when the other connections have had their turn. */
  yield(): void
  /** Stops reading, until the session has been resumed and does not pause again. */
  pause(): void
  /** Ends the conversation: closes when all replies have been written. */
  end(): void
  /** Ends the conversation at once. Replies that have not been written yet are lost. */
  drop(): void
  /**
   * Takes the connection from its session, which has ended. Only a connection that may speak HTTP has this.
   * @param first the bytes that have come
   */
  handOff?(first: Buffer): void
  /**
   * True if replies can be written at any time, as on a connection. False for a datagram, each request of which has a turn of its
   * own.
   */
  readonly isLasting: boolean
}

/** A subscription of a client that watches events. */
export interface Watching { end(): void }
