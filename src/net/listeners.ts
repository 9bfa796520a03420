// The listeners of a server: all its TCP addresses, or its Unix socket. Each socket is passed on with the properties of the
// listener that accepted it. If there are several threads, one opens the listeners, and the others follow.
//
// Listeners open as soon as the options are known, while the code that serves is still being loaded; so this file imports little.
// Sockets that are accepted before `serve` are kept. If a server restarts, many clients connect at once, so with several threads
// the first keeps only so many that the others get their share. A Unix socket gets its name with `publish`, after all of this.
import { Socket, type AddressInfo, type Server as Listener } from 'node:net'
import { assert, rethrowInvariant } from '../errors.js'
import { type Options, type ProtocolName } from '../options/options.js'
import { type Address, type ServerAddress } from '../options/address.js'
import { httpPlace } from '../options/http.js'
import { formatAddress, openAddresses } from './addresses.js'
import { openHigh, SharedDescriptor, sharesPorts, withHighNumbers, type HighNumbers } from './descriptor.js'
import { hasQuickWay, linkInPlaceOf, linkOver, type DirectLink } from './direct.js'
import { acceptHandles, descriptorOf, NO_DESCRIPTOR } from './handle.js'
import { listenAlong, listenTcp } from './listen.js'
import { isTaken } from './ports.js'
import { type Balance } from './balance.js'
import { removeSocket, UnixSocket } from './unix.js'
import { verifyOf, type Verify } from '../secrets/verify.js'

/** What the clients of a listener speak. */
export type ListenerProtocol = ProtocolName | 'http'

/** The properties of a listener. They can be posted to another thread. */
export interface Listening {
  /** The file descriptor. */
  readonly id: number
  readonly address: ServerAddress
  /** The host as the options name it; empty for a Unix socket. */
  readonly host: string
  /** The address as `stats conns` shows it. */
  readonly name: string
  readonly protocol: ListenerProtocol
  /** The check of client certificates; undefined without TLS. */
  readonly verify: Verify | undefined
  /** The kernel's identity of the file of a Unix socket; empty for TCP. */
  readonly file: string
}

/** What a listener has accepted: a paused socket or, except for TLS, a link in its place, where there is a quick way. */
export type Accepted = Socket | DirectLink

/** Takes a socket. Returns true if the socket is served, or waits to be. */
type Accept = (socket: Accepted, listening: Listening) => boolean

/** The most sockets that one thread keeps before `serve` without giving the others time to accept some. */
const EARLY_MAX = 8

/** A listener of this thread; or the properties of one that only other threads have. */
interface Open {
  readonly listening: Listening
  readonly listener: Listener | undefined
  /** Its descriptor if other threads may listen on it too. */
  readonly descriptor: SharedDescriptor | undefined
}

export class Listeners {
  private readonly all: Open[] = []
  /** The listeners that this thread has for itself, beside those that all threads share. */
  private readonly own: Listener[] = []
  /** For each listener that is being closed, a promise that resolves when it is. */
  private readonly ends: Promise<unknown>[] = []
  private readonly isShared: boolean
  private readonly sharesPorts: boolean
  private unixSocket: UnixSocket | undefined
  private accept: Accept | undefined
  private readonly early: { socket: Accepted, listening: Listening }[] = []
  /** One line for each address that could not be opened and was skipped. */
  readonly warnings: string[] = []
  isOpen = false
  /** True if a listener had to stay open, see SharedDescriptor. */
  hasLeftovers = false

  /**
   * @param balance given if several threads accept clients
   * @param crowded called when other threads should accept clients too: this one cannot serve yet and keeps many already, or the
   * others have waited for a second client
   */
  constructor(private readonly options: Options, readonly balance: Balance | undefined,
    private readonly crowded: () => void = () => {}) {
    this.isShared = options.threads > 1
    this.sharesPorts = sharesPorts(options)
  }

  /** Opens all listeners of the options. If one fails, closes the others, and rejects with a MemslabError of one line. */
  async open(): Promise<void> {
    try {
      if (this.isShared) await withHighNumbers(this.options.threads, high => this.openAll(high))
      else await this.openAll()
    } catch (cause) {
      this.drop()
      throw cause
    }
    this.isOpen = true
    this.balance?.join()
  }

