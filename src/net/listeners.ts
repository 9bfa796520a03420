// Where a server listens: all its TCP addresses, or its Unix socket. What it knows of a listener goes along with every
// socket that is accepted there.
import { type Server as Listener, type Socket } from 'node:net'
import { assert, MemslabError } from '../errors.js'
import { LOOPBACK, type Options, type ProtocolName } from '../options.js'
import { parseAddress, type Address } from '../options/address.js'
import { formatAddress } from './connection.js'
import { descriptorOf } from './handle.js'
import { isAbsent, listenTcp, listenUnix, resolveName } from './listen.js'
import { verifyOf, type Verify } from './tls.js'

/** Where a server listens. */
export type ServerAddress =
  | { readonly transport: 'TCP' | 'UDP'; readonly family: 'IPv4' | 'IPv6'; readonly address: string; readonly port: number }
  | { readonly family: 'Unix'; readonly path: string }

/** What is spoken where. */
export interface Listening {
  /** The file descriptor. */
  readonly id: number
  readonly address: ServerAddress
  /** The address as `stats conns` shows it. */
  readonly name: string
  readonly protocol: ProtocolName
  /** How certificates of clients are treated; undefined: there is no TLS. */
  readonly verify: Verify | undefined
}

/** How often a free port is tried that must be free on several addresses. */
const PORT_TRIES = 10

export class Listeners {
  private readonly all: { listener: Listener; listening: Listening }[] = []

  /**
   * @param accept takes a socket that nobody reads yet
   * @param opened called for each listener
   */
  constructor(private readonly options: Options, private readonly accept: (socket: Socket, listening: Listening) => void,
    private readonly opened: (listening: Listening) => void) {}

  /** Opens what the options ask for. Rejects with a MemslabError whose message is one clear line; then `close` undoes the rest. */
  async open(): Promise<void> {
    const { socketPath, port, listen, umask, backlog, protocol } = this.options
    if (socketPath !== undefined) {
      const listener = await listenUnix(socketPath, umask, backlog)
      return this.add(listener, { family: 'Unix', path: socketPath }, protocol, undefined)
    }
    if (port === 0) return
    await openAddresses(listen, port, (address, port) => this.openOn(address, port), () => void this.close())
  }

  private async openOn({ host, protocol, tls }: Address, port: number): Promise<number> {
    const listener = await listenTcp({ host, port }, this.options.backlog)
    const bound = listener.address()
    assert(bound !== null && typeof bound !== 'string', 'a TCP listener has a port')
    const family = bound.family === 'IPv6' ? 'IPv6' : 'IPv4'
    const address: ServerAddress = { transport: 'TCP', family, address: bound.address, port: bound.port }
    this.add(listener, address, protocol ?? this.options.protocol, verifyOf(this.options, tls))
    return bound.port
  }

  private add(listener: Listener, address: ServerAddress, protocol: ProtocolName, verify: Verify | undefined): void {
    const name = address.family === 'Unix' ? `unix:${address.path}` : formatAddress(address.address, address.port)
    const listening = { id: descriptorOf(listener), address, name, protocol, verify }
    listener.on('connection', socket => this.accept(socket, listening))
    this.all.push({ listener, listening })
    this.opened(listening)
  }

  /** What is open. */
  get listening(): readonly Listening[] { return this.all.map(({ listening }) => listening) }

  /** The first TCP port, 0 if there is none. */
  get port(): number {
    for (const { listening: { address } } of this.all) if (address.family !== 'Unix') return address.port
    return 0
  }

  /** Takes nobody in any more; resolves when the connections that came from here are gone too. */
  async close(): Promise<void> {
    await Promise.all(this.all.splice(0).map(({ listener }) => new Promise(resolve => listener.close(resolve))))
  }
}

/** Opens one address, on any port if that is 0; answers the port. */
type OpenOn = (address: Address, port: number) => Promise<number>

/**
 * Opens the addresses of `-l`, all on the same port but those that name another.
 * @param port -1: any that is free on all of them
 * @param undo closes what is open, as another port is tried
 */
export async function openAddresses(listen: readonly string[], port: number, openOn: OpenOn, undo: () => void): Promise<void> {
  const addresses = await resolveAddresses(listen)
  for (let tries = 1; ; tries++) {
    try {
      return await openEach(addresses, Math.max(port, 0), listen.length === 0, openOn)
    } catch (cause) {
      // the first address gave a free port that is in use on another one
      const isTaken = cause instanceof MemslabError && cause.code === 'EADDRINUSE'
      if (port !== -1 || !isTaken || tries === PORT_TRIES) throw cause
      undo()
    }
  }
}

async function openEach(addresses: readonly Address[], port: number, isDefault: boolean, openOn: OpenOn): Promise<void> {
  let chosen = port
  for (const [index, address] of addresses.entries()) {
    try {
      const opened = await openOn(address, address.port ?? chosen)
      if (chosen === 0) chosen = opened
    } catch (cause) {
      // a machine may have no IPv6; one of the two loopback addresses is enough
      if (!isDefault || index === 0 || !isAbsent(cause)) throw cause
    }
  }
}

/** The addresses of `-l`, or loopback: names and '*' as all the addresses that they stand for. */
export async function resolveAddresses(listen: readonly string[]): Promise<Address[]> {
  const addresses = []
  for (const text of listen.length === 0 ? LOOPBACK : listen) {
    const address = parseAddress(text)
    if (typeof address === 'string') throw new MemslabError('EUSAGE', address, [address])
    const hosts = address.host === '*' ? ['0.0.0.0', '::'] : await resolveName(address.host)
    for (const host of hosts) addresses.push({ ...address, host })
  }
  return addresses
}
