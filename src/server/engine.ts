// The parts that serve clients in one thread: input, output, protocols, listeners and connections. A server has an Engine in the
// thread that made it and, with -t 2 or more, one in each worker; then the first serves only the streams that the program hands
// in. Engines share memory, and send each other signals.
import { type Duplex } from 'node:stream'
import { monotonicMilliseconds, type Clock, type MovableClock } from '../clock.js'
import { assert, rethrowInvariant } from '../errors.js'
import { type Credentials, type Users } from '../secrets/credentials.js'
import { Kind } from '../log/events.js'
import { type Watcher, type Watchers } from '../log/watchers.js'
import { type Certificates } from '../secrets/certificates.js'
import { makeCredentials } from '../secrets/secrets.js'
import { type Http } from '../http/http.js'
import { type Caller } from '../net/caller.js'
import { Connections } from '../net/connections.js'
import { Rounds, ROUNDS_BYTES } from '../net/rounds.js'
import { sharesPorts, withHighNumbers } from '../net/descriptor.js'
import { type Door, type Giver, type HandOverParts } from '../net/handover.js'
import { Listeners, type Accepted, type Listening } from '../net/listeners.js'
import { type Slots } from '../net/slots.js'
import { type Tap } from '../net/tap.js'
import { type Tls } from '../net/tls.js'
import { Udp, type UdpBound } from '../net/udp.js'
import { type Options } from '../options/options.js'
import { usersFileOf } from '../options/users.js'
import { type Host, type Rows } from '../protocol/host.js'
import { type Cluster } from '../protocol/cluster.js'
import { Input, INPUT_BYTES } from '../protocol/input.js'
import { Output, OUTPUT_BUFFERS, OUTPUT_BYTES } from '../protocol/output.js'
import { type Peer } from '../protocol/peer.js'
import { Unfinished } from '../protocol/unfinished.js'
import { type OwnReport } from '../protocol/reports.js'
import { Protocols } from '../protocol/protocols.js'
import { type Insight } from '../insight/insight.js'
import { LoopWatch } from '../insight/loops.js'
import { type Prefixes } from '../stats/prefixes.js'
import { type Store } from '../store/store.js'
import { type Reports } from './reports.js'
import { type External, type Settings } from './settings.js'
import { type Signals, type ThreadSignals } from './signals.js'
import { type TestClock } from './testclock.js'

/** The parts that an Engine is made from. */
export interface EngineParts {
  readonly options: Options
  readonly store: Store
  readonly clock: Clock
  /** The same clock if the command `debugtime` may move it; otherwise undefined. */
  readonly debugClock: MovableClock | undefined
  /** The clock of a test, which is the same or below it. */
  readonly testClock: TestClock | undefined
  readonly settings: Settings
  readonly slots: Slots
  /** The list of a cluster's nodes; undefined on a server that does not answer discovery. */
  readonly cluster: Cluster | undefined
  /** The listeners of the thread, which may be open already. */
  readonly listeners: Listeners
  readonly prefixes: Prefixes
  readonly insight: Insight
  /** The users that the file of users names; undefined if there is no such file, so that clients need no password. */
  readonly users: Users | undefined
  /** The certificates of TLS; undefined without TLS. */
  readonly certificates: Certificates | undefined
  readonly signals: Signals
  /** Makes the tap between links and connections, for a server that is under a test's control. */
  readonly makeTap?: ((host: Host) => Tap) | undefined
}

/** The addresses and sockets that a thread listens on. It may be posted to another thread. */
export interface Opened {
  readonly listening: readonly Listening[]
  readonly udp: readonly UdpBound[]
}

const OUTPUT_TOTAL_BYTES = OUTPUT_BUFFERS * OUTPUT_BYTES
/** The bytes of a store's memory that each thread needs for its input, its output and its rounds. */
export const IO_BYTES = INPUT_BYTES + OUTPUT_TOTAL_BYTES + ROUNDS_BYTES

const IDLE_CHECK_MS = 1000

/** The size of memcached's blocks, which hold read buffers and answers. */
const BLOCK_BYTES = 16 * 1024
/** The number of answers that fit one of memcached's blocks. A request needs one answer, a get one for each key. */
const ANSWERS_PER_BLOCK = 13
/** memcached's default of -R. */
const REQUESTS_PER_TURN = 20

