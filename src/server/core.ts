// A server's public life. It makes what its threads share, a store first of all; one thread serves the streams that it is
// handed, and with -t 1 also listens; with more, a pool of workers does that. The background work, the clock and whoever
// made the server stay with this thread.
import { writeSync } from 'node:fs'
import { type Duplex } from 'node:stream'
import { Background } from './background.js'
import { GuardedClock, mirror, MirroredClock, MovableClock, SystemClock, type Clock } from '../clock.js'
import { asError, Epitaph } from './epitaph.js'
import { assert, MemslabError } from '../errors.js'
import { Settings } from './settings.js'
import { Beginners } from '../net/descriptor.js'
import { type WriteWay } from '../net/handle.js'
import { Listeners } from '../net/listeners.js'
import { Slots } from '../net/slots.js'
import { proveQuickWay } from '../net/proof.js'
import { type ServerAddress } from '../options/address.js'
import { checkOptions, completeOptions, embeddingProblems, type Options } from '../options/options.js'
import { type Host } from '../protocol/host.js'
import { Prefixes } from '../stats/prefixes.js'
import { Store } from '../store/store.js'
import { readSecrets, type SecretFiles } from '../secrets/secrets.js'
import { IO_BYTES, Engine } from './engine.js'
import { type SharedParts } from './messages.js'
import { type ServerParts } from './parts.js'
import { Pool, type ServingThread } from './pool.js'
import { isForEachThread, postedSignals, raise, type SignalMessage, type Signals } from './signals.js'
import { startFirstThreads, type FirstThreads } from './start.js'

/** What the command line has made ready before it loads the server, and wants of it. */
export interface Prepared {
  /** Of one thread: they listen. */
  listeners?: Listeners | undefined
  /** Of several: those that have been started, the first of which listens. Default: `listen` starts all of them. */
  first?: FirstThreads | undefined
  /** What has been read. */
  files?: SecretFiles
  /** Whether `log` goes to stderr. */
  logsToStderr?: boolean
  /** Whether the options have been checked, as those of a command line, which may be more than a program's. */
  isChecked?: boolean
  /** Called as soon as whoever comes gets an answer; `listen` resolves when all threads give one. */
  opened?: () => void
}

/** Of what workers start from, what stays the same however often they do. */
type LastingParts = Omit<SharedParts, 'users' | 'certificates' | 'balance'>

export class ServerCore {
  readonly options: Options
  readonly store: Store
  /** Called when a client sent `shutdown` and -A allows it. */
  onShutdown: ((graceful: boolean) => void) | undefined
  /** The time that is handed in, and what threads go by, which tests may have moved. */
  private readonly machineClock: Clock
  private readonly clock: Clock
  private readonly settings: Settings
  private readonly thread: Engine
  private readonly background: Background
  private readonly epitaph: Epitaph
  /** What workers start from; undefined with -t 1. */
  private readonly shared: LastingParts | undefined
  /** Those that have been started already, until they are used. */
  private first: FirstThreads | undefined
  private pool: Pool | undefined
  /** Those of this thread: the workers get what each thread acts on, the server acts on the others. */
  private readonly signals: Signals = {
    ...postedSignals(message => { if (isForEachThread(message)) this.pool?.pass(message) }),
    log: line => this.parts.log?.(line),
    shutdown: isGraceful => this.onShutdown?.(isGraceful),
    crawlBegun: () => { if (!this.isClosed) this.background.crawl() },
    moveAsked: () => this.background.move(),
    failed: error => this.failed(error),
  }
  private readonly timers: (() => void)[] = []
  private state: 'new' | 'listening' | 'closed' = 'new'
  private hasFailed = false
  private isInBackground = false

