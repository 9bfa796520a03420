// The client of a connection that has left its session: a link as a stream of Node's, for node:http. Loaded when the first client
// speaks HTTP.
import { Duplex } from 'node:stream'
import { setImmediate } from '../timers.js'
import { Counter, type Counters } from '../stats/counters.js'
import { type Link, type LinkUser, type Remote } from './link.js'

type Done = (error?: Error | null) => void

/** The connection of a caller. */
export interface CallersConnection {
  /** Called when a request has come, for `stats conns`. */
  wasUsed(): void
  failed(): void
  broke(problem: string): void
  closed(): void
}

/** The bytes that a stream buffers in each direction before the other side has to wait. */
const BUFFER_BYTES = 16 * 1024
/**
 * The most bytes that the stream gets in one turn of the event loop. node:http answers all requests in them at once, and other
 * clients wait so long: some 10 short requests.
 */
const TURN_BYTES = 512

export class Caller implements LinkUser {
  readonly stream: Duplex
  /** The bytes that have come from the client, and those that it was given and has taken. */
  bytesReceived = 0
  bytesTaken = 0
  /** Called once, when the connection is closed. */
  onClosed: () => void = () => {}
  private writing: { readonly bytes: number, readonly done: Done } | undefined
  /** The bytes that have come and that the stream gets in later turns. The link is paused meanwhile. */
  private waiting: Buffer | undefined
  /** True once the client has closed its sending side. An encrypted stream says so even while it is paused. */
  private hasEnded = false

  /**
   * @param firstTarget the memory that a socket is read into
   * @param first the bytes that have come already
   */
  constructor(private readonly link: Link, readonly firstTarget: Uint8Array, first: Buffer,
    private readonly connection: CallersConnection, private readonly counters: Counters) {
    this.stream = new LinkStream(this)
    this.bytesReceived = first.length
    link.passTo(this)
    if (first.length > 0) this.pass(first)
  }

  /** The number of its connection in logs. */
  get id(): number { return this.link.id }

  get remote(): Remote | undefined { return this.link.remote }

  /** True while the client has not taken all that was written. */
  get isWriting(): boolean { return this.writing !== undefined }

  /** Called when a request has come. */
  wasUsed(): void { this.connection.wasUsed() }

  // LinkUser

  read(count: number): undefined { this.receive(Buffer.from(this.firstTarget.subarray(0, count))) }

  readChunk(chunk: Uint8Array): number {
    this.receive(Buffer.from(chunk))
    return chunk.length
  }

  private receive(bytes: Buffer): void {
    this.counters.add(Counter.BytesRead, bytes.length)
    this.bytesReceived += bytes.length
    if (this.waiting !== undefined) this.waiting = Buffer.concat([this.waiting, bytes])
    else if (!this.stream.destroyed) this.pass(bytes)
  }

  /** Gives the stream the first of some bytes. It asks for the others by `resume`. */
  private pass(bytes: Buffer): void {
    if (bytes.length > TURN_BYTES) this.waiting = bytes.subarray(TURN_BYTES)
    const hasRoom = this.stream.push(bytes.subarray(0, TURN_BYTES))
    if (!hasRoom || this.waiting !== undefined) this.link.pause()
  }

  ended(): void {
    this.hasEnded = true
    if (this.waiting === undefined && !this.stream.destroyed) this.stream.push(null)
  }

  drained(): void {
    const { writing } = this
    if (writing === undefined || this.link.isBroken) return
    this.writing = undefined
    this.bytesTaken += writing.bytes
    writing.done()
  }

  failed(): void { this.connection.failed() }

  broke(problem: string): void { this.connection.broke(problem) }

  closed(): void {
    this.writing = undefined
    this.stream.destroy()
    this.onClosed()
    this.connection.closed()
  }

  // The other side of the stream

  resume(): void {
    if (this.waiting === undefined) this.link.resume()
    else setImmediate(() => this.passWaiting())
  }

  private passWaiting(): void {
    const { waiting } = this
    this.waiting = undefined
    if (waiting === undefined || this.stream.destroyed) return
    this.pass(waiting)
    if (this.hasEnded) this.ended()
  }

  write(parts: readonly Uint8Array[], done: Done): void {
    const bytes = parts.reduce((sum, { length }) => sum + length, 0)
    this.counters.add(Counter.BytesWritten, bytes)
    const isTaken = parts.length === 1 ? this.link.write(parts[0]!) : this.link.writeMany(parts)
    if (!isTaken) {
      this.writing = { bytes, done }
      return
    }
    this.bytesTaken += bytes
    done()
  }

  end(): void { this.link.end() }

  destroy(): void { this.link.destroy() }
}

class LinkStream extends Duplex {
  constructor(private readonly caller: Caller) {
    super({ readableHighWaterMark: BUFFER_BYTES, writableHighWaterMark: BUFFER_BYTES })
  }

  override _read(): void { this.caller.resume() }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void { this.caller.write([chunk], done) }

  override _writev(chunks: readonly { chunk: Buffer }[], done: Done): void {
    this.caller.write(chunks.map(({ chunk }) => chunk), done)
  }

  /** Not done before `closed`: a stream that has finished is destroyed, and an encrypted link may still have bytes to send. */
  override _final(): void { this.caller.end() }

  override _destroy(error: Error | null, done: Done): void {
    this.caller.destroy()
    done(error)
  }
}