/** memcached's names of protocols in the lines about listeners with -vv. */
const LISTENER_TEXT = { auto: 'auto-negotiate', ascii: 'ascii', binary: 'binary', http: 'http' } as const

export class Engine implements Host {
  readonly store: Store
  readonly input: Input
  readonly output: Output
  readonly unfinished: Unfinished
  readonly prefixes: Prefixes
  readonly insight: Insight
  readonly debugClock: MovableClock | undefined
  readonly cluster: Cluster | undefined
  readonly credentials: Credentials | undefined
  readonly asksText: boolean
  // fields, as each batch reads them
  readonly requestsPerTurn: number
  readonly answersMax: number
  readonly options: Options
  private readonly clock: Clock
  private readonly settings: Settings
  readonly signals: Signals
  readonly log: Signals['log']
  private readonly tls: Tls | undefined
  private readonly listeners: Listeners
  private readonly udp: Udp
  private watchers: Watchers | undefined
  private readonly connections: Connections
  /** Makes the reports, once one is asked for. */
  private madeReports: Reports | undefined
  /** What answers HTTP, once a client has spoken it. */
  private http: Http | undefined
  /** What hands clients over, while it does. */
  private giver: Giver | undefined
  /** The functions that act on signals of other threads. */
  readonly reactions: ThreadSignals
  private readonly timers: (() => void)[] = []

  constructor(private readonly parts: EngineParts) {
    const { options, store, clock, settings, slots, listeners, prefixes, users, signals } = parts
    this.options = options
    this.store = store
    this.clock = clock
    this.debugClock = parts.debugClock
    this.cluster = parts.cluster
    this.settings = settings
    this.signals = signals
    this.log = signals.log
    this.prefixes = prefixes
    this.insight = parts.insight
    const { memory } = store.shards[0]!.items
    this.input = new Input(memory.bytes, store.ioStart)
    this.output = new Output(memory, store.ioStart + INPUT_BYTES, store.counters)
    const rounds = options.threads === 1 ? new Rounds(this, memory, store.ioStart + INPUT_BYTES + OUTPUT_TOTAL_BYTES) : undefined
    this.asksText = options.authFile !== undefined
    this.requestsPerTurn = requestsPerTurnOf(options)
    this.answersMax = answersMaxOf(options)
    const { threads, requestMemLimit } = options
    // with several threads the main thread serves too: the streams that the program hands in
    this.unfinished = new Unfinished(store.counters, requestMemLimit, requestMemLimit / (threads === 1 ? 1 : threads + 1),
      signals.memoryShort)
    const usersFile = usersFileOf(options)
    this.credentials = usersFile === undefined ? undefined : makeCredentials(usersFile, users)
    const protocols = new Protocols(this)
    this.tls = this.makeTls()
    this.connections = new Connections(this, options, clock, slots, listeners.balance, this.tls,
      (name, isKnown) => protocols.for(name, isKnown), caller => this.takeCaller(caller), parts.makeTap?.(this), rounds)
    this.listeners = listeners
    this.udp = new Udp(this, options, name => protocols.for(name), id => this.logListening(id, 'udp'),
      () => listeners.datagramArrived())
    const { connections, tls } = this
    this.reactions = {
      slotFreed: () => connections.admitWaiting(),
      memoryShort: () => this.unfinished.makeRoom(),
      certificatesRead: certificates => tls?.use(certificates),
      usersRead: users => this.credentials?.use(users),
      clockMoved: () => this.runDue(),
    }
  }

  private makeTls(): Tls | undefined {
    const { certificates, options, clock, settings, store, signals } = this.parts
    if (certificates === undefined) return undefined
    const { Tls } = require('../net/tls.js') as typeof import('../net/tls.js')
    return new Tls(options, certificates, clock, settings, store.counters, signals)
  }

  // Its life

  /**
   * Opens every listener, and serves clients from then on. Rejects with a MemslabError whose message is one line; then the
   * caller has to call `undoOpen`.
   */
  async open(): Promise<void> {
    const { listeners } = this
    if (!listeners.isOpen) await listeners.open()
    for (const warning of listeners.warnings.splice(0)) this.log(warning)
    for (const { id, protocol } of listeners.listening) this.logListening(id, LISTENER_TEXT[protocol])
    await this.openUdp()
    this.takeIn()
    await listeners.openOwn()
    await listeners.publish()
  }