  /**
   * @throws MemslabError with code 'EUSAGE' if an option is wrong or a certificate that it names, and with the code of the
   * system if the file of users cannot be read
   */
  constructor(options: Partial<Options> = {}, private readonly parts: ServerParts = {}, private readonly prepared: Prepared = {}) {
    complainOf(embeddingProblems(options, parts))
    this.first = prepared.first
    this.options = completeOptions(options)
    if (prepared.isChecked !== true) complainOf(checkOptions(this.options))
    const { threads, maxconns, prefixDelimiter, verbosity, detailEnabled, debugCommands } = this.options
    const isShared = threads > 1
    const allocate = isShared ? (bytes: number) => new SharedArrayBuffer(bytes) : (bytes: number) => new ArrayBuffer(bytes)
    const ownClock = new SystemClock()
    this.machineClock = new GuardedClock(parts.clock ?? ownClock, error => this.failed(error))
    const clockMemory = debugCommands ? allocate(MovableClock.BYTES) : undefined
    const debugClock = clockMemory && new MovableClock(this.machineClock, clockMemory)
    this.clock = debugClock ?? this.machineClock
    this.store = new Store({ ...this.options, ioBytes: IO_BYTES, shared: isShared, threads: isShared ? threads + 1 : 1 }, this.clock)
    this.background = new Background(this.store, this.clock)
    const memory = {
      settings: allocate(Settings.BYTES), slots: allocate(Slots.bytesFor(maxconns)), prefixes: allocate(Prefixes.BYTES),
      epitaph: allocate(Epitaph.BYTES),
    }
    this.epitaph = new Epitaph(memory.epitaph)
    const facts = {
      options: this.options,
      startedAt: this.clock.milliseconds(),
      ...prepared.files ?? readSecrets(this.options),
    }
    this.settings = new Settings(memory.settings)
    this.settings.verbosity = verbosity
    this.settings.certificatesReadAt = facts.startedAt
    const prefixes = new Prefixes(memory.prefixes, prefixDelimiter, this.store.context.hash, this.store.lives)
    prefixes.isOn = detailEnabled
    this.thread = new Engine({
      ...facts, prefixes, debugClock,
      listeners: prepared.listeners ?? new Listeners(this.options, undefined),
      store: this.store, clock: this.clock, settings: this.settings,
      slots: new Slots(memory.slots, maxconns, this.store.lives),
      signals: this.signals,
    })
    if (!isShared) return
    this.shared = {
      options: this.options, startedAt: facts.startedAt,
      store: this.store.share(),
      settings: shared(memory.settings), slots: shared(memory.slots), prefixes: shared(memory.prefixes), epitaph: shared(memory.epitaph),
      beginners: new SharedArrayBuffer(Beginners.BYTES),
      debugClock: clockMemory && shared(clockMemory),
      time: parts.clock === undefined ? ownClock.origin : new SharedArrayBuffer(MirroredClock.BYTES),
    }
  }

  private log(line: string): void { this.signals.log(line) }

  /** A worker has raised a signal. */
  private hear(message: SignalMessage, from: ServingThread): void {
    if (!isForEachThread(message)) raise(message, this.signals)
    else {
      raise(message, this.thread.reactions)
      // the last certificates that this thread has heard of are the last for all, the one that has read them too
      this.pool?.pass(message, message.signal === 'certificatesRead' ? undefined : from)
    }
    if (message.signal === 'log') this.logLost()
  }

  /** A line of a worker has been written. */
  private logLost(): void {
    const lost = this.settings.lineTold()
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
    this.thread.startTimers()
  }

  private async proveQuickWay(): Promise<WriteWay | undefined> {
    const { way, problem } = await proveQuickWay()
    if (way === undefined && this.settings.verbosity > 0) this.log(`clients are served through streams, which is slower: ${problem}`)
    return way
  }

  /** Whoever comes gets an answer. */
  private hasOpened(): void {
    if (this.isClosed) return
    this.startBackground()
    this.prepared.opened?.()
  }

