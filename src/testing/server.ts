// A real memcached in the process of a test, with its controls.
/// <reference lib="esnext.disposable" preserve="true" />
import { type CacheKey, type WriteOptions } from '../embed/interface.js'
import { cacheOver } from '../embed/over.js'
import { MemslabError } from '../errors.js'
import { type Call } from '../faults/calls.js'
import { FaultControl } from '../faults/control.js'
import { type Fault, type FaultOptions, type Match, type UsedFault, type WaitOptions } from '../faults/faults.js'
import { type ServerAddress } from '../options/address.js'
import { isBytes, kindOf } from '../options/embedded.js'
import { type Options } from '../options/values.js'
import { ServerCore } from '../server/core.js'
import { TestClock } from './clock.js'
import { type RestartOptions, type TestItem, type TestServerOptions } from './interface.js'
import { lookAt, lookAtAll } from './items.js'
import { checkRestart, readOptions, type ReadOptions } from './options.js'
import { PART, type ClusterPart, type PartOptions } from './part.js'

type InternetAddress = Exclude<ServerAddress, { family: 'Unix' }>

/** The addresses that stand for all of the machine, with one of them that clients can connect to. */
const LOOPBACK_OF: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' }

// Node.js before 20.5 has no such symbol
export const asyncDispose: typeof Symbol.asyncDispose = Symbol.asyncDispose ?? Symbol('Symbol.asyncDispose')

/**
 * A memcached for tests, in this process: it listens on a real port, and real clients talk to it. Nothing of it keeps the process
 * alive.
 *
 *     const cache = await TestServer.create()
 *     const client = new AnyMemcachedClient(cache.address)
 *     cache.clock.tick('31d')
 *     await cache.stop()
 */
export class TestServer {
  /** The clock of the server, which moves only its time. */
  readonly clock: TestClock
  readonly #read: ReadOptions
  /** Given if the server is a node of a TestCluster. */
  readonly #part: ClusterPart<TestServer> | undefined
  readonly #faults: FaultControl
  /** Resolves when all that has been called for has ended: starts, stops and restarts come one after the other. */
  #last: Promise<void> = Promise.resolve()
  /** The server while it runs. */
  #core: ServerCore | undefined
  #detach: (() => void) | undefined
  /** True while it does not listen, for the fault `down`. */
  #isDown = false
  /** The addresses that the server listens on, or did when it last ran. */
  #addresses: readonly ServerAddress[] = []
  #httpPort = 0

  /** Makes a server and starts it. Rejects as the constructor throws and as `start` rejects. */
  static async create(options: TestServerOptions = {}): Promise<TestServer> {
    const server = new TestServer(options)
    await server.start()
    return server
  }

