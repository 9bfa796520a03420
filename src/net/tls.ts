// TLS, with Node's own `tls`. An accepted socket begins a handshake. When it is complete, an encrypted stream takes its place,
// which is served like any other. During the handshake the socket has a slot, but is not a connection yet. The time for it is
// limited, see -o auth_timeout.
//
// Node's TLS servers are used without letting them listen: one for each Verify, which keeps their sessions apart. A session that
// began without a client certificate cannot be resumed on a listener that asks for one.
import { type Socket } from 'node:net'
import { createServer, type Server as TlsServer, type TLSSocket, type TlsOptions } from 'node:tls'
import { type Clock } from '../clock.js'
import { MemslabError } from '../errors.js'
import { type Settings } from '../server/settings.js'
import { type Signals } from '../server/signals.js'
import { type Options } from '../options/options.js'
import { Counter, type Counters } from '../stats/counters.js'
import { readCertificates, stampOf, type Certificates } from '../secrets/certificates.js'
import { type Verify } from '../secrets/verify.js'

/** A handshake under way. */
interface Handshake {
  readonly socket: Socket
  /** The clock's time at its start, in milliseconds. */
  readonly beganAt: number
  readonly secured: (stream: TLSSocket) => void
}

export class Tls {
  private readonly servers = new Map<Verify, TlsServer>()
  /** The handshakes by both addresses of the connection, which a socket and the encrypted stream over it have in common. */
  private readonly handshakes = new Map<string, Handshake>()
  /** The problem with the files when they were last read; undefined if there was none. */
  private problem: string | undefined
  /** The stamp of the files when they were last read. */
  private stamp: string

  /** @param signals get a line for each handshake that failed (-v), and the certificates that `refresh` has read */
  constructor(private readonly options: Options, public certificates: Certificates, private readonly clock: Clock,
    private readonly settings: Settings, private readonly counters: Counters, private readonly signals: Signals) {
    this.stamp = certificates.stamp
  }

  /**
   * Reads the files again, for new connections. If that fails, everything stays as it was, and the problem is returned. Files
   * that have not changed are not read again, as any client may ask for this and reading takes milliseconds.
   */
  refresh(): string | undefined {
    const stamp = stampOf(this.options)
    if (stamp !== this.stamp) this.problem = this.read()
    this.stamp = stamp
    if (this.problem === undefined) this.settings.certificatesReadAt = this.clock.milliseconds()
    return this.problem
  }

  private read(): string | undefined {
    try {
      const certificates = readCertificates(this.options)
      this.use(certificates)
      this.signals.certificatesRead(certificates)
      return undefined
    } catch (error) {
      if (error instanceof MemslabError) return error.message
      throw error
    }
  }

  /** Uses these certificates for new connections. */
  use(certificates: Certificates): void {
    this.certificates = certificates
    this.stamp = certificates.stamp
    this.problem = undefined
    for (const [verify, server] of this.servers) server.setSecureContext(this.contextFor(verify))
  }

  get secondsSinceRefresh(): number { return Math.floor((this.clock.milliseconds() - this.settings.certificatesReadAt) / 1000) }

  /**
   * Begins a handshake on an accepted, paused socket.
   * @param secured called with the encrypted stream when the handshake is complete
   * @param failed called instead if the handshake fails
   */
  begin(socket: Socket, verify: Verify, secured: (stream: TLSSocket) => void, failed: () => void): void {
    // the client is gone already, and the socket has no addresses any more
    if (socket.remoteAddress === undefined) {
      socket.destroy()
      return failed()
    }
    const ends = endsOf(socket)
    const handshake = { socket, beganAt: this.clock.milliseconds(), secured }
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
    server.on('tlsClientError', (error, stream) => this.fail(error, stream))
    this.servers.set(verify, server)
    return server
  }

  private contextFor(verify: Verify): TlsOptions {
    const { context, ticketKeys } = this.certificates
    return { ...context, sessionIdContext: `memslab ${verify}`, ticketKeys: Buffer.from(ticketKeys[verify]) }
  }

  private agreed(stream: TLSSocket, verify: Verify): void {
    stream.on('error', error => this.broken(error))
    const ends = endsOf(stream)
    const handshake = this.handshakes.get(ends)
    // the client is gone already, and its handshake with it
    if (handshake === undefined) return void stream.destroy()
    if (verify === 'request' && !stream.authorized && stream.getPeerX509Certificate() !== undefined) {
      this.count(handshake.socket, String(stream.authorizationError))
      return void stream.destroy()
    }
    if (!stream.isSessionReused()) this.counters.add(Counter.SslNewSessions)
    this.handshakes.delete(ends)
    handshake.secured(stream)
  }

  private fail(error: Error, stream: TLSSocket): void {
    const isUntrusted = (stream.authorizationError ?? null) !== null
    // a client that only checks whether the port is open, as monitors do, is no error
    if (!isUntrusted && codeOf(error) === 'ECONNRESET') return
    this.count(stream, isUntrusted ? String(stream.authorizationError) : reasonOf(error))
  }

  private count(socket: Socket, reason: string): void {
    this.counters.add(Counter.SslHandshakeErrors)
    if (this.settings.verbosity === 0) return
    this.signals.log(`TLS handshake with ${socket.remoteAddress ?? 'a client'} failed: ${reason}`)
  }

  /** Counts an error of an encrypted stream. The connection handles its 'close' event. */
  private broken(error: Error): void {
    if (codeOf(error).startsWith('ERR_SSL_')) this.counters.add(Counter.SslProtoErrors)
  }

  /** The longest that a handshake may take, in seconds. */
  private get patience(): number {
    const { authTimeout, idleTimeout } = this.options
    return Math.min(...[authTimeout, idleTimeout].filter(seconds => seconds > 0))
  }

  /** Ends the handshakes that take too long. */
  closeSlow(): void {
    const { patience } = this
    const now = this.clock.milliseconds()
    for (const { socket, beganAt } of this.handshakes.values()) {
      if (now - beganAt < patience * 1000) continue
      this.counters.add(Counter.AuthKicks)
      this.count(socket, 'it took too long')
      socket.destroy()
    }
  }

  /** Ends all handshakes. */
  close(): void {
    for (const { socket } of this.handshakes.values()) socket.destroy()
  }
}

function endsOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return [remoteAddress, remotePort, localAddress, localPort].join(' ')
}

function codeOf(error: Error): string { return 'code' in error ? String(error.code) : '' }

/** OpenSSL's reason for an error, without the position in its source. */
function reasonOf(error: Error): string { return 'reason' in error ? String(error.reason) : error.message }
