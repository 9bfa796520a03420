// UDP: answers datagrams. Each datagram has a session of its own, which ends when the datagram has been served, so that nothing
// unfinished is left for the next datagram, which may be another client's. (A new session takes well under a microsecond;
// receiving a datagram takes ten.)
//
// As in memcached, a request in several datagrams is not served, nor is a datagram that is too short for a request. Several
// requests in one datagram are answered one by one, each numbered from 0. If a line or a value is incomplete at the end of its
// datagram, it is dropped without an answer. Four things differ:
//
// - The answer to a request is one message, numbered from its first datagram to its last, as protocol.txt says. memcached numbers
//   the answer to each key of a get from 0 again, so that no client can put them together (memcaslap's multi-get breaks there).
//   For a missing key it sends an empty datagram, number 0 of 0. Here a request without an answer gets no datagram.
// - memcached takes the next datagram, of any client, for the rest of an unfinished value. After a value that is too large, or a
//   request from port 0, it serves no datagram any more.
// - A datagram that does not begin like a request is not answered, not even with ERROR; see isRequest.
// - The answers to one datagram have a limit. The first answer that exceeds it is replaced by an error (in the binary protocol,
//   by nothing), and the requests behind it are not carried out.
//
// A client's address may be forged: an attacker who can reach the port can make the server send a third party more than the
// attacker sends. UDP is therefore off by default, and when it is on, its default address is loopback.
import { createSocket, type BindOptions, type RemoteInfo, type Socket, type SocketOptions } from 'node:dgram'
import { isIPv6 } from 'node:net'
import { type Options, type ProtocolName } from '../options/options.js'
import { type Address, type ServerAddress } from '../options/address.js'
import { type Host } from '../protocol/host.js'
import { Session, type Protocol } from '../protocol/session.js'
import { ConnectionState, STATE_NAMES } from '../protocol/work/state.js'
import { setImmediate } from '../timers.js'
import { Counter } from '../stats/counters.js'
import { type ConnectionFacts } from '../stats/report.js'
import { formatUdpAddress, openAddresses } from './addresses.js'
import { openHigh, SharedDescriptor, sharesPorts, type HighNumbers } from './descriptor.js'
import { descriptorOfUdp, NO_DESCRIPTOR } from './handle.js'
import { failure } from './listen.js'
import { Answer, HEADER_BYTES, isRequest } from './frame.js'

/** While more bytes than this wait for the network, datagrams are dropped: to clients they are lost. */
const WAITING_BYTES_MAX = 8 * 1024 * 1024

/** The most bytes of answers in a turn of the event loop. Later datagrams of the turn are dropped, so that others are served. */
const TURN_BYTES_MAX = 256 * 1024

/** The most parts beyond the first of a long answer, such as that of `stats conns`, to one datagram. They take some 0.3 ms. */
const LISTING_PARTS_MAX = 6

const TOO_LONG = Buffer.from('SERVER_ERROR out of memory writing get response\r\n')

/** The properties of an open UDP socket. They can be posted to another thread. */
export interface UdpBound {
  /** The file descriptor. */
  readonly id: number
  readonly address: ServerAddress & { readonly port: number }
  /** The host as the options name it. */
  readonly host: string
  readonly protocol: ProtocolName
}

/** The UDP sockets of a thread. If there are several threads, one opens them, and the others follow. */
export class Udp {
  private readonly sockets: UdpSocket[] = []
  /** The open sockets: those of this thread or, in a thread that serves none, those of the others. */
  private readonly all: UdpBound[] = []
  private readonly isByDescriptor: boolean
  /** True if a socket had to stay open, see SharedDescriptor. */
  hasLeftovers = false

  /**
   * @param protocolFor returns the protocol that a session begins with
   * @param opened called for each socket that is opened, with its file descriptor
   * @param arrived called for each datagram that is served
   */
  constructor(private readonly host: Host, private readonly options: Options,
    private readonly protocolFor: (name: ProtocolName) => Protocol, private readonly opened: (id: number) => void,
    private readonly arrived: () => void) {
    this.isByDescriptor = options.threads > 1 && !sharesPorts(options)
  }