  /**
   * Makes a server, which does not run until `start`.
   * @throws MemslabError with code 'EUSAGE' and all `problems` if an option is wrong
   */
  constructor(options: TestServerOptions = {}) {
    this.#read = readOptions(options)
    this.#part = (options as Partial<PartOptions<TestServer>>)[PART]
    this.clock = this.#part?.clock ?? new TestClock()
    this.#faults = new FaultControl({
      ...this.#read.faults,
      down: isDown => this.#turn(isDown),
      print: line => process.stderr.write(`${line}\n`),
    })
  }

  /**
   * Starts the server, empty. After `stop` it listens on the same port again. Does nothing if it runs.
   * Rejects with a MemslabError whose message is one line, with the system's code (`EADDRINUSE` ...).
   */
  start(): Promise<void> { return this.#comeUp(downs => this.#start(downs)) }

  async #start(downs: readonly UsedFault[]): Promise<void> {
    if (this.#core !== undefined) return
    this.#faults.comesUp(downs)
    this.#isDown = false
    const { options, log, secrets } = this.#read
    const core = this.#core = new ServerCore(options, log === undefined ? {} : { log },
      { isChecked: true, test: TestClock.partsOf(this.clock), taps: this.#faults, ...secrets && { files: secrets.files } })
    this.#detach = TestClock.attach(this.clock, core)
    await this.#listen(core)
    this.#addresses = core.addresses
    if (this.socketPath !== undefined) closeAtExit.add(core)
    core.keepPorts()
    options.port = core.options.port
    options.udpport = core.options.udpport
    options.http = core.options.http
    this.#httpPort = core.httpPort
    this.#part?.started(this, core)
  }

  /** Ends the server, its connections and its threads. Its items are gone. May be called at any time, and twice. */
  stop(): Promise<void> { return this.#next(() => this.#stop()) }

  async #stop(): Promise<void> {
    this.#faults.resume()
    const core = this.#core
    this.#core = undefined
    this.#detach?.()
    await core?.close()
    if (core !== undefined) closeAtExit.delete(core)
  }

  /** Runs an action when all those have ended that were called for before. */
  #next(action: () => Promise<void>): Promise<void> {
    const end = this.#last.then(action)
    this.#last = end.catch(() => {})
    return end
  }

  /** The same for one that starts the server. It ends the faults that had it down until now, but none that comes later. */
  #comeUp(action: (downs: readonly UsedFault[]) => Promise<void>): Promise<void> {
    const { downs } = this.#faults
    return this.#next(() => action(downs))
  }

  [asyncDispose](): Promise<void> { return this.stop() }

  /**
   * Freezes the server, as SIGSTOP freezes a process: connections stay open and new ones are accepted, but no request is served
   * until `resume`. `stop`, `start` and `restart` end it, too. UDP and TLS handshakes go on.
   * @throws MemslabError with code 'ESTOPPED' if the server does not run
   */
  freeze(): void { if (this.#running) this.#faults.freeze() }

  /** Lets a frozen server go on: it serves all that came in the meantime. */
  resume(): void { this.#faults.resume() }

  /** True from `freeze` to `resume`. */
  get isFrozen(): boolean { return this.#faults.isFrozen }

  /**
   * Restarts the server on the same port: all connections end, and `stats` begin anew. Starts a server that does not run.
   * Rejects as `start` does; then the server does not run.
   */
  async restart(options: RestartOptions = {}): Promise<void> {
    checkRestart(options)
    await this.#comeUp(downs => this.#restart(options.keepItems === true, downs))
  }

  async #restart(keepItems: boolean, downs: readonly UsedFault[]): Promise<void> {
    const core = this.#core
    if (core === undefined || !keepItems) {
      await this.#stop()
      return await this.#start(downs)
    }
    await core.suspend()
    this.#faults.comesUp(downs)
    this.#isDown = false
    core.beginAnew()
    await this.#listen(core)
  }

  async #listen(core: ServerCore): Promise<void> {
    try {
      await core.listen()
    } catch (cause) {
      await this.#stop()
      throw cause
    }
  }

  // Its items. All methods throw a MemslabError with code 'ESTOPPED' if the server does not run.

  /** Removes all items at once, as `flush_all` does. */
  flush(): void { this.#running.store.flush(0) }

  /**
   * Stores an item, which counts in `stats` as if a client had set it.
   * @param value a text, which is stored in UTF-8, or bytes
   * @throws MemslabError with code 'EUSAGE' if an option is wrong, 'EKEY' for a wrong key, 'EVALUE', 'ETOOLARGE', and 'EFULL'
   */
  set(key: CacheKey, value: string | Uint8Array, options?: WriteOptions): void {
    const bytes = typeof value === 'string' ? Buffer.from(value) : value
    if (!isBytes(bytes)) {
      throw new MemslabError('EVALUE', `the value must be a text or bytes, not ${kindOf(value)}`)
    }
    cacheOver(this.#running.cache).set(key, bytes, options)
  }

  /** Deletes a key. Returns true if it was there. */
  delete(key: CacheKey): boolean { return cacheOver(this.#running.cache).delete(key) }

  /** The value of a key as a text; undefined if there is none. It does not count as a get, nor does the item count as used. */
  get(key: CacheKey): string | undefined { return this.item(key)?.value }

  /** The item of a key with its bytes, flags, cas number and time to live; undefined if there is none. */
  item(key: CacheKey): TestItem | undefined { return lookAt(this.#running.cache, key) }

  /** All items, or those whose keys begin with `prefix`, in the order of their keys. */
  items(prefix: CacheKey = ''): TestItem[] { return lookAtAll(this.#running.cache, prefix) }

  get #running(): ServerCore {
    if (this.#core === undefined) throw new MemslabError('ESTOPPED', 'the server does not run')
    return this.#core
  }

  // Faults, which stay in force while it is stopped and restarted

  /**
   * Has a fault happen: `cache.use(faults.reply('SERVER_ERROR out of memory'), { verb: 'set', times: 2 })`. It is in force when
   * the method returns, in all threads; for `faults.down()`, when `ready` of the result has resolved. Of several faults of one
   * kind, the one that came last goes first.
   * @param fault one of `faults`, or a toxic in the form of toxiproxy's API: `{ type: 'latency', attributes: { latency: 100 } }`
   * @param options the requests that have it, or for toxics the connections, and how many of them. Default: all
   * @throws MemslabError with code 'EUSAGE' and all `problems` if the fault or an option is wrong
   */
  use(fault: Fault, options: FaultOptions = {}): UsedFault { return this.#faults.use(fault, options) }

  /** Removes all faults. Resolves when the server is as before. */
  resetFaults(): Promise<void> { return this.#faults.reset() }

  /** The faults that were to happen a number of times (`times`, `once`, `nth`), and have not yet. */
  pendingFaults(): UsedFault[] { return this.#faults.pending }

  /** Takes the server down, or lets it come up again. */
  #turn(isDown: boolean): Promise<void> {
    return this.#next(async () => {
      if (isDown === this.#isDown || this.#core === undefined) return
      await (isDown ? this.#core.suspend() : this.#core.listen())
      this.#isDown = isDown
    })
  }

  // Calls: the requests that it was asked, but for those over UDP

  /**
   * The requests that have been answered, in the order in which they came: the last `callsMax`.
   * @param match those that are wanted. Default: all
   * @throws MemslabError with code 'EUSAGE' and all `problems` if the match is wrong
   */
  calls(match: Match = {}): Call[] { return this.#faults.calls(match) }

  /** Forgets all calls. */
  clearCalls(): void { this.#faults.clearCalls() }

  /** The number of calls that are forgotten, as there were more than `callsMax`. */
  get droppedCalls(): number { return this.#faults.droppedCalls }

  /**
   * Waits for a call, and resolves with it. A call that was there before counts, too, unless `clearCalls` has forgotten it.
   * Rejects with a MemslabError of code 'ETIMEDOUT' if none comes within `timeout`, by default 5 seconds.
   */
  waitForCall(match: Match = {}, options: WaitOptions = {}): Promise<Call> { return this.#faults.waitForCall(match, options) }

  /** Calls `listener` with each call, soon after it was answered. */
  on(event: 'call', listener: (call: Call) => void): this {
    checkEvent(event)
    this.#faults.on(listener)
    return this
  }

  /** Calls `listener` no more. */
  off(event: 'call', listener: (call: Call) => void): this {
    checkEvent(event)
    this.#faults.off(listener)
    return this
  }

  // Where it is. It keeps its place when it is stopped, and has none before its first start.

  /** The host that clients connect to: '127.0.0.1' by default, and where the server listens on all addresses. */
  get host(): string {
    const address = this.#tcp?.address ?? ''
    return LOOPBACK_OF[address] ?? address
  }

  /** The TCP port; 0 if there is none. */
  get port(): number { return this.#tcp?.port ?? 0 }

  /** The UDP port; 0 if there is none. */
  get udpPort(): number { return this.#first('UDP')?.port ?? 0 }

  /** The TCP port on which it answers HTTP, with the option `http`; 0 if there is none. */
  get httpPort(): number { return this.#httpPort }

  /** The address in the form that most clients take: '127.0.0.1:PORT', or the path of the Unix socket. */
  get address(): string { return this.socketPath ?? `${this.#hostInUrl}:${this.port}` }

  /** The address as a URL: 'memcache://127.0.0.1:PORT'; with TLS 'memcaches://…'; with a Unix socket 'unix:/path'. */
  get url(): string {
    if (this.socketPath !== undefined) return `unix:${this.socketPath}`
    return `${this.#read.options.sslEnabled ? 'memcaches' : 'memcache'}://${this.#hostInUrl}:${this.port}`
  }

  /** The same as `url`. */
  getUri(): string { return this.url }

  /** The path of the Unix socket; undefined if the server listens on TCP. */
  get socketPath(): string | undefined { return this.#read.options.socketPath }

  /** With the option `tls`: the certificate that clients have to trust, in PEM; undefined otherwise. */
  get ca(): string | undefined { return this.#read.secrets?.ca }

  /** All options that are in force. */
  get options(): Readonly<Options> { return this.#read.options }

  /** True from `start` to `stop`. */
  get isRunning(): boolean { return this.#core !== undefined }

  get #tcp(): InternetAddress | undefined { return this.#first('TCP') }

  #first(transport: InternetAddress['transport']): InternetAddress | undefined {
    for (const address of this.#addresses) if (address.family !== 'Unix' && address.transport === transport) return address
    return undefined
  }

  get #hostInUrl(): string { return this.host.includes(':') ? `[${this.host}]` : this.host }
}

/** The servers whose Unix sockets are left behind if the process ends before they are stopped. */
class CloseAtExit {
  private readonly cores = new Set<ServerCore>()

  add(core: ServerCore): void {
    if (this.cores.size === 0) process.on('exit', this.close)
    this.cores.add(core)
  }

  delete(core: ServerCore): void {
    if (this.cores.delete(core) && this.cores.size === 0) process.off('exit', this.close)
  }

  /** Removes their sockets, which `close` does at once. */
  private readonly close = (): void => { for (const core of this.cores) void core.close() }
}

const closeAtExit = new CloseAtExit()

function checkEvent(event: string): void {
  if (event === 'call') return
  const problem = `there is no event '${event}', only 'call'`
  throw new MemslabError('EUSAGE', problem, [problem])
}
