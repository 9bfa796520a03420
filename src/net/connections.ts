// The connections of one thread: those that its listeners accept, and the streams that the program hands in. Each takes a slot,
// of which all threads together have as many as -c allows. If no slot is free, a client gets an error and is closed, or waits
// (-o no_maxconns_fast) until a connection ends in any thread.
import { type Duplex } from 'node:stream'
import { type Clock } from '../clock.js'
import { CloseReason, Kind } from '../log/events.js'
import { assert } from '../errors.js'
import { queueOf } from '../process/limits.js'
import { httpPlace } from '../options/http.js'
import { type Options, type ProtocolName } from '../options/options.js'
import { FirstLine } from '../protocol/firstline.js'
import { type Host } from '../protocol/host.js'
import { type Protocol } from '../protocol/session.js'
import { setImmediate } from '../timers.js'
import { ConnectionState } from '../protocol/work/state.js'
import { Counter } from '../stats/counters.js'
import { Connection, remoteAddress, type Origin, type Standing, type TakeCaller } from './connection.js'
import { DirectLink } from './direct.js'
import { descriptorOf } from './handle.js'
import { type Link } from './link.js'
import { type Accepted, type ListenerProtocol, type Listening } from './listeners.js'
import { type Rounds } from './rounds.js'
import { NO_SLOT, type Slots } from './slots.js'
import { type Tap } from './tap.js'
import { type Balance } from './balance.js'
import { remoteOf, StreamLink } from './stream.js'
import { type Tls } from './tls.js'

/** The number of connections described in one step. The first time, each takes some microseconds. */
const DESCRIBED_PER_STEP = 32

const TOO_MANY = Buffer.from('ERROR Too many open connections\r\n')

/** memcached's texts for a new connection with -vv. */
const NEW_TEXT = {
  auto: 'auto-negotiating client connection', ascii: 'ascii client connection.', binary: 'binary client connection.',
  http: 'HTTP client connection.',
} as const

/** Connections that are being ended. */
interface Ending { readonly left: Set<Connection>; readonly resolve: () => void }

export class Connections {
  private readonly all = new Set<Connection>()
  /** Accepted sockets without a slot; only with -o no_maxconns_fast. */
  private readonly waiting: { socket: Accepted; listening: Listening }[] = []
  private waitingSince = 0
  private readonly endings: Ending[] = []
  private isClosed = false
  /** False: the process may end while clients of listeners are connected. */
  keepAlive = true
  private readonly waitingMax: number
  /** True if clients may speak HTTP where they may speak memcached's protocols. */
  private readonly sharesHttp: boolean

  /**
   * @param balance given if several threads accept clients
   * @param protocolFor returns the protocol that a session begins with; `isKnown` is true if its client has authenticated
   * @param takeCaller called with each client that speaks HTTP
   * @param tap given if the server is under a test's control
   * @param rounds the rounds of the thread, for sockets that have no tap; undefined if it serves each request at once
   */
  constructor(private readonly host: Host, private readonly options: Options, private readonly clock: Clock,
    private readonly slots: Slots, private readonly balance: Balance | undefined, private readonly tls: Tls | undefined,
    private readonly protocolFor: (name: ProtocolName, isKnown?: boolean) => Protocol, private readonly takeCaller: TakeCaller,
    private readonly tap?: Tap, private readonly rounds?: Rounds) {
    this.sharesHttp = httpPlace(options).isShared
    this.waitingMax = queueOf(options.backlog)
  }

  /** Serves one client on any stream. */
  handle(stream: Duplex): void {
    if (this.isClosed) stream.destroy()
    if (stream.destroyed) return
    const slot = this.slots.take()
    const link = new StreamLink(stream)
    if (slot === NO_SLOT) return this.turnAway(link)
    this.host.store.counters.add(Counter.TotalConnections)
    this.open(link, undefined, this.options.protocol, slot, this.now)
  }

  /** Takes a socket from a listener. Returns true if it is served or waits, so that it counts in the thread's balance. */
  accept(socket: Accepted, listening: Listening): boolean {
    if (this.isClosed) {
      socket.destroy()
      return false
    }
    const slot = this.slots.take()
    if (slot !== NO_SLOT) {
      this.admit(socket, listening, slot)
      return true
    }
    if (!this.options.maxconnsFast) return this.wait(socket, listening)
    this.turnAway(linkTo(socket))
    return false
  }

  private turnAway(link: Link): void {
    this.host.store.counters.add(Counter.RejectedConnections)
    link.write(TOO_MANY)
    link.end()
  }