  /**
   * Opens the sockets of -U. Rejects with a MemslabError of one line; then the caller has to call `close`.
   * @param high given if other threads will have the same descriptors
   */
  async open(high?: HighNumbers): Promise<void> {
    const { listen, udpport, socketPath } = this.options
    if (udpport === 0 || socketPath !== undefined) return
    await openAddresses(listen, udpport, {
      open: (address, port) => this.openOn(address, port, high),
      undo: () => void this.close(),
      warn: line => this.host.log(line),
    })
  }

  private async openOn({ host, protocol }: Address, port: number, high: HighNumbers | undefined): Promise<number> {
    const { address, id } = this.add(await this.openSocket(host, port, high), host, protocol ?? this.options.protocol)
    this.host.store.counters.add(Counter.TotalConnections)
    this.opened(id)
    return address.port
  }

  /** Opens a socket. As with TCP, a port that is to be shared is opened unshared first, which fails if it is in use. */
  private async openSocket(host: string, port: number, high: HighNumbers | undefined): Promise<Socket> {
    if (this.options.threads === 1 || this.isByDescriptor) {
      return await openHigh({ open: () => bind(host, port), numberOf: descriptorOfUdp, close }, high)
    }
    const socket = await bind(host, port)
    const bound = socket.address()
    await close(socket)
    return await bind(host, bound.port, true)
  }

  /** Opens the sockets that another thread has opened. */
  async follow(others: readonly UdpBound[]): Promise<void> {
    for (const other of others) {
      const { id, address, host, protocol } = other
      // if Node does not show the descriptor, only the thread that opened the socket serves it
      if (this.isByDescriptor && id === NO_DESCRIPTOR) this.know([other])
      else this.add(this.isByDescriptor ? await bindAlong(host, id) : await bind(host, address.port, true), host, protocol)
    }
  }

  /** Stores the properties of sockets that other threads have opened. */
  know(others: readonly UdpBound[]): void { this.all.push(...others) }

  private add(socket: Socket, host: string, protocol: ProtocolName): UdpSocket {
    const served = new UdpSocket(this.host, this.protocolFor(protocol), socket, this.isByDescriptor, this.arrived)
    this.sockets.push(served)
    this.all.push({ id: served.id, address: served.address, host, protocol })
    return served
  }

  /** The open sockets. */
  get bound(): readonly UdpBound[] { return this.all }

  /** The number of sockets, which memcached counts as connections. */
  get count(): number { return this.all.length }

  get addresses(): readonly ServerAddress[] { return this.all.map(({ address }) => address) }

  /** The first port, 0 if there is none. */
  get port(): number { return this.all[0]?.address.port ?? 0 }

  /** The facts for `stats conns`. */
  facts(now: number): readonly ConnectionFacts[] { return this.sockets.map(socket => socket.facts(now)) }

  /** Lets the process end while they are open. */
  unref(): void { for (const socket of this.sockets) socket.unref() }

  async close(): Promise<void> {
    this.all.length = 0
    const ends = this.sockets.splice(0).map(socket => socket.close())
    if (ends.includes(undefined)) this.hasLeftovers = true
    await Promise.all(ends)
  }
}

class UdpSocket {
  /** The file descriptor. */
  readonly id: number
  readonly address: ServerAddress & { readonly port: number }
  private readonly name: string
  /** The client whose datagram is being served. */
  private client: RemoteInfo | undefined
  private usedAt: number
  private turnBytes = 0
  /** Its descriptor if other threads may have the socket too. */
  private readonly descriptor: SharedDescriptor | undefined

  constructor(private readonly host: Host, private readonly protocol: Protocol, private readonly socket: Socket,
    isShared: boolean, private readonly arrived: () => void) {
    const { address, port, family } = socket.address()
    this.address = { transport: 'UDP', family: family === 'IPv6' ? 'IPv6' : 'IPv4', address, port }
    this.id = descriptorOfUdp(socket)
    this.name = formatUdpAddress(this.address)
    this.descriptor = isShared && this.id !== NO_DESCRIPTOR ? new SharedDescriptor(this.id) : undefined
    this.usedAt = host.store.context.now
    socket.on('message', (datagram, client) => {
      try {
        this.received(datagram, client)
      } catch (error) { host.signals.failed(error) }
    })
  }

