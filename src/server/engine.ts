// What serves in one thread: input, output and protocols, where it listens, its connections. A server has one in the
// thread that made it and, with -t 2 or more, one in each of its workers; then the first serves only the streams that it
// is handed. What they share is memory; whatever else one wants of the others goes through its Outside.
import { type Socket } from 'node:net'
import { type Duplex } from 'node:stream'
import { type Clock, type MovableClock } from '../clock.js'
import { Credentials, type Users } from '../protocol/credentials.js'
import { type External, type Settings } from './settings.js'
import { Kind } from '../log/events.js'
import { Watchers, type Watcher } from '../log/watchers.js'
import { type Certificates } from '../net/certificates.js'
import { Connections } from '../net/connections.js'
import { sharesPorts, withHighNumbers } from '../net/descriptor.js'
import { Listeners, type Listening } from '../net/listeners.js'
import { type Slots } from '../net/slots.js'
import { Tls } from '../net/tls.js'
import { Udp, type UdpBound } from '../net/udp.js'
import { type Options } from '../options/options.js'
import { settingsReport } from '../options/settings.js'
import { usersFileOf } from '../options/users.js'
import { type Host, type Rows } from '../protocol/host.js'
import { Input, INPUT_BYTES } from '../protocol/input.js'
import { Output, OUTPUT_BUFFERS, OUTPUT_BYTES } from '../protocol/output.js'
import { type Peer } from '../protocol/peer.js'
import { Unfinished } from '../protocol/unfinished.js'
import { Protocols } from '../protocol/negotiate.js'
import { type Prefixes } from '../stats/prefixes.js'
import { ageOfTail, connsReport, generalReport, hashReport, itemsReport, sizesReport, slabsReport, type ConnectionFacts,
  type ServerFacts } from '../stats/report.js'
import { Segment } from '../store/items/items.js'
import { type Store } from '../store/store.js'

/** What a thread wants of the rest of the server. */
export interface Outside {
  /** One line for the person who started the server. */
  log(line: string): void
  /** The `shutdown` command. */
  shutdown(isGraceful: boolean): void
  /** The certificates have been read anew. */
  certificatesRead(certificates: Certificates): void
  /** There is a place that a socket in another thread waits for. */
  roomMade(): void
  /** All threads are to see to it that not too much is held, see Unfinished. */
  memoryShort(): void
  /** A crawl is to be carried out, see Crawler. */
  crawlBegun(): void
  /** A page is to move, see Rebalance. */
  moveAsked(): void
  /** Memory may be half written: nobody may go on. */
  failed(error: unknown): void
}

/** What a thread is made of. */
export interface EngineParts {
  readonly options: Options
  readonly store: Store
  readonly clock: Clock
  /** The same, where the command `debugtime` may move it. */
  readonly debugClock: MovableClock | undefined
  readonly settings: Settings
  readonly slots: Slots
  /** They may be open already. */
  readonly listeners: Listeners
  readonly prefixes: Prefixes
  /** Who may speak to it; undefined: everybody. */
  readonly users: Users | undefined
  /** Where there is TLS. */
  readonly certificates: Certificates | undefined
  /** Unix time in milliseconds at which the server was made. */
  readonly startedAt: number
  readonly outside: Outside
}

/** Where a thread listens. It may be posted to another. */
export interface Opened {
  readonly listening: readonly Listening[]
  readonly udp: readonly UdpBound[]
}

const OUTPUT_TOTAL_BYTES = OUTPUT_BUFFERS * OUTPUT_BYTES
/** What a thread needs for itself beside the items. */
export const IO_BYTES = INPUT_BYTES + OUTPUT_TOTAL_BYTES

const IDLE_CHECK_MS = 1000

/** What memcached cuts the memory of read buffers and answers into, and how many answers go into a piece: one a request or key. */
const BLOCK_BYTES = 16 * 1024
const ANSWERS_PER_BLOCK = 13
const REQUESTS_PER_TURN = 20

