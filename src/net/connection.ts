// A connection joins a client's link with a session: it passes the bytes that it reads to the session, and writes the replies. If
// a client reads slowly, its session pauses. TCP and Unix sockets are read straight into the input of the thread; TLS and all
// other streams bring chunks. A client that speaks HTTP leaves its session: then the link passes its bytes to a Caller.
import { assert } from '../errors.js'
import { CloseReason, Transport } from '../log/events.js'
import { type ProtocolName } from '../options/options.js'
import { type Host } from '../protocol/host.js'
import { READ_BYTES } from '../protocol/input.js'
import { type Held } from '../protocol/output.js'
import { type Peer } from '../protocol/peer.js'
import { Session, type Protocol } from '../protocol/session.js'
import { ConnectionState } from '../protocol/work/state.js'
import { Counter } from '../stats/counters.js'
import { setImmediate } from '../timers.js'
import { formatAddress } from './addresses.js'
import { type Caller, type CallersConnection } from './caller.js'
import { type Handle } from './handle.js'
import { type Link, type LinkUser, type Remote } from './link.js'
import { type Rounds } from './rounds.js'
import { type Slots } from './slots.js'

/** The origin of connections: a listener. */
export interface Origin {
  /** Its address, as `stats conns` shows it. */
  readonly name: string
}

/** How far a session is between two requests. It can be posted to another thread. */
export interface Standing {
  /** The descriptor of its connection. */
  readonly id: number
  /** Its slot, see slots.ts. */
  readonly slot: number
  /** The protocol that its client speaks; undefined if it has sent nothing. */
  readonly protocol: ProtocolName | undefined
  readonly isAuthenticated: boolean
  /** The second of store time of its last request. */
  readonly usedAt: number
  /** The second of store time since which it has not authenticated. */
  readonly unknownSince: number
}

/** A client that a connection has left, and its socket. */
export interface Leaving { readonly handle: Handle, readonly standing: Standing }

/** The name for `stats conns` where there is no listener. */
const NO_ORIGIN = 'stream'

/** Takes a client that speaks HTTP. */
export type TakeCaller = (caller: Caller) => void

export class Connection implements Peer, LinkUser, CallersConnection {
  // the fields that each request reads come first, so that they share lines of the processor's cache
  private readonly session: Session
  /** The bytes of writes that are still under way; undefined if there are none. */
  private pending: Held[] | undefined
  private isReadingDirect = false
  hasKeptRead = false
  private lastTarget: Uint8Array | undefined
  private notedState: ConnectionState | undefined
  private notedUsedAt = 0
  private isPaused = false
  private isOver = false
  /** The file descriptor; 0 for a stream that has none. */
  readonly id: number
  private isYielding = false
  /** True once the client has closed its sending side. */
  private hasEnded = false
  clientNumber = 0
  /** The reason of its end, for the log. */
  private closeReason = CloseReason.Normal
  /** What was read after bytes that were kept for a round, and that the session has not taken. */
  private late: Uint8Array | undefined
  /** What has the client in place of the session, as it speaks HTTP. */
  private caller: Caller | undefined

  /**
   * @param origin undefined for a stream that the program hands in
   * @param slot its slot, see slots.ts
   * @param since the store time at which it got the slot
   * @param onClose called once, when the connection is closed
   * @param rounds given if the link is a socket that is read into the input
   * @param takeCaller given if the client may speak HTTP
   */
  constructor(private readonly host: Host, protocol: Protocol, private readonly link: Link, readonly origin: Origin | undefined,
    readonly slot: number, since: number, private readonly slots: Slots, private readonly onClose: (gone: Connection) => void,
    private readonly rounds?: Rounds, private readonly takeCaller?: TakeCaller) {
    this.id = link.id
    this.session = new Session(host, protocol, this)
    this.session.unknownSince = since
    link.begin(this)
  }

  get isLasting(): boolean { return true }

  get address(): string { return remoteAddress(this.link.remote, this.listenName) }

  private get listenName(): string { return this.origin?.name ?? NO_ORIGIN }

  /** Runs an action of the session. If it throws, an invariant is broken, and the server has to end. */
  private guard(action: () => void): void {
    try {
      action()
      this.note()
    } catch (error) { this.host.signals.failed(error) }
  }

  /** Stores its addresses and its state, for `stats conns`. */
  describe(): void {
    this.note()
    this.slots.describe(this.slot, this.id, this.address, this.listenName)
  }

  /** Stores its state in shared memory, for `stats conns` in any thread, if it is another than before. */
  note(): void {
    const { state, session: { usedAt } } = this
    if (state === this.notedState && usedAt === this.notedUsedAt) return
    this.notedState = state
    this.notedUsedAt = usedAt
    this.slots.note(this.slot, state, usedAt)
  }

