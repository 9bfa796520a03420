// TLS, with Node's own `tls`: an accepted socket goes in, and once both sides have agreed an encrypted stream comes out
// that is served like any other. Until then the socket counts as a connection, but has none; it has a bounded time.
//
// Node's TLS servers are used without listening themselves: one for each way to treat certificates of clients, which
// keeps their sessions apart. A session begun where no certificate was asked for cannot be resumed where one is.
import { type Socket } from 'node:net'
import { createServer, type SecureContextOptions, type Server as TlsServer, type TLSSocket } from 'node:tls'
import { type Clock } from '../clock.js'
import { MemslabError } from '../errors.js'
import { type Options } from '../options.js'
import { type Address } from '../options/address.js'
import { Counter, type Counters } from '../stats/counters.js'
import { type ConnectionFacts } from '../stats/report.js'
import { readCertificates, stampOf } from './certificates.js'
import { remoteAddress } from './connection.js'
import { descriptorOf } from './handle.js'

/** Certificates of clients: not asked for; asked for, and good if there is one; required. */
export type Verify = 'none' | 'request' | 'require'

/** By `ssl_verify_mode`. The last two differ only in what happens when a connection is renegotiated, which none is. */
const VERIFY_MODES: readonly Verify[] = ['none', 'request', 'require', 'require']
/** How long both sides may take to agree. */
const HANDSHAKE_SECONDS = 30

/** How a listener treats certificates of clients; undefined if it does not encrypt. */
export function verifyOf({ sslEnabled, sslVerifyMode }: Options, tls: Address['tls']): Verify | undefined {
  if (!sslEnabled || tls === 'none') return undefined
  if (tls === 'basic') return 'none'
  return tls === 'mutual' ? 'require' : VERIFY_MODES[sslVerifyMode] ?? 'require'
}

/** A socket that has no agreement yet. */
interface Handshake {
  readonly socket: Socket
  readonly listenAddress: string
  /** Unix time in milliseconds. */
  readonly beganAt: number
  readonly secured: (stream: TLSSocket) => void
}

export class Tls {
  private readonly servers = new Map<Verify, TlsServer>()
  /** By the two ends of the connection: a socket and the encrypted stream over it have these in common. */
  private readonly handshakes = new Map<string, Handshake>()
  private certificates: SecureContextOptions
  private readAt: number
  /** What the files were like when they were last read, and what was wrong with them then. */
  private stamp: string
  private problem: string | undefined

  /**
   * @param complain takes a line for each client that failed
   * @throws MemslabError with code 'EUSAGE' if a file is missing or wrong
   */
  constructor(private readonly options: Options, private readonly clock: Clock, private readonly counters: Counters,
    private readonly complain: (line: string) => void) {
    this.certificates = readCertificates(options)
    this.stamp = stampOf(options)
    this.readAt = clock.milliseconds()
  }

  /**
   * Reads the files again, for new connections. If that fails everything stays as it was, and the answer says why. Files
   * that have not changed are not read, as any client may ask for this, and reading them takes milliseconds.
   */
  refresh(): string | undefined {
    const stamp = stampOf(this.options)
    if (stamp !== this.stamp) this.problem = this.read()
    this.stamp = stamp
    if (this.problem === undefined) this.readAt = this.clock.milliseconds()
    return this.problem
  }

  private read(): string | undefined {
    try {
      this.certificates = readCertificates(this.options)
    } catch (error) {
      if (error instanceof MemslabError) return error.message
      throw error
    }
    for (const [verify, server] of this.servers) server.setSecureContext(this.contextFor(verify))
    return undefined
  }

  get secondsSinceRefresh(): number { return Math.floor((this.clock.milliseconds() - this.readAt) / 1000) }

  /** How many sockets have no agreement yet. */
  get pendingCount(): number { return this.handshakes.size }

