// Puts the parts together: a store, one thread's buffers and protocols, the listeners and their connections, the timers.
import { type Socket } from 'node:net'
import { type Duplex } from 'node:stream'
import { Background } from './background.js'
import { SystemClock, type Clock } from './clock.js'
import { Credentials } from './credentials.js'
import { assert, MemslabError } from './errors.js'
import { Connection } from './net/connection.js'
import { Listeners, type Listening, type ServerAddress } from './net/listeners.js'
import { Tls } from './net/tls.js'
import { Udp } from './net/udp.js'
import { checkOptions, completeOptions, settingsReport, type Options, type ProtocolName } from './options.js'
import { type Host, type Rows } from './protocol/host.js'
import { Input, INPUT_BYTES } from './protocol/input.js'
import { Output, OUTPUT_BUFFERS, OUTPUT_BYTES } from './protocol/output.js'
import { Protocols } from './protocols.js'
import { Counter } from './stats/counters.js'
import { Prefixes } from './stats/prefixes.js'
import { ageOfTail, connsReport, generalReport, itemsReport, sizesReport, slabsReport, type ConnectionFacts,
  type ServerFacts } from './stats/report.js'
import { Segment } from './store/items.js'
import { Store } from './store/store.js'

/** What an embedder or a test may bring along. */
export interface ServerParts {
  /** Default: the machine's time. */
  clock?: Clock
  /** Takes each line that the command line prints on stderr. Default: nobody. */
  log?: (line: string) => void
}

export { type ServerAddress } from './net/listeners.js'

const IDLE_CHECK_MS = 1000

const TOO_MANY = 'ERROR Too many open connections\r\n'

/** What memcached calls them with -vv: where it listens, and who came. */
const LISTENER_TEXT = { auto: 'auto-negotiate', ascii: 'ascii', binary: 'binary' } as const
const CONNECTION_TEXT = {
  auto: 'auto-negotiating client connection', ascii: 'ascii client connection.', binary: 'binary client connection.',
} as const

export class Server implements Host {
  readonly options: Options
  readonly store: Store
  readonly input: Input
  readonly output: Output
  readonly prefixes: Prefixes
  verbosity: number
  /** Called when a client sent `shutdown` and -A allows it. */
  onShutdown: ((graceful: boolean) => void) | undefined
  /** Who may speak to it; undefined: everybody. */
  readonly credentials: Credentials | undefined
  private readonly clock: Clock
  private readonly protocols: Protocols
  private readonly tls: Tls | undefined
  private readonly listeners: Listeners
  private readonly udp: Udp
  private readonly connections = new Set<Connection>()
  /** Accepted sockets that wait until a connection ends; only with -o no_maxconns_fast. */
  private readonly waiting: { socket: Socket; listening: Listening }[] = []
  private waitingSince = 0
  private readonly background: Background
  private readonly timers: (() => void)[] = []
  /** Who waits for the last connection to be gone. */
  private readonly whenEmpty: (() => void)[] = []
  private readonly startedAt: number
  private state: 'new' | 'listening' | 'closed' = 'new'

  /**
   * @throws MemslabError with code 'EUSAGE' if an option is wrong or a certificate that it names, and with the code of the
   * system if the file of users cannot be read
   */
  constructor(options: Partial<Options> = {}, private readonly parts: ServerParts = {}) {
    this.options = completeOptions(options)
    const problems = checkOptions(this.options)
    if (problems.length > 0) throw new MemslabError('EUSAGE', problems.join('\n'), problems)
    this.clock = parts.clock ?? new SystemClock()
    this.startedAt = this.clock.milliseconds()
    const outputBytes = OUTPUT_BUFFERS * OUTPUT_BYTES
    this.store = new Store({ ...this.options, ioBytes: INPUT_BYTES + outputBytes, shared: false }, this.clock)
    const { memory } = this.store.shards[0]!.items
    this.input = new Input(memory.bytes, this.store.ioStart)
    this.output = new Output(memory, this.store.ioStart + INPUT_BYTES, this.store.counters)
    this.background = new Background(this.store, this.clock, this.options.lruCrawler)
    this.prefixes = new Prefixes(this.options.prefixDelimiter, this.options.detailEnabled)
    this.verbosity = this.options.verbosity
    this.credentials = credentialsFor(this.options)
    this.protocols = new Protocols(this)
    this.tls = this.options.sslEnabled ? this.makeTls() : undefined
    this.listeners = new Listeners(this.options, (socket, listening) => this.accept(socket, listening),
      ({ id, protocol }) => this.logListening(id, LISTENER_TEXT[protocol]))
    this.udp = new Udp(this, this.options, name => this.protocols.for(name), id => this.logListening(id, 'udp'))
  }

  private makeTls(): Tls {
    return new Tls(this.options, this.clock, this.store.counters, line => { if (this.verbosity > 0) this.log(line) })
  }

  // Its life