  /** @param high given if other threads will listen on the same descriptors */
  private async openAll(high?: HighNumbers): Promise<void> {
    const { socketPath, port, listen, umask, backlog } = this.options
    if (socketPath !== undefined) {
      this.unixSocket = await openHigh({
        open: () => UnixSocket.open(socketPath, umask, backlog),
        numberOf: ({ listener }) => descriptorOf(listener),
        close: socket => {
          socket.discard()
          return close(socket.listener)
        },
      }, high)
      const { listener, file } = this.unixSocket
      const address = { family: 'Unix', path: socketPath } as const
      const { protocol } = this.options
      this.add(listener, { address, host: '', name: `unix:${socketPath}`, protocol, verify: undefined, file })
    } else if (port !== 0) {
      await openAddresses(listen, port, {
        open: (address, port) => this.openOn(address, port, high),
        undo: () => this.drop(),
        warn: line => this.warnings.push(line),
      })
    }
    await this.openHttp(high)
  }

  /** Opens the listeners of HTTP, if it has a port of its own. */
  private async openHttp(high: HighNumbers | undefined): Promise<void> {
    const { own } = httpPlace(this.options)
    if (own === undefined) return
    const count = this.all.length
    await openAddresses(own.listen, own.port === 0 ? -1 : own.port, {
      open: (address, port) => this.openOn(address, port, high, 'http'),
      undo: () => { for (const { listener } of this.all.splice(count)) if (listener !== undefined) this.end(listener) },
      warn: line => this.warnings.push(line),
    })
  }

  private async openOn({ host, protocol, tls }: Address, port: number, high: HighNumbers | undefined,
    spoken: ListenerProtocol = protocol ?? this.options.protocol): Promise<number> {
    const listener = await this.openTcp(host, port, high)
    const bound = boundAddress(listener)
    this.add(listener, {
      address: { transport: 'TCP', family: bound.family === 'IPv6' ? 'IPv6' : 'IPv4', address: bound.address, port: bound.port },
      host,
      name: formatAddress(bound.address, bound.port),
      protocol: spoken,
      verify: verifyOf(this.options, tls),
      file: '',
    })
    return bound.port
  }

  /** Opens a port that no other server has, though the threads of this one may share it. */
  private async openTcp(host: string, port: number, high: HighNumbers | undefined): Promise<Listener> {
    const { backlog } = this.options
    const open = (port: number, isShared: boolean): Promise<Listener> => openHigh({
      open: () => listenTcp({ host, port }, backlog, isShared),
      numberOf: listener => descriptorOf(listener),
      close,
    }, high)
    if (!this.sharesPorts) return await open(port, false)
    if (port !== 0 && await this.isFree(host, port)) return await open(port, true)
    // opening it unshared first fails if another server has it
    const listener = await listenTcp({ host, port }, backlog)
    const bound = boundAddress(listener)
    await close(listener)
    return await open(bound.port, true)
  }

  /** True if a port is known to be free. */
  private async isFree(host: string, port: number): Promise<boolean> {
    let probe: Listener
    try {
      probe = await listenTcp({ host, port: 0 }, this.options.backlog)
    } catch (error) {
      rethrowInvariant(error)
      return false
    }
    const isFree = isTaken(port, descriptorOf(probe)) === false
    await close(probe)
    return isFree
  }

  /** Listens on the descriptors of another thread. */
  async follow(others: readonly Listening[]): Promise<void> {
    const { backlog } = this.options
    for (const { id, ...listening } of others) {
      // if Node does not show the descriptor, only the thread that opened the listener serves it
      if (id === NO_DESCRIPTOR) this.know([{ id, ...listening }])
      else this.add(await listenAlong(id, backlog), listening)
    }
    await this.openOwn()
  }

  /** Opens this thread's own listeners, if ports can be shared: the kernel distributes clients without waking all threads. */
  async openOwn(): Promise<void> {
    if (!this.sharesPorts) return
    const { backlog } = this.options
    for (const { listening } of this.all.slice(this.own.length)) {
      const { address, host } = listening
      assert('port' in address, 'a Unix socket has no port to share')
      const listener = await listenTcp({ host, port: address.port }, backlog, true)
      this.takeFrom(listener, listening, socket => this.arrived(socket, listening))
      this.own.push(listener)
    }
  }

