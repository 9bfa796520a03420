// Hands clients over from the first thread of a server to the others, once, when those have started: until then it has served all
// clients, and a pool of connections that was opened in that time would stay in one thread for ever.
//
// Node has no way to pass a socket to another thread. But the kernel passes descriptors through Unix sockets, and Node has pipes
// that do so between processes, though it does not document them. The first thread listens on a Unix socket, the **door**. The
// others connect to it with such a pipe, each with the token that only threads of the server know. Then the first thread sends
// the handle of one client after the other, each beside a text that says how far its session is. The thread that gets it serves
// it as if it had accepted it. The client keeps its slot, its user and what has not been read. The kernel drops a descriptor if
// the process may open no more files at that moment. So the thread answers whether it has got one, and the first thread closes
// its own only then, or goes on with the client.
//
// A session is handed over only between two requests, and none of TLS, of HTTP or of a watcher. If anything here is not as it is
// known, clients stay in the first thread, and it leaves the others more of the later ones, see Balance.
import { randomBytes } from 'node:crypto'
import { createServer, Socket, type Server as Listener } from 'node:net'
import { assert } from '../errors.js'
import { setTimeout, turn } from '../timers.js'
import { type Balance } from './balance.js'
import { type Leaving, type Standing } from './connection.js'
import { type Connections } from './connections.js'
import { linkOver } from './direct.js'
import {
  descriptorOf, handleOf, isHandle, makeIpcPipe, takeHandle, type Handle, type IpcPipe, type WriteRequest,
} from './handle.js'
import { isWriteRequest, learn, type Lesson } from './lesson.js'
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
/** The most clients that are under way at a time, each of which has one more descriptor open. Each takes some 20 µs. */
const UNDER_WAY_MAX = 32
/** The turns of the event loop that the first thread waits for the answers of the others; then it goes on in the next pass. */
const ANSWER_TURNS_MAX = 1000

/** The answers of a thread to a handle, a byte each: it has got it, or only the text beside it. */
const GOT = Buffer.from('+')
const MISSED = Buffer.from('-')

/** The parts of a thread that its clients leave or come to. */
export interface HandOverParts {
  readonly connections: Connections
  readonly listeners: Listeners
  readonly balance: Balance
  /** Called if an invariant is broken. */
  readonly failed: (error: unknown) => void
}

/** A client that is under way to another thread. */
interface Sent { readonly handle: Handle, readonly note: Note }

/** A thread that has come in. */
interface Guest {
  readonly pipe: IpcPipe
  /** Another handle of the same descriptor, so both stay open. */
  readonly same: Handle
  /** The clients for which it has not answered yet, in their order. */
  readonly sent: Sent[]
}

/** The first thread's part. */
export class Giver {
  private readonly token = randomBytes(TOKEN_BYTES).toString('hex')
  private readonly lesson: Lesson
  /** The threads that have come in, by their numbers. */
  private readonly guests = new Map<number, Guest>()
  /** The number of clients for which no thread has answered yet. */
  private underWay = 0
  /** True once a thread has not got a client that was sent to it. */
  private hasMissed = false

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
      const guest: Guest = { pipe, same, sent: [] }
      readPipe(pipe, bytes => this.answered(guest, bytes), this.parts.failed)
      this.guests.set(Number(thread), guest)
    })
  }

  /** Hands clients over until all threads have as many, as far as they are between two requests. @param count the others */
  async share(count: number): Promise<void> {
    for (let waited = 0; this.guests.size < count && waited < COMING_MS_MAX; waited += PASS_MS) await sleep(PASS_MS)
    this.listener.close()
    for (let pass = 0; pass < PASSES_MAX && !await this.look(); pass++) await sleep(PASS_MS)
  }

  /** Looks through the clients once. Resolves with true if this thread has no more than its share, or can hand none over. */
  private async look(): Promise<boolean> {
    const { connections, balance } = this.parts
    const counts = balance.counts
    let handled = 0
    for (const connection of connections.movable()) {
      const thread = this.leastOf(counts)
      if (this.hasMissed || thread === undefined || balance.count - counts.get(thread)! < 2) return true
      if (++handled % UNDER_WAY_MAX === 0 && !await this.haveAnswered()) return false
      const left = connection.leave()
      if (left === undefined) continue
      connections.hasLeft(connection)
      counts.set(thread, counts.get(thread)! + 1)
      this.send(left, this.parts.listeners.placeOf(connection.origin), this.guests.get(thread)!)
    }
    return false
  }

  /** Resolves with true when the other threads have answered for all clients; with false if that takes too long. */
  private async haveAnswered(): Promise<boolean> {
    let turns = 0
    do await turn()
    while (this.underWay > 0 && ++turns < ANSWER_TURNS_MAX)
    return this.underWay === 0
  }

  /** The thread with the fewest clients, of those that have come in. */
  private leastOf(counts: ReadonlyMap<number, number>): number | undefined {
    let least: number | undefined
    for (const thread of this.guests.keys()) {
      if (counts.has(thread) && (least === undefined || counts.get(thread)! < counts.get(least)!)) least = thread
    }
    return least
  }

  private send({ handle, standing }: Leaving, listener: number, { pipe, sent }: Guest): void {
    const client: Sent = { handle, note: { ...standing, listener } }
    sent.push(client)
    this.underWay++
    writeTo(this.lesson, request => pipe.writeUtf8String(request, JSON.stringify(client.note), handle), () => {
      sent.splice(sent.indexOf(client), 1)
      this.settle(client, false)
    })
  }

  /** Takes the answers of a thread. */
  private answered({ sent }: Guest, bytes: ArrayBuffer | undefined): void {
    for (const answer of bytes === undefined ? [] : new Uint8Array(bytes)) {
      const client = sent.shift()
      assert(client !== undefined, 'a thread answers for a client that was not sent to it')
      this.settle(client, answer === GOT[0])
    }
  }

  /** Lets a client go whose descriptor another thread has got, or goes on with it. */
  private settle({ handle, note }: Sent, hasGot: boolean): void {
    this.underWay--
    if (hasGot) return handle.close(() => {})
    this.hasMissed = true
    take(this.parts, handle, note)
  }
}

