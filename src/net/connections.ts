// The connections of one thread: those its listeners accept, and the streams it is handed. Each has a slot, of which all
// threads together have as many as -c allows. Who finds none is told so and closed, or waits (-o no_maxconns_fast) until
// a connection ends, in whichever thread that is.
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

/** How many connections are described in one step: the first time each of them takes some microseconds. */
const DESCRIBED_PER_STEP = 32

const TOO_MANY = 'ERROR Too many open connections\r\n'

/** What memcached says with -vv of who came. */
const NEW_TEXT = {
  auto: 'auto-negotiating client connection', ascii: 'ascii client connection.', binary: 'binary client connection.',
} as const

export class Connections {
  private readonly all = new Set<Connection>()
  /** Accepted sockets without a slot; only with -o no_maxconns_fast. */
  private readonly waiting: { socket: Socket; listening: Listening }[] = []
  private waitingSince = 0
  /** Who waits for the last connection to be gone. */
  private readonly whenEmpty: (() => void)[] = []
  private isClosed = false
  private readonly waitingMax: number

  /**
   * @param balance where several threads accept whoever comes
   * @param protocolFor what a conversation begins with
   */
  constructor(private readonly host: Host, private readonly options: Options, private readonly clock: Clock,
    private readonly slots: Slots, private readonly balance: Balance | undefined, private readonly tls: Tls | undefined,
    private readonly protocolFor: (name: ProtocolName) => Protocol) {
    this.waitingMax = queueOf(options.backlog)
  }

  /** Serves one conversation on any stream. */
  handle(stream: Duplex): void {
    if (this.isClosed) stream.destroy()
    if (stream.destroyed) return
    const slot = this.slots.take()
    if (slot === NO_SLOT) return this.refuse(stream)
    this.host.store.counters.add(Counter.TotalConnections)
    this.open(stream, 'stream', this.options.protocol, false, slot, this.now)
  }

  /** Takes a socket from a listener, that nobody reads yet; whether it stays, and then in its share. */
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
    this.refuse(socket)
    return false
  }

  private refuse(stream: Duplex): void {
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
    // a thread that has given back a slot before it could know that somebody waits tells nobody
    this.admitWaiting()
    return true
  }

  /** Lets those in who wait, as far as there are slots. */
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
    assert(this.tls !== undefined, 'nothing can be encrypted without -Z')
    this.slots.note(slot, ConnectionState.Read, now)
    this.slots.describe(slot, descriptorOf(socket), remoteAddress(socket, name), name)
    this.tls.begin(socket, verify, stream => this.open(stream, name, protocol, true, slot, now), () => this.release(slot, true))
  }

  private open(stream: Duplex, listenAddress: string, protocol: ProtocolName, isAccepted: boolean, slot: number, since: number): void {
    const entry = { listenAddress, isAccepted, slot, since }
    const connection = new Connection(this.host, this.protocolFor(protocol), stream, entry, this.slots, gone => this.closed(gone))
    this.all.add(connection)
    // a single thread has the time to do so when it is asked
    if (this.options.threads > 1) connection.describe()
    if (this.isWatched) connection.logNew()
    if (this.host.verbosity > 1) this.host.log(`<${connection.id} new ${NEW_TEXT[protocol]}`)
  }

  private closed(connection: Connection): void {
    this.all.delete(connection)
    if (this.isWatched) connection.logClose()
    if (this.host.verbosity > 1) this.host.log(`<${connection.id} connection closed.`)
    this.release(connection.entry.slot, connection.entry.isAccepted)
    if (this.all.size === 0) for (const resolve of this.whenEmpty.splice(0)) resolve()
  }

  private release(slot: number, isAccepted: boolean): void {
    this.slots.release(slot)
    if (isAccepted) this.balance?.add(-1)
    this.admitWaiting()
    if (this.waiting.length === 0 && this.slots.waiting > 0) this.host.signals.slotFreed()
  }

  /** Whether somebody wants to know who comes and goes. */
  private get isWatched(): boolean { return (this.host.store.log.kinds & Kind.ConnEvents) !== 0 }

  /** Store time. */
  private get now(): number {
    this.host.store.refreshTime()
    return this.host.store.context.now
  }

  /** Ends those who in so many seconds have not said who they are, where they must. */
  closeUnknown(seconds: number): void {
    const { host, now } = this
    for (const connection of this.all) {
      if (!connection.isUnknown || now - connection.unknownSince < seconds) continue
      host.store.counters.add(Counter.AuthKicks)
      if (host.verbosity > 0) host.log(`<${connection.id} closed, as the client has not said who it is in ${seconds} s`)
      connection.destroy(CloseReason.IdleTimeout)
    }
  }

  /** Ends those who have asked for nothing in so many seconds. */
  closeIdle(seconds: number): void {
    const { host: { store }, now } = this
    for (const connection of this.all) {
      if (!connection.isIdle || now - connection.usedAt <= seconds) continue
      store.counters.add(Counter.IdleKicks)
      connection.destroy(CloseReason.IdleTimeout)
    }
  }

  /**
   * Says of each who it is and what it is doing at this moment; otherwise that is noted after each of its batches. A step is
   * DESCRIBED_PER_STEP of them, at most 0.2 ms.
   */
  *describe(): Iterable<void> {
    let count = 0
    for (const connection of this.all) {
      connection.describe()
      if (++count % DESCRIBED_PER_STEP === 0) yield
    }
  }

  /** Describes all of them, the first at once, and the others a step a turn. */
  describeSoon(steps = this.describe()[Symbol.iterator]()): void {
    if (steps.next().done !== true) setImmediate(() => this.describeSoon(steps))
  }

  /** Ends those that listeners have accepted. */
  closeAccepted(): void {
    const waiting = this.waiting.splice(0)
    this.slots.addWaiting(-waiting.length)
    this.balance?.add(-waiting.length)
    for (const { socket } of waiting) socket.destroy()
    for (const connection of this.all) if (connection.entry.isAccepted) connection.destroy()
  }

  /** Ends all of them, for good; resolves when the last is gone. */
  async close(): Promise<void> {
    this.isClosed = true
    this.closeAccepted()
    if (this.all.size === 0) return
    const empty = new Promise<void>(resolve => { this.whenEmpty.push(resolve) })
    for (const connection of this.all) connection.destroy()
    await empty
  }
}