  /** As soon as there is somebody to serve, whether he comes by a listener or is handed in. */
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
    const { workers, balance } = this.first ?? startFirstThreads(this.options, false)
    this.first = undefined
    // users and certificates may have been read again since the server was made
    const parts: SharedParts = { ...shared, users: credentials?.users, certificates, balance }
    const pool = this.pool = new Pool(parts, workers, {
      hear: (message, from) => this.hear(message, from),
      died: (thread, error) => this.failed(error, thread),
    })
    // they load while it is proven
    const opened = await pool.open(await quickWay)
    this.thread.know(opened)
    this.hasOpened()
    await pool.openOthers(opened)
  }

  /** The table of classes, as memcached prints it with -vv, in the sizes that `stats slabs` tells. */
  private logClasses(): void {
    const { nominalBytes, chunksPerPage, largest } = this.store.classes
    for (let slabClass = 1; slabClass <= largest; slabClass++) {
      const number = String(slabClass).padStart(3)
      this.log(`slab class ${number}: chunk size ${String(nominalBytes[slabClass]).padStart(9)} perslab ${String(chunksPerPage[slabClass]).padStart(7)}`)
    }
  }

  private get isClosed(): boolean { return this.state === 'closed' }

  /** Where the server listens; nothing before `listen`. */
  get addresses(): readonly ServerAddress[] {
    const { listening, udp } = this.thread.opened
    return [...listening, ...udp].map(({ address }) => address)
  }

  /** The first TCP port, 0 if there is none. */
  get port(): number { return this.thread.port }

  /** The first UDP port, 0 if there is none. */
  get udpPort(): number { return this.thread.udpPort }

  /** Closes listeners and connections, and resolves when the last of them is gone. May be called twice. */
  async close(): Promise<void> {
    this.state = 'closed'
    for (const stop of this.timers.splice(0)) stop()
    await Promise.all([this.pool?.close(), this.thread.close()])
  }

  /** Closes the listeners and what came from them; conversations handed in go on. */
  private async undoListen(): Promise<void> {
    for (const stop of this.timers.splice(0)) stop()
    const { pool } = this
    await Promise.all([pool?.close(), this.thread.undoOpen()])
    // whoever calls `close` now need not wait for it, or has called it already
    this.pool = undefined
  }

  /** A bug has shown itself. Nobody may be served from memory that is half written, so the server ends. */
  private failed(error: unknown, heardFrom = 0): void {
    if (this.hasFailed) return
    this.hasFailed = true
    // who is heard first may only have noticed that another thread has died
    this.epitaph.write(heardFrom, error)
    this.store.fail()
    const first = this.epitaph.read()
    const thread = first?.thread ?? heardFrom
    const heard = asError(error)
    const cause = first === undefined || first.cause.message === heard.message ? heard : first.cause
    this.tellOfDeath(thread === 0 ? 'the server' : `thread ${thread}`, cause)
    void this.pool?.abandon()
    void this.close()
    // by itself, so that what the embedder does there, and throws, stops nothing of this
    queueMicrotask(() => this.parts.failed?.(cause))
  }

  private tellOfDeath(who: string, { message, stack = '' }: Error): void {
    const places = Array.from(stack.matchAll(/^ +at .*/gm), ([line]) => line)
    for (const line of [`${who} has died: ${message}`, ...places]) {
      this.log(line)
      if (this.prepared.logsToStderr !== true) tellStderr(line)
    }
  }

  // While it serves

  /** Serves one conversation on any stream. */
  handle(stream: Duplex): void {
    this.startBackground()
    this.thread.handle(stream)
  }

  /**
   * Reads the file of users and the TLS certificates again, without disturbing who is connected.
   * @returns what went wrong, a line each; there everything stays as it was
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

  /** The host of the conversations in this thread. */
  get host(): Host { return this.thread }

  /** Walks the whole store under all locks and throws at the first inconsistency, for tests. */
  verify(): void { this.store.verify() }
}

/** At once, as the process may end, and whatever has become of stderr. */
function tellStderr(line: string): void {
  try {
    writeSync(2, `${line}\n`)
  } catch { /* nobody reads it */ }
}

function complainOf(problems: readonly string[]): void {
  if (problems.length > 0) throw new MemslabError('EUSAGE', problems.join('\n'), problems)
}

function shared(memory: ArrayBuffer | SharedArrayBuffer): SharedArrayBuffer {
  assert(memory instanceof SharedArrayBuffer, 'workers share memory')
  return memory
}