  private async openUdp(): Promise<void> {
    const { threads, udpport } = this.options
    if (threads > 1 && udpport !== 0 && !sharesPorts(this.options)) await withHighNumbers(threads, high => this.udp.open(high))
    else await this.udp.open()
  }

  private takeIn(): void { this.listeners.serve((socket, listening) => this.accept(socket, listening)) }

  /** Listens on the sockets of another thread. */
  async follow({ listening, udp }: Opened): Promise<void> {
    this.takeIn()
    await this.listeners.follow(listening)
    await this.udp.follow(udp)
  }

  /** Takes part in balancing from now on: this thread and the others wait for each other, so that each gets its share. */
  joinOthers(): void { this.listeners.balance?.join() }

  // Clients that go from the first thread to the others, see handover.ts

  /** Opens the door of the first thread for the others. Resolves with undefined if it cannot. */
  async invite(): Promise<Door | undefined> {
    const { Giver } = require('../net/handover.js') as typeof import('../net/handover.js')
    this.giver = await tolerantly(Giver.open(this.handOverParts))
    return this.giver?.door
  }

  /** Comes in by the door of the first thread. @param thread the number of this thread */
  async comeIn(door: Door, thread: number): Promise<void> {
    const { comeIn } = require('../net/handover.js') as typeof import('../net/handover.js')
    await tolerantly(comeIn(this.handOverParts, door, thread))
  }

  /** Hands clients of this thread over to others, which have come in. @param count the number of the others */
  async share(count: number): Promise<void> {
    await this.giver?.share(count)
    this.giver = undefined
  }

  private get handOverParts(): HandOverParts {
    const { connections, listeners, signals } = this
    assert(listeners.balance !== undefined, 'a thread alone has clients to hand over')
    return { connections, listeners, balance: listeners.balance, failed: signals.failed }
  }

  /** Stores the addresses that other threads listen on, for `opened`, `port` and `udpPort`. */
  know({ listening, udp }: Opened): void {
    this.listeners.know(listening)
    this.udp.know(udp)
  }

  /** The addresses and sockets that this thread, or the threads given to `know`, listen on. */
  get opened(): Opened { return { listening: this.listeners.listening, udp: this.udp.bound } }

  /** Starts what is repeated: the look for clients that are idle, or do not say who they are. */
  startTimers(): void {
    const { connections, credentials, tls } = this
    const { authTimeout, idleTimeout } = this.options
    if (idleTimeout > 0) this.timers.push(this.clock.every(IDLE_CHECK_MS, () => connections.closeIdle(idleTimeout)))
    if (authTimeout > 0 && credentials !== undefined) {
      this.timers.push(this.clock.every(IDLE_CHECK_MS, () => connections.closeUnknown(authTimeout)))
    }
    if (tls !== undefined) this.timers.push(this.clock.every(IDLE_CHECK_MS, () => tls.closeSlow()))
    // timers that a test moves say nothing of the loop
    if (this.options.http !== false && this.parts.testClock === undefined) this.watchLoop()
  }

  /** Measures how late this thread comes to what is due, for those who look at its metrics. */
  private watchLoop(): void {
    const watch = new LoopWatch(this.clock, this.insight.loops, this.store.counters, monotonicMilliseconds)
    watch.start()
    this.timers.push(() => watch.stop())
  }

  /** Runs the repeated tasks that have become due, as a test has moved the clock. */
  private runDue(): void {
    const { testClock } = this.parts
    this.store.refreshTime()
    this.store.clockMoved()
    this.connections.clockMoved()
    testClock?.runDue()
    testClock?.hasRun()
  }

  stopTimers(): void { for (const stop of this.timers.splice(0)) stop() }

  private logListening(id: number, protocol: string): void {
    if (this.verbosity > 1) this.log(`<${id} server listening (${protocol})`)
  }

  /** Lets the process end while this thread listens, and while clients are connected to its listeners. */
  unref(): void {
    this.connections.keepAlive = false
    this.listeners.unref()
    this.udp.unref()
  }

  /** The first TCP port, 0 if there is none. */
  get port(): number { return this.listeners.port }

  /** The first UDP port, 0 if there is none. */
  get udpPort(): number { return this.udp.port }

  /** The first port that speaks HTTP alone, 0 if there is none. */
  get httpPort(): number { return this.listeners.httpPort }

