// Puts the parts together: a store, one thread's buffers and protocol, the listeners and their connections, the timers.
import { type Server as Listener, type Socket } from 'node:net'
import { type Duplex } from 'node:stream'
import { SystemClock, type Clock } from './clock.js'
import { MemslabError } from './errors.js'
import { Connection, formatAddress } from './net/connection.js'
import { descriptorOf } from './net/handle.js'
import { isAbsent, listenTcp, listenUnix, resolveName } from './net/listen.js'
import { checkOptions, completeOptions, LOOPBACK, settingsReport, type Options } from './options.js'
import { parseAddress } from './options/address.js'
import { type Host, type Rows } from './protocol/host.js'
import { Input, INPUT_BYTES } from './protocol/input.js'
import { Output, OUTPUT_BUFFERS, OUTPUT_BYTES } from './protocol/output.js'
import { TextProtocol } from './protocol/text/execute.js'
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

/** Where a server listens. */
export type ServerAddress =
  | { readonly family: 'IPv4' | 'IPv6'; readonly address: string; readonly port: number }
  | { readonly family: 'Unix'; readonly path: string }

/** How often the lists are put in order and a part of the memory is walked, in ms. */
const BACKGROUND_MS = 100
const IDLE_CHECK_MS = 1000
/** How often a free port is tried that must be free on several addresses. */
const PORT_TRIES = 10

const TOO_MANY = 'ERROR Too many open connections\r\n'

export class Server implements Host {
  readonly options: Options
  readonly store: Store
  readonly input: Input
  readonly output: Output
  readonly prefixes: Prefixes
  verbosity: number
  /** Called when a client sent `shutdown` and -A allows it. */
  onShutdown: ((graceful: boolean) => void) | undefined
  private readonly clock: Clock
  private readonly text: TextProtocol
  private readonly connections = new Set<Connection>()
  /** Accepted sockets that wait until a connection ends; only with -o no_maxconns_fast. */
  private readonly waiting: { socket: Socket; listenAddress: string }[] = []
  private waitingSince = 0
  private listeners: { listener: Listener; address: ServerAddress }[] = []
  private readonly timers: (() => void)[] = []
  /** Who waits for the last connection to be gone. */
  private readonly whenEmpty: (() => void)[] = []
  private readonly startedAt: number
  private state: 'new' | 'listening' | 'closed' = 'new'

