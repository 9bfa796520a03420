// UDP: a datagram in, its answer out. Each datagram is a conversation of its own, with a session that lives no longer
// than the datagram is served, so that nothing half done is left for the next one, whoever sends it. (A new session costs
// well under a microsecond; receiving a datagram costs ten.)
//
// As in memcached: requests in several datagrams are not served, nor what is too short to hold any; a line or a value
// that ends with its datagram unfinished is dropped without an answer; with a value go the answers that wait for it. What
// differs:
//
// - Everything that one datagram asks for is one answer, numbered through, as protocol.txt has it. memcached numbers the
//   answer to each request, and to each key of a get, anew from 0, so that no client can put them together (memcaslap's
//   multi-get breaks there), and for a key that is missing it sends an empty datagram, number 0 of 0. Here a request
//   without an answer gets no datagram.
// - memcached takes the next datagram, of any client, for the rest of an unfinished value, and hears nobody any more
//   after a value that is too large, or a request from port 0.
// - What does not begin as a request does is not answered, not even with ERROR; see isRequest.
// - There is a bound to answers. What is longer gets an error in its place, in the binary protocol nothing, and of what
//   was asked for behind it nothing is done.
//
// A client's address may be forged, so whoever reaches this port can have others sent more than he sends himself. It is
// therefore off by default, and then on loopback.
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { isIPv6 } from 'node:net'
import { type Options, type ProtocolName } from '../options.js'
import { type Address } from '../options/address.js'
import { type Host } from '../protocol/host.js'
import { Session, type Protocol } from '../protocol/session.js'
import { Counter } from '../stats/counters.js'
import { type ConnectionFacts } from '../stats/report.js'
import { formatAddress } from './connection.js'
import { descriptorOfUdp } from './handle.js'
import { failure } from './listen.js'
import { openAddresses, type ServerAddress } from './listeners.js'
import { Answer, HEADER_BYTES, isRequest } from './frame.js'

/** While so many bytes wait for the network, nobody is served: clients take silence for a loss. */
const WAITING_BYTES_MAX = 8 * 1024 * 1024

/** What is answered in one turn of the event loop; what comes after that in the same turn is dropped, for the sake of others. */
const TURN_BYTES_MAX = 256 * 1024

const TOO_LONG = Buffer.from('SERVER_ERROR out of memory writing get response\r\n')

/** All the UDP sockets of a server. */
export class Udp {
  private readonly sockets: UdpSocket[] = []

  /**
   * @param protocolFor what a conversation begins with
   * @param opened called for each socket with its file descriptor
   */
  constructor(private readonly host: Host, private readonly options: Options,
    private readonly protocolFor: (name: ProtocolName) => Protocol, private readonly opened: (id: number) => void) {}

  /** Opens what -U asks for. Rejects with a MemslabError whose message is one clear line; then `close` undoes the rest. */
  async open(): Promise<void> {
    const { listen, udpport, socketPath } = this.options
    if (udpport === 0 || socketPath !== undefined) return
    await openAddresses(listen, udpport, (address, port) => this.openOn(address, port), () => void this.close())
  }

  private async openOn({ host, protocol }: Address, port: number): Promise<number> {
    const socket = await bind(host, port)
    const served = new UdpSocket(this.host, this.protocolFor(protocol ?? this.options.protocol), socket)
    this.host.store.counters.add(Counter.TotalConnections)
    this.sockets.push(served)
    this.opened(served.id)
    return served.address.port
  }

  /** How many sockets there are; memcached counts them as connections. */
  get count(): number { return this.sockets.length }

  get addresses(): readonly ServerAddress[] { return this.sockets.map(({ address }) => address) }

  /** The first port, 0 if there is none. */
  get port(): number { return this.sockets[0]?.address.port ?? 0 }

  /** What `stats conns` shows. */
  facts(now: number): readonly ConnectionFacts[] { return this.sockets.map(socket => socket.facts(now)) }

  async close(): Promise<void> { await Promise.all(this.sockets.splice(0).map(socket => socket.close())) }
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

  constructor(private readonly host: Host, private readonly protocol: Protocol, private readonly socket: Socket) {
    const { address, port, family } = socket.address()
    this.address = { transport: 'UDP', family: family === 'IPv6' ? 'IPv6' : 'IPv4', address, port }
    this.id = descriptorOfUdp(socket)
    this.name = formatUdpAddress(this.address)
    this.usedAt = host.store.context.now
    socket.on('message', (datagram, client) => this.received(datagram, client))
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
    while (answer.takeYield()) session.resume()
    this.usedAt = session.usedAt
    if (answer.isTooLong) answer.replace(session.protocol.name === 'ascii' ? TOO_LONG : NOTHING)
    session.close()
    return answer
  }

  facts(now: number): ConnectionFacts {
    return {
      id: this.id,
      address: this.client === undefined ? this.name : formatUdpAddress(this.client),
      listenAddress: this.name,
      state: this.client === undefined ? 'conn_read' : 'conn_parse_cmd',
      idleSeconds: now - this.usedAt,
    }
  }

  close(): Promise<void> { return new Promise(resolve => { this.socket.close(() => resolve()) }) }
}

const NOTHING = Buffer.alloc(0)

function formatUdpAddress({ address, port }: { address: string, port: number }): string {
  return formatAddress(address, port).replace(/^tcp/, 'udp')
}

/** Opens one UDP socket; port 0 takes any free one. */
function bind(host: string, port: number): Promise<Socket> {
  const family = isIPv6(host) ? 6 : 4
  const socket = createSocket({
    type: `udp${family}`,
    ipv6Only: family === 6,
    // every address here is a number already: without this each answer would wait for a turn to learn that
    lookup: (address, _options, done) => done(null, address, family),
  })
  return new Promise((resolve, reject) => {
    socket.once('error', cause => {
      socket.close()
      reject(failure(cause, `UDP port ${port} of ${host}`))
    })
    socket.bind({ address: host, port, exclusive: true }, () => {
      socket.removeAllListeners('error')
      // a datagram that cannot be sent is lost, as datagrams are
      socket.on('error', () => {})
      resolve(socket)
    })
  })
}
