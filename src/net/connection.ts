// A connection joins a stream with a session: bytes read go in, replies are written, and whoever is slow waits. Streams
// of any kind come in here: TCP and Unix sockets read through `onread`, TLS and everything else by 'data' events.
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

/** Where a connection comes from. */
export interface Entry {
  /** Where it was accepted, as `stats conns` shows it. */
  readonly listenAddress: string
  /** Whether it comes from a listener: only such a one, that nobody has touched, is used without its stream. */
  readonly isAccepted: boolean
  /** The slot it has among those of all threads. */
  readonly slot: number
  /** Store time at which it got that. */
  readonly since: number
}

export class Connection implements Peer, Reader {
  readonly isLasting = true
  /** The file descriptor; 0 for a stream that has none. */
  readonly id: number
  private readonly session: Session
  /** Writes that were not taken at once. */
  private readonly pending: Held[] = []
  private isReadingDirect = false
  private lastTarget: Uint8Array | undefined
  private isYielding = false
  private isPaused = false
  /** Whether the other end has said that it sends no more. */
  private hasEnded = false
  private isOver = false
  /** Why it ends, for the log. */
  private closeReason = CloseReason.Normal
  private readonly writer: Writer

  /**
   * @param stream nobody reads it yet
   * @param onClose called once, when the connection is gone
   */
  constructor(private readonly host: Host, protocol: Protocol, private readonly stream: Duplex, readonly entry: Entry,
    private readonly slots: Slots, private readonly onClose: (connection: Connection) => void) {
    this.id = descriptorOf(stream)
    this.session = new Session(host, protocol, this)
    this.session.unknownSince = entry.since
    const isPlain = entry.isAccepted && stream instanceof Socket && !(stream instanceof TLSSocket)
    const quick = isPlain ? takeQuickly(stream, this, this.drained, what => this.quickHasBroken(what)) : undefined
    this.writer = quick ?? new StreamWriter(stream, this.drained)
    stream.on('close', () => this.closed())
    // what there is to do about an error, 'close' does; it does not follow by itself where TLS was broken
    stream.on('error', () => {
      this.closeReason = CloseReason.Error
      stream.destroy()
    })
    if (quick === undefined) stream.on('data', (chunk: Buffer) => this.guard(() => this.readChunk(chunk)))
    // it is still to get what it asked for, so the way back must stay open
    stream.allowHalfOpen = true
    stream.on('end', () => this.ended())
    stream.resume()
  }

  private quickHasBroken(what: string): void {
    if (this.host.verbosity > 0) this.host.log(`clients are served through streams from now on: ${what}`)
  }

  /** Does something with the session. Where that breaks an invariant, it is for the host to know. */
  private guard(action: () => void): void {
    try {
      action()
      this.note()
    } catch (error) { this.host.signals.failed(error) }
  }

  /** Says who it is, for `stats conns`. */
  describe(): void {
    const { slot, listenAddress } = this.entry
    this.note()
    this.slots.describe(slot, this.id, remoteAddress(this.stream, listenAddress), listenAddress)
  }

  /** Notes what the connection does, for `stats conns` of any thread. */
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

  /** Somebody answers a reply in the middle of its batch: a stream within this process can do that. */
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

  /** Nobody hears any more. Nothing is taken then, so that the session stops; `closed`, which follows, settles the rest. */
  private get isBroken(): boolean { return this.stream.destroyed || hasFailed(this.stream) }

  /** Everything that was not taken at once has been. */
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
    // the other end has read in the middle of somebody's batch: a stream within this process can do that
    if (this.host.input.isInUse) return this.yield()
    this.isPaused = false
    this.session.resume()
    if (!this.isPaused && !this.isOver) this.stream.resume()
    if (this.hasEnded) this.ended()
  }

  /** No more comes: ends, unless there is something left to send. */
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

  /** Tells those who watch that it has come. */
  logNew(): void {
    const { address, port, transport } = this.origin
    this.host.store.log.connNew(this.id, address, port, transport)
  }

  /** And that it has gone. */
  logClose(): void {
    const { address, port, transport } = this.origin
    this.host.store.log.connClose(this.id, address, port, transport, this.closeReason)
  }

  /** Where it comes from, as the log has it. A socket knows that after its end only if it was asked before. */
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

  /** Whether the client still has to say who it is, and since when. */
  get isUnknown(): boolean { return this.session.isUnknown }
  get unknownSince(): number { return this.session.unknownSince }

  /** Whether it waits for a request and has nothing more to send. */
  get isIdle(): boolean { return this.session.isIdle && this.pending.length === 0 }

  private get state(): ConnectionState {
    if (this.isOver) return ConnectionState.Closing
    return this.pending.length > 0 ? ConnectionState.Mwrite : this.session.state
  }
}

/** Where the other end is, as `stats conns` shows it; for one that has no address of its own where it came in. */
export function remoteAddress(stream: Duplex, listenAddress: string): string {
  if (!(stream instanceof Socket) || stream.remoteAddress === undefined) return listenAddress
  return formatAddress(stream.remoteAddress, stream.remotePort ?? 0)
}