  /**
   * Takes an accepted socket that nobody has read.
   * @param listenAddress where it was accepted
   * @param secured called with the encrypted stream, which nobody has read either ...
   * @param failed ... or when there will be none
   */
  begin(socket: Socket, verify: Verify, listenAddress: string, secured: (stream: TLSSocket) => void, failed: () => void): void {
    // gone before it was looked at; it has no ends any more
    if (socket.remoteAddress === undefined) return void socket.destroy()
    const ends = endsOf(socket)
    const handshake = { socket, listenAddress, beganAt: this.clock.milliseconds(), secured }
    this.handshakes.set(ends, handshake)
    socket.on('error', () => {})
    socket.on('close', () => {
      if (this.handshakes.get(ends) !== handshake) return
      this.handshakes.delete(ends)
      failed()
    })
    this.serverFor(verify).emit('connection', socket)
  }

  private serverFor(verify: Verify): TlsServer {
    const known = this.servers.get(verify)
    if (known !== undefined) return known
    const server = createServer({
      ...this.contextFor(verify),
      requestCert: verify !== 'none',
      rejectUnauthorized: verify === 'require',
    })
    server.on('secureConnection', stream => this.agreed(stream, verify))
    server.on('tlsClientError', (error, stream) => this.refused(error, stream))
    this.servers.set(verify, server)
    return server
  }

  private contextFor(verify: Verify): SecureContextOptions {
    return { ...this.certificates, sessionIdContext: `memslab ${verify}` }
  }

  private agreed(stream: TLSSocket, verify: Verify): void {
    stream.on('error', error => this.broken(error))
    const ends = endsOf(stream)
    const handshake = this.handshakes.get(ends)
    // the client is gone already, and its ends with it
    if (handshake === undefined) return void stream.destroy()
    if (verify === 'request' && !stream.authorized && stream.getPeerX509Certificate() !== undefined) {
      this.count(handshake.socket, String(stream.authorizationError))
      return void stream.destroy()
    }
    if (!stream.isSessionReused()) this.counters.add(Counter.SslNewSessions)
    this.handshakes.delete(ends)
    handshake.secured(stream)
  }

  private refused(error: Error, stream: TLSSocket): void {
    const isUntrusted = (stream.authorizationError ?? null) !== null
    // who only looks whether anybody listens, as monitors do, is no error
    if (!isUntrusted && codeOf(error) === 'ECONNRESET') return
    this.count(stream, isUntrusted ? String(stream.authorizationError) : reasonOf(error))
  }

  private count(socket: Socket, reason: string): void {
    this.counters.add(Counter.SslHandshakeErrors)
    this.complain(`TLS handshake with ${socket.remoteAddress ?? 'a client'} failed: ${reason}`)
  }

  /** An error of a stream that was agreed on; what else it brings about, 'close' tells. */
  private broken(error: Error): void {
    if (codeOf(error).startsWith('ERR_SSL_')) this.counters.add(Counter.SslProtoErrors)
  }

  /** Drops those who take too long. */
  closeSlow(): void {
    const { idleTimeout } = this.options
    const seconds = idleTimeout > 0 ? Math.min(idleTimeout, HANDSHAKE_SECONDS) : HANDSHAKE_SECONDS
    const now = this.clock.milliseconds()
    for (const { socket, beganAt } of this.handshakes.values()) {
      if (now - beganAt <= seconds * 1000) continue
      this.count(socket, 'it took too long')
      socket.destroy()
    }
  }

  /** What `stats conns` shows of those who have no agreement yet. */
  *facts(): Iterable<ConnectionFacts> {
    const now = this.clock.milliseconds()
    for (const { socket, listenAddress, beganAt } of this.handshakes.values()) {
      const address = remoteAddress(socket, listenAddress)
      yield { id: descriptorOf(socket), address, listenAddress, state: 'conn_read', idleSeconds: Math.floor((now - beganAt) / 1000) }
    }
  }

  /** Drops everybody who has no agreement yet. */
  close(): void {
    for (const { socket } of this.handshakes.values()) socket.destroy()
  }
}

function endsOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return [remoteAddress, remotePort, localAddress, localPort].join(' ')
}

function codeOf(error: Error): string { return 'code' in error ? String(error.code) : '' }

/** What OpenSSL says went wrong, without where in its source. */
function reasonOf(error: Error): string { return 'reason' in error ? String(error.reason) : error.message }
