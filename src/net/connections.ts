// The connections of one thread: those that its listeners accept, and the streams that the program hands in. Each takes a slot,
// of which all threads together have as many as -c allows. If no slot is free, a client gets an error and is closed, or waits
// (-o no_maxconns_fast) until a connection ends in any thread.
import { type Socket } from 'node:net'
import { type Duplex } from 'node:stream'
import { type Clock } from '../clock.js'
import { CloseReason, Kind } from '../log/events.js'
import { assert } from '../errors.js'
import { queueOf } from '../process/limits.js'
import { type Options, type ProtocolName } from '../options/options.js'
import { type Host } from '../protocol/host.js'
import { type Protocol } from '../protocol/session.js'
import { ConnectionState } from '../protocol/work/state.js'
import { Counter } from '../stats/counters.js'
import { Connection, remoteAddress } from './connection.js'
import { descriptorOf } from './handle.js'
import { type Listening } from './listeners.js'
import { NO_SLOT, type Slots } from './slots.js'
import { type Balance } from './balance.js'
import { type Tls } from './tls.js'

/** The number of connections described in one step. The first time, each takes some microseconds. */
const DESCRIBED_PER_STEP = 32

const TOO_MANY = 'ERROR Too many open connections\r\n'

/** memcached's texts for a new connection with -vv. */
const NEW_TEXT = {
  auto: 'auto-negotiating client connection', ascii: 'ascii client connection.', binary: 'binary client connection.',
} as const

export class Connections {
  private readonly all = new Set<Connection>()
  /** Accepted sockets without a slot; only with -o no_maxconns_fast. */
  private readonly waiting: { socket: Socket; listening: Listening }[] = []
  private waitingSince = 0
  /** Callbacks for the moment when the last connection has closed. */
  private readonly whenEmpty: (() => void)[] = []
  private isClosed = false
  private readonly waitingMax: number

  /**
   * @param balance given if several threads accept clients
   * @param protocolFor returns the protocol that a session begins with
   */
  constructor(private readonly host: Host, private readonly options: Options, private readonly clock: Clock,
    private readonly slots: Slots, private readonly balance: Balance | undefined, private readonly tls: Tls | undefined,
    private readonly protocolFor: (name: ProtocolName) => Protocol) {
    this.waitingMax = queueOf(options.backlog)
  }

  /** Serves one client on any stream. */
  handle(stream: Duplex): void {
    if (this.isClosed) stream.destroy()
    if (stream.destroyed) return
    const slot = this.slots.take()
    if (slot === NO_SLOT) return this.turnAway(stream)
    this.host.store.counters.add(Counter.TotalConnections)
    this.open(stream, 'stream', this.options.protocol, false, slot, this.now)
  }

  /** Takes a paused socket from a listener. Returns true if it is served or waits, so that it counts in the thread's balance. */
  accept(socket: Socket, listening: Listening): boolean {
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
    this.turnAway(socket)
    return false
  }

  private turnAway(stream: Duplex): void {
    this.host.store.counters.add(Counter.RejectedConnections)
    stream.on('error', () => {})
    stream.end(TOO_MANY, () => stream.destroy())
  }

  private wait(socket: Socket, listening: Listening): boolean {
    const { slots, waiting } = this
    if (slots.waiting >= this.waitingMax) {
      socket.destroy()
      return false
    }
    if (slots.waiting === 0) this.host.store.counters.add(Counter.ListenDisabled)
    if (waiting.length === 0) this.waitingSince = this.clock.milliseconds()
    socket.on('error', () => {})
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
      const isGone = waiting[0]!.socket.destroyed
      const slot = isGone ? NO_SLOT : slots.take()
      if (!isGone && slot === NO_SLOT) return
      const { socket, listening } = waiting.shift()!
      slots.addWaiting(-1)
      if (isGone) this.balance?.add(-1)
      else this.admit(socket, listening, slot)
    }
    this.host.store.counters.add(Counter.ListenDisabledUs, (this.clock.milliseconds() - this.waitingSince) * 1000)
  }

  private admit(socket: Socket, { name, protocol, verify }: Listening, slot: number): void {
    this.host.store.counters.add(Counter.TotalConnections)
    const { now } = this
    if (verify === undefined) return this.open(socket, name, protocol, true, slot, now)
    assert(this.tls !== undefined, 'a listener asks for TLS, and the server has no certificates')
    this.slots.note(slot, ConnectionState.Read, now)
    this.slots.describe(slot, descriptorOf(socket), remoteAddress(socket, name), name)
    this.tls.begin(socket, verify,
      stream => this.guard(() => this.open(stream, name, protocol, true, slot, now), stream),
      () => this.guard(() => this.release(slot, true)))
  }

  private open(stream: Duplex, listenAddress: string, protocol: ProtocolName, isAccepted: boolean, slot: number,
    since: number): void {
    const entry = { listenAddress, isAccepted, slot, since }
    const connection = new Connection(this.host, this.protocolFor(protocol), stream, entry, this.slots, gone => this.closed(gone))
    this.all.add(connection)
    // a single thread can do this when `stats conns` asks for it
    if (this.options.threads > 1) connection.describe()
    if (this.isWatched) connection.logNew()
    if (this.host.verbosity > 1) this.host.log(`<${connection.id} new ${NEW_TEXT[protocol]}`)
  }

  private closed(connection: Connection): void {
    this.all.delete(connection)
    this.guard(() => {
      if (this.isWatched) connection.logClose()
      if (this.host.verbosity > 1) this.host.log(`<${connection.id} connection closed.`)
      this.release(connection.entry.slot, connection.entry.isAccepted)
    })
    if (this.all.size === 0) for (const resolve of this.whenEmpty.splice(0)) resolve()
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

  /** Ends the connections that listeners have accepted. */
  closeAccepted(): void {
    const waiting = this.waiting.splice(0)
    this.slots.addWaiting(-waiting.length)
    this.balance?.add(-waiting.length)
    for (const { socket } of waiting) socket.destroy()
    for (const connection of this.all) if (connection.entry.isAccepted) connection.destroy()
  }

  /** Ends all connections, and refuses new ones; resolves when the last has closed. */
  async close(): Promise<void> {
    this.isClosed = true
    this.closeAccepted()
    if (this.all.size === 0) return
    const empty = new Promise<void>(resolve => { this.whenEmpty.push(resolve) })
    for (const connection of this.all) connection.destroy()
    await empty
  }
}