  /** @throws MemslabError with code 'EUSAGE' if an option is wrong */
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
    this.prefixes = new Prefixes(this.options.prefixDelimiter, this.options.detailEnabled)
    this.verbosity = this.options.verbosity
    this.text = new TextProtocol(this)
  }

  // Its life

  /** Opens every listener, or none: rejects with a MemslabError whose message is one clear line. */
  async listen(): Promise<void> {
    if (this.state !== 'new') throw new MemslabError('EALREADY', `the server is already ${this.state}`)
    this.state = 'listening'
    if (this.verbosity > 1) this.logClasses()
    try {
      if (this.options.socketPath !== undefined) await this.listenUnix(this.options.socketPath)
      else if (this.options.port !== 0) await this.listenTcp()
      if (this.isClosed) throw new MemslabError('ECANCELED', 'the server was closed while it opened')
    } catch (cause) {
      await this.undoListen()
      if (!this.isClosed) this.state = 'new'
      throw cause
    }
    this.startTimers()
  }

  private backgroundStep(): void {
    this.store.balanceStep()
    if (this.options.lruCrawler) this.store.sweepStep()
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
    this.timers.push(this.clock.every(BACKGROUND_MS, () => this.backgroundStep()))
    if (idleTimeout > 0) this.timers.push(this.clock.every(IDLE_CHECK_MS, () => this.closeIdle(idleTimeout)))
  }

  private async listenUnix(path: string): Promise<void> {
    const { umask, backlog } = this.options
    const listener = await listenUnix(path, umask, backlog, socket => this.accept(socket, `unix:${path}`))
    this.listeners.push({ listener, address: { family: 'Unix', path } })
    this.logListening(listener)
  }

  private async listenTcp(): Promise<void> {
    const wanted = await this.tcpAddresses()
    const port = this.options.port === -1 ? 0 : this.options.port
    for (let tries = 1; ; tries++) {
      try {
        return await this.listenAll(wanted, port)
      } catch (cause) {
        // the first address gave a free port that is in use on another one
        const isTaken = cause instanceof MemslabError && cause.code === 'EADDRINUSE'
        if (port !== 0 || !isTaken || tries === PORT_TRIES) throw cause
        await this.undoListen()
      }
    }
  }

  private async listenAll(wanted: readonly { host: string; port: number | undefined }[], port: number): Promise<void> {
    const isDefault = this.options.listen.length === 0
    for (const [index, { host, port: ownPort }] of wanted.entries()) {
      const chosen = ownPort ?? (port === 0 ? this.port : port)
      try {
        await this.listenOn(host, chosen)
      } catch (cause) {
        // a machine may have no IPv6; one of the two loopback addresses is enough
        if (!isDefault || index === 0 || !isAbsent(cause)) throw cause
      }
    }
  }

  private async listenOn(host: string, port: number): Promise<void> {
    let listenAddress = ''
    const listener = await listenTcp({ host, port }, this.options.backlog, socket => this.accept(socket, listenAddress))
    const bound = listener.address()
    if (bound === null || typeof bound === 'string') return
    listenAddress = formatAddress(bound.address, bound.port)
    const family = bound.family === 'IPv6' ? 'IPv6' : 'IPv4'
    this.listeners.push({ listener, address: { family, address: bound.address, port: bound.port } })
    this.logListening(listener)
  }

  private async tcpAddresses(): Promise<{ host: string; port: number | undefined }[]> {
    const given = this.options.listen.length === 0 ? LOOPBACK : this.options.listen
    const addresses = []
    for (const text of given) {
      const parsed = parseAddress(text)
      if (typeof parsed === 'string') throw new MemslabError('EUSAGE', parsed, [parsed])
      const hosts = parsed.host === '*' ? ['0.0.0.0', '::'] : await resolveName(parsed.host)
      for (const host of hosts) addresses.push({ host, port: parsed.port })
    }
    return addresses
  }

  private logListening(listener: Listener): void {
    if (this.verbosity > 1) this.log(`<${descriptorOf(listener)} server listening (${this.protocolName})`)
  }

  private get protocolName(): string { return this.options.protocol === 'ascii' ? 'ascii' : 'auto-negotiate' }

  /** Where the server listens; nothing before `listen`. */
  get addresses(): readonly ServerAddress[] { return this.listeners.map(({ address }) => address) }

  /** The first TCP port, 0 if there is none. */
  get port(): number {
    for (const { address } of this.listeners) if (address.family !== 'Unix') return address.port
    return 0
  }

  /** Closes listeners and connections, and resolves when the last of them is gone. May be called twice. */
  async close(): Promise<void> {
    this.state = 'closed'
    for (const stop of this.timers.splice(0)) stop()
    await this.closeAll()
  }

  /** Closes the listeners and what came from them; conversations handed in go on. */
  private async undoListen(): Promise<void> {
    const gone = this.listeners.splice(0).map(({ listener }) => new Promise(resolve => listener.close(resolve)))
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
    if (!stream.destroyed) this.open(stream, 'stream', false)
  }

  private accept(socket: Socket, listenAddress: string): void {
    if (this.isClosed) return void socket.destroy()
    if (this.connections.size < this.options.maxconns) return this.open(socket, listenAddress, true)
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
    this.waiting.push({ socket, listenAddress })
  }

  private open(stream: Duplex, listenAddress: string, isAccepted: boolean): void {
    this.store.counters.add(Counter.TotalConnections)
    const connection = new Connection(this, this.text, stream, listenAddress, isAccepted, gone => this.closed(gone))
    this.connections.add(connection)
    if (this.verbosity > 1) this.log(`<${connection.id} new ${this.protocolName.replace(/negotiate$/, 'negotiating')} client connection`)
  }

  private closed(connection: Connection): void {
    this.connections.delete(connection)
    if (this.verbosity > 1) this.log(`<${connection.id} connection closed.`)
    this.openWaiting()
    if (this.connections.size === 0) for (const resolve of this.whenEmpty.splice(0)) resolve()
  }

  private openWaiting(): void {
    if (this.waiting.length === 0) return
    while (this.waiting.length > 0 && this.connections.size < this.options.maxconns) {
      const { socket, listenAddress } = this.waiting.shift()!
      if (!socket.destroyed) this.open(socket, listenAddress, true)
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

  get isShutdownEnabled(): boolean { return this.options.shutdownCommand }
  get isFlushEnabled(): boolean { return this.options.flushEnabled }
  get isDumpEnabled(): boolean { return this.options.dumpEnabled }
  get requestsPerTurn(): number { return this.options.reqsPerEvent }

  log(line: string): void { this.parts.log?.(line) }

  shutdown(isGraceful: boolean): void { this.onShutdown?.(isGraceful) }

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

  private settings(): Rows {
    const { now } = this.store.context
    let oldest = 0
    for (let slabClass = 1; slabClass <= this.store.classes.largest; slabClass++) {
      oldest = Math.max(oldest, ageOfTail(this.store, slabClass, Segment.Cold, now))
    }
    return settingsReport(this.options, {
      tcpPort: this.port,
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
      connections: this.connections.size,
      reservedFds: this.listeners.length,
      isAccepting: this.waiting.length === 0,
      threads: 1,
      readBufferBytes: INPUT_BYTES,
      outputBufferBytes: OUTPUT_BUFFERS * OUTPUT_BYTES,
      slabReassign: options.slabReassign,
      lruCrawler: options.lruCrawler,
      lruMaintainer: options.lruMaintainer,
      tempLru: options.tempLru,
      hasIdleTimeout: options.idleTimeout > 0,
    }
  }

  private *connectionFacts(): Iterable<ConnectionFacts> {
    const { now } = this.store.context
    for (const { listener, address } of this.listeners) {
      const text = address.family === 'Unix' ? `unix:${address.path}` : formatAddress(address.address, address.port)
      yield { id: descriptorOf(listener), address: text, listenAddress: undefined, state: 'conn_listening', idleSeconds: now }
    }
    for (const connection of this.connections) yield connection.facts(now)
  }

  /** Walks the whole store and throws at the first inconsistency. For tests. */
  verify(): void { this.store.verify() }
}
