// Reading and writing without the stream machinery, which costs as much as a small request itself. `net.Socket` can read
// into a buffer of its owner's (`onread`), but only a socket that is made so, and a server makes its sockets without: so an
// accepted, paused socket is given what the option would have given it. Writes go to the handle.
//
// This touches `_handle` and the symbols of `onread`, which Node does not document. They are touched only here, and not
// before proof.ts has seen that all of it works in this process; until then, and where it does not, there is no quick way
// and the caller uses the stream as a stream. What goes wrong nevertheless ends one connection, and the quick way with it.
// Node 20, 22, 24 and 26 have it, in two kinds, see WriteWay.
import { type Socket as DatagramSocket } from 'node:dgram'
import { type Socket } from 'node:net'
import { type Writer } from './writer.js'

export interface Reader {
  /** Where the next bytes go; asked after each read. Undefined: the same place as before. */
  target(): Uint8Array | undefined
  /** `count` bytes are there. */
  read(count: number): void
}

/**
 * How a handle is told to write. 'handed': it is handed a WriteWrap, and answers 0 or the number of an error; whether bytes
 * are under way the WriteWrap tells (Node 20, 22, 24). 'answered': it is handed null, and answers 0, the number of an error
 * or, where bytes are under way, a WriteWrap that it has made (Node 26).
 */
export type WriteWay = 'handed' | 'answered'

/** What is used of libuv's stream as Node wraps it. */
export interface Handle {
  readonly fd?: number
  /** The bytes that are under way. */
  readonly writeQueueSize?: number
  /** Reads go there, until the call that tells of one answers with another place. */
  useUserBuffer(buffer: Uint8Array): void
  writeBuffer(request: WriteRequest | null, bytes: Uint8Array): unknown
  writev(request: WriteRequest | null, parts: readonly Uint8Array[], areBuffers: true): unknown
}

/**
 * Node's WriteWrap. One that is handed in gets a number when libuv takes it, which is when the kernel did not take all bytes
 * at once; it is libuv's then until it completes. Before that it may be used again and again.
 */
interface WriteRequest {
  oncomplete: ((status: number) => void) | null
  /** What is written: libuv has only its address, so it is kept here, as Node's own streams do, until that is done. */
  buffer: Uint8Array | readonly Uint8Array[] | null
  getAsyncId(): number
}
const NOT_TAKEN = -1

type WriteRequestClass = new () => WriteRequest
let requestClass: WriteRequestClass | undefined

interface Inside { _handle?: Handle | null }

/** How this thread's sockets are written to; undefined: as streams. */
let proven: WriteWay | undefined

/** Says what has been proven, in this thread or, as all have the same Node, in another one. */
export function useQuickWay(way: WriteWay | undefined): void { proven = way }

/**
 * Has a socket, which must be paused, read as `reader` says and answers what writes to it; undefined if that cannot be done
 * here, and then the socket is as it was.
 * @param onWritten called when everything that was not taken at once has been; also when it never will be
 * @param onBroken called, at most once, with what was not as it has to be: the socket is destroyed then, and others are
 * served as streams
 * @param way for those who prove it
 */
export function takeQuickly(socket: Socket, reader: Reader, onWritten: () => void, onBroken: (what: string) => void,
  way = proven): Writer | undefined {
  if (way === undefined) return undefined
  try {
    const handle = handleOf(socket)
    if (handle === undefined || !readInto(socket, handle, reader)) return undefined
    return new HandleWriter(socket, handle, way, onWritten, onBroken)
  } catch {
    return undefined
  }
}

/** The handle of a socket, if it is what this file knows. */
export function handleOf(socket: Socket): Handle | undefined {
  const handle = (socket as unknown as Inside)._handle
  if (handle === undefined || handle === null) return undefined
  const isKnown = [handle.writeBuffer, handle.writev, handle.useUserBuffer].every(method => typeof method === 'function')
  return isKnown ? handle : undefined
}

// Reading

/** What a socket keeps of its `onread`. */
interface OnRead {
  /** Where it reads to. */
  readonly buffer: symbol
  /** What it asks after each read; it keeps the buffer it has when it gets none. */
  readonly nextBuffer: symbol
  /** What it tells of each read; the answer is whether it goes on. */
  readonly callback: symbol
}
let onRead: OnRead | undefined