/** What memcached calls a listener with -vv. */
const LISTENER_TEXT = { auto: 'auto-negotiate', ascii: 'ascii', binary: 'binary' } as const

export class Engine implements Host {
  readonly store: Store
  readonly input: Input
  readonly output: Output
  readonly unfinished: Unfinished
  readonly prefixes: Prefixes
  readonly debugClock: MovableClock | undefined
  readonly credentials: Credentials | undefined
  private readonly options: Options
  private readonly clock: Clock
  private readonly live: Settings
  private readonly places: Slots
  private readonly tls: Tls | undefined
  private readonly listeners: Listeners
  private readonly udp: Udp
  private readonly watchers: Watchers
  private readonly connections: Connections
  private readonly timers: (() => void)[] = []

  constructor(private readonly parts: EngineParts) {
    const { options, store, clock, settings: live, slots: places, listeners, prefixes, users, outside } = parts
    this.options = options
    this.store = store
    this.clock = clock
    this.debugClock = parts.debugClock
    this.live = live
    this.places = places
    this.prefixes = prefixes
    const { memory } = store.shards[0]!.items
    this.input = new Input(memory.bytes, store.ioStart)
    this.output = new Output(memory, store.ioStart + INPUT_BYTES, store.counters)
    const { threads, requestMemLimit } = options
    // with several threads the main one serves too, if only streams that it is handed
    this.unfinished = new Unfinished(store.counters, requestMemLimit, requestMemLimit / (threads === 1 ? 1 : threads + 1),
      () => outside.memoryShort())
    const usersFile = usersFileOf(options)
    this.credentials = usersFile === undefined ? undefined : new Credentials(usersFile, users)
    const protocols = new Protocols(this)
    this.tls = this.makeTls()
    this.watchers = new Watchers(store.log, clock, store.counters, options.watcherLogbufSize)
    this.connections = new Connections(this, options, clock, places, listeners.shares, this.tls, name => protocols.for(name),
      () => outside.roomMade())
    this.listeners = listeners
    this.udp = new Udp(this, options, name => protocols.for(name), id => this.logListening(id, 'udp'))
  }

  private makeTls(): Tls | undefined {
    const { certificates, options, clock, settings: live, store, outside } = this.parts
    if (certificates === undefined) return undefined
    return new Tls(options, certificates, clock, live, store.counters, line => { if (this.verbosity > 0) this.log(line) },
      read => outside.certificatesRead(read))
  }

  // Its life

  /**
   * Serves whoever comes, once every listener is open. Rejects with a MemslabError whose message is one clear line; then
   * `undoOpen` undoes the rest.
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
    const { threads } = this.options
    if (threads > 1 && !sharesPorts(this.options)) await withHighNumbers(threads, () => this.udp.open())
    else await this.udp.open()
  }

  private takeIn(): void { this.listeners.serve((socket, listening) => this.accept(socket, listening)) }

  /** Listens where another thread does. */
  async follow({ listening, udp }: Opened): Promise<void> {
    this.takeIn()
    await this.listeners.follow(listening)
    await this.udp.follow(udp)
  }

  /** From now on it waits for other threads, and they for this one, so that each gets its share of connections. */
  joinOthers(): void { this.listeners.shares?.join() }

  /** Takes note of where other threads listen. */
  know({ listening, udp }: Opened): void {
    this.listeners.know(listening)
    this.udp.know(udp)
  }

  /** Where it listens, or knows that others do. */
  get opened(): Opened { return { listening: this.listeners.listening, udp: this.udp.bound } }

  startTimers(): void {
    const { connections, credentials, tls } = this
    const { authTimeout, idleTimeout } = this.options
    if (idleTimeout > 0) this.timers.push(this.clock.every(IDLE_CHECK_MS, () => connections.closeIdle(idleTimeout)))
    if (authTimeout > 0 && credentials !== undefined) {
      this.timers.push(this.clock.every(IDLE_CHECK_MS, () => connections.closeUnknown(authTimeout)))
    }
    if (tls !== undefined) this.timers.push(this.clock.every(IDLE_CHECK_MS, () => tls.closeSlow()))
  }

