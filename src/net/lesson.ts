// What the quick way, see direct.ts, has to know of Node and that Node does not export: the function that knows what a read has
// brought, and the classes of the requests that handles take. A thread learns them from sockets on an object that they take for
// a handle, and which records what they call.
import { Socket, type OnReadOpts } from 'node:net'
import { type ShutdownRequest, type WriteRequest } from './handle.js'

/**
 * The way to call a handle's write methods. 'handed' (Node 20, 22, 24): the caller passes a WriteWrap, the method returns 0 or an
 * error number, and the WriteWrap shows whether bytes are under way. 'answered' (Node 26): the caller passes null, and the method
 * returns 0, an error number or, if bytes are under way, a WriteWrap that it has made.
 */
export type WriteWay = 'handed' | 'answered'

/** The async id of a request that libuv has not taken. */
export const NOT_TAKEN = -1

/** The results of `ReadResults.take` that are no number of bytes. */
export const enum ReadResult { Nothing = 0, End = -1, Failed = -2 }

/** What a thread has learned. */
export interface Lesson {
  readonly way: WriteWay
  readonly results: ReadResults
  /** The class of requests for a write; undefined with 'answered'. */
  readonly WriteRequest: (new () => WriteRequest) | undefined
  readonly ShutdownRequest: new () => ShutdownRequest
}

/** @throws Error that says what is not as it is known */
export function learn(): Lesson {
  const bytes = Buffer.from('lesson')
  const alone = new Recorder()
  socketOn(alone).write(bytes)
  const together = new Recorder()
  const socket = socketOn(together)
  socket.cork()
  for (let part = 0; part < 2; part++) socket.write(bytes)
  socket.uncork()
  const way = wayOf(alone.calls.writeBuffer, ([written, ...rest]) => written instanceof Uint8Array && rest.length === 0)
  const same = wayOf(together.calls.writev, ([parts, ...rest]) => Array.isArray(parts) && rest.length === 1 && rest[0] === true)
  check(way !== undefined && same === way, 'Node writes in a way that is not known')
  const ended = new Recorder()
  socketOn(ended).end()
  const request = ended.calls.shutdown?.[0]
  check(isRequest(request), 'Node ends in a way that is not known')
  return {
    way,
    results: new ReadResults(),
    WriteRequest: way === 'answered' ? undefined : classOf(alone.calls.writeBuffer![0] as WriteRequest),
    ShutdownRequest: classOf(request as ShutdownRequest),
  }
}

function check(holds: boolean, otherwise: string): asserts holds {
  if (!holds) throw new Error(otherwise)
}

function classOf<T extends object>(request: T): new () => T { return request.constructor as new () => T }

function wayOf(call: readonly unknown[] | undefined, isKnown: (rest: readonly unknown[]) => boolean): WriteWay | undefined {
  if (call === undefined) return undefined
  const [request, ...rest] = call
  if (!isKnown(rest)) return undefined
  if (request === null) return 'answered'
  return isRequest(request) && isWriteRequest(request) ? 'handed' : undefined
}

function isRequest(value: unknown): value is { oncomplete: unknown } {
  return typeof value === 'object' && value !== null && 'oncomplete' in value
}

/** True if a value looks like a WriteWrap. */
export function isWriteRequest(value: unknown): value is WriteRequest {
  return isRequest(value) && 'getAsyncId' in value && typeof value.getAsyncId === 'function'
}

/** An object that a socket takes for its handle. */
class Recorder {
  readonly calls: { writeBuffer?: readonly unknown[], writev?: readonly unknown[], shutdown?: readonly unknown[] } = {}
  /** Node's function, which the socket sets. */
  onread: (() => unknown) | undefined

  useUserBuffer(): void {}
  readStart(): number { return 0 }
  readStop(): number { return 0 }
  close(): void {}

  writeBuffer(...call: unknown[]): number {
    this.calls.writeBuffer = call
    return 0
  }

  writev(...call: unknown[]): number {
    this.calls.writev = call
    return 0
  }

  shutdown(...call: unknown[]): number {
    this.calls.shutdown = call
    return 0
  }
}

function socketOn(handle: Recorder, onread?: OnReadOpts): Socket {
  const options: object = { handle, onread }
  return new Socket(options)
}

/**
 * Asks Node's function that is called after each read what the read has brought. It gets the number from a place of its own, and
 * passes it to the socket of its handle: here a socket that stores it.
 */
export class ReadResults {
  private readonly handle = new Recorder()
  private result: number = ReadResult.Nothing

  constructor() {
    const store = (result: number): true => {
      this.result = result
      return true
    }
    const socket = socketOn(this.handle, { buffer: Buffer.alloc(1), callback: store })
    socket.push = () => store(ReadResult.End)
    socket.read = () => null
    socket.destroy = () => {
      store(ReadResult.Failed)
      return socket
    }
    check(typeof this.handle.onread === 'function', 'Node reads in a way that is not known')
  }

  /** The number of bytes of the last read, or what it met instead. Called within the `onread` of a handle. */
  take(): number {
    this.result = ReadResult.Nothing
    this.handle.onread!()
    return this.result
  }
}
