// A server, from its construction to `close`. It makes the memory that its threads share, above all the store. The first thread
// serves the streams that the program hands in. With -t 1 it also listens; with more threads, a pool of workers does. The clock
// and the background work stay in the first thread.
import { writeSync } from 'node:fs'
import { type Duplex } from 'node:stream'
import { Background } from '../store/background.js'
import { GuardedClock, mirror, MirroredClock, MovableClock, SystemClock, type Clock } from '../clock.js'
import { Room } from '../embed/room.js'
import { type CacheThread } from '../embed/thread.js'
import { asError, Epitaph } from './epitaph.js'
import { assert, MemslabError } from '../errors.js'
import { Insight } from '../insight/insight.js'
import { ServerState, Settings } from './settings.js'
import { Balance } from '../net/balance.js'
import { Beginners } from '../net/descriptor.js'
import { type WriteWay } from '../net/lesson.js'
import { Listeners } from '../net/listeners.js'
import { Slots } from '../net/slots.js'
import { type Tap } from '../net/tap.js'
import { proveQuickWay } from '../net/proof.js'
import { type ServerAddress } from '../options/address.js'
import { httpPlace, withPort } from '../options/http.js'
import {
  checkOptions, completeOptions, embeddingProblems, readMemory, type Options, type ServerOptions,
} from '../options/options.js'
import { Cluster } from '../protocol/cluster.js'
import { type Host } from '../protocol/host.js'
import { stackOf } from '../stack.js'
import { Prefixes } from '../stats/prefixes.js'
import { Store } from '../store/store.js'
import { readSecrets, type SecretFiles } from '../secrets/secrets.js'
import { IO_BYTES, Engine } from './engine.js'
import { type SharedParts, type TapSeat } from './messages.js'
import { type ServerParts } from './parts.js'
import { type Pool } from './pool.js'
import { isForEachThread, postedSignals, raise, type SignalMessage, type Signals } from './signals.js'
import { type FirstThreads } from './start.js'
import { queueMicrotask } from '../timers.js'
import { TestClock } from './testclock.js'
import { type ServingThread } from './thread.js'

/** Parts that the command line has prepared before it loads the server, and settings that only it may use. */
export interface Prepared {
  /** With -t 1: the listeners, which are open. */
  listeners?: Listeners | undefined
  /** With more threads: the workers that have been started. The first of them listens. Default: `listen` starts all workers. */
  first?: FirstThreads | undefined
  /** The contents of the secret files. Default: the constructor reads the files. */
  files?: SecretFiles
  /** True if `log` writes to stderr. */
  logsToStderr?: boolean
  /** True if the options have been checked. A command line may have more options than a program. */
  isChecked?: boolean
  /** Called as soon as a thread answers clients; `listen` resolves when all threads do that have not to wait for clients. */
  opened?: () => void
  /** Given if the server is under a test's control. */
  test?: TestParts
  /** Taps all connections, for a server that is under a test's control. */
  taps?: Taps | undefined
}

/** The taps of a server, see faults/. */
export interface Taps {
  /** Makes the tap of this thread. */
  tap(host: Host): Tap
  /** Returns what the tap of a worker starts from. */
  seat(): TapSeat
}

/** The parts of a server that is under a test's control, see testing/. */
export interface TestParts {
  /** The clock that the test's own one follows while it is not frozen. */
  readonly clock: SystemClock
  /** The memory of a TestClock. */
  readonly time: SharedArrayBuffer
  /** The seconds before the start to which the clock may go back. */
  readonly pastSeconds: number
}

/** The longest that a thread may take to run its repeated tasks when a test moves the clock. */
const TASKS_PATIENCE_MS = 2000

/** The parts of workers that stay the same if `listen` is called again after it failed. */
type LastingParts = Omit<SharedParts, 'users' | 'certificates' | 'balance'>

