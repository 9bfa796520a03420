// The types of a TestServer that programs see. They have a file of their own, as they need nothing from inside.
import { type ServerOptions } from '../options/memory.js'

/** The options of a TestServer. All of `createServer` are allowed; only these have another meaning or another default. */
export interface TestServerOptions extends Omit<ServerOptions, 'socketPath'> {
  /** TCP port. Default 0: any free port, which the server keeps while it restarts. -1 means the same. */
  port?: number
  /** Addresses to listen on. Default `['127.0.0.1']`. */
  listen?: readonly string[]
  /** Threads that serve clients, 1 to 256. Default 1: the test's own thread serves. */
  threads?: number
  /** Path of a Unix socket to listen on instead of TCP; true: a free path in the folder for temporary files. Default none. */
  socketPath?: string | true | undefined
  /**
   * True: TCP is encrypted, with a certificate that is made for this process. It is valid for localhost, 127.0.0.1 and ::1, and
   * clients have to trust `TestServer.ca`. Default false, but true with a `profile` that has only TLS, if neither `sslEnabled`
   * nor `sslChainCert` is given.
   */
  tls?: boolean
  /**
   * The users that may log in, with their passwords: `{ anna: 'secret' }`. Clients of the text protocol have to authenticate;
   * with `sasl: true`, those of the binary protocol. Default none: clients need no password.
   */
  users?: Readonly<Record<string, string>>
  /** Called with each line that the command line would print on stderr, without its line end. Default: the lines are dropped. */
  log?: (line: string) => void
  /** The most calls that `calls()` has: the last ones. Default 10,000. */
  callsMax?: number
  /** The seed of what faults leave to chance. Default: a random one, which is printed when there is such a fault. */
  seed?: number
}

/** The options of `TestServer.restart`. */
export interface RestartOptions {
  /** True: the items are still there afterwards. Default false: the server is empty, as after a real restart. */
  keepItems?: boolean
}

/** An item, as it was when it was looked at. */
export interface TestItem {
  /** The key, in UTF-8; if its bytes are none, in Latin-1. */
  readonly key: string
  /** The value as a text in UTF-8. */
  readonly value: string
  /** The bytes of the value, a Buffer. */
  readonly bytes: Uint8Array
  /** The client's flags, 32 bits. */
  readonly flags: number
  /** The number that each change of the item replaces by a new one; 0n with `useCas: false`. */
  readonly cas: bigint
  /** Milliseconds until it expires, by the server's clock; Infinity if it does not. */
  readonly ttl: number
  /** True once a client has fetched it. */
  readonly isFetched: boolean
}
