// Writes to a stream of any kind. For sockets there is a quicker way, see handle.ts.
import { type Duplex } from 'node:stream'

/**
 * Writes bytes. Returns true if it does not need the bytes any more. If it returns false, the caller has to keep them until
 * `onWritten` is called or, if the client is gone, until the stream is closed.
 */
export interface Writer {
  /** The most bytes of large values that it should be lent at once. */
  readonly lentBytesMax: number
  write(bytes: Uint8Array): boolean
  writeMany(parts: readonly Uint8Array[]): boolean
}

/**
 * Writes to any stream. A stream may keep the bytes that it is given even after it counts them as written, so it gets a copy.
 * The caller has to wait only if the stream buffers more than its high-water mark.
 */
export class StreamWriter implements Writer {
  /** Small, as lent bytes are copied, and the copy stays in memory while a client does not read. */
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

/** True if a stream has had an error. In Node's streams `errored` is null or the error; other streams may lack it. */
export function hasFailed(stream: Duplex): boolean { return (stream.errored ?? null) !== null }
