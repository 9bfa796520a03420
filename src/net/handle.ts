// Reading and writing without the stream machinery, which costs as much as a small request itself. `net.Socket` can read
// into a buffer of its owner's (`onread`), but only a socket that is made so, and a server makes its sockets without: so an
// accepted, paused socket is given what the option would have given it. Writes go to the handle.
//
// This touches `_handle` and the symbols of `onread`, which Node does not document. They are touched only here, what is
// found there is checked before it is used, and where it is not as expected (another Node, TLS) the caller uses the stream
// as a stream. Node 20, 22 and 24 work alike.
import { type Socket as DatagramSocket } from 'node:dgram'
import { type Socket } from 'node:net'
import { type Writer } from './writer.js'

export interface Reader {
  /** Where the next bytes go; asked after each read. Undefined: the same place as before. */
  target(): Uint8Array | undefined
  /** `count` bytes are there. */
  read(count: number): void
}

/** What is used of libuv's stream as Node wraps it. */
interface Handle {
  readonly fd?: number
  /** Reads go there, until the call that tells of one answers with another place. */
  useUserBuffer(buffer: Uint8Array): void
  writeBuffer(request: WriteRequest, bytes: Uint8Array): number
  writev(request: WriteRequest, parts: readonly Uint8Array[], areBuffers: true): number
}

/**
 * Node's WriteWrap. It gets a number when libuv takes it, which is when the kernel did not take all bytes at once; it is
 * libuv's then until it completes. Before that it may be used again and again.
 */
interface WriteRequest {
  oncomplete: ((status: number) => void) | undefined
  /** What is written: libuv has only its address, so it is kept here, as Node's own streams do, until that is done. */
  bytes?: Uint8Array | readonly Uint8Array[]
  getAsyncId(): number
}
const NOT_TAKEN = -1

type WriteRequestClass = new () => WriteRequest

interface Inside { _handle?: Handle | null }

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

/** Has a socket, which must be paused, read as `reader` says; false if that cannot be done here. */
export function readInto(socket: Socket, reader: Reader): boolean {
  const handle = handleOf(socket)
  onRead ??= onReadOf(socket)
  if (handle === undefined || onRead === undefined) return false
  const buffer = reader.target()
  if (buffer === undefined) return false
  const inside = socket as unknown as Record<symbol, unknown>
  inside[onRead.nextBuffer] = () => reader.target()
  inside[onRead.callback] = (count: number) => {
    reader.read(count)
    return true
  }
  inside[onRead.buffer] = buffer
  handle.useUserBuffer(buffer)
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

/** Writes to the handle of a socket. Its first write goes through the socket, to learn what a write request is. */
export class HandleWriter implements Writer {
  readonly lentBytesMax = 512 * 1024
  private static requestClass: WriteRequestClass | undefined
  private request: WriteRequest | undefined
  /** Writes that are not complete. */
  private inFlight = 0

  /** @param onWritten called when everything that was not taken at once has been; also when it never will be */
  static on(socket: Socket, onWritten: () => void): HandleWriter | undefined {
    const handle = handleOf(socket)
    return handle === undefined ? undefined : new HandleWriter(socket, handle, onWritten)
  }

  private constructor(private readonly socket: Socket, private readonly handle: Handle,
    private readonly onWritten: () => void) {}

  write(bytes: Uint8Array): boolean {
    const request = this.request ??= this.newRequest()
    if (request === undefined) return this.writeThroughSocket(bytes)
    return this.isTaken(request, this.handle.writeBuffer(request, bytes), bytes)
  }

  writeMany(parts: readonly Uint8Array[]): boolean {
    const request = this.request ??= this.newRequest()
    if (request === undefined) return this.writeThroughSocket(Buffer.concat(parts))
    return this.isTaken(request, this.handle.writev(request, parts, true), parts)
  }

  private isTaken(request: WriteRequest, status: number, bytes: Uint8Array | readonly Uint8Array[]): boolean {
    const isInFlight = request.getAsyncId() !== NOT_TAKEN
    if (status === 0 && !isInFlight) return true
    if (status !== 0) this.socket.destroy()
    if (isInFlight) {
      this.inFlight++
      request.bytes = bytes
    }
    this.request = undefined
    return false
  }

  private newRequest(): WriteRequest | undefined {
    if (HandleWriter.requestClass === undefined) return undefined
    const request = new HandleWriter.requestClass()
    if (typeof request.getAsyncId !== 'function') return undefined
    request.oncomplete = status => {
      if (status < 0) this.socket.destroy()
      this.completed()
    }
    return request
  }

  private completed(): void {
    if (--this.inFlight === 0) this.onWritten()
  }

  private writeThroughSocket(bytes: Uint8Array): boolean {
    const { handle } = this
    handle.writeBuffer = (request, bytes) => {
      // back to the one all handles share
      Reflect.deleteProperty(handle, 'writeBuffer')
      HandleWriter.requestClass = request.constructor as WriteRequestClass
      return handle.writeBuffer(request, bytes)
    }
    this.inFlight++
    this.socket.write(bytes, () => this.completed())
    return this.socket.writableLength === 0 && this.socket.errored === null
  }
}

/** The file descriptor of a socket, for logs; 0 where it has none. */
export function descriptorOf(stream: unknown): number {
  const handle = (stream as Inside)._handle
  return handle?.fd !== undefined && handle.fd > 0 ? handle.fd : 0
}

/** The same for a UDP socket, which keeps its handle behind a symbol; asked for `_handle` it would print a warning. */
export function descriptorOfUdp(socket: DatagramSocket): number {
  for (const symbol of Object.getOwnPropertySymbols(socket)) {
    const state: unknown = Reflect.get(socket, symbol)
    if (typeof state === 'object' && state !== null && 'handle' in state) return descriptorOf({ _handle: state.handle })
  }
  return 0
}

/** The handle of a socket, if it is what this file knows. */
function handleOf(socket: Socket): Handle | undefined {
  const handle = (socket as unknown as Inside)._handle
  if (handle === undefined || handle === null) return undefined
  const isKnown = [handle.writeBuffer, handle.writev, handle.useUserBuffer].every(method => typeof method === 'function')
  return isKnown ? handle : undefined
}
