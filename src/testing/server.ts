// A real memcached in the process of a test, with its controls.
import { MemslabError } from '../errors.js'
import { type ServerAddress } from '../options/address.js'
import { type Options } from '../options/values.js'
import { ServerCore } from '../server/core.js'
import { TestClock } from './clock.js'
import { readOptions, type ReadOptions, type TestServerOptions } from './options.js'

/** The options of `TestServer.restart`. */
export interface RestartOptions {
  /** True: the items are still there afterwards. Default false: the server is empty, as after a real restart. */
  keepItems?: boolean
}

type InternetAddress = Exclude<ServerAddress, { family: 'Unix' }>

// Node.js before 20.5 has no such symbol
const asyncDispose: typeof Symbol.asyncDispose = Symbol.asyncDispose ?? Symbol('Symbol.asyncDispose')

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
  /** The server while it runs. */
  #core: ServerCore | undefined
  #detach: (() => void) | undefined
  /** The addresses that the server listens on, or did when it last ran. */
  #addresses: readonly ServerAddress[] = []

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
    this.clock = new TestClock()
  }

  /**
   * Starts the server, empty. After `stop` it listens on the same port again. Does nothing if it runs.
   * Rejects with a MemslabError whose message is one line, with the system's code (`EADDRINUSE` ...).
   */
  async start(): Promise<void> {
    if (this.#core !== undefined) return
    const { options, log } = this.#read
    const core = this.#core = new ServerCore(options, log === undefined ? {} : { log },
      { isChecked: true, test: TestClock.partsOf(this.clock) })
    this.#detach = TestClock.attach(this.clock, core)
    await this.#listen(core)
    this.#addresses = core.addresses
    options.port = core.port
    if (core.udpPort !== 0) options.udpport = core.udpPort
  }

  /** Ends the server, its connections and its threads. Its items are gone. May be called at any time, and twice. */
  async stop(): Promise<void> {
    const core = this.#core
    this.#core = undefined
    this.#detach?.()
    await core?.close()
  }

  [asyncDispose](): Promise<void> { return this.stop() }

  /**
   * Restarts the server on the same port: all connections end, and `stats` begin anew. Starts a server that does not run.
   * Rejects as `start` does; then the server does not run.
   */
  async restart({ keepItems = false }: RestartOptions = {}): Promise<void> {
    const core = this.#core
    if (core === undefined || !keepItems) {
      await this.stop()
      return await this.start()
    }
    await core.suspend()
    core.beginAnew()
    await this.#listen(core)
  }

  async #listen(core: ServerCore): Promise<void> {
    try {
      await core.listen()
    } catch (cause) {
      await this.stop()
      throw cause
    }
  }

  /** Removes all items at once, as `flush_all` does. @throws MemslabError with code 'ESTOPPED' if the server does not run */
  flush(): void { this.#running.store.flush(0) }

  get #running(): ServerCore {
    if (this.#core === undefined) throw new MemslabError('ESTOPPED', 'the server does not run')
    return this.#core
  }

  // Where it is. It keeps its place when it is stopped, and has none before its first start.

  /** The host that clients connect to: '127.0.0.1' by default. */
  get host(): string { return this.#tcp?.address ?? '' }

  /** The TCP port; 0 if there is none. */
  get port(): number { return this.#tcp?.port ?? 0 }

  /** The UDP port; 0 if there is none. */
  get udpPort(): number { return this.#first('UDP')?.port ?? 0 }

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