  private received(datagram: Buffer, client: RemoteInfo): void {
    const { counters } = this.host.store
    const isServed = isRequest(datagram) && client.port !== 0 && this.turnBytes < TURN_BYTES_MAX &&
      this.socket.getSendQueueSize() <= WAITING_BYTES_MAX
    counters.add(Counter.BytesRead, isServed ? HEADER_BYTES : datagram.length)
    if (!isServed) return
    this.arrived()
    this.client = client
    const answer = this.serve(datagram, client).finish()
    this.client = undefined
    counters.add(Counter.BytesWritten, answer.length * HEADER_BYTES)
    for (const part of answer) this.send(part, client)
  }

  private send(datagram: Buffer, { port, address }: RemoteInfo): void {
    if (this.turnBytes === 0) setImmediate(() => { this.turnBytes = 0 })
    this.turnBytes += datagram.length
    this.socket.send(datagram, port, address)
  }

  private serve(datagram: Buffer, client: RemoteInfo): Answer {
    const { input } = this.host
    const answer = new Answer(datagram, this.id, client)
    const session = new Session(this.host, this.protocol, answer)
    input.bytes.set(datagram.subarray(HEADER_BYTES), input.batchStart)
    session.receive(datagram.length - HEADER_BYTES)
    for (let parts = 0; answer.takeYield();) {
      if (!session.isListing) answer.endMessage()
      // a long listing takes more time than one datagram may
      else if (++parts > LISTING_PARTS_MAX) break
      session.resume()
    }
    this.usedAt = session.usedAt
    if (answer.isTooLong || session.isListing) answer.replace(session.protocol.name === 'ascii' ? TOO_LONG : NOTHING)
    session.close()
    return answer
  }

  facts(now: number): ConnectionFacts {
    return {
      id: this.id,
      address: this.client === undefined ? this.name : formatUdpAddress(this.client),
      listenAddress: this.name,
      state: STATE_NAMES[this.client === undefined ? ConnectionState.Read : ConnectionState.ParseCmd],
      idleSeconds: now - this.usedAt,
    }
  }

  unref(): void { this.socket.unref() }

  /** Closes the socket. Returns undefined if its descriptor has to stay open: then the socket only stops serving. */
  close(): Promise<void> | undefined {
    if (this.descriptor?.mayBeClosed === false) {
      this.socket.removeAllListeners('message').unref()
      return undefined
    }
    return close(this.socket)
  }
}

const NOTHING = Buffer.alloc(0)

function close(socket: Socket): Promise<void> { return new Promise(resolve => { socket.close(() => resolve()) }) }

/** Opens a UDP socket; with port 0, on any free port. `isShared`: other sockets that are shared too may have the same port. */
function bind(host: string, port: number, isShared = false): Promise<Socket> {
  return bound(makeSocket(host, isShared), { address: host, port, exclusive: true }, `UDP port ${port} of ${host}`)
}

/** Opens a socket on the file descriptor of one that another thread has opened. */
function bindAlong(host: string, fd: number): Promise<Socket> {
  return bound(makeSocket(host, false), { fd, exclusive: true }, `file descriptor ${fd}`)
}

function makeSocket(host: string, isShared: boolean): Socket {
  const family = isIPv6(host) ? 6 : 4
  const options: SocketOptions & { reusePort: boolean } = {
    type: `udp${family}`,
    ipv6Only: family === 6,
    reusePort: isShared,
    // every address here is numeric already; without this, each answer would wait a turn for a look-up
    lookup: (address, _options, done) => done(null, address, family),
  }
  return createSocket(options)
}

function bound(socket: Socket, options: BindOptions, what: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    socket.once('error', cause => {
      socket.close()
      reject(failure(cause, what))
    })
    socket.bind(options, () => {
      socket.removeAllListeners('error')
      // a datagram that cannot be sent is lost, as any datagram may be
      socket.on('error', () => {})
      resolve(socket)
    })
  })
}