export class ServerCore {
  readonly options: Options
  readonly store: Store
  /** Called when a client sent `shutdown` and -A allows it. */
  onShutdown: ((graceful: boolean) => void) | undefined
  /** The program's clock, guarded; and the clock that the threads use, which `debugtime` may have moved. */
  private readonly machineClock: Clock
  private readonly clock: Clock
  private readonly testClock: TestClock | undefined
  private readonly settings: Settings
  private readonly thread: Engine
  /** The clock's own state, if the program has not passed a clock; and the memory of the debug clock, if there is one. */
  private readonly ownClock: SystemClock
  private readonly clockMemory: ArrayBuffer | SharedArrayBuffer | undefined
  private cacheThread: CacheThread | undefined
  private readonly background: Background
  private readonly epitaph: Epitaph
  /** The parts of workers; undefined with -t 1. */
  private readonly shared: LastingParts | undefined
  /** The workers that were started before the server was loaded, until the pool takes them. */
  private first: FirstThreads | undefined
  private pool: Pool | undefined
  /** The signals of the first thread: it passes those that each thread acts on to the workers, and acts on the others itself. */
  private readonly signals: Signals = {
    ...postedSignals(message => { if (isForEachThread(message)) this.pool?.pass(message) }),
    log: line => this.parts.log?.(line),
    shutdown: isGraceful => this.onShutdown?.(isGraceful),
    crawlBegun: () => { if (!this.isClosed) this.background.crawl() },
    moveAsked: () => this.background.move(),
    accessesNoted: () => this.thread.insight.sizing.take(),
    failed: error => this.failed(error),
  }
  private readonly timers: (() => void)[] = []
  private state: 'new' | 'listening' | 'closed' = 'new'
  private hasFailed = false
  /** The processor time that the process had taken at the last call of `cpuMs`, in microseconds. */
  private cpuUs = 0
  private isInBackground = false

  /**
   * @throws MemslabError with code 'EUSAGE' if an option, or a certificate that it names, is wrong, and with the system's code if
   * the file of users cannot be read
   */
  constructor(given: ServerOptions = {}, private readonly parts: ServerParts = {},
    private readonly prepared: Prepared = {}) {
    throwIfAny(embeddingProblems(given, parts))
    this.first = prepared.first
    const { options, problems } = readMemory(given)
    this.options = completeOptions(options)
    if (prepared.isChecked !== true) throwIfAny([...problems, ...checkOptions(this.options)])
    const { threads, maxconns, prefixDelimiter, verbosity, detailEnabled, debugCommands, discovery } = this.options
    const attachable = parts.attachable ?? 0
    const hasWorkers = threads > 1
    const isShared = hasWorkers || attachable > 0
    const allocate = isShared ? (bytes: number) => new SharedArrayBuffer(bytes) : (bytes: number) => new ArrayBuffer(bytes)
    const { test } = prepared
    const ownClock = this.ownClock = test?.clock ?? new SystemClock()
    this.machineClock = new GuardedClock(parts.clock ?? ownClock, error => this.failed(error))
    const clockMemory = this.clockMemory = debugCommands ? allocate(MovableClock.BYTES) : undefined
    this.testClock = test && new TestClock(this.machineClock, test.time)
    const debugClock = clockMemory && new MovableClock(this.testClock ?? this.machineClock, clockMemory)
    this.clock = debugClock ?? this.testClock ?? this.machineClock
    const clusterMemory = discovery ? allocate(Cluster.BYTES) : undefined
    const ownThreads = hasWorkers ? threads + 1 : 1
    const storeOptions = {
      ...this.options, ioBytes: IO_BYTES + Room.Bytes, shared: isShared, threads: ownThreads + attachable,
      places: attachable, pastSeconds: test?.pastSeconds ?? 0,
    }
    this.store = new Store(storeOptions, this.clock)
    const memory = {
      settings: allocate(Settings.BYTES), slots: allocate(Slots.bytesFor(maxconns)), prefixes: allocate(Prefixes.BYTES),
      epitaph: allocate(Epitaph.BYTES), insight: allocate(Insight.bytesFor(this.options, storeOptions.threads)),
    }
    this.epitaph = new Epitaph(memory.epitaph)
    const facts = {
      options: this.options,
      ...prepared.files ?? readSecrets(this.options),
    }
    this.settings = new Settings(memory.settings)
    this.settings.verbosity = verbosity
    this.settings.startedAt = this.settings.certificatesReadAt = this.clock.milliseconds()
    const insight = new Insight(memory.insight, this.options, this.store)
    this.background = new Background(this.store, this.clock, () => {
      insight.ages.note()
      insight.sizing.take(this.cpuMs())
    })
    const prefixes = new Prefixes(memory.prefixes, prefixDelimiter, this.store.context.hash, this.store.lives)
    prefixes.isOn = detailEnabled
    this.thread = new Engine({
      ...facts, prefixes, insight, debugClock, testClock: this.testClock,
      listeners: prepared.listeners ?? new Listeners(this.options, undefined),
      store: this.store, clock: this.clock, settings: this.settings,
      slots: new Slots(memory.slots, maxconns, this.store.lives),
      cluster: clusterMemory && new Cluster(clusterMemory, this.store.lives),
      signals: this.signals,
      makeTap: prepared.taps && (host => prepared.taps!.tap(host)),
    })
    if (!hasWorkers) return
    this.shared = {
      options: this.options,
      store: this.store.share(),
      settings: shared(memory.settings),
      slots: shared(memory.slots),
      prefixes: shared(memory.prefixes),
      insight: shared(memory.insight),
      epitaph: shared(memory.epitaph),
      beginners: new SharedArrayBuffer(Beginners.BYTES),
      cluster: clusterMemory && shared(clusterMemory),
      debugClock: clockMemory && shared(clockMemory),
      testClock: test?.time,
      time: parts.clock === undefined ? ownClock.origin : new SharedArrayBuffer(MirroredClock.BYTES),
    }
  }

