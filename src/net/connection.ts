// A connection joins a stream with a session: it passes the bytes that it reads to the session, and writes the replies. If a
// client reads slowly, its session pauses. The stream may be of any kind: TCP and Unix sockets are read through `onread`, TLS and
// all other streams through 'data' events.
import { Socket } from 'node:net'
import { type Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import { CloseReason, Transport } from '../log/events.js'
import { type Host } from '../protocol/host.js'
import { READ_BYTES } from '../protocol/input.js'
import { type Held } from '../protocol/output.js'
import { type Peer } from '../protocol/peer.js'
import { Session, type Protocol } from '../protocol/session.js'
import { ConnectionState } from '../protocol/work/state.js'
import { formatAddress } from './addresses.js'
import { descriptorOf, takeQuickly, type Reader } from './handle.js'
import { type Slots } from './slots.js'
import { hasFailed, StreamWriter, type Writer } from './writer.js'

/** The origin of a connection, and its slot. */
export interface Entry {
  /** The address of the listener that accepted it, as `stats conns` shows it. */
  readonly listenAddress: string
  /** True if a listener accepted it. Only such a socket, which no other code has touched, is used without its stream. */
  readonly isAccepted: boolean
  /** Its slot, see slots.ts. */
  readonly slot: number
  /** Store time at which it got the slot. */
  readonly since: number
}

export class Connection implements Peer, Reader {
  readonly isLasting = true
  /** The file descriptor; 0 for a stream that has none. */
  readonly id: number
  private readonly session: Session
  /** The bytes of writes that are still under way. */
  private readonly pending: Held[] = []
  private isReadingDirect = false
  private lastTarget: Uint8Array | undefined
  private isYielding = false
  private isPaused = false
  /** True once the client has closed its sending side. */
  private hasEnded = false
  private isOver = false
  /** The reason of its end, for the log. */
  private closeReason = CloseReason.Normal
  private readonly writer: Writer

  /**
   * @param stream a stream that no other code reads
   * @param onClose called once, when the connection is closed
   */
  constructor(private readonly host: Host, protocol: Protocol, private readonly stream: Duplex, readonly entry: Entry,
    private readonly slots: Slots, private readonly onClose: (connection: Connection) => void) {
    this.id = descriptorOf(stream)
    this.session = new Session(host, protocol, this)
    this.session.unknownSince = entry.since
    const isPlain = entry.isAccepted && stream instanceof Socket && !(stream instanceof TLSSocket)
    const quick = isPlain ? takeQuickly(stream, this, this.drained, problem => this.quickHasBroken(problem)) : undefined
    this.writer = quick ?? new StreamWriter(stream, this.drained)
    stream.on('close', () => this.closed())
    // 'close' handles the rest of an error; after an error of TLS it would not follow without `destroy`
    stream.on('error', () => {
      this.closeReason = CloseReason.Error
      stream.destroy()
    })
    if (quick === undefined) stream.on('data', (chunk: Buffer) => this.guard(() => this.readChunk(chunk)))
    // a client that has closed its sending side still gets its replies
    stream.allowHalfOpen = true
    stream.on('end', () => this.ended())
    stream.resume()
  }

  private quickHasBroken(problem: string): void {
    if (this.host.verbosity > 0) this.host.log(`clients are served through streams from now on: ${problem}`)
  }

  /** Runs an action of the session. If it throws, an invariant is broken, and the server has to end. */
  private guard(action: () => void): void {
    try {
      action()
      this.note()
    } catch (error) { this.host.signals.failed(error) }
  }

  /** Stores its addresses and its state, for `stats conns`. */
  describe(): void {
    const { slot, listenAddress } = this.entry
    this.note()
    this.slots.describe(slot, this.id, remoteAddress(this.stream, listenAddress), listenAddress)
  }

  /** Stores its state in shared memory, for `stats conns` in any thread. */
  note(): void { this.slots.note(this.entry.slot, this.state, this.session.usedAt) }

  get lentBytesMax(): number { return this.writer.lentBytesMax }

  // Reading

  target(): Uint8Array | undefined {
    try {
      return this.nextTarget()
    } catch (error) {
      this.host.signals.failed(error)
      return undefined
    }
  }

  private nextTarget(): Uint8Array | undefined {
    const { session, host } = this
    const direct = this.isPaused ? undefined : session.directTarget
    const shared = session.sendsLargeValues ? host.input.shortReadBuffer : host.input.readBuffer
    this.isReadingDirect = direct !== undefined
    const wanted = direct ?? shared
    if (wanted === this.lastTarget) return undefined
    this.lastTarget = wanted
    return wanted
  }

  read(count: number): void {
    if (this.isOver) return
    try {
      if (this.isReadingDirect) this.session.receivedDirect(count)
      else this.session.receive(count)
      this.note()
    } catch (error) { this.host.signals.failed(error) }
  }

  private readChunk(chunk: Buffer): void {
    const { bytes, batchStart } = this.host.input
    if (this.host.input.isInUse) return this.readLater(chunk)
    for (let at = 0; at < chunk.length && !this.isOver; at += READ_BYTES) {
      const count = Math.min(READ_BYTES, chunk.length - at)
      if (this.isPaused) {
        this.stream.unshift(chunk.subarray(at))
        return
      }
      bytes.set(chunk.subarray(at, at + count), batchStart)
      this.session.receive(count)
    }
  }

  /** Reads a chunk in a later turn. A stream within this process may send it while another session's batch uses the input. */
  private readLater(chunk: Buffer): void {
    this.stream.pause()
    this.stream.unshift(chunk)
    setImmediate(() => {
      if (!this.isPaused && !this.isOver) this.stream.resume()
    })
  }

  // Peer

  write(bytes: Uint8Array): boolean { return !this.isBroken && this.writer.write(bytes) }

  writeMany(parts: readonly Uint8Array[]): boolean { return !this.isBroken && this.writer.writeMany(parts) }

  hold(held: Held): void { this.pending.push(held) }

  /** True if the client gets no more bytes. Then writes return false, so that the session stops; `closed` settles the rest. */
  private get isBroken(): boolean { return this.stream.destroyed || hasFailed(this.stream) }

  /** Called when all writes are complete. */
  private readonly drained = (): void => {
    if (this.pending.length === 0 || this.isBroken) return
    this.guard(() => {
      this.settle()
      if (!this.isOver && !this.isYielding) this.unpause()
    })
  }

  private settle(): void {
    for (const held of this.pending.splice(0)) held.settle()
  }

  pause(): void {
    this.isPaused = true
    this.stream.pause()
  }

  yield(): void {
    this.isYielding = true
    setImmediate(() => {
      this.isYielding = false
      if (!this.isOver && !this.isBroken && this.pending.length === 0) this.guard(() => this.unpause())
    })
  }

  private unpause(): void {
    // a stream within this process may read while another session's batch uses the input
    if (this.host.input.isInUse) return this.yield()
    this.isPaused = false
    this.session.resume()
    if (!this.isPaused && !this.isOver) this.stream.resume()
    if (this.hasEnded) this.ended()
  }

  /** Called when the client has closed its sending side: ends the connection, unless there is something left to send. */
  private ended(): void {
    this.hasEnded = true
    if (!this.isPaused && this.pending.length === 0) this.end()
  }

  end(): void {
    if (this.isOver) return
    this.isOver = true
    if (this.session.isClosed && !this.session.hasQuit) this.closeReason = CloseReason.Error
    this.stream.end()
    if (this.stream.writableFinished) this.stream.destroy()
    else this.stream.once('finish', () => this.stream.destroy())
  }

  drop(): void { this.destroy(CloseReason.Error) }

  // Its life

  /** Ends the connection at once. */
  destroy(reason = CloseReason.Normal): void {
    if (!this.stream.destroyed) this.closeReason = reason
    this.stream.destroy()
  }

  /** Logs its beginning, for watchers. */
  logNew(): void {
    const { address, port, transport } = this.origin
    this.host.store.log.connNew(this.id, address, port, transport)
  }

  /** Logs its end, for watchers. */
  logClose(): void {
    const { address, port, transport } = this.origin
    this.host.store.log.connClose(this.id, address, port, transport, this.closeReason)
  }

  /** The client's address in the form of the log. After the end of a socket it is known only if it was looked up before. */
  private get origin(): { address: string, port: number, transport: Transport } {
    const { entry: { isAccepted }, stream } = this
    if (stream instanceof Socket && stream.remoteAddress !== undefined) {
      return { address: stream.remoteAddress, port: stream.remotePort ?? 0, transport: Transport.Tcp }
    }
    return { address: isAccepted ? 'unix' : 'stream', port: 0, transport: Transport.Local }
  }

  private closed(): void {
    this.isOver = true
    this.guard(() => {
      this.settle()
      this.session.close()
    })
    this.onClose(this)
  }

  get usedAt(): number { return this.session.usedAt }

  /** True while the client has not authenticated, though it must; and the store time since which that is so. */
  get isUnauthenticated(): boolean { return this.session.isUnauthenticated }
  get unknownSince(): number { return this.session.unknownSince }

  /** True while it waits for a request and has nothing to send. */
  get isIdle(): boolean { return this.session.isIdle && this.pending.length === 0 }

  private get state(): ConnectionState {
    if (this.isOver) return ConnectionState.Closing
    return this.pending.length > 0 ? ConnectionState.Mwrite : this.session.state
  }
}

/** The client's address as `stats conns` shows it. If it has none, as with Unix sockets, it is that of the listener. */
export function remoteAddress(stream: Duplex, listenAddress: string): string {
  if (!(stream instanceof Socket) || stream.remoteAddress === undefined) return listenAddress
  return formatAddress(stream.remoteAddress, stream.remotePort ?? 0)
}