  get lentBytesMax(): number { return this.link.lentBytesMax }

  // Reading

  get firstTarget(): Uint8Array { return this.lastTarget = this.host.input.readBuffer }

  read(count: number): Uint8Array | undefined {
    if (this.isOver) return undefined
    if (this.hasKeptRead) return this.readLate(count)
    const { rounds } = this
    if (rounds !== undefined && this.lastTarget === this.host.input.readBuffer && rounds.keepRead(this, count)) return undefined
    return this.serve(count)
  }

  private serve(count: number): Uint8Array | undefined {
    try {
      if (this.isReadingDirect) this.session.receivedDirect(count)
      else this.session.receive(count)
      this.note()
      return this.nextTarget()
    } catch (error) {
      this.host.signals.failed(error)
      return undefined
    }
  }

  /** The next read goes into the input, even if the session waits for a value: a link has another buffer only after a read. */
  serveKept(count: number): void {
    if (this.isOver || this.link.isBroken) return
    try {
      this.session.receive(count, true)
      this.note()
    } catch (error) { this.host.signals.failed(error) }
  }

  /**
   * Takes bytes that were read while earlier ones are still kept. If more than 1,000 clients have something, libuv may ask all of
   * them again within one turn.
   */
  private readLate(count: number): Uint8Array | undefined {
    this.late = this.host.input.readBuffer.slice(0, count)
    this.rounds!.serve()
    this.guard(() => this.serveLate())
    return this.nextTarget()
  }

  private serveLate(): void {
    const { late } = this
    if (late === undefined || this.isPaused) return
    const taken = this.serveChunk(late)
    this.late = taken < late.length ? late.subarray(taken) : undefined
  }

  private nextTarget(): Uint8Array | undefined {
    const { session, host: { input } } = this
    const direct = this.isPaused ? undefined : session.directTarget
    this.isReadingDirect = direct !== undefined
    const wanted = direct ?? (session.sendsLargeValues ? input.shortReadBuffer : input.readBuffer)
    return wanted === this.lastTarget ? undefined : this.lastTarget = wanted
  }

  readChunk(chunk: Uint8Array): number {
    let taken = 0
    this.guard(() => { taken = this.serveChunk(chunk) })
    return taken
  }

  private serveChunk(chunk: Uint8Array): number {
    const { bytes, batchStart, isInUse } = this.host.input
    // a stream within this process may send it while another session's batch uses the input
    if (isInUse) return 0
    let at = 0
    while (at < chunk.length && !this.isOver && !this.isPaused && this.caller === undefined) {
      const count = Math.min(READ_BYTES, chunk.length - at)
      bytes.set(chunk.subarray(at, at + count), batchStart)
      at += count
      this.session.receive(count)
    }
    if (this.caller !== undefined) this.caller.readChunk(chunk.subarray(at))
    return this.isOver || this.caller !== undefined ? chunk.length : at
  }

  // Peer

  write(bytes: Uint8Array): boolean {
    this.rounds?.write()
    return this.link.write(bytes)
  }

  writeMany(parts: readonly Uint8Array[]): boolean {
    this.rounds?.write()
    return this.link.writeMany(parts)
  }

  writeKept(answer: Uint8Array, slot: number): void {
    const rounds = this.rounds!
    if (this.link.write(answer)) return rounds.takeBack(slot)
    // as a session does whose answers wait
    this.hold({ settle: () => rounds.takeBack(slot) })
    this.pause()
    this.note()
  }

  hold(held: Held): void { (this.pending ??= []).push(held) }

  drained(): void {
    // after a failure, `closed` settles the rest
    if (this.pending === undefined || this.link.isBroken) return
    this.guard(() => {
      this.settle()
      if (!this.isOver && !this.isYielding) this.unpause()
    })
  }

  private settle(): void {
    const { pending } = this
    this.pending = undefined
    for (const held of pending ?? []) held.settle()
  }

  pause(): void {
    this.isPaused = true
    this.link.pause()
  }

  yield(): void {
    this.isYielding = true
    setImmediate(() => {
      this.isYielding = false
      if (!this.isOver && !this.link.isBroken && this.pending === undefined) this.guard(() => this.unpause())
    })
  }

  private unpause(): void {
    // a stream within this process may read while another session's batch uses the input
    if (this.host.input.isInUse) return this.yield()
    this.isPaused = false
    this.session.resume()
    if (this.late !== undefined) this.serveLate()
    if (!this.isPaused && !this.isOver) this.link.resume()
    if (this.hasEnded) this.ended()
  }

  /** Ends the connection, unless there is something left to send. */
  ended(): void {
    if (this.hasKeptRead) this.rounds!.serve()
    this.hasEnded = true
    if (!this.isPaused && this.pending === undefined) this.end()
  }

