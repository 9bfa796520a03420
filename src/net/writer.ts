// Writing to a stream of any kind. For sockets there is a quicker way, see handle.ts.
import { type Duplex } from 'node:stream'

/**
 * Takes bytes; true if they are not needed any more, false if they are until `onWritten` is called, or, when the other end
 * is gone, until the stream is closed.
 */
export interface Writer {
  /** How much of large values it likes to be lent at once. */
  readonly lentBytesMax: number
  write(bytes: Uint8Array): boolean
  writeMany(parts: readonly Uint8Array[]): boolean
}

/**
 * Writes to any stream. A stream may keep what it is given, even though it counts it as written, so it gets a copy; the
 * caller has to wait only where more is under way than the stream likes to hold.
 */
export class StreamWriter implements Writer {
  /** What is lent is copied, and a client that does not read keeps the copy, so it is little. */
  readonly lentBytesMax = 64 * 1024

  constructor(private readonly stream: Duplex, private readonly onWritten: () => void) {}

  write(bytes: Uint8Array): boolean { return this.writeOwn(Buffer.from(bytes)) }

  writeMany(parts: readonly Uint8Array[]): boolean { return this.writeOwn(Buffer.concat(parts)) }

  private writeOwn(copy: Buffer): boolean {
    this.stream.write(copy, this.written)
    return !this.stream.writableNeedDrain && !hasFailed(this.stream)
  }

  private readonly written = (): void => {
    if (this.stream.writableLength === 0) this.onWritten()
  }
}

/** Whether a stream has met an error; Node's own tell it by null or an error, others may not know it. */
export function hasFailed(stream: Duplex): boolean { return (stream.errored ?? null) !== null }