/** Comes in by the door of the first thread, and serves the clients that it hands over. @param thread that of the caller */
export async function comeIn(parts: HandOverParts, { path, token }: Door, thread: number): Promise<void> {
  const lesson = learn()
  const pipe = pipeLikeThatOf(path)
  const options: object = { handle: pipe, manualStart: true }
  const socket = new Socket(options).pause()
  await new Promise<void>((resolve, reject) => {
    socket.on('error', reject).connect({ path }, () => socket.write(`${token} ${thread}`, () => resolve()))
  })
  takeHandle(socket)
  pipe.unref?.()
  readPipe(pipe, bytes => received(parts, lesson, pipe, bytes), parts.failed)
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

function received(parts: HandOverParts, lesson: Lesson, pipe: IpcPipe, bytes: ArrayBuffer | undefined): void {
  const { pendingHandle } = pipe
  pipe.pendingHandle = undefined
  if (bytes === undefined) return pipe.close(() => {})
  const hasGot = isHandle(pendingHandle)
  if (hasGot) take(parts, pendingHandle, JSON.parse(Buffer.from(bytes).toString()) as Note)
  // if the first thread has ended, the server does
  writeTo(lesson, request => pipe.writeBuffer(request, hasGot ? GOT : MISSED), () => {})
}

/** Has a pipe read. @param read called with what it has read, and with undefined at its end */
function readPipe(pipe: IpcPipe, read: (bytes: ArrayBuffer | undefined) => void, failed: (error: unknown) => void): void {
  pipe.onread = bytes => {
    try {
      read(bytes)
    } catch (error) { failed(error) }
    return undefined
  }
  pipe.readStart()
}

/**
 * Writes in the way that this Node knows, see lesson.ts.
 * @param write called with the request to pass
 * @param failed called if it fails, at once or later
 */
function writeTo({ WriteRequest }: Lesson, write: (request: WriteRequest | null) => unknown, failed: () => void): void {
  const request = WriteRequest === undefined ? null : new WriteRequest()
  const completed = (status: number): void => { if (status < 0) failed() }
  if (request !== null) request.oncomplete = completed
  const answer = write(request)
  if (isWriteRequest(answer)) answer.oncomplete = completed
  else if (answer !== 0) failed()
}

function take({ connections, listeners }: HandOverParts, handle: Handle, note: Note): void {
  const listening = listeners.listening[note.listener]
  const options: object = { handle }
  const link = linkOver(handle) ?? new StreamLink(new Socket(options).pause())
  if (listening !== undefined) connections.takeOver(link, listening, listening.protocol, note)
  else link.destroy()
}

function sleep(ms: number): Promise<void> { return new Promise(resolve => { setTimeout(resolve, ms) }) }