  end(): void {
    if (this.isOver) return
    this.isOver = true
    if (this.session.isClosed && !this.session.hasQuit) this.closeReason = CloseReason.Error
    this.rounds?.write()
    this.link.end()
  }

  drop(): void { this.destroy(CloseReason.Error) }

  // HTTP

  /** Has the client served by HTTP, whatever its first bytes are. */
  speakHttp(): void { this.session.leave() }

  handOff(first: Buffer): void {
    assert(this.takeCaller !== undefined, 'a client speaks HTTP where it may not')
    // most servers have no such client
    const { Caller } = require('./caller.js') as typeof import('./caller.js')
    this.host.store.counters.add(Counter.HttpConnections)
    this.caller = new Caller(this.link, this.host.input.readBuffer, first, this, this.host.store.counters)
    this.takeCaller(this.caller)
  }

  wasUsed(): void {
    this.host.store.refreshTime()
    this.session.usedAt = this.host.store.context.now
    this.note()
  }

  // Its way to another thread

  /**
   * Leaves its client to another thread, and is over then, without a call of `onClose`: its slot stays taken. Returns undefined,
   * and goes on, if its client is in the middle of something.
   */
  leave(): Leaving | undefined {
    const { session } = this
    const isBusy = this.isOver || this.hasEnded || this.isPaused || this.isYielding || this.pending !== undefined ||
      this.hasKeptRead || this.late !== undefined || this.caller !== undefined || !session.isBetweenRequests
    const handle = isBusy ? undefined : this.link.release?.()
    if (handle === undefined) return undefined
    this.isOver = true
    const { protocol, isAuthenticated, usedAt, unknownSince } = session
    session.close()
    const spoken = protocol.isUndecided === true ? undefined : protocol.name as ProtocolName
    return { handle, standing: { id: this.id, slot: this.slot, protocol: spoken, isAuthenticated, usedAt, unknownSince } }
  }

  /** Goes on where the connection of another thread has left. */
  goOn({ isAuthenticated, usedAt, unknownSince }: Standing): void {
    Object.assign(this.session, { isAuthenticated, usedAt, unknownSince })
  }

  // Its life

  /** Ends the connection at once. */
  destroy(reason = CloseReason.Normal): void {
    if (!this.link.isBroken) this.closeReason = reason
    this.rounds?.write()
    this.link.destroy()
  }

  failed(): void {
    if (this.hasKeptRead) this.rounds!.serve()
    this.closeReason = CloseReason.Error
  }

  broke(problem: string): void {
    if (this.host.verbosity > 0) this.host.log(`clients are served through streams from now on: ${problem}`)
  }

  /** Logs its beginning, for watchers. */
  logNew(): void {
    const { address, port, transport } = this.client
    this.host.store.log.connNew(this.id, address, port, transport)
  }

  /** Logs its end, for watchers. */
  logClose(): void {
    const { address, port, transport } = this.client
    this.host.store.log.connClose(this.id, address, port, transport, this.closeReason)
  }

  /** The client's address in the form of the log. After the end of a socket it is known only if it was looked up before. */
  private get client(): { address: string, port: number, transport: Transport } {
    const { link: { remote }, origin } = this
    if (remote !== undefined) return { ...remote, transport: Transport.Tcp }
    return { address: origin === undefined ? NO_ORIGIN : 'unix', port: 0, transport: Transport.Local }
  }

  closed(): void {
    this.isOver = true
    this.guard(() => {
      this.settle()
      this.session.close()
    })
    this.onClose(this)
  }

  get usedAt(): number { return this.session.usedAt }

  /** Notes that nothing has happened later than at this store time. */
  wasUsedBy(second: number): void {
    this.session.usedAt = Math.min(this.session.usedAt, second)
    this.session.unknownSince = Math.min(this.session.unknownSince, second)
  }

  /** True while the client has not authenticated, though it must; and the store time since which that is so. */
  get isUnauthenticated(): boolean { return this.session.isUnauthenticated }
  get unknownSince(): number { return this.session.unknownSince }

  /** True while it waits for a request and has nothing to send. */
  get isIdle(): boolean { return this.session.isIdle && this.pending === undefined }

  private get state(): ConnectionState {
    if (this.isOver) return ConnectionState.Closing
    return this.pending !== undefined ? ConnectionState.Mwrite : this.session.state
  }
}

/** The client's address as `stats conns` shows it. If it has none, as with Unix sockets, it is that of the listener. */
export function remoteAddress(remote: Remote | undefined, listenAddress: string): string {
  return remote === undefined ? listenAddress : formatAddress(remote.address, remote.port)
}
