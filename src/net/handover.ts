// Hands clients over from the first thread of a server to the others, once, when those have started: until then it has served all
// clients, and a pool of connections that was opened in that time would stay in one thread for ever.
//
// Node has no way to pass a socket to another thread. But the kernel passes descriptors through Unix sockets, and Node has pipes
// that do so between processes, though it does not document them. The first thread listens on a Unix socket, the **door**. The
// others connect to it with such a pipe, each with the token that only threads of the server know. Then the first thread sends
// the handle of one client after the other, each beside a text that says how far its session is. The thread that gets it serves
// it as if it had accepted it. The client keeps its slot, its user and what has not been read.
//
// A session is handed over only between two requests, and none of TLS, of HTTP or of a watcher. If anything here is not as it is
// known, clients stay in the first thread, and it leaves the others more of the later ones, see Balance.
import { randomBytes } from 'node:crypto'
import { createServer, Socket, type Server as Listener } from 'node:net'
import { setTimeout, turn } from '../timers.js'
import { type Balance } from './balance.js'
import { type Leaving, type Standing } from './connection.js'
import { type Connections } from './connections.js'
import { linkOver } from './direct.js'
import { descriptorOf, handleOf, isHandle, makeIpcPipe, takeHandle, type Handle, type IpcPipe } from './handle.js'
import { isWriteRequest, learn, NOT_TAKEN, type Lesson } from './lesson.js'
import { type Listeners } from './listeners.js'
import { StreamLink } from './stream.js'

/** What other threads of the server need to come in. */
export interface Door { readonly path: string, readonly token: string }

/** What goes beside the handle of a client. */
interface Note extends Standing {
  /** The place of its listener among those of a thread, the same in all threads. */
  readonly listener: number
}

const TOKEN_BYTES = 16
/** The longest wait for threads that come in, in milliseconds: far more than it takes them. */
const COMING_MS_MAX = 1000
/** The times that clients are looked through for those that are between two requests, and the milliseconds in between. */
const PASSES_MAX = 10
const PASS_MS = 20
/** The clients that are handed over in one turn of the event loop. Each takes some 20 µs. */
const CLIENTS_PER_TURN = 32

/** The parts of a thread that its clients leave or come to. */
export interface HandOverParts {
  readonly connections: Connections
  readonly listeners: Listeners
  readonly balance: Balance
}

/** The first thread's part. */
export class Giver {
  private readonly token = randomBytes(TOKEN_BYTES).toString('hex')
  private readonly lesson: Lesson
  /** The pipes to threads that have come in, by their numbers. They stay open, as another handle has the same descriptor. */
  private readonly pipes = new Map<number, { readonly pipe: IpcPipe, readonly same: Handle }>()

  private constructor(private readonly parts: HandOverParts, private readonly listener: Listener, private readonly path: string) {
    this.lesson = learn()
    listener.on('connection', socket => this.greet(socket)).on('error', () => {})
    listener.unref()
  }

  /** Opens the door. Rejects if that cannot be. */
  static async open(parts: HandOverParts): Promise<Giver> {
    // on Linux, this is the name of no file
    const path = `\0memslab-${process.pid}-${randomBytes(TOKEN_BYTES).toString('hex')}`
    const listener = createServer()
    await new Promise<void>((resolve, reject) => {
      listener.once('error', reject).listen({ path, exclusive: true }, resolve)
    })
    return new Giver(parts, listener, path)
  }

  get door(): Door { return { path: this.path, token: this.token } }

  /** Lets a thread in, when it has said its token and its number. */
  private greet(socket: Socket): void {
    // strangers go again
    socket.unref().on('error', () => {}).setTimeout(COMING_MS_MAX, () => socket.destroy()).once('data', (said: Buffer) => {
      const [token, thread] = said.toString('latin1').split(' ')
      const same = token === this.token ? takeHandle(socket) : undefined
      if (same === undefined) return void socket.destroy()
      same.readStop()
      const pipe = makeIpcPipe(same)
      if (pipe.open(descriptorOf({ _handle: same })) !== 0) return
      pipe.unref?.()
      this.pipes.set(Number(thread), { pipe, same })
    })
  }

