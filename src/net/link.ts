// The link between a connection and its client: a stream of any kind, see stream.ts, or a socket without a stream, see direct.ts.
import { type Handle } from './handle.js'

/** The address of a client that came over TCP. */
export interface Remote { readonly address: string; readonly port: number }

export interface Link {
  /** The file descriptor; NO_DESCRIPTOR if there is none. */
  readonly id: number
  /** The client's address; undefined if it has none, or if the link is closed and the address was not looked up before. */
  readonly remote: Remote | undefined
  /** The most bytes of large values that it should be lent at once. */
  readonly lentBytesMax: number
  /** True if the client gets no more bytes. Then writes return false. */
  readonly isBroken: boolean
  /** Begins to read. Called once, and not for a client that only gets one answer before the end. */
  begin(user: LinkUser): void
  /** Has another user from now on: one that speaks HTTP in place of a connection. Nothing is being written. */
  passTo(user: LinkUser): void
  /**
   * Writes bytes. Returns true if it does not need the bytes any more. If it returns false, the caller has to keep them until
   * `drained` or `closed` of the user is called.
   */
  write(bytes: Uint8Array): boolean
  /** Writes several parts, one behind the other, in the same way. */
  writeMany(parts: readonly Uint8Array[]): boolean
  /** Stops reading until `resume`. */
  pause(): void
  resume(): void
  /** Lets the process end while the link is open. */
  unref(): void
  /**
   * Leaves its handle, open and with what has not been read, to another link, and its user without a call. Returns undefined if
   * it cannot, as bytes are under way. Only a socket without a stream has this.
   */
  release?(): Handle | undefined
  /** Closes when all writes are complete. */
  end(): void
  /** Closes at once. */
  destroy(): void
  /** Closes at once. A client over TCP gets a reset in place of an end. */
  reset(): void
}

/** The user of a link: a connection. */
export interface LinkUser {
  /** The buffer for the first read. A stream does not ask for it. */
  readonly firstTarget: Uint8Array
  /** Called when `count` bytes have been read into the buffer. Returns the buffer for the next read; undefined for the same. */
  read(count: number): Uint8Array | undefined
  /** Called by a stream instead of `read`. Returns the number of bytes taken; the stream passes the others again, later. */
  readChunk(chunk: Uint8Array): number
  /** Called when the client has closed its sending side. */
  ended(): void
  /** Called when no write is under way any more: all are complete, or they failed. */
  drained(): void
  /** Called when the link fails, before it is closed. */
  failed(): void
  /** Called if a socket does not behave as it was proved. It is closed; later clients are served through streams. */
  broke(problem: string): void
  /** Called once, when the link is closed, and never within a call of the link. */
  closed(): void
}