  /** Opens every listener, or none: rejects with a MemslabError whose message is one clear line. */
  async listen(): Promise<void> {
    if (this.state !== 'new') throw new MemslabError('EALREADY', `the server is already ${this.state}`)
    this.state = 'listening'
    if (this.verbosity > 1) this.logClasses()
    try {
      await this.listeners.open()
      await this.udp.open()
      if (this.isClosed) throw new MemslabError('ECANCELED', 'the server was closed while it opened')
    } catch (cause) {
      await this.undoListen()
      if (!this.isClosed) this.state = 'new'
      throw cause
    }
    this.startTimers()
  }

  /** The table of classes, as memcached prints it with -vv. */
  private logClasses(): void {
    const { chunkBytes, chunksPerPage, largest } = this.store.classes
    for (let slabClass = 1; slabClass <= largest; slabClass++) {
      const number = String(slabClass).padStart(3)
      this.log(`slab class ${number}: chunk size ${String(chunkBytes[slabClass]).padStart(9)} perslab ${String(chunksPerPage[slabClass]).padStart(7)}`)
    }
  }

  private get isClosed(): boolean { return this.state === 'closed' }

  private startTimers(): void {
    const { idleTimeout } = this.options
    this.background.start()
    this.timers.push(() => this.background.stop())
    if (idleTimeout > 0) this.timers.push(this.clock.every(IDLE_CHECK_MS, () => this.closeIdle(idleTimeout)))
    const { tls } = this
    if (tls !== undefined) this.timers.push(this.clock.every(IDLE_CHECK_MS, () => tls.closeSlow()))
  }

  private logListening(id: number, protocol: string): void {
    if (this.verbosity > 1) this.log(`<${id} server listening (${protocol})`)
  }

  /** Where the server listens; nothing before `listen`. */
  get addresses(): readonly ServerAddress[] {
    return [...this.listeners.listening.map(({ address }) => address), ...this.udp.addresses]
  }

  /** The first TCP port, 0 if there is none. */
  get port(): number { return this.listeners.port }

  /** The first UDP port, 0 if there is none. */
  get udpPort(): number { return this.udp.port }

  /** Closes listeners and connections, and resolves when the last of them is gone. May be called twice. */
  async close(): Promise<void> {
    this.state = 'closed'
    for (const stop of this.timers.splice(0)) stop()
    await this.closeAll()
  }

  /** Closes the listeners and what came from them; conversations handed in go on. */
  private async undoListen(): Promise<void> {
    const gone = [this.listeners.close(), this.udp.close()]
    this.tls?.close()
    for (const { socket } of this.waiting.splice(0)) socket.destroy()
    for (const connection of this.connections) if (connection.isAccepted) connection.destroy()
    await Promise.all(gone)
  }

  private async closeAll(): Promise<void> {
    const gone: Promise<unknown>[] = [this.undoListen()]
    if (this.connections.size > 0) gone.push(new Promise<void>(resolve => { this.whenEmpty.push(resolve) }))
    for (const connection of this.connections) connection.destroy()
    await Promise.all(gone)
  }

  // Connections

  /** Serves one conversation on any stream. */
  handle(stream: Duplex): void {
    if (this.isClosed) stream.destroy()
    if (stream.destroyed) return
    this.store.counters.add(Counter.TotalConnections)
    this.open(stream, 'stream', this.options.protocol, false)
  }

  private accept(socket: Socket, listening: Listening): void {
    if (this.isClosed) return void socket.destroy()
    if (!this.isFull) return this.admit(socket, listening)
    const { counters } = this.store
    if (this.options.maxconnsFast) {
      counters.add(Counter.RejectedConnections)
      socket.on('error', () => {})
      socket.end(TOO_MANY, () => socket.destroy())
      return
    }
    if (this.waiting.length === 0) {
      counters.add(Counter.ListenDisabled)
      this.waitingSince = this.clock.milliseconds()
    }
    if (this.waiting.length >= this.options.backlog) return void socket.destroy()
    socket.on('error', () => {})
    this.waiting.push({ socket, listening })
  }

  /** Connections and those that will be, once they have agreed on TLS. */
  private get connectionCount(): number { return this.connections.size + (this.tls?.pendingCount ?? 0) }

  private get isFull(): boolean { return this.connectionCount >= this.options.maxconns }

  private admit(socket: Socket, listening: Listening): void {
    const { name, protocol, verify } = listening
    this.store.counters.add(Counter.TotalConnections)
    if (verify === undefined) return this.open(socket, name, protocol, true)
    assert(this.tls !== undefined, 'nothing can be encrypted without -Z')
    this.tls.begin(socket, verify, name, stream => this.open(stream, name, protocol, true), () => this.admitWaiting())
  }

  private open(stream: Duplex, listenAddress: string, protocol: ProtocolName, isAccepted: boolean): void {
    const connection = new Connection(this, this.protocols.for(protocol), stream, listenAddress, isAccepted, gone => this.closed(gone))
    this.connections.add(connection)
    if (this.verbosity > 1) this.log(`<${connection.id} new ${CONNECTION_TEXT[protocol]}`)
  }

  private closed(connection: Connection): void {
    this.connections.delete(connection)
    if (this.verbosity > 1) this.log(`<${connection.id} connection closed.`)
    this.admitWaiting()
    if (this.connections.size === 0) for (const resolve of this.whenEmpty.splice(0)) resolve()
  }