  private logListening(id: number, protocol: string): void {
    if (this.verbosity > 1) this.log(`<${id} server listening (${protocol})`)
  }

  /** The first TCP port, 0 if there is none. */
  get port(): number { return this.listeners.port }

  /** The first UDP port, 0 if there is none. */
  get udpPort(): number { return this.udp.port }

  /**
   * Takes nobody in any more, from this moment on. Where threads listen by one descriptor they must do this together.
   * @returns whether something had to stay, so that the thread must too; see SharedDescriptor
   */
  drop(): boolean {
    this.listeners.drop()
    void this.udp.close()
    return this.listeners.hasLeftovers || this.udp.hasLeftovers
  }

  /** Closes the listeners and what came from them; conversations handed in go on. */
  async undoOpen(): Promise<void> {
    const gone = [this.listeners.close(), this.udp.close()]
    this.tls?.close()
    this.connections.closeAccepted()
    await Promise.all(gone)
  }

  /** Closes listeners and connections, and resolves when the last of them is gone. May be called twice. */
  async close(): Promise<void> {
    for (const stop of this.timers.splice(0)) stop()
    await Promise.all([this.undoOpen(), this.connections.close()])
  }

  // Connections

  /** Serves one conversation on any stream. */
  handle(stream: Duplex): void { this.connections.handle(stream) }

  private accept(socket: Socket, listening: Listening): boolean {
    try {
      return this.connections.accept(socket, listening)
    } catch (error) {
      // it is none of the connections that are closed now
      socket.destroy()
      this.failed(error)
      return false
    }
  }

  /** More is held than may be, by this thread or others. */
  makeRoom(): void { this.unfinished.makeRoom() }

  /** Another thread has made room for those who wait here. */
  admitWaiting(): void { this.connections.admitWaiting() }

  // What is read again while it serves

  refreshCertificates(): string | undefined { return this.tls === undefined ? 'Error TLS not enabled' : this.tls.refresh() }

  /** Goes by what another thread has read. */
  useCertificates(certificates: Certificates): void { this.tls?.use(certificates) }

  /** Those it uses now. */
  get certificates(): Certificates | undefined { return this.tls?.certificates }

  useUsers(users: Users): void { this.credentials?.use(users) }

  // Host

  get verbosity(): number { return this.live.verbosity }
  set verbosity(level: number) { this.live.verbosity = level }
  get isSaslEnabled(): boolean { return this.options.sasl }
  get asksText(): boolean { return this.options.authFile !== undefined }
  get isShutdownEnabled(): boolean { return this.options.shutdownCommand }
  get isFlushEnabled(): boolean { return this.options.flushEnabled }
  get isDumpEnabled(): boolean { return this.options.dumpEnabled }
  get isWatchEnabled(): boolean { return this.options.watchEnabled }
  /** Where answers are bounded, memcached's default is one that does not let them pile up. */
  get requestsPerTurn(): number {
    const { reqsPerEvent, readBufMemLimit } = this.options
    return reqsPerEvent === 0 && readBufMemLimit > 0 ? REQUESTS_PER_TURN : reqsPerEvent
  }

  /** A connection reads to one block of those of its thread, and has the others for answers. */
  get answersMax(): number {
    const { readBufMemLimit, threads } = this.options
    if (readBufMemLimit === 0) return 0
    return Math.max(Math.floor(readBufMemLimit / threads / BLOCK_BYTES) - 1, 1) * ANSWERS_PER_BLOCK
  }

  setExternal(setting: External, value: number): void { this.live.setExternal(setting, value) }

