// Where a server listens: all its TCP addresses, or its Unix socket. What it knows of a listener goes along with every
// socket that is accepted there. Of several threads one opens the listeners, and the others follow.
//
// They open as soon as the options are known, while what serves is still being loaded: this file needs little itself. Who
// comes before `serve` is kept; among several threads, only so many that the others get their share of those who all come
// at once because the server was away. A Unix socket gets its name with `publish`, when all of this is over.
import { type AddressInfo, type Server as Listener, type Socket } from 'node:net'
import { assert } from '../errors.js'
import { type Options, type ProtocolName } from '../options/options.js'
import { type Address, type ServerAddress } from '../options/address.js'
import { formatAddress, openAddresses } from './addresses.js'
import { SharedDescriptor, sharesPorts, withHighNumbers } from './descriptor.js'
import { descriptorOf, NO_DESCRIPTOR } from './handle.js'
import { listenAlong, listenTcp } from './listen.js'
import { isTaken } from './ports.js'
import { type Balance } from './balance.js'
import { removeSocket, UnixSocket } from './unix.js'
import { verifyOf, type Verify } from '../secrets/verify.js'

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
  /** What the kernel calls the file of a Unix socket; nothing for TCP. */
  readonly file: string
}

/** Takes a socket that nobody reads yet; whether it stays, in use or waiting. */
type Accept = (socket: Socket, listening: Listening) => boolean

/** How many of those who come early one thread keeps without asking whether others could take them. */
const EARLY_MAX = 8

/** A listener of this thread; or what is known of one that only other threads have. */
interface Open {
  readonly listening: Listening
  readonly listener: Listener | undefined
  /** Where other threads listen by the same one. */
  readonly descriptor: SharedDescriptor | undefined
}

export class Listeners {
  private readonly all: Open[] = []
  /** Where each thread has a socket of its own beside the one that all share. */
  private readonly own: Listener[] = []
  /** The ends of those that are closed. */
  private readonly ends: Promise<unknown>[] = []
  private readonly isShared: boolean
  private readonly sharesPorts: boolean
  private unixSocket: UnixSocket | undefined
  private accept: Accept | undefined
  private readonly early: { socket: Socket, listening: Listening }[] = []
  /** A line each about an address that could not be opened and need not be. */
  readonly warnings: string[] = []
  isOpen = false
  /** Whether a listener had to stay, see SharedDescriptor. */
  hasLeftovers = false

  /**
   * @param balance where several threads accept whoever comes
   * @param crowded called when others should see to those who come, as this thread cannot serve yet
   */
  constructor(private readonly options: Options, readonly balance: Balance | undefined, private readonly crowded: () => void = () => {}) {
    this.isShared = options.threads > 1
    this.sharesPorts = sharesPorts(options)
  }

  /** Opens what the options ask for. Rejects with a MemslabError whose message is one clear line, and undoes the rest. */
  async open(): Promise<void> {
    try {
      if (this.isShared) await withHighNumbers(this.options.threads, () => this.openAll())
      else await this.openAll()
    } catch (cause) {
      this.drop()
      throw cause
    }
    this.isOpen = true
    this.balance?.join()
  }

  private async openAll(): Promise<void> {
    const { socketPath, port, listen, umask, backlog } = this.options
    if (socketPath !== undefined) {
      this.unixSocket = await UnixSocket.open(socketPath, umask, backlog)
      const { listener, file } = this.unixSocket
      const address = { family: 'Unix', path: socketPath } as const
      this.add(listener, { address, host: '', name: `unix:${socketPath}`, protocol: this.options.protocol, verify: undefined, file })
    } else if (port !== 0) {
      await openAddresses(listen, port, {
        open: (address, port) => this.openOn(address, port),
        undo: () => this.drop(),
        warn: line => this.warnings.push(line),
      })
    }
  }

  private async openOn({ host, protocol, tls }: Address, port: number): Promise<number> {
    const listener = await this.openTcp(host, port)
    const bound = boundAddress(listener)
    this.add(listener, {
      address: { transport: 'TCP', family: bound.family === 'IPv6' ? 'IPv6' : 'IPv4', address: bound.address, port: bound.port },
      host,
      name: formatAddress(bound.address, bound.port),
      protocol: protocol ?? this.options.protocol,
      verify: verifyOf(this.options, tls),
      file: '',
    })
    return bound.port
  }