  private admitWaiting(): void {
    if (this.waiting.length === 0) return
    while (this.waiting.length > 0 && !this.isFull) {
      const { socket, listening } = this.waiting.shift()!
      if (!socket.destroyed) this.admit(socket, listening)
    }
    if (this.waiting.length > 0) return
    this.store.counters.add(Counter.ListenDisabledUs, (this.clock.milliseconds() - this.waitingSince) * 1000)
  }

  private closeIdle(seconds: number): void {
    this.store.refreshTime()
    for (const connection of this.connections) {
      if (!connection.isIdle || this.store.context.now - connection.usedAt <= seconds) continue
      this.store.counters.add(Counter.IdleKicks)
      connection.destroy()
    }
  }

  // Host

  get isSaslEnabled(): boolean { return this.options.sasl }
  get isShutdownEnabled(): boolean { return this.options.shutdownCommand }
  get isFlushEnabled(): boolean { return this.options.flushEnabled }
  get isDumpEnabled(): boolean { return this.options.dumpEnabled }
  get requestsPerTurn(): number { return this.options.reqsPerEvent }

  log(line: string): void { this.parts.log?.(line) }

  shutdown(isGraceful: boolean): void { this.onShutdown?.(isGraceful) }

  refreshCertificates(): string | undefined { return this.tls === undefined ? 'Error TLS not enabled' : this.tls.refresh() }

  /**
   * Reads the file of users and the TLS certificates again, without disturbing who is connected.
   * @returns what went wrong, a line each; there everything stays as it was
   */
  reload(): string[] {
    const problems: string[] = []
    const note = (problem: string | undefined) => { if (problem !== undefined) problems.push(problem) }
    note(this.reloadCredentials())
    if (this.tls !== undefined) note(this.tls.refresh())
    const hasFiles = this.credentials !== undefined || this.tls !== undefined
    if (hasFiles && problems.length === 0 && this.verbosity > 0) this.log('read users and certificates again')
    return problems
  }

  report(name: Parameters<Host['report']>[0]): Rows {
    switch (name) {
      case '': return generalReport(this.store, this.facts)
      case 'settings': return this.settings()
      case 'items': return itemsReport(this.store, this.facts)
      case 'slabs': return slabsReport(this.store)
      case 'sizes': return sizesReport(this.store)
      case 'conns': return connsReport(this.connectionFacts())
    }
  }

  private reloadCredentials(): string | undefined {
    try {
      this.credentials?.reload()
      return undefined
    } catch (error) {
      if (error instanceof MemslabError) return error.message
      throw error
    }
  }

  private settings(): Rows {
    const { now } = this.store.context
    let oldest = 0
    for (let slabClass = 1; slabClass <= this.store.classes.largest; slabClass++) {
      oldest = Math.max(oldest, ageOfTail(this.store, slabClass, Segment.Cold, now))
    }
    return settingsReport(this.options, {
      tcpPort: this.port,
      udpport: this.udpPort,
      oldest,
      maxbytes: this.store.maxbytes,
      verbosity: this.verbosity,
      detailEnabled: this.prefixes.isOn,
    })
  }

  private get facts(): ServerFacts {
    const { options } = this
    const milliseconds = this.clock.milliseconds()
    return {
      pid: process.pid,
      time: Math.floor(milliseconds / 1000),
      uptime: Math.floor((milliseconds - this.startedAt) / 1000),
      connectionsMax: options.maxconns,
      connections: this.connectionCount + this.udp.count,
      reservedFds: this.listeners.listening.length,
      isAccepting: this.waiting.length === 0,
      threads: 1,
      readBufferBytes: INPUT_BYTES,
      outputBufferBytes: OUTPUT_BUFFERS * OUTPUT_BYTES,
      slabReassign: options.slabReassign,
      lruCrawler: options.lruCrawler,
      lruMaintainer: options.lruMaintainer,
      tempLru: options.tempLru,
      hasIdleTimeout: options.idleTimeout > 0,
      tls: this.tls && { hasSessionCache: options.sslSessionCache, secondsSinceRefresh: this.tls.secondsSinceRefresh },
    }
  }

  private *connectionFacts(): Iterable<ConnectionFacts> {
    const { now } = this.store.context
    for (const { id, name } of this.listeners.listening) {
      yield { id, address: name, listenAddress: undefined, state: 'conn_listening', idleSeconds: now }
    }
    if (this.tls !== undefined) yield* this.tls.facts()
    yield* this.udp.facts(now)
    for (const connection of this.connections) yield connection.facts(now)
  }

  /** Walks the whole store and throws at the first inconsistency. For tests. */
  verify(): void { this.store.verify() }
}

/** -S takes its users from the file of -Y, or where there is none from that of the environment. */
function credentialsFor({ sasl, authFile, saslPwdb }: Options): Credentials | undefined {
  const file = authFile ?? (sasl ? saslPwdb : undefined)
  return file === undefined ? undefined : new Credentials(file)
}
