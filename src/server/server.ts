// The server that programs use: the public part of ServerCore. The command line and the tests make a ServerCore themselves.
import { type Duplex } from 'node:stream'
import { type Cache } from '../embed/cache.js'
import { cacheOver } from '../embed/over.js'
import { type ServerAddress } from '../options/address.js'
import { type ServerOptions } from '../options/memory.js'
import { type Options } from '../options/values.js'
import { ServerCore } from './core.js'
import { type DuplexStream, type ServerParts } from './parts.js'

/** A memcached server in this process. `listen` opens it, `close` ends it for good. */
export class Server {
  readonly #core: ServerCore
  #cache: Cache | undefined

  /**
   * Allocates the server's memory, but opens nothing.
   * @throws MemslabError with code 'EUSAGE' and all `problems` if an option, or a certificate that it names, is wrong, and with
   * the system's code if the file of users cannot be read
   */
  constructor(options: ServerOptions = {}, parts: ServerParts = {}) { this.#core = new ServerCore(options, parts) }

  /** All options that are in force, with the defaults of those that were left out. */
  get options(): Readonly<Options> { return this.#core.options }

  /**
   * Called when a client has sent `shutdown`, which only works with the option `shutdownCommand`; the argument is true for
   * `shutdown graceful`. The server goes on until the program calls `close`. Default: undefined, the command does nothing.
   */
  get onShutdown(): ((graceful: boolean) => void) | undefined { return this.#core.onShutdown }
  set onShutdown(listener: ((graceful: boolean) => void) | undefined) { this.#core.onShutdown = listener }

  /**
   * Opens every listener, or none. Resolves when all threads accept clients.
   * Rejects with a MemslabError whose message is one line. Its code is the system's (`EADDRINUSE` ...), 'EALREADY' if the
   * server was opened or closed before, 'ECANCELED' if it is closed meanwhile, or 'EDIED' if a thread dies.
   */
  listen(): Promise<void> { return this.#core.listen() }

  /** The addresses that the server listens on, without those of HTTP alone; none before `listen` has resolved. */
  get addresses(): readonly ServerAddress[] { return this.#core.addresses }

  /** The first TCP port; 0 if there is none. */
  get port(): number { return this.#core.port }

  /** The first UDP port; 0 if there is none. */
  get udpPort(): number { return this.#core.udpPort }

  /** The first TCP port on which it answers HTTP, with the option `http`; 0 if there is none. */
  get httpPort(): number { return this.#core.httpPort }

  /**
   * Serves one client on a stream of any kind, also before `listen`. The stream takes one of the `maxconns` connections. If
   * none is left, or the server is closed, the server ends the stream.
   */
  handle(stream: DuplexStream): void { this.#core.handle(stream as Duplex) }

  /**
   * Reads the file of users and the TLS certificates again, for all threads; connections stay as they are.
   * @returns one line for each problem; the users or certificates concerned stay as they were. Empty if there was none
   */
  reload(): string[] { return this.#core.reload() }

  /**
   * The items of this server, read and written in the thread that made it, without a socket: what clients store is there at once,
   * and the other way round. It works from the start on, and throws a MemslabError with code 'ECLOSED' once the server is closed.
   * Its values are bytes; `cache.as('string')` and `cache.as('json')` are the same items in other forms.
   */
  get cache(): Cache { return this.#cache ??= cacheOver(this.#core.cache) }

  /** Closes listeners and connections, and resolves when the last of them is gone. May be called twice. */
  close(): Promise<void> { return this.#core.close() }
}
