// Where a server listens: all its TCP addresses, or its Unix socket. What it knows of a listener goes along with every
// socket that is accepted there. Of several threads one opens the listeners, and the others follow.
import { type AddressInfo, type Server as Listener, type Socket } from 'node:net'
import { assert, MemslabError } from '../errors.js'
import { type Options, type ProtocolName } from '../options.js'
import { LOOPBACK } from '../options/values.js'
import { parseAddress, type Address } from '../options/address.js'
import { verifyOf, type Verify } from './certificates.js'
import { formatAddress } from './connection.js'
import { isSharedByDescriptor, SharedDescriptor } from './descriptor.js'
import { descriptorOf } from './handle.js'
import { isAbsent, listenAlong, listenTcp, listenUnix, resolveName } from './listen.js'

/** Where a server listens. */
export type ServerAddress =
  | { readonly transport: 'TCP' | 'UDP'; readonly family: 'IPv4' | 'IPv6'; readonly address: string; readonly port: number }
  | { readonly family: 'Unix'; readonly path: string }

/** What is spoken where. It may be posted to a thread. */
export interface Listening {
  /** The file descriptor. */
  readonly id: number
  readonly address: ServerAddress
  /** The host as it was asked for; nothing for a Unix socket. */
  readonly host: string
  /** The address as `stats conns` shows it. */
  readonly name: string
  readonly protocol: ProtocolName
  /** How certificates of clients are treated; undefined: there is no TLS. */
  readonly verify: Verify | undefined
}

/** How often a free port is tried that must be free on several addresses. */
const PORT_TRIES = 10

/** A listener of this thread; or what is known of one that only other threads have. */
interface Open {
  readonly listening: Listening
  readonly listener: Listener | undefined
  /** Where other threads listen by the same one. */
  readonly descriptor: SharedDescriptor | undefined
}

export class Listeners {
  private readonly all: Open[] = []
  /** The ends of those that are closed. */
  private readonly ends: Promise<unknown>[] = []
  private readonly isByDescriptor: boolean
  /** Whether a listener had to stay, see SharedDescriptor. */
  hasLeftovers = false

  /**
   * @param accept takes a socket that nobody reads yet
   * @param opened called for each listener that is opened
   */
  constructor(private readonly options: Options, private readonly accept: (socket: Socket, listening: Listening) => void,
    private readonly opened: (listening: Listening) => void) {
    this.isByDescriptor = isSharedByDescriptor(options)
  }

  /** Opens what the options ask for. Rejects with a MemslabError whose message is one clear line; then `close` undoes the rest. */
  async open(): Promise<void> {
    const { socketPath, port, listen, umask, backlog, protocol } = this.options
    if (socketPath !== undefined) {
      const listener = await listenUnix(socketPath, umask, backlog)
      const address = { family: 'Unix', path: socketPath } as const
      return this.opened(this.add(listener, { address, host: '', name: `unix:${socketPath}`, protocol, verify: undefined }))
    }
    if (port === 0) return
    await openAddresses(listen, port, (address, port) => this.openOn(address, port), () => void this.close())
  }

  private async openOn({ host, protocol, tls }: Address, port: number): Promise<number> {
    const listener = await this.openTcp(host, port)
    const bound = boundAddress(listener)
    const family = bound.family === 'IPv6' ? 'IPv6' : 'IPv4'
    const listening = {
      address: { transport: 'TCP', family, address: bound.address, port: bound.port },
      host,
      name: formatAddress(bound.address, bound.port),
      protocol: protocol ?? this.options.protocol,
      verify: verifyOf(this.options, tls),
    } as const
    this.opened(this.add(listener, listening))
    return bound.port
  }

  /** A port that is to be shared is opened unshared first, since otherwise it might be shared with another server. */
  private async openTcp(host: string, port: number): Promise<Listener> {
    const { backlog, threads } = this.options
    if (threads === 1 || this.isByDescriptor) return await listenTcp({ host, port }, backlog)
    const listener = await listenTcp({ host, port }, backlog)
    const bound = boundAddress(listener)
    await new Promise(resolve => listener.close(resolve))
    return await listenTcp({ host, port: bound.port }, backlog, true)
  }

  /** Listens where another thread does. */
  async follow(others: readonly Listening[]): Promise<void> {
    const { backlog } = this.options
    for (const { id, ...listening } of others) {
      const { address, host } = listening
      const isByPort = address.family !== 'Unix' && !this.isByDescriptor
      const listener = isByPort ? await listenTcp({ host, port: address.port }, backlog, true) : await listenAlong(id, backlog)
      this.add(listener, listening)
    }
  }

  /** Takes note of where other threads listen. */
  know(others: readonly Listening[]): void {
    for (const listening of others) this.all.push({ listening, listener: undefined, descriptor: undefined })
  }

  private add(listener: Listener, what: Omit<Listening, 'id'>): Listening {
    const listening = { ...what, id: descriptorOf(listener) }
    listener.on('connection', socket => this.accept(socket, listening))
    this.all.push({ listening, listener, descriptor: this.isByDescriptor ? new SharedDescriptor(listening.id) : undefined })
    return listening
  }

  /** What is open. */
  get listening(): readonly Listening[] { return this.all.map(({ listening }) => listening) }

  /** The first TCP port, 0 if there is none. */
  get port(): number {
    for (const { listening: { address } } of this.all) if (address.family !== 'Unix') return address.port
    return 0
  }

  /** Takes nobody in any more, from this moment on. */
  drop(): void {
    for (const { listener, descriptor } of this.all.splice(0)) {
      if (listener === undefined) continue
      if (descriptor?.mayBeClosed === false) {
        this.hasLeftovers = true
        listener.unref()
      } else {
        this.ends.push(new Promise(resolve => listener.close(resolve)))
      }
    }
  }

  /** The same; resolves when the connections that came from here are gone too. */
  async close(): Promise<void> {
    this.drop()
    await Promise.all(this.ends.splice(0))
  }
}

function boundAddress(listener: Listener): AddressInfo {
  const bound = listener.address()
  assert(bound !== null && typeof bound !== 'string', 'a TCP listener has a port')
  return bound
}

/** Opens one address, on any port if that is 0; answers the port. */
type OpenOn = (address: Address, port: number) => Promise<number>

/**
 * Opens the addresses of `-l`, all on the same port but those that name another.
 * @param port for those that name none; -1: one that is free on all of them
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
