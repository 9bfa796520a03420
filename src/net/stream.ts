// The link over a stream of any kind: TLS, a stream that the program hands in, or, if there is no quicker way, a socket.
import { Socket } from 'node:net'
import { type Duplex } from 'node:stream'
import { setImmediate } from '../timers.js'
import { descriptorOf } from './handle.js'
import { type Link, type LinkUser, type Remote } from './link.js'

/**
 * Reads and writes any stream. A stream may keep the bytes that it is given even after it counts them as written, so it gets a
 * copy. The caller has to wait only if the stream buffers more than its high-water mark.
 */
export class StreamLink implements Link {
  readonly id: number
  private user: LinkUser | undefined
  private isPaused = false

  /**
   * @param stream a stream that no other code reads
   * @param carrier the socket under an encrypted stream
   */
  constructor(private readonly stream: Duplex, private readonly carrier: Duplex = stream) {
    this.id = descriptorOf(stream)
    // 'close' handles the rest of an error; after an error of TLS it would not follow without `destroy`
    stream.on('error', () => {
      this.user?.failed()
      stream.destroy()
    })
  }

  /** Small, as lent bytes are copied, and the copy stays in memory while a client does not read. */
  get lentBytesMax(): number { return 64 * 1024 }

  get isBroken(): boolean { return this.stream.destroyed || this.carrier.destroyed || hasFailed(this.stream) }

  get remote(): Remote | undefined { return remoteOf(this.stream) }

  begin(user: LinkUser): void {
    const { stream } = this
    this.user = user
    stream.on('close', () => this.user?.closed())
    stream.on('data', (chunk: Buffer) => this.readChunk(chunk))
    // a client that has closed its sending side still gets its replies
    stream.allowHalfOpen = true
    stream.on('end', () => this.user?.ended())
    stream.resume()
  }

  passTo(user: LinkUser): void { this.user = user }

  private readChunk(chunk: Buffer): void {
    const taken = this.user?.readChunk(chunk) ?? chunk.length
    if (taken === chunk.length) return
    this.stream.pause()
    this.stream.unshift(chunk.subarray(taken))
    setImmediate(() => { if (!this.isPaused) this.stream.resume() })
  }

  write(bytes: Uint8Array): boolean { return this.writeOwn(Buffer.from(bytes)) }

  writeMany(parts: readonly Uint8Array[]): boolean { return this.writeOwn(Buffer.concat(parts)) }

  private writeOwn(copy: Buffer): boolean {
    if (this.isBroken) return false
    this.stream.write(copy, this.written)
    return !this.stream.writableNeedDrain && !hasFailed(this.stream)
  }

  private readonly written = (): void => {
    if (this.stream.writableLength === 0) this.user?.drained()
  }

  /** A stream that is no socket keeps no process alive. */
  unref(): void { if (this.stream instanceof Socket) this.stream.unref() }

  pause(): void {
    this.isPaused = true
    this.stream.pause()
  }

  resume(): void {
    this.isPaused = false
    this.stream.resume()
  }

  end(): void {
    const { stream } = this
    stream.end()
    if (stream.writableFinished) stream.destroy()
    else stream.once('finish', () => stream.destroy())
  }

  destroy(): void { this.stream.destroy() }

  reset(): void {
    const { carrier } = this
    // only a socket of TCP has a reset; an encrypted stream is closed when the socket under it is
    if (carrier instanceof Socket && remoteOf(carrier) !== undefined) carrier.resetAndDestroy()
    else this.stream.destroy()
  }
}

/** The client's address, if a stream is a socket of TCP that is open. */
export function remoteOf(stream: Duplex): Remote | undefined {
  if (!(stream instanceof Socket) || stream.remoteAddress === undefined) return undefined
  return { address: stream.remoteAddress, port: stream.remotePort ?? 0 }
}

/** True if a stream has had an error. In Node's streams `errored` is null or the error; other streams may lack it. */
function hasFailed(stream: Duplex): boolean { return (stream.errored ?? null) !== null }