function readInto(socket: Socket, handle: Handle, reader: Reader): boolean {
  onRead ??= onReadOf(socket)
  if (onRead === undefined) return false
  const buffer = reader.target()
  if (buffer === undefined) return false
  // first, as it is the one that may throw
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
  // without the option they are null
  const find = (name: string): symbol | undefined =>
    symbols.find(symbol => symbol.description === name && Reflect.get(socket, symbol) === null)
  const [buffer, nextBuffer, callback] = [find('kBuffer'), find('kBufferGen'), find('kBufferCb')]
  return buffer === undefined || nextBuffer === undefined || callback === undefined ? undefined : { buffer, nextBuffer, callback }
}

// Writing

/** Writes to the handle of a socket. Where WriteWraps are handed in, a thread's first write goes through the socket. */
class HandleWriter implements Writer {
  readonly lentBytesMax = 512 * 1024
  /** What is handed in; for the way that hands in none, null. */
  private request: WriteRequest | null | undefined
  /** Writes that are not complete. */
  private inFlight = 0

  constructor(private readonly socket: Socket, private readonly handle: Handle, private readonly way: WriteWay,
    private readonly onWritten: () => void, private readonly onBroken: (what: string) => void) {}

  write(bytes: Uint8Array): boolean {
    try {
      const request = this.request === undefined ? this.nextRequest() : this.request
      if (request === undefined) return this.writeThroughSocket(bytes)
      return this.isTaken(request, this.handle.writeBuffer(request, bytes), bytes)
    } catch (error) { return this.breaks(String(error)) }
  }

  writeMany(parts: readonly Uint8Array[]): boolean {
    try {
      const request = this.request === undefined ? this.nextRequest() : this.request
      if (request === undefined) return this.writeThroughSocket(Buffer.concat(parts))
      return this.isTaken(request, this.handle.writev(request, parts, true), parts)
    } catch (error) { return this.breaks(String(error)) }
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
    // the number of an error, such as EPIPE
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

  /** Learns what Node hands in, by the way. */
  private writeThroughSocket(bytes: Uint8Array): boolean {
    learnWay(this.handle, 'writeBuffer', () => {})
    this.inFlight++
    this.socket.write(bytes, () => this.written())
    return this.socket.writableLength === 0 && this.socket.errored === null
  }

  /** Not as it was proven: nothing more comes of this connection, and later ones do without. What is closed may be odd. */
  private breaks(what: string): false {
    if (this.socket.destroyed) return false
    proven = undefined
    this.socket.destroy()
    this.onBroken(what)
    return false
  }
}

/**
 * Learns from what Node itself does next with a method of a handle how that is called; undefined: as nobody knows here. What
 * is called otherwise may end the process, which cannot be tried.
 */
export function learnWay(handle: Handle, method: 'writeBuffer' | 'writev', learned: (way: WriteWay | undefined) => void): void {
  const observe = (...given: unknown[]): unknown => {
    // back to the one all handles share
    Reflect.deleteProperty(handle, method)
    learned(wayOf(method, given))
    return Reflect.apply(handle[method], handle, given)
  }
  Reflect.set(handle, method, observe)
}

function wayOf(method: 'writeBuffer' | 'writev', [request, what, ...rest]: readonly unknown[]): WriteWay | undefined {
  const isKnown = method === 'writeBuffer'
    ? what instanceof Uint8Array && rest.length === 0
    : Array.isArray(what) && rest.length === 1 && rest[0] === true
  if (!isKnown) return undefined
  if (request === null) return 'answered'
  if (!isWriteRequest(request)) return undefined
  requestClass = request.constructor as WriteRequestClass
  return 'handed'
}

/** Whether something is a WriteWrap, as far as can be seen. */
function isWriteRequest(value: unknown): value is WriteRequest {
  return typeof value === 'object' && value !== null && 'oncomplete' in value &&
    'getAsyncId' in value && typeof value.getAsyncId === 'function'
}

// Numbers

/** What a socket is taken for whose number cannot be told: nothing may be done by it. */
export const NO_DESCRIPTOR = 0

/** The file descriptor of a stream or a listener; NO_DESCRIPTOR where it has none. */
export function descriptorOf(stream: unknown): number {
  try {
    const fd = (stream as Inside)._handle?.fd
    return typeof fd === 'number' && fd > 0 ? fd : NO_DESCRIPTOR
  } catch {
    return NO_DESCRIPTOR
  }
}

/** The same for a UDP socket, which keeps its handle behind a symbol; asked for `_handle` it would print a warning. */
export function descriptorOfUdp(socket: DatagramSocket): number {
  for (const symbol of Object.getOwnPropertySymbols(socket)) {
    const state: unknown = Reflect.get(socket, symbol)
    if (typeof state === 'object' && state !== null && 'handle' in state) return descriptorOf({ _handle: state.handle })
  }
  return NO_DESCRIPTOR
}
