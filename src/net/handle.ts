// The handles under Node's sockets, which it does not document: what this program uses of them, and how it gets at them. Only
// this file and those of the quick way use them, see direct.ts.
import { type Socket as DatagramSocket } from 'node:dgram'
import { type Server as Listener, type Socket } from 'node:net'

/** The members used of libuv's stream, as Node wraps it. */
export interface Handle {
  readonly fd?: number
  /** The number of bytes under way. */
  readonly writeQueueSize?: number
  /** The number of bytes that were read so far. */
  readonly bytesRead: number
  /** Called after each read. If it returns a buffer, this is the buffer from now on. */
  onread: (bytes?: ArrayBuffer) => Uint8Array | undefined
  /** Sets the buffer that reads go to. Called once: Node keeps some 50 bytes of each call until the handle is closed. */
  useUserBuffer(buffer: Uint8Array): void
  readStart(): number
  readStop(): number
  writeBuffer(request: WriteRequest | null, bytes: Uint8Array): unknown
  writev(request: WriteRequest | null, parts: readonly Uint8Array[], areBuffers: true): unknown
  /** Closes the sending side when all writes are complete. */
  shutdown(request: ShutdownRequest): unknown
  /** Calls `closed` in a later phase of the event loop. */
  close(closed: () => void): void
  unref?(): void
  // only TCP has these
  /** As `close`, with a reset for the peer. */
  reset?(closed: () => void): number
  getpeername?(facts: Partial<PeerName>): number
  setNoDelay?(isOn: boolean): number
  setKeepAlive?(isOn: boolean, initialDelay: number): number
}

export interface PeerName { address: string; port: number }

/**
 * Node's WriteWrap. If the kernel does not take all bytes at once, libuv takes a WriteWrap that was passed in, and it gets an
 * async id. Then it belongs to libuv until it completes. A WriteWrap that libuv has not taken can be passed again.
 */
export interface WriteRequest {
  oncomplete: ((status: number) => void) | null
  /** The bytes that are written. As in Node's own streams, this keeps them in memory, as libuv has only their address. */
  buffer: Uint8Array | readonly Uint8Array[] | null
  getAsyncId(): number
}

/** Node's ShutdownWrap. */
export interface ShutdownRequest { oncomplete: (status: number) => void }

/** A pipe between processes, which passes handles beside its bytes. */
export interface IpcPipe extends Handle {
  /** Takes a descriptor. */
  open(descriptor: number): number
  writeUtf8String(request: WriteRequest | null, text: string, handle: Handle): unknown
  /** The handle that the present read has brought. */
  pendingHandle?: unknown
}

/** Node's number for the kind of a pipe that passes handles. */
const IPC = 2

/** Makes a pipe that passes handles. @param pipe the handle of a Unix socket */
export function makeIpcPipe(pipe: Handle): IpcPipe {
  const Pipe = pipe.constructor as new (kind: number) => IpcPipe
  return new Pipe(IPC)
}

const METHODS = ['useUserBuffer', 'readStart', 'readStop', 'writeBuffer', 'writev', 'shutdown', 'close'] as const

/** A listener's handle. */
interface ListeningHandle extends Pick<Handle, 'setNoDelay' | 'setKeepAlive'> {
  onconnection?: (this: unknown, status: unknown, handle: unknown, ...more: unknown[]) => void
}

interface Inside<H> { _handle?: H | null }

export function isHandle(value: unknown): value is Handle {
  if (typeof value !== 'object' || value === null || typeof Reflect.get(value, 'bytesRead') !== 'number') return false
  return METHODS.every(method => typeof Reflect.get(value, method) === 'function')
}

/** The handle of a socket; undefined if it has none, or one without the methods that this program uses. */
export function handleOf(socket: Socket): Handle | undefined {
  const { _handle } = socket as unknown as Inside<Handle>
  return isHandle(_handle) ? _handle : undefined
}

/** Takes the handle of a paused socket, which is over then, though its client is not. */
export function takeHandle(socket: Socket): Handle | undefined {
  const handle = handleOf(socket)
  if (handle === undefined) return undefined
  Reflect.set(socket, '_handle', null)
  // the listener waits for it no more
  socket.destroy()
  return handle
}

/**
 * Has a listener pass the handles of the sockets that it accepts to `accept`, while `isWanted` returns true, and make no sockets
 * of them. Otherwise, and if its Node does not accept sockets as it is known, there are 'connection' events as usual.
 */
export function acceptHandles(listener: Listener, isWanted: () => boolean, accept: (handle: Handle) => void): void {
  const { _handle } = listener as unknown as Inside<ListeningHandle>
  const usual = _handle?.onconnection
  if (typeof usual !== 'function') return
  /** The class of the handles that it accepts, once one of them had all methods. */
  let Known: Function | undefined
  const isKnown = (handle: unknown): handle is Handle => {
    if (Known !== undefined && handle instanceof Known) return true
    if (!isHandle(handle)) return false
    Known = handle.constructor
    return true
  }
  _handle!.onconnection = function (status, handle, ...more) {
    if (status !== 0 || !isWanted() || !isKnown(handle)) return Reflect.apply(usual, this, [status, handle, ...more])
    if (!areInherited) setOptions(handle)
    accept(handle)
  }
  if (areInherited) setOptions(_handle!)
}

/** True if an accepted socket has the options of the socket that listens. */
const areInherited = process.platform === 'linux'

/** Sets what the options `noDelay` and `keepAlive` of a listener set. Unix sockets have neither. */
function setOptions(handle: Pick<Handle, 'setNoDelay' | 'setKeepAlive'>): void {
  handle.setNoDelay?.(true)
  handle.setKeepAlive?.(true, 0)
}

// Descriptors

/** The descriptor of a stream that has none, or whose descriptor Node does not show. */
export const NO_DESCRIPTOR = 0

/** The file descriptor of a stream or a listener; NO_DESCRIPTOR if it has none. */
export function descriptorOf(stream: unknown): number {
  try {
    const fd = (stream as Inside<Handle>)._handle?.fd
    return typeof fd === 'number' && fd > 0 ? fd : NO_DESCRIPTOR
  } catch {
    return NO_DESCRIPTOR
  }
}

/** The file descriptor of a UDP socket. Its handle is found behind a symbol, as reading `_handle` would print a warning. */
export function descriptorOfUdp(socket: DatagramSocket): number {
  for (const symbol of Object.getOwnPropertySymbols(socket)) {
    const state: unknown = Reflect.get(socket, symbol)
    if (typeof state === 'object' && state !== null && 'handle' in state) return descriptorOf({ _handle: state.handle })
  }
  return NO_DESCRIPTOR
}
