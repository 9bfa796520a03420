// UDP: a datagram in, its answer out. Each datagram is a conversation of its own, with a session that lives no longer
// than the datagram is served, so that nothing half done is left for the next one, whoever sends it. (A new session costs
// well under a microsecond; receiving a datagram costs ten.)
//
// As in memcached: requests in several datagrams are not served, nor what is too short to hold any; several requests in one
// datagram are answered each for itself, numbered anew from 0; a line or a value that ends with its datagram unfinished is
// dropped without an answer. What differs:
//
// - The answer to a request is one message, numbered through, as protocol.txt has it. memcached numbers the answer to each
//   key of a get anew from 0, so that no client can put them together (memcaslap's multi-get breaks there), and for a key
//   that is missing it sends an empty datagram, number 0 of 0. Here a request without an answer gets no datagram.
// - memcached takes the next datagram, of any client, for the rest of an unfinished value, and hears nobody any more
//   after a value that is too large, or a request from port 0.
// - What does not begin as a request does is not answered, not even with ERROR; see isRequest.
// - There is a bound to the answers of a datagram together. The first that goes beyond it is an error instead, in the binary
//   protocol nothing, and of what was asked for behind it nothing is done.
//
// A client's address may be forged, so whoever reaches this port can have others sent more than he sends himself. It is
// therefore off by default, and then on loopback.
import { createSocket, type BindOptions, type RemoteInfo, type Socket, type SocketOptions } from 'node:dgram'
import { isIPv6 } from 'node:net'
import { type Options, type ProtocolName } from '../options/options.js'
import { type Address, type ServerAddress } from '../options/address.js'
import { type Host } from '../protocol/host.js'
import { Session, type Protocol } from '../protocol/session.js'
import { ConnectionState, STATE_NAMES } from '../protocol/work/state.js'
import { Counter } from '../stats/counters.js'
import { type ConnectionFacts } from '../stats/report.js'
import { formatAddress, openAddresses } from './addresses.js'
import { SharedDescriptor, sharesPorts } from './descriptor.js'
import { descriptorOfUdp, NO_DESCRIPTOR } from './handle.js'
import { failure } from './listen.js'
import { Answer, HEADER_BYTES, isRequest } from './frame.js'

/** While so many bytes wait for the network, nobody is served: clients take silence for a loss. */
const WAITING_BYTES_MAX = 8 * 1024 * 1024

/** What is answered in one turn of the event loop; what comes after that in the same turn is dropped, for the sake of others. */
const TURN_BYTES_MAX = 256 * 1024

/** How many parts of an answer about much, such as `stats conns`, a datagram is worth beyond the first: some 0.3 ms. */
const LISTING_PARTS_MAX = 6

const TOO_LONG = Buffer.from('SERVER_ERROR out of memory writing get response\r\n')

/** An open UDP socket. It may be posted to a thread. */
export interface UdpBound {
  /** The file descriptor. */
  readonly id: number
  readonly address: ServerAddress & { readonly port: number }
  /** The host as it was asked for. */
  readonly host: string
  readonly protocol: ProtocolName
}

/** The UDP sockets of a thread. Of several threads one opens them, and the others follow. */
export class Udp {
  private readonly sockets: UdpSocket[] = []
  /** What is open: here or, in a thread that serves none of it, in the others. */
  private readonly all: UdpBound[] = []
  private readonly isByDescriptor: boolean
  /** Whether a socket had to stay, see SharedDescriptor. */
  hasLeftovers = false

  /**
   * @param protocolFor what a conversation begins with
   * @param opened called for each socket that is opened, with its file descriptor
   */
  constructor(private readonly host: Host, private readonly options: Options,
    private readonly protocolFor: (name: ProtocolName) => Protocol, private readonly opened: (id: number) => void) {
    this.isByDescriptor = options.threads > 1 && !sharesPorts(options)
  }

  /** Opens what -U asks for. Rejects with a MemslabError whose message is one clear line; then `close` undoes the rest. */
  async open(): Promise<void> {
    const { listen, udpport, socketPath } = this.options
    if (udpport === 0 || socketPath !== undefined) return
    await openAddresses(listen, udpport, {
      open: (address, port) => this.openOn(address, port),
      undo: () => void this.close(),
      warn: line => this.host.log(line),
    })
  }

  private async openOn({ host, protocol }: Address, port: number): Promise<number> {
    const { address, id } = this.add(await this.openSocket(host, port), host, protocol ?? this.options.protocol)
    this.host.store.counters.add(Counter.TotalConnections)
    this.opened(id)
    return address.port
  }