  /** The milliseconds of processor time that the process took since the last call. */
  private cpuMs(): number {
    const { user, system } = process.cpuUsage()
    const before = this.cpuUs
    this.cpuUs = user + system
    return (this.cpuUs - before) / 1000
  }

  private log(line: string): void { this.signals.log(line) }

  /** Acts on a signal that a worker has raised, or passes it on. */
  private hear(message: SignalMessage, from: ServingThread): void {
    try {
      this.act(message, from)
    } catch (error) { this.failed(error) }
  }

  private act(message: SignalMessage, from: ServingThread): void {
    if (!isForEachThread(message)) raise(message, this.signals)
    else {
      raise(message, this.thread.reactions)
      // certificates also go back to the thread that read them, so that every thread ends with those that this one received last
      this.pool?.pass(message, message.signal === 'certificatesRead' ? undefined : from)
    }
    if (message.signal === 'log') this.logLost()
  }

  /** Called when a line of a worker has been written: logs how many lines were lost, if any were. */
  private logLost(): void {
    const lost = this.settings.lineWritten()
    if (lost > 0) this.log(`${lost} lines were lost, as more came than can be written`)
  }

  // Its life

  /** Opens every listener, or none: rejects with a MemslabError whose message is one clear line. */
  async listen(): Promise<void> {
    if (this.state !== 'new') throw new MemslabError('EALREADY', `the server is already ${this.state}`)
    this.state = 'listening'
    if (this.settings.verbosity > 1) this.logClasses()
    try {
      const quickWay = this.proveQuickWay()
      if (this.shared === undefined) {
        await quickWay
        await this.thread.open()
        this.hasOpened()
      } else await this.openWorkers(this.shared, quickWay)
      if (this.isClosed) throw new MemslabError('ECANCELED', 'the server was closed while it opened')
    } catch (cause) {
      await this.undoListen()
      if (!this.isClosed) this.state = 'new'
      throw cause
    }
    this.settings.serverState = ServerState.Serving
    this.thread.startTimers()
    if (this.prepared.test !== undefined) this.unref()
  }

  /** Lets the process end while the server listens, and while clients are connected to its listeners. */
  private unref(): void {
    this.thread.unref()
    this.pool?.unref()
  }

  private async proveQuickWay(): Promise<WriteWay | undefined> {
    const { way, problem } = await proveQuickWay()
    if (way === undefined && this.settings.verbosity > 0) {
      this.log(`clients are served through streams, which is slower: ${problem}`)
    }
    return way
  }

  /** Called when a thread answers clients. */
  private hasOpened(): void {
    if (this.isClosed) return
    this.prepared.opened?.()
    this.startBackground()
  }

  /** Starts the background work. Called when the server has opened, and for each stream that the program hands in. */
  private startBackground(): void {
    if (this.isInBackground || this.isClosed) return
    this.isInBackground = true
    this.background.start()
    this.timers.push(() => {
      this.background.stop()
      this.isInBackground = false
    })
  }

  private async openWorkers(shared: LastingParts, quickWay: Promise<WriteWay | undefined>): Promise<void> {
    if (shared.time instanceof SharedArrayBuffer) this.timers.push(mirror(this.machineClock, shared.time))
    const { credentials, certificates } = this.thread
    // a server of one thread needs neither
    const { Pool } = require('./pool.js') as typeof import('./pool.js')
    const { startFirstThreads } = require('./start.js') as typeof import('./start.js')
    const { workers, balance, files } = this.first ?? startFirstThreads(this.options, false)
    this.first = undefined
    // users and certificates may have been read again since the server was made
    const parts: SharedParts = { ...shared, users: credentials?.users, certificates, balance }
    const pool = this.pool = new Pool(parts, workers, {
      hear: (message, from) => this.hear(message, from),
      died: (thread, error) => this.failed(error, thread),
      log: line => this.log(line),
    }, files !== undefined, this.prepared.taps && (() => this.prepared.taps!.seat()))
    // the workers load while the quick way is tried out
    const way = await quickWay
    const opened = await pool.open(way)
    this.thread.know(opened)
    this.hasOpened()
    // through streams, clients cannot be handed over to threads that start later
    if (files === undefined || way === undefined) await pool.openOthers(opened)
    else pool.letOthersWait(opened, files, new Balance(balance, 1))
  }