  watch(kinds: number, peer: Peer): Watcher | undefined {
    const watcher = this.watchers.add(kinds, peer)
    // a single thread does not ask who is there before somebody wants to know; when they go it is too late
    if (watcher !== undefined && (kinds & Kind.ConnEvents) !== 0) this.connections.describeSoon()
    return watcher
  }

  log(line: string): void { this.parts.outside.log(line) }

  shutdown(isGraceful: boolean): void { this.parts.outside.shutdown(isGraceful) }

  carryOutCrawl(): void { this.parts.outside.crawlBegun() }

  carryOutMove(): void { this.parts.outside.moveAsked() }

  failed(error: unknown): void { this.parts.outside.failed(error) }

  report(name: Parameters<Host['report']>[0]): Rows {
    switch (name) {
      case '': return generalReport(this.store, this.facts)
      case 'settings': return this.settings()
      case 'items': return itemsReport(this.store, this.facts)
      case 'slabs': return slabsReport(this.store)
      case 'hash': return hashReport(this.store)
    }
  }

  private settings(): Rows {
    const { automove, tuning, context: { now } } = this.store
    const { lruSegmented, hotLruPct, warmLruPct, hotMaxFactor, warmMaxFactor, tempLru, temporaryTtl } = tuning
    let oldest = 0
    for (let slabClass = 1; slabClass <= this.store.classes.largest; slabClass++) {
      oldest = Math.max(oldest, ageOfTail(this.store, slabClass, Segment.Cold, now))
    }
    return settingsReport(this.options, {
      tcpPort: this.port,
      udpPort: this.udpPort,
      oldest,
      maxbytes: this.store.maxbytes,
      slabAutomove: automove.mode,
      slabAutomoveRatio: automove.ratio,
      slabAutomoveWindow: automove.window,
      slabAutomoveFreeratio: automove.freeRatio,
      verbosity: this.verbosity,
      detailEnabled: this.prefixes.isOn,
      lruSegmented, hotLruPct, warmLruPct, hotMaxFactor, warmMaxFactor, tempLru, temporaryTtl,
      lruCrawler: this.store.crawler.isOn,
      lruCrawlerSleep: this.store.crawler.sleepUs,
      lruCrawlerTocrawl: this.store.crawler.tocrawl,
      external: this.live.external,
    })
  }

  private get facts(): ServerFacts {
    const { options, places } = this
    const milliseconds = this.clock.milliseconds()
    return {
      pid: process.pid,
      time: Math.floor(milliseconds / 1000),
      uptime: Math.floor((milliseconds - this.parts.startedAt) / 1000),
      connectionsMax: options.maxconns,
      connections: places.taken + this.udp.count,
      reservedFds: this.listeners.listening.length,
      isAccepting: places.waiting === 0,
      threads: options.threads,
      inputBytes: INPUT_BYTES,
      outputBytes: OUTPUT_BYTES,
      outputsPerThread: OUTPUT_BUFFERS,
      slabReassign: options.slabReassign,
      lruMaintainer: options.lruMaintainer,
      tempLru: this.store.tuning.tempLru,
      hasIdleTimeout: options.idleTimeout > 0,
      hasAuthTimeout: options.authTimeout > 0 && (this.credentials !== undefined || this.tls !== undefined),
      tls: this.tls && { hasSessionCache: options.sslSessionCache, secondsSinceRefresh: this.tls.secondsSinceRefresh },
    }
  }

  reportSizes(): Iterable<Rows> { return sizesReport(this.store) }

  *reportConnections(): Iterable<Rows> {
    for (const _step of this.connections.describe()) yield []
    const now = () => this.store.context.now
    yield connsReport(this.listenerFacts(now()))
    for (const part of this.places.facts(now)) yield connsReport(part)
  }

  private *listenerFacts(now: number): Iterable<ConnectionFacts> {
    for (const { id, name } of this.listeners.listening) {
      yield { id, address: name, listenAddress: undefined, state: 'conn_listening', idleSeconds: now }
    }
    yield* this.udp.facts(now)
  }
}
