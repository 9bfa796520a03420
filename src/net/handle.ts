// The quick way: reads and writes sockets without Node's stream machinery, which costs as much as a small request itself. A
// `net.Socket` can read into a buffer of its owner's (`onread`), but only if it was constructed with that option, and a listener
// constructs its sockets without it. So this file sets on an accepted, paused socket the properties that the option would have
// set. Writes go to the handle.
//
// This uses `_handle` and the symbols of `onread`, which Node does not document. No other file uses them, and this one does so
// only after proof.ts has seen that all of it works in this process. Until then, and where it does not work, the caller uses
// the socket as a stream. If something goes wrong nevertheless, one connection ends, and later ones use streams.
// Node 20, 22, 24 and 26 support the quick way, with two kinds of writing, see WriteWay.
import { type Socket as DatagramSocket } from 'node:dgram'
import { type Socket } from 'node:net'
import { rethrowInvariant } from '../errors.js'
import { type Writer } from './writer.js'

export interface Reader {
  /** The buffer for the next read; undefined for the same as before. Called after each read. */
  target(): Uint8Array | undefined
  /** Called when `count` bytes have been read into the buffer. */
  read(count: number): void
}

/**
 * The way to call a handle's write methods. 'handed' (Node 20, 22, 24): the caller passes a WriteWrap, the method returns 0 or an
 * error number, and the WriteWrap shows whether bytes are under way. 'answered' (Node 26): the caller passes null, and the method
 * returns 0, an error number or, if bytes are under way, a WriteWrap that it has made.
 */
export type WriteWay = 'handed' | 'answered'

/** The members used of libuv's stream, as Node wraps it. */
export interface Handle {
  readonly fd?: number
  /** The number of bytes under way. */
  readonly writeQueueSize?: number
  /** Sets the buffer that reads go to. */
  useUserBuffer(buffer: Uint8Array): void
  writeBuffer(request: WriteRequest | null, bytes: Uint8Array): unknown
  writev(request: WriteRequest | null, parts: readonly Uint8Array[], areBuffers: true): unknown
}

/**
 * Node's WriteWrap. If the kernel does not take all bytes at once, libuv takes a WriteWrap that was passed in, and it gets an
 * async id. Then it belongs to libuv until it completes. A WriteWrap that libuv has not taken can be passed again.
 */
interface WriteRequest {
  oncomplete: ((status: number) => void) | null
  /** The bytes that are written. As in Node's own streams, this keeps them in memory, as libuv has only their address. */
  buffer: Uint8Array | readonly Uint8Array[] | null
  getAsyncId(): number
}
const NOT_TAKEN = -1

type WriteRequestClass = new () => WriteRequest
let requestClass: WriteRequestClass | undefined

interface Inside { _handle?: Handle | null }

/** The way in which this thread writes to sockets; undefined: through streams. */
let proven: WriteWay | undefined

/** Sets the way in which this thread writes to sockets. Any thread may have proved it, as all have the same Node. */
export function useQuickWay(way: WriteWay | undefined): void { proven = way }

/**
 * Makes a paused socket read into the buffers of `reader`, and returns a writer for it. Returns undefined, and leaves the socket
 * as it was, if there is no quick way.
 * @param onWritten called when no write is under way any more, be it that the writes are complete or that they failed
 * @param onBroken called at most once, with a problem, if the socket does not behave as it was proved: then it is destroyed, and
 * later sockets are used as streams
 * @param way the way to use; given by the proof
 */
export function takeQuickly(socket: Socket, reader: Reader, onWritten: () => void, onBroken: (problem: string) => void,
  way = proven): Writer | undefined {
  if (way === undefined) return undefined
  try {
    const handle = handleOf(socket)
    if (handle === undefined || !readInto(socket, handle, reader)) return undefined
    return new HandleWriter(socket, handle, way, onWritten, onBroken)
  } catch (error) {
    rethrowInvariant(error)
    return undefined
  }
}

/** The handle of a socket; undefined if it has none, or one without the methods that this file uses. */
export function handleOf(socket: Socket): Handle | undefined {
  const handle = (socket as unknown as Inside)._handle
  if (handle === undefined || handle === null) return undefined
  const isKnown = [handle.writeBuffer, handle.writev, handle.useUserBuffer].every(method => typeof method === 'function')
  return isKnown ? handle : undefined
}

// Reading

/** The symbols under which a socket keeps the parts of its `onread`. */
interface OnRead {
  /** The buffer that it reads into. */
  readonly buffer: symbol
  /** The function that it calls after each read for the next buffer. If that returns undefined, the buffer stays the same. */
  readonly nextBuffer: symbol
  /** The function that it calls after each read with the number of bytes. If that returns false, the socket stops reading. */
  readonly callback: symbol
}
let onRead: OnRead | undefined

function readInto(socket: Socket, handle: Handle, reader: Reader): boolean {
  onRead ??= onReadOf(socket)
  if (onRead === undefined) return false
  const buffer = reader.target()
  if (buffer === undefined) return false
  // first, as only this call may throw
  handle.useUserBuffer(buffer)
  const inside = socket as unknown as Record<symbol, unknown>
  inside[onRead.nextBuffer] = () => reader.target()
  inside[onRead.callback] = (count: number) => {
    reader.read(count)
    return true
  }
  inside[onRead.buffer] = buffer
  return true
}