  /** Logs the table of classes as memcached does with -vv, with the chunk sizes of `stats slabs`. */
  private logClasses(): void {
    const { nominalBytes, chunksPerPage, largest } = this.store.classes
    for (let slabClass = 1; slabClass <= largest; slabClass++) {
      const number = String(slabClass).padStart(3)
      const size = String(nominalBytes[slabClass]).padStart(9)
      this.log(`slab class ${number}: chunk size ${size} perslab ${String(chunksPerPage[slabClass]).padStart(7)}`)
    }
  }

  /** The cache over the items of this server, in the first thread. */
  get cache(): CacheThread { return this.cacheThread ??= this.makeCache() }

  private makeCache(): CacheThread {
    const { store, clock, machineClock, clockMemory, ownClock } = this
    this.startBackground()
    // most servers have none
    const { makeServersThread } = require('../embed/make.js') as typeof import('../embed/make.js')
    const thread = makeServersThread({
      store, clock, ownClock, givenClock: this.parts.clock && machineClock, ioOffset: IO_BYTES, debugClock: clockMemory,
      died: error => this.failed(error),
    })
    if (this.isClosed) thread.close()
    return thread
  }

  private get isClosed(): boolean { return this.state === 'closed' }

  /** The addresses that the server listens on, without those of HTTP alone; none before `listen`. */
  get addresses(): readonly ServerAddress[] {
    const { listening, udp } = this.thread.opened
    return [...listening.filter(({ protocol }) => protocol !== 'http'), ...udp].map(({ address }) => address)
  }

  /** The first TCP port, 0 if there is none. */
  get port(): number { return this.thread.port }

  /** The first UDP port, 0 if there is none. */
  get udpPort(): number { return this.thread.udpPort }

  /** The first TCP port on which it answers HTTP, 0 if there is none. */
  get httpPort(): number { return httpPlace(this.options).isShared ? this.port : this.thread.httpPort }

  /** The address of its page for a browser on this machine; undefined if it answers no HTTP over TCP. */
  get httpUrl(): string | undefined {
    const { isShared, own } = httpPlace(this.options)
    if (!isShared && own === undefined) return undefined
    const { listening } = this.thread.opened
    const first = listening.find(({ address, protocol }) => address.family !== 'Unix' && (isShared || protocol === 'http'))
    if (first === undefined || first.address.family === 'Unix') return undefined
    const { address, port } = first.address
    const host = address === '0.0.0.0' || address === '::' ? 'localhost' : address.includes(':') ? `[${address}]` : address
    return `http${first.verify === undefined ? '' : 's'}://${host}:${port}/`
  }

  /** Closes listeners and connections, and resolves when the last of them is gone. May be called twice. */
  async close(): Promise<void> {
    this.state = 'closed'
    this.settings.serverState = ServerState.Stopping
    this.cacheThread?.close()
    for (const stop of this.timers.splice(0)) stop()
    await Promise.all([this.pool?.close(), this.thread.close()])
  }

  /**
   * Closes the listeners and the connections that they accepted, until `listen` opens them again on the same ports. The items
   * stay. Workers end, and `listen` starts new ones.
   */
  async suspend(): Promise<void> {
    if (this.state !== 'listening') return
    this.keepPorts()
    this.thread.stopTimers()
    await this.undoListen()
    if (!this.isClosed) this.state = 'new'
  }

  /** Makes the ports that it has found its own, so that it has them again when it listens again. */
  keepPorts(): void {
    const { options, port, udpPort } = this
    if (port !== 0) options.port = port
    if (udpPort !== 0) options.udpport = udpPort
    if (typeof options.http !== 'boolean') options.http = withPort(options.http, this.httpPort)
  }

  /** Begins anew with the items that are there: counts and what commands have changed are as after a start. */
  beginAnew(): void {
    const { options, settings, store, clock } = this
    store.beginAnew()
    settings.verbosity = options.verbosity
    settings.forgetExternals()
    settings.startedAt = settings.certificatesReadAt = clock.milliseconds()
    this.thread.prefixes.reset()
    this.thread.insight.beginAnew()
    this.thread.prefixes.isOn = options.detailEnabled
  }