  /** Hands clients over until all threads have as many, as far as they are between two requests. @param count the others */
  async share(count: number): Promise<void> {
    for (let waited = 0; this.pipes.size < count && waited < COMING_MS_MAX; waited += PASS_MS) await sleep(PASS_MS)
    this.listener.close()
    for (let pass = 0; pass < PASSES_MAX && !await this.look(); pass++) await sleep(PASS_MS)
  }

  /** Looks through the clients once. Resolves with true if this thread has no more than its share. */
  private async look(): Promise<boolean> {
    const { connections, balance } = this.parts
    const counts = balance.counts
    let handled = 0
    for (const connection of connections.movable()) {
      const thread = this.leastOf(counts)
      if (thread === undefined || balance.count - counts.get(thread)! < 2) return true
      if (++handled % CLIENTS_PER_TURN === 0) await turn()
      const left = connection.leave()
      if (left === undefined) continue
      connections.hasLeft(connection)
      counts.set(thread, counts.get(thread)! + 1)
      this.send(left, this.parts.listeners.placeOf(connection.origin), this.pipes.get(thread)!.pipe)
    }
    return false
  }

  /** The thread with the fewest clients, of those that have come in. */
  private leastOf(counts: ReadonlyMap<number, number>): number | undefined {
    let least: number | undefined
    for (const thread of this.pipes.keys()) {
      if (counts.has(thread) && (least === undefined || counts.get(thread)! < counts.get(least)!)) least = thread
    }
    return least
  }

  private send({ handle, standing }: Leaving, listener: number, pipe: IpcPipe): void {
    const note: Note = { ...standing, listener }
    const sent = (isSent: boolean): void => {
      // the other thread has a descriptor of its own for the client
      if (isSent) handle.close(() => {})
      else take(this.parts, handle, note)
    }
    const { WriteRequest } = this.lesson
    const request = WriteRequest === undefined ? null : new WriteRequest()
    if (request !== null) request.oncomplete = status => sent(status >= 0)
    const answer = pipe.writeUtf8String(request, JSON.stringify(note), handle)
    if (isWriteRequest(answer)) answer.oncomplete = status => sent(status >= 0)
    else if (answer !== 0) sent(false)
    else if (request === null || request.getAsyncId() === NOT_TAKEN) sent(true)
  }
}

/** Comes in by the door of the first thread, and serves the clients that it hands over. @param thread that of the caller */
export async function comeIn(parts: HandOverParts, { path, token }: Door, thread: number, failed: (error: unknown) => void):
Promise<void> {
  const pipe = pipeLikeThatOf(path)
  const options: object = { handle: pipe, manualStart: true }
  const socket = new Socket(options).pause()
  await new Promise<void>((resolve, reject) => {
    socket.on('error', reject).connect({ path }, () => socket.write(`${token} ${thread}`, () => resolve()))
  })
  takeHandle(socket)
  pipe.onread = (bytes?: ArrayBuffer) => {
    try {
      received(parts, pipe, bytes)
    } catch (error) { failed(error) }
    return undefined
  }
  pipe.unref?.()
  pipe.readStart()
}

/** A pipe that passes handles. Its class is that of the handle of any Unix socket. */
function pipeLikeThatOf(path: string): IpcPipe {
  const any = new Socket().on('error', () => {}).connect({ path })
  const handle = handleOf(any)
  if (handle === undefined) throw new Error('a Unix socket is not as it is known')
  const pipe = makeIpcPipe(handle)
  any.destroy()
  return pipe
}

function received(parts: HandOverParts, pipe: IpcPipe, bytes: ArrayBuffer | undefined): void {
  const { pendingHandle } = pipe
  pipe.pendingHandle = undefined
  if (bytes === undefined) return pipe.close(() => {})
  if (isHandle(pendingHandle)) take(parts, pendingHandle, JSON.parse(Buffer.from(bytes).toString()) as Note)
}

function take({ connections, listeners }: HandOverParts, handle: Handle, note: Note): void {
  const listening = listeners.listening[note.listener]
  const options: object = { handle }
  const link = linkOver(handle) ?? new StreamLink(new Socket(options).pause())
  if (listening !== undefined) connections.takeOver(link, listening, listening.protocol, note)
  else link.destroy()
}

function sleep(ms: number): Promise<void> { return new Promise(resolve => { setTimeout(resolve, ms) }) }