  /** Stores the properties of listeners that other threads have. */
  know(others: readonly Listening[]): void {
    for (const listening of others) this.all.push({ listening, listener: undefined, descriptor: undefined })
  }

  private add(listener: Listener, properties: Omit<Listening, 'id'>): void {
    const listening = { ...properties, id: descriptorOf(listener) }
    this.takeFrom(listener, listening, socket => {
      if (this.arrived(socket, listening)) this.leaveSome()
    })
    const isShared = this.isShared && listening.id !== NO_DESCRIPTOR
    this.all.push({ listening, listener, descriptor: isShared ? new SharedDescriptor(listening.id) : undefined })
  }

  // Accepted sockets

  private takeFrom(listener: Listener, { verify }: Omit<Listening, 'id'>, take: (socket: Accepted) => void): void {
    listener.on('connection', take)
    // TLS needs a stream
    if (verify === undefined) acceptHandles(listener, hasQuickWay, handle => take(linkOver(handle)!))
  }

  /** Serves or keeps an accepted socket. Returns false if it was refused. */
  private arrived(socket: Accepted, listening: Listening): boolean {
    this.balance?.add(1)
    if (this.balance?.takeNeed() === true) this.crowded()
    if (this.accept !== undefined) return this.pass(this.accept, socket, listening)
    this.early.push({ socket, listening })
    return true
  }

  private pass(accept: Accept, socket: Accepted, listening: Listening): boolean {
    // a socket may have come before the quick way was proved
    const link = socket instanceof Socket && listening.verify === undefined ? linkInPlaceOf(socket) : undefined
    const stays = accept(link ?? socket, listening)
    if (!stays) this.balance?.add(-1)
    return stays
  }

  /** Called for a datagram: what sends datagrams may be any number of clients. */
  datagramArrived(): void { if (this.balance?.takeNeed(Infinity) === true) this.crowded() }

  /** Called after a socket of a shared listener: gives other threads the time to accept the next, if this one is ahead. */
  private leaveSome(): void {
    if (this.accept === undefined) {
      if (this.early.length <= EARLY_MAX) return
      this.crowded()
    }
    this.balance?.leaveSome()
  }

  /** Passes the sockets that are kept, and all later ones, to `accept`. */
  serve(accept: Accept): void {
    this.accept = accept
    for (const { socket, listening } of this.early.splice(0)) this.pass(accept, socket, listening)
  }

  /** Gives a Unix socket its name, so that clients can find it. Called when the server can answer them. */
  async publish(): Promise<void> { await this.unixSocket?.publish() }

  /** Lets the process end while they are open. */
  unref(): void { for (const listener of [...this.all.map(({ listener }) => listener), ...this.own]) listener?.unref() }

  // Addresses

  /** The place of a listener in `listening`, the same in all threads. */
  placeOf(origin: unknown): number { return this.all.findIndex(({ listening }) => listening === origin) }

  get listening(): readonly Listening[] { return this.all.map(({ listening }) => listening) }

  /** The first TCP port, 0 if there is none. */
  get port(): number { return this.portOf(({ protocol }) => protocol !== 'http') }

  /** The first port that speaks HTTP alone, 0 if there is none. */
  get httpPort(): number { return this.portOf(({ protocol }) => protocol === 'http') }

  private portOf(isWanted: (listening: Listening) => boolean): number {
    for (const { listening } of this.all) {
      if (listening.address.family !== 'Unix' && isWanted(listening)) return listening.address.port
    }
    return 0
  }

  /** Accepts no more clients, from this moment on. */
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

  /** Accepts no more clients; resolves when the listeners are closed, and the streams that they accepted. */
  async close(): Promise<void> {
    this.drop()
    await Promise.all(this.ends.splice(0))
  }
}

function boundAddress(listener: Listener): AddressInfo {
  const bound = listener.address()
  assert(bound !== null && typeof bound !== 'string', 'a TCP listener has no port')
  return bound
}

function close(listener: Listener): Promise<unknown> { return new Promise(resolve => listener.close(resolve)) }