  /** Closes the listeners and the connections that they accepted. Streams that the program handed in go on. */
  private async undoListen(): Promise<void> {
    for (const stop of this.timers.splice(0)) stop()
    if (!this.isClosed) this.settings.serverState = ServerState.Starting
    const { pool } = this
    await Promise.all([pool?.close(), this.thread.undoOpen()])
    // a `close` from now on need not wait for the pool, and an earlier one waits for it already
    this.pool = undefined
  }

  /** Ends the server when a bug has shown itself, as no client may be served from memory that may be half written. */
  private failed(error: unknown, heardFrom = 0): void {
    if (this.hasFailed) return
    this.hasFailed = true
    // the first thread that reports may only have noticed that another one has died; the epitaph has the first cause
    this.epitaph.write(heardFrom, error)
    this.store.fail()
    const first = this.epitaph.read()
    const thread = first?.thread ?? heardFrom
    const heard = asError(error)
    const cause = first === undefined || first.cause.message === heard.message ? heard : first.cause
    this.logDeath(thread === 0 ? 'the server' : `thread ${thread}`, cause)
    void this.pool?.abandon()
    void this.close()
    // in a microtask of its own, so that an error thrown by the embedder's callback stops nothing here
    queueMicrotask(() => this.parts.failed?.(cause))
  }

  private logDeath(who: string, cause: Error): void {
    const frames = Array.from(stackOf(cause).matchAll(/^ +at .*/gm), ([line]) => line)
    for (const line of [`${who} has died: ${cause.message}`, ...frames]) {
      this.log(line)
      if (this.prepared.logsToStderr !== true) writeToStderr(line)
    }
  }

  // While it serves

  /** Called when a test has moved its clock: runs the repeated tasks of all threads that have become due. */
  clockMoved(): void {
    const { testClock, pool, thread, settings } = this
    assert(testClock !== undefined, 'the server has no clock of a test')
    // the store has not read the clock since it was moved
    thread.insight.ages.note()
    // after going back, a server that began in the future begins now
    const now = testClock.milliseconds()
    settings.startedAt = Math.min(settings.startedAt, now)
    settings.certificatesReadAt = Math.min(settings.certificatesReadAt, now)
    const before = testClock.runCount
    pool?.pass({ signal: 'clockMoved', value: undefined })
    thread.reactions.clockMoved()
    testClock.waitForRuns(before + 1 + (pool?.servingCount ?? 0), TASKS_PATIENCE_MS)
  }

  /** Serves one client on any stream. */
  handle(stream: Duplex): void {
    try {
      this.startBackground()
      this.thread.handle(stream)
    } catch (error) {
      // the stream may not be among the connections yet, which the server closes now
      stream.destroy()
      this.failed(error)
    }
  }

  /**
   * Reads the file of users and the TLS certificates again. Connections are not affected.
   * @returns one line for each problem; the users or certificates concerned stay as they were
   */
  reload(): string[] {
    const hasTls = this.options.sslEnabled
    const problems: string[] = []
    const note = (problem: string | undefined): void => { if (problem !== undefined) problems.push(problem) }
    note(this.reloadUsers())
    if (hasTls) note(this.thread.refreshCertificates())
    const hasFiles = this.thread.credentials !== undefined || hasTls
    if (hasFiles && problems.length === 0 && this.settings.verbosity > 0) this.log('read users and certificates again')
    return problems
  }

  private reloadUsers(): string | undefined {
    const { credentials } = this.thread
    if (credentials === undefined) return undefined
    try {
      credentials.reload()
    } catch (error) {
      if (error instanceof MemslabError) return error.message
      throw error
    }
    this.signals.usersRead(credentials.users)
    return undefined
  }

  /** Makes these bytes the list of nodes that clients discover. The server has the option `discovery`. */
  showNodes(list: Uint8Array): void {
    assert(this.thread.cluster !== undefined, 'a server without discovery is to show nodes')
    this.thread.cluster.set(0, list)
  }

  /** The host of the sessions in this thread. */
  get host(): Host { return this.thread }

  /** Walks the whole store under all locks and throws at the first inconsistency, for tests. */
  verify(): void { this.store.verify() }
}

/** Writes a line synchronously, as the process may end at once. */
function writeToStderr(line: string): void {
  try {
    writeSync(2, `${line}\n`)
  } catch { /* stderr is closed */ }
}

function throwIfAny(problems: readonly string[]): void {
  if (problems.length > 0) throw new MemslabError('EUSAGE', problems.join('\n'), problems)
}

function shared(memory: ArrayBuffer | SharedArrayBuffer): SharedArrayBuffer {
  assert(memory instanceof SharedArrayBuffer, 'memory for workers is not shared')
  return memory
}