  private wait(socket: Accepted, listening: Listening): boolean {
    const { slots, waiting } = this
    if (slots.waiting >= this.waitingMax) {
      socket.destroy()
      return false
    }
    if (slots.waiting === 0) this.host.store.counters.add(Counter.ListenDisabled)
    if (waiting.length === 0) this.waitingSince = this.clock.milliseconds()
    if (!isLink(socket)) socket.on('error', () => {})
    waiting.push({ socket, listening })
    slots.addWaiting(1)
    // a thread that released a slot just before it could see that this socket waits has raised no signal
    this.admitWaiting()
    return true
  }

  /** Serves waiting sockets, as far as there are free slots. */
  admitWaiting(): void {
    const { slots, waiting } = this
    if (waiting.length === 0) return
    while (waiting.length > 0) {
      const isGone = isOver(waiting[0]!.socket)
      const slot = isGone ? NO_SLOT : slots.take()
      if (!isGone && slot === NO_SLOT) return
      const { socket, listening } = waiting.shift()!
      slots.addWaiting(-1)
      if (isGone) this.balance?.add(-1)
      else this.admit(socket, listening, slot)
    }
    this.host.store.counters.add(Counter.ListenDisabledUs, (this.clock.milliseconds() - this.waitingSince) * 1000)
  }

  private admit(socket: Accepted, listening: Listening, slot: number): void {
    this.host.store.counters.add(Counter.TotalConnections)
    const { now } = this
    const { name, protocol, verify } = listening
    if (verify === undefined) return this.open(linkTo(socket), listening, protocol, slot, now)
    assert(this.tls !== undefined, 'a listener asks for TLS, and the server has no certificates')
    assert(!isLink(socket), 'TLS needs a stream')
    if (!this.keepAlive) socket.unref()
    this.slots.note(slot, ConnectionState.Read, now)
    this.slots.describe(slot, descriptorOf(socket), remoteAddress(remoteOf(socket), name), name)
    this.tls.begin(socket, verify,
      stream => this.guard(() => this.open(new StreamLink(stream, socket), listening, protocol, slot, now), stream),
      () => this.guard(() => this.release(slot, true)))
  }

  private open(link: Link, origin: Origin | undefined, protocol: ListenerProtocol, slot: number, since: number): void {
    const connection = this.connectionOver(link, origin, protocol, slot, since)
    this.all.add(connection)
    if (!this.keepAlive && origin !== undefined) link.unref()
    // a single thread can do this when `stats conns` asks for it
    if (this.options.threads > 1) connection.describe()
    if (this.isWatched) connection.logNew()
    if (this.host.verbosity > 1) this.host.log(`<${connection.id} new ${NEW_TEXT[protocol]}`)
    if (protocol === 'http') connection.speakHttp()
  }

  private connectionOver(link: Link, origin: Origin | undefined, name: ListenerProtocol, slot: number,
    since: number): Connection {
    const { host, slots, sharesHttp, takeCaller } = this
    const own = this.protocolFor(name === 'http' ? 'ascii' : name)
    const tapped = name === 'http' ? undefined : this.tap?.join(link, own)
    const spoken = tapped?.protocol ?? own
    // a tap sees nothing of HTTP but its bytes
    const first = sharesHttp ? new FirstLine(host, spoken) : spoken
    const rounds = tapped === undefined ? this.roundsOf(link) : undefined
    return new Connection(host, first, tapped?.link ?? link, origin, slot, since, slots, this.closed, rounds, takeCaller)
  }

  private roundsOf(link: Link): Rounds | undefined { return isLink(link) ? this.rounds : undefined }

  // Clients that go from one thread to another

  /**
   * The clients of listeners, each of which may leave for another thread: `leave` of a connection. None while clients watch
   * connections, which would see it end under another number.
   */
  *movable(): Iterable<Connection> {
    for (const connection of this.all) {
      if (this.isWatched || this.tap !== undefined) return
      if (connection.origin !== undefined) yield connection
    }
  }

  /** Forgets a connection whose client has left for another thread. */
  hasLeft(connection: Connection): void {
    this.all.delete(connection)
    this.balance?.add(-1)
    for (const { left, resolve } of this.endings) if (left.delete(connection) && left.size === 0) resolve()
  }

  /** Serves a client that has left another thread. */
  takeOver(link: Link, origin: Origin, protocol: ListenerProtocol, standing: Standing): void {
    this.balance?.add(1)
    if (this.isClosed) {
      link.destroy()
      return this.release(standing.slot, true)
    }
    const { protocol: spoken, isAuthenticated, slot, unknownSince } = standing
    const { host, slots, closed, takeCaller } = this
    const chosen = spoken && this.protocolFor(spoken, isAuthenticated)
    const connection = chosen === undefined ? this.connectionOver(link, origin, protocol, slot, unknownSince)
      : new Connection(host, chosen, link, origin, slot, unknownSince, slots, closed, this.roundsOf(link), takeCaller)
    connection.goOn(standing)
    this.all.add(connection)
    if (!this.keepAlive) link.unref()
    connection.describe()
    if (this.host.verbosity > 1) this.host.log(`<${standing.id} goes on as <${connection.id} in another thread`)
  }