  /** Opens a port of this server's own, though its threads may share it. */
  private async openTcp(host: string, port: number): Promise<Listener> {
    const { backlog } = this.options
    if (!this.sharesPorts) return await listenTcp({ host, port }, backlog)
    if (port !== 0 && await this.isFree(host, port)) return await listenTcp({ host, port }, backlog, true)
    // opened unshared first, it is known to be nobody else's
    const listener = await listenTcp({ host, port }, backlog)
    const bound = boundAddress(listener)
    await close(listener)
    return await listenTcp({ host, port: bound.port }, backlog, true)
  }

  /** Whether a port is known to be nobody else's. */
  private async isFree(host: string, port: number): Promise<boolean> {
    let probe: Listener
    try {
      probe = await listenTcp({ host, port: 0 }, this.options.backlog)
    } catch {
      return false
    }
    const isFree = isTaken(port, descriptorOf(probe)) === false
    await close(probe)
    return isFree
  }

  /** Listens where another thread does. */
  async follow(others: readonly Listening[]): Promise<void> {
    const { backlog } = this.options
    for (const { id, ...listening } of others) {
      // a Node that does not tell it: the thread that has opened this serves alone
      if (id === NO_DESCRIPTOR) this.know([{ id, ...listening }])
      else this.add(await listenAlong(id, backlog), listening)
    }
    await this.openOwn()
  }

  /** Where ports may be shared the kernel does it better than threads that all wake up for one connection. */
  async openOwn(): Promise<void> {
    if (!this.sharesPorts) return
    const { backlog } = this.options
    for (const { listening } of this.all.slice(this.own.length)) {
      const { address, host } = listening
      assert('port' in address, 'only ports are shared')
      const listener = await listenTcp({ host, port: address.port }, backlog, true)
      listener.on('connection', socket => this.arrived(socket, listening))
      this.own.push(listener)
    }
  }

  /** Takes note of where other threads listen. */
  know(others: readonly Listening[]): void {
    for (const listening of others) this.all.push({ listening, listener: undefined, descriptor: undefined })
  }

  private add(listener: Listener, what: Omit<Listening, 'id'>): void {
    const listening = { ...what, id: descriptorOf(listener) }
    listener.on('connection', socket => {
      if (this.arrived(socket, listening)) this.leaveSome()
    })
    const isShared = this.isShared && listening.id !== NO_DESCRIPTOR
    this.all.push({ listening, listener, descriptor: isShared ? new SharedDescriptor(listening.id) : undefined })
  }

  // Who comes

  /** Whether he stays. */
  private arrived(socket: Socket, listening: Listening): boolean {
    this.balance?.add(1)
    if (this.accept !== undefined) return this.pass(this.accept, socket, listening)
    this.early.push({ socket, listening })
    return true
  }

  private pass(accept: Accept, socket: Socket, listening: Listening): boolean {
    const stays = accept(socket, listening)
    if (!stays) this.balance?.add(-1)
    return stays
  }

  /** Where all threads accept by one descriptor. */
  private leaveSome(): void {
    if (this.accept === undefined) {
      if (this.early.length <= EARLY_MAX) return
      this.crowded()
    }
    this.balance?.leaveSome()
  }

  /** From now on whoever comes is taken by this, first of all those who have come. */
  serve(accept: Accept): void {
    this.accept = accept
    for (const { socket, listening } of this.early.splice(0)) this.pass(accept, socket, listening)
  }

  /** Whoever is led here by the name of a Unix socket gets an answer. */
  async publish(): Promise<void> { await this.unixSocket?.publish() }

  // What is open

  get listening(): readonly Listening[] { return this.all.map(({ listening }) => listening) }

  /** The first TCP port, 0 if there is none. */
  get port(): number {
    for (const { listening: { address } } of this.all) if (address.family !== 'Unix') return address.port
    return 0
  }

  /** Takes nobody in any more, from this moment on. */
  drop(): void {
    this.isOpen = false
    this.accept = undefined
    for (const listener of this.own.splice(0)) this.end(listener)
    for (const { listener, descriptor, listening: { address, file } } of this.all.splice(0)) {
      if (listener !== undefined && descriptor?.mayBeClosed === false) {
        this.hasLeftovers = true
        listener.unref()
      } else if (listener !== undefined) this.end(listener)
      if (address.family === 'Unix') removeSocket(address.path, file)
    }
    this.unixSocket?.discard()
    this.unixSocket = undefined
    this.balance?.add(-this.early.length)
    for (const { socket } of this.early.splice(0)) socket.destroy()
  }

  private end(listener: Listener): void { this.ends.push(close(listener)) }

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

function close(listener: Listener): Promise<unknown> { return new Promise(resolve => listener.close(resolve)) }