  /**
   * Accepts no more clients, from this moment on. Threads that share a descriptor must all do this before any of them ends.
   * @returns true if a descriptor had to stay open, so that the thread must not end; see SharedDescriptor
   */
  drop(): boolean {
    this.listeners.drop()
    void this.udp.close()
    return this.listeners.hasLeftovers || this.udp.hasLeftovers
  }

  /** Closes the listeners and the connections that they accepted. Streams that the program handed in go on. */
  async undoOpen(): Promise<void> {
    this.http?.close()
    const gone = [this.listeners.close(), this.udp.close()]
    this.tls?.close()
    await Promise.all([...gone, this.connections.closeAccepted()])
  }

  /** Closes listeners and connections, and resolves when the last of them is gone. May be called twice. */
  async close(): Promise<void> {
    this.stopTimers()
    await Promise.all([this.undoOpen(), this.connections.close()])
  }

  // Connections

  /** Serves one client on any stream. */
  handle(stream: Duplex): void { this.connections.handle(stream) }

  private accept(socket: Accepted, listening: Listening): boolean {
    try {
      return this.connections.accept(socket, listening)
    } catch (error) {
      // the socket is not among the connections yet, which the server closes now
      socket.destroy()
      this.signals.failed(error)
      return false
    }
  }

  /** Serves a client that speaks HTTP. */
  private takeCaller(caller: Caller): void {
    // most servers have no such client
    const { Http } = require('../http/http.js') as typeof import('../http/http.js')
    this.http ??= new Http({ host: this, clock: this.clock, settings: this.settings })
    this.http.take(caller)
  }

  // Certificates, which may be read again while the thread serves

  refreshCertificates(): string | undefined { return this.tls === undefined ? 'Error TLS not enabled' : this.tls.refresh() }

  /** The certificates in use; undefined without TLS. */
  get certificates(): Certificates | undefined { return this.tls?.certificates }

  // Host

  get verbosity(): number { return this.settings.verbosity }
  set verbosity(level: number) { this.settings.verbosity = level }

  setExternal(setting: External, value: number): void { this.settings.setExternal(setting, value) }

  watch(kinds: number, peer: Peer): Watcher | undefined {
    this.watchers ??= this.makeWatchers()
    const watcher = this.watchers.add(kinds, peer)
    // A single thread looks clients' addresses up only when they are needed. Once a client has gone it is too late.
    if (watcher !== undefined && (kinds & Kind.ConnEvents) !== 0) this.connections.describeSoon()
    return watcher
  }

  private makeWatchers(): Watchers {
    const { store, clock, options } = this
    // most servers have none
    const { Watchers } = require('../log/watchers.js') as typeof import('../log/watchers.js')
    return new Watchers(store.log, clock, store.counters, options.watcherLogbufSize)
  }

  private get reports(): Reports { return this.madeReports ??= this.makeReports() }

  private makeReports(): Reports {
    const { connections, udp, tls } = this
    // a server starts sooner without them
    const { Reports } = require('./reports.js') as typeof import('./reports.js')
    return new Reports({ ...this.parts, connections, udp, tls, hasUsers: this.credentials !== undefined })
  }

  report(name: Parameters<Host['report']>[0]): Rows { return this.reports.report(name) }
  reportOwn(name: OwnReport, key?: Uint8Array): Iterable<Rows> { return this.reports.own(name, key) }
  metrics(): Uint8Array { return this.reports.metrics() }
  reportSizes(): Iterable<Rows> { return this.reports.sizes() }
  reportConnections(): Iterable<Rows> { return this.reports.connections() }
}

/** The value of -R, 0 for no limit. With a limit on answers, 0 means memcached's default, so that answers do not pile up. */
function requestsPerTurnOf({ reqsPerEvent, readBufMemLimit }: Options): number {
  return reqsPerEvent === 0 && readBufMemLimit > 0 ? REQUESTS_PER_TURN : reqsPerEvent
}

/** The most answers of a connection, 0 for no limit: it reads into one block of its thread, and has the others for answers. */
function answersMaxOf({ readBufMemLimit, threads }: Options): number {
  if (readBufMemLimit === 0) return 0
  return Math.max(Math.floor(readBufMemLimit / threads / BLOCK_BYTES) - 1, 1) * ANSWERS_PER_BLOCK
}

/** Resolves with undefined in place of an error, unless an invariant is broken. */
async function tolerantly<Result>(result: Promise<Result>): Promise<Result | undefined> {
  try {
    return await result
  } catch (error) {
    rethrowInvariant(error)
    return undefined
  }
}