  private readonly closed = (connection: Connection): void => {
    this.all.delete(connection)
    this.guard(() => {
      if (this.isWatched) connection.logClose()
      if (this.host.verbosity > 1) this.host.log(`<${connection.id} connection closed.`)
      this.release(connection.slot, connection.origin !== undefined)
    })
    for (const { left, resolve } of this.endings) if (left.delete(connection) && left.size === 0) resolve()
  }

  /**
   * Runs an action outside a request. If it throws, an invariant is broken, and the server has to end. The process, which may be
   * an embedder's, goes on.
   * @param stream destroyed then, as it may not be among the connections yet, which the server closes
   */
  private guard(action: () => void, stream?: Duplex): void {
    try {
      action()
    } catch (error) {
      stream?.destroy()
      this.host.signals.failed(error)
    }
  }

  private release(slot: number, isAccepted: boolean): void {
    this.slots.release(slot)
    if (isAccepted) this.balance?.add(-1)
    this.admitWaiting()
    if (this.waiting.length === 0 && this.slots.waiting > 0) this.host.signals.slotFreed()
  }

  /** True while a client watches connections. */
  private get isWatched(): boolean { return (this.host.store.log.kinds & Kind.ConnEvents) !== 0 }

  /** Store time. */
  private get now(): number {
    this.host.store.refreshTime()
    return this.host.store.context.now
  }

  /** Ends the connections whose clients have to authenticate and have not done so for `seconds`. */
  closeUnknown(seconds: number): void {
    const { host, now } = this
    for (const connection of this.all) {
      if (!connection.isUnauthenticated || now - connection.unknownSince < seconds) continue
      host.store.counters.add(Counter.AuthKicks)
      if (host.verbosity > 0) host.log(`<${connection.id} closed, as the client has not said who it is in ${seconds} s`)
      connection.destroy(CloseReason.IdleTimeout)
    }
  }

  /** Called when the clock of a test may have gone back: no connection has been used later than now. */
  clockMoved(): void {
    const { now } = this
    for (const connection of this.all) connection.wasUsedBy(now)
  }

  /** Ends the connections that have had no request for more than `seconds`. */
  closeIdle(seconds: number): void {
    const { host: { store }, now } = this
    for (const connection of this.all) {
      if (!connection.isIdle || now - connection.usedAt <= seconds) continue
      store.counters.add(Counter.IdleKicks)
      connection.destroy(CloseReason.IdleTimeout)
    }
  }

  /**
   * Stores the addresses and the present state of each connection; otherwise its state is stored after each of its batches. A
   * step takes DESCRIBED_PER_STEP connections, at most 0.2 ms.
   */
  *describe(): Iterable<void> {
    let count = 0
    for (const connection of this.all) {
      connection.describe()
      if (++count % DESCRIBED_PER_STEP === 0) yield
    }
  }

  /** Describes all connections: the first step at once, and then one in each turn of the event loop. */
  describeSoon(steps = this.describe()[Symbol.iterator]()): void {
    if (steps.next().done !== true) setImmediate(() => this.guard(() => this.describeSoon(steps)))
  }

  /** Ends the connections that listeners have accepted; resolves when they have closed. */
  async closeAccepted(): Promise<void> {
    const waiting = this.waiting.splice(0)
    this.slots.addWaiting(-waiting.length)
    this.balance?.add(-waiting.length)
    for (const { socket } of waiting) socket.destroy()
    await this.end([...this.all].filter(({ origin }) => origin !== undefined))
  }

  /** Ends all connections, and refuses new ones; resolves when the last has closed. */
  async close(): Promise<void> {
    this.isClosed = true
    await Promise.all([this.closeAccepted(), this.end(this.all)])
  }

  private async end(connections: Iterable<Connection>): Promise<void> {
    const left = new Set(connections)
    if (left.size === 0) return
    await new Promise<void>(resolve => {
      this.endings.push({ left, resolve })
      for (const connection of left) connection.destroy()
    })
  }
}

function isLink(socket: Accepted | Link): socket is DirectLink { return socket instanceof DirectLink }

function linkTo(socket: Accepted): Link { return isLink(socket) ? socket : new StreamLink(socket) }

function isOver(socket: Accepted): boolean { return isLink(socket) ? socket.isBroken : socket.destroyed }