  /** As with TCP, a port that is to be shared is opened unshared first. */
  private async openSocket(host: string, port: number): Promise<Socket> {
    if (this.options.threads === 1 || this.isByDescriptor) return await bind(host, port)
    const socket = await bind(host, port)
    const bound = socket.address()
    await new Promise<void>(resolve => socket.close(() => resolve()))
    return await bind(host, bound.port, true)
  }

  /** Opens what another thread has opened. */
  async follow(others: readonly UdpBound[]): Promise<void> {
    for (const other of others) {
      const { id, address, host, protocol } = other
      // as with listeners
      if (this.isByDescriptor && id === NO_DESCRIPTOR) this.know([other])
      else this.add(this.isByDescriptor ? await bindAlong(host, id) : await bind(host, address.port, true), host, protocol)
    }
  }

  /** Takes note of what other threads have opened. */
  know(others: readonly UdpBound[]): void { this.all.push(...others) }

  private add(socket: Socket, host: string, protocol: ProtocolName): UdpSocket {
    const served = new UdpSocket(this.host, this.protocolFor(protocol), socket, this.isByDescriptor)
    this.sockets.push(served)
    this.all.push({ id: served.id, address: served.address, host, protocol })
    return served
  }

  /** What is open. */
  get bound(): readonly UdpBound[] { return this.all }

  /** How many sockets there are; memcached counts them as connections. */
  get count(): number { return this.all.length }

  get addresses(): readonly ServerAddress[] { return this.all.map(({ address }) => address) }

  /** The first port, 0 if there is none. */
  get port(): number { return this.all[0]?.address.port ?? 0 }

  /** What `stats conns` shows. */
  facts(now: number): readonly ConnectionFacts[] { return this.sockets.map(socket => socket.facts(now)) }

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
  /** Whose datagram is being served. */
  private client: RemoteInfo | undefined
  private usedAt: number
  private turnBytes = 0
  /** Where other threads have it too. */
  private readonly descriptor: SharedDescriptor | undefined

  constructor(private readonly host: Host, private readonly protocol: Protocol, private readonly socket: Socket,
    isShared: boolean) {
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
    this.client = client
    const answer = this.serve(datagram).finish()
    this.client = undefined
    counters.add(Counter.BytesWritten, answer.length * HEADER_BYTES)
    for (const part of answer) this.send(part, client)
  }

  private send(datagram: Buffer, { port, address }: RemoteInfo): void {
    if (this.turnBytes === 0) setImmediate(() => { this.turnBytes = 0 })
    this.turnBytes += datagram.length
    this.socket.send(datagram, port, address)
  }

  private serve(datagram: Buffer): Answer {
    const { input } = this.host
    const answer = new Answer(datagram, this.id)
    const session = new Session(this.host, this.protocol, answer)
    input.bytes.set(datagram.subarray(HEADER_BYTES), input.batchStart)
    session.receive(datagram.length - HEADER_BYTES)
    for (let parts = 0; answer.takeYield();) {
      if (!session.isListing) answer.endMessage()
      // a listing of many parts takes more turns than one datagram is worth
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

  /** Undefined: it has to stay, and is only silent. */
  close(): Promise<void> | undefined {
    if (this.descriptor?.mayBeClosed === false) {
      this.socket.removeAllListeners('message').unref()
      return undefined
    }
    return new Promise(resolve => { this.socket.close(() => resolve()) })
  }
}

const NOTHING = Buffer.alloc(0)

function formatUdpAddress({ address, port }: { address: string, port: number }): string {
  return formatAddress(address, port).replace(/^tcp/, 'udp')
}

/** Opens one UDP socket; port 0 takes any free one. `isShared`: others may have the same port who say so too. */
function bind(host: string, port: number, isShared = false): Promise<Socket> {
  return bound(makeSocket(host, isShared), { address: host, port, exclusive: true }, `UDP port ${port} of ${host}`)
}

/** Opens a socket that another thread has opened, by its file descriptor. */
function bindAlong(host: string, fd: number): Promise<Socket> {
  return bound(makeSocket(host, false), { fd, exclusive: true }, `file descriptor ${fd}`)
}

function makeSocket(host: string, isShared: boolean): Socket {
  const family = isIPv6(host) ? 6 : 4
  const options: SocketOptions & { reusePort: boolean } = {
    type: `udp${family}`,
    ipv6Only: family === 6,
    reusePort: isShared,
    // every address here is a number already: without this each answer would wait for a turn to learn that
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
      // a datagram that cannot be sent is lost, as datagrams are
      socket.on('error', () => {})
      resolve(socket)
    })
  })
}