function onReadOf(socket: Socket): OnRead | undefined {
  const symbols = Object.getOwnPropertySymbols(socket)
  // in a socket without the option, their values are null
  const find = (name: string): symbol | undefined =>
    symbols.find(symbol => symbol.description === name && Reflect.get(socket, symbol) === null)
  const [buffer, nextBuffer, callback] = [find('kBuffer'), find('kBufferGen'), find('kBufferCb')]
  if (buffer === undefined || nextBuffer === undefined || callback === undefined) return undefined
  return { buffer, nextBuffer, callback }
}

// Writing

/** Writes to the handle of a socket. With 'handed', a thread's first write goes through the socket, to learn Node's WriteWrap. */
class HandleWriter implements Writer {
  readonly lentBytesMax = 512 * 1024
  /** The first argument of the next write: null with 'answered'; undefined if there is no WriteWrap yet. */
  private request: WriteRequest | null | undefined
  /** The number of writes that are not complete. */
  private inFlight = 0

  constructor(private readonly socket: Socket, private readonly handle: Handle, private readonly way: WriteWay,
    private readonly onWritten: () => void, private readonly onBroken: (problem: string) => void) {}

  write(bytes: Uint8Array): boolean {
    try {
      const request = this.request === undefined ? this.nextRequest() : this.request
      if (request === undefined) return this.writeThroughSocket(bytes)
      return this.isTaken(request, this.handle.writeBuffer(request, bytes), bytes)
    } catch (error) { return this.throws(error) }
  }

  writeMany(parts: readonly Uint8Array[]): boolean {
    try {
      const request = this.request === undefined ? this.nextRequest() : this.request
      if (request === undefined) return this.writeThroughSocket(Buffer.concat(parts))
      return this.isTaken(request, this.handle.writev(request, parts, true), parts)
    } catch (error) { return this.throws(error) }
  }

  private isTaken(request: WriteRequest | null, answer: unknown, bytes: Uint8Array | readonly Uint8Array[]): boolean {
    if (request === null) {
      if (answer === 0) return true
      if (isWriteRequest(answer)) return this.isUnderWay(answer, bytes)
    } else if (request.getAsyncId() !== NOT_TAKEN) {
      this.request = undefined
      this.isUnderWay(request, bytes)
      if (answer === 0) return false
    } else if (answer === 0) return true
    // an error number, such as that of EPIPE
    if (typeof answer === 'number') this.socket.destroy()
    else this.breaks(`the answer to a write is ${String(answer)}`)
    return false
  }

  private isUnderWay(request: WriteRequest, bytes: Uint8Array | readonly Uint8Array[]): false {
    this.inFlight++
    request.buffer = bytes
    request.oncomplete = this.completed
    return false
  }

  private nextRequest(): WriteRequest | null | undefined {
    if (this.way === 'answered') return this.request = null
    return this.request = requestClass && new requestClass()
  }

  private readonly completed = (status: number): void => {
    if (status < 0) this.socket.destroy()
    this.written()
  }

  private written(): void {
    if (--this.inFlight === 0) this.onWritten()
  }

  /** Writes through the socket, and learns the class of WriteWrap from the call that Node makes. */
  private writeThroughSocket(bytes: Uint8Array): boolean {
    learnWay(this.handle, 'writeBuffer', () => {})
    this.inFlight++
    this.socket.write(bytes, () => this.written())
    return this.socket.writableLength === 0 && this.socket.errored === null
  }

  private throws(error: unknown): false {
    rethrowInvariant(error)
    return this.breaks(String(error))
  }

  /** Called if the handle does not behave as it was proved: ends the connection; later ones use streams. A closed socket may. */
  private breaks(problem: string): false {
    if (this.socket.destroyed) return false
    proven = undefined
    this.socket.destroy()
    this.onBroken(problem)
    return false
  }
}

/**
 * Learns how a method of a handle is called, by observing Node's own next call. Passes `learned` undefined if Node calls it in a
 * way that is not known. Trying out a wrong call is not possible, as it may abort the process.
 */
export function learnWay(handle: Handle, method: 'writeBuffer' | 'writev', learned: (way: WriteWay | undefined) => void): void {
  const observe = (...values: unknown[]): unknown => {
    // uncovers the method of the prototype again
    Reflect.deleteProperty(handle, method)
    learned(wayOf(method, values))
    return Reflect.apply(handle[method], handle, values)
  }
  Reflect.set(handle, method, observe)
}

function wayOf(method: 'writeBuffer' | 'writev', [request, bytes, ...rest]: readonly unknown[]): WriteWay | undefined {
  const isKnown = method === 'writeBuffer'
    ? bytes instanceof Uint8Array && rest.length === 0
    : Array.isArray(bytes) && rest.length === 1 && rest[0] === true
  if (!isKnown) return undefined
  if (request === null) return 'answered'
  if (!isWriteRequest(request)) return undefined
  requestClass = request.constructor as WriteRequestClass
  return 'handed'
}

/** True if a value looks like a WriteWrap. */
function isWriteRequest(value: unknown): value is WriteRequest {
  return typeof value === 'object' && value !== null && 'oncomplete' in value &&
    'getAsyncId' in value && typeof value.getAsyncId === 'function'
}

// Descriptors

/** The descriptor of a stream that has none, or whose descriptor Node does not show. */
export const NO_DESCRIPTOR = 0

/** The file descriptor of a stream or a listener; NO_DESCRIPTOR if it has none. */
export function descriptorOf(stream: unknown): number {
  try {
    const fd = (stream as Inside)._handle?.fd
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
