// The quick way: reads and writes accepted sockets without Node's streams, which cost a third of the time of a client that asks
// once and leaves. A listener makes no `net.Socket` of what it accepts, but passes on the handle. This file reads it into a
// buffer of the thread, and writes to it.
//
// This uses what Node does not document, see handle.ts and lesson.ts, and so only after proof.ts has seen that all of it works in
// this process. Until then, and where it does not work, sockets are served as streams. If something goes wrong nevertheless, one
// connection ends, and later ones are served as streams. Node 20, 22, 24 and 26 support the quick way.
import { type Socket } from 'node:net'
import { rethrowInvariant } from '../errors.js'
import { descriptorOf, takeHandle, type Handle, type PeerName, type WriteRequest } from './handle.js'
import { isWriteRequest, learn, NOT_TAKEN, ReadResult, type Lesson, type WriteWay } from './lesson.js'
import { type Link, type LinkUser, type Remote } from './link.js'

/** The lesson of this thread if the quick way is proved; otherwise undefined. */
let proved: Lesson | undefined

/** Sets the way in which this thread serves sockets; undefined for streams. Any thread may have proved it. */
export function useQuickWay(way: WriteWay | undefined): void {
  const lesson = way === undefined ? undefined : learn()
  proved = lesson?.way === way ? lesson : undefined
}

/** True if this thread serves sockets in the quick way. */
export function hasQuickWay(): boolean { return proved !== undefined }

/** A link over a handle; undefined if there is no quick way. */
export function linkOver(handle: Handle): DirectLink | undefined { return proved && new DirectLink(proved, handle) }

/** A link in place of a paused socket; undefined, and the socket stays as it was, if there is no quick way. */
export function linkInPlaceOf(socket: Socket, lesson = proved): DirectLink | undefined {
  const handle = lesson && takeHandle(socket)
  return handle && new DirectLink(lesson, handle)
}

/** The request for the next write that is handed in, of any link of the thread. */
let spare: WriteRequest | undefined

export class DirectLink implements Link {
  private user: LinkUser | undefined
  /** The number of bytes that it has read. */
  private bytesRead = 0
  private isClosed = false
  readonly id: number
  /** The number of writes that are not complete. */
  private inFlight = 0
  private isReading = false
  private hasEnded = false
  private known: Remote | undefined

  constructor(private readonly lesson: Lesson, private readonly handle: Handle) {
    this.id = descriptorOf({ _handle: handle })
  }

  get lentBytesMax(): number { return 512 * 1024 }

  get isBroken(): boolean { return this.isClosed }

  get remote(): Remote | undefined {
    if (this.known === undefined && !this.isClosed) this.known = remoteOf(this.handle)
    return this.known
  }

  // Reading

  begin(user: LinkUser): void {
    const { handle } = this
    this.user = user
    try {
      this.bytesRead = handle.bytesRead
      handle.useUserBuffer(user.firstTarget)
      handle.onread = () => this.hasRead()
      this.resume()
    } catch (error) { this.throws(error) }
  }

  passTo(user: LinkUser): void { this.user = user }

  /**
   * Takes the result of a read, and returns the buffer for the next one; undefined for the same as before. The handle's own count
   * is the quickest way to a number of bytes; what else a read met, Node's function knows.
   */
  private hasRead(): Uint8Array | undefined {
    const { user } = this
    if (user === undefined || this.isClosed) return undefined
    const count = this.handle.bytesRead - this.bytesRead
    if (count > 0) {
      this.bytesRead += count
      return user.read(count)
    }
    const result = this.lastResult()
    if (result !== ReadResult.Nothing) this.readsNoMore(user, result)
    return undefined
  }

  private lastResult(): number {
    try {
      return this.lesson.results.take()
    } catch (error) {
      this.throws(error)
      return ReadResult.Nothing
    }
  }

  private readsNoMore(user: LinkUser, result: ReadResult): void {
    this.hasEnded = true
    if (result === ReadResult.End) return user.ended()
    this.fail()
  }

  pause(): void {
    if (!this.isReading || this.isClosed) return
    this.isReading = false
    this.handle.readStop()
  }

  resume(): void {
    if (this.isReading || this.isClosed || this.hasEnded) return
    this.isReading = true
    if (this.handle.readStart() !== 0) this.fail()
  }

  unref(): void { this.handle.unref?.() }

  // Writing

  write(bytes: Uint8Array): boolean {
    if (this.isClosed) return false
    try {
      const request = this.nextRequest()
      return this.isTaken(request, this.handle.writeBuffer(request, bytes), bytes)
    } catch (error) { return this.throws(error) }
  }

  writeMany(parts: readonly Uint8Array[]): boolean {
    if (this.isClosed) return false
    try {
      const request = this.nextRequest()
      return this.isTaken(request, this.handle.writev(request, parts, true), parts)
    } catch (error) { return this.throws(error) }
  }

  /** The first argument of the next write. */
  private nextRequest(): WriteRequest | null {
    const { WriteRequest } = this.lesson
    return WriteRequest === undefined ? null : spare ??= new WriteRequest()
  }

  private isTaken(request: WriteRequest | null, answer: unknown, bytes: Uint8Array | readonly Uint8Array[]): boolean {
    if (request === null) {
      if (answer === 0) return true
      if (isWriteRequest(answer)) return this.isUnderWay(answer, bytes)
    } else if (request.getAsyncId() !== NOT_TAKEN) {
      spare = undefined
      this.isUnderWay(request, bytes)
      if (answer === 0) return false
    } else if (answer === 0) return true
    // an error number, such as that of EPIPE
    if (typeof answer === 'number') this.destroy()
    else this.breaks(`the answer to a write is ${String(answer)}`)
    return false
  }

  private isUnderWay(request: WriteRequest, bytes: Uint8Array | readonly Uint8Array[]): false {
    this.inFlight++
    request.buffer = bytes
    request.oncomplete = status => this.completed(status)
    return false
  }

  private completed(status: number): void {
    if (status < 0) this.destroy()
    if (--this.inFlight === 0) this.user?.drained()
  }

  private throws(error: unknown): false {
    rethrowInvariant(error)
    this.breaks(String(error))
    return false
  }

  /** Called if the handle does not behave as it was proved: ends the connection; later ones are served through streams. */
  private breaks(problem: string): void {
    proved = undefined
    this.destroy()
    this.user?.broke(problem)
  }

  release(): Handle | undefined {
    if (this.isClosed || this.hasEnded || this.inFlight > 0) return undefined
    this.pause()
    this.isClosed = true
    this.user = undefined
    return this.handle
  }

  // Its end

  private fail(): void {
    this.user?.failed()
    this.destroy()
  }

  end(): void {
    if (this.isClosed) return
    // if the client has sent all, nothing is left unread, and closing tells it the same
    if (this.hasEnded && this.inFlight === 0) return this.destroy()
    const request = new this.lesson.ShutdownRequest()
    request.oncomplete = () => this.destroy()
    if (this.handle.shutdown(request) !== 0) this.destroy()
  }

  destroy(): void {
    if (this.isClosed) return
    this.isClosed = true
    this.handle.close(() => this.user?.closed())
  }

  reset(): void {
    if (this.isClosed) return
    // a Unix socket has no reset, nor has a socket that is being shut down
    if (this.handle.reset?.(() => this.user?.closed()) !== 0) return this.destroy()
    this.isClosed = true
  }
}

function remoteOf(handle: Handle): Remote | undefined {
  const facts: Partial<PeerName> = {}
  if (handle.getpeername?.(facts) !== 0 || facts.address === undefined) return undefined
  return { address: facts.address, port: facts.port ?? 0 }
}
