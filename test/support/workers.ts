// A server with several threads, for a test: the built one, as workers are started from what is built. Its clock stands
// still until the test moves it, and when the test ends its store is verified.

import { once } from 'node:events'
import { connect } from 'node:net'
import type { NetConnectOpts, Socket } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'

import type { FaultControl } from '../../dist/faults/control.js'
import { ServerCore } from '../../dist/server/core.js'
import type { WriteWay } from '../../src/net/lesson.js'
import type { Options } from '../../src/options/options.js'
import type { Task } from '../../src/server/messages.js'
import type { Bytes } from './bytes.js'
import { Client } from './client.js'
import { ManualClock } from './clock.js'
import { Patience, until } from './patience.js'
import type { Ends } from './real.js'
import type { Host } from './replay.js'

/** What nobody has read when all threads have slept so long is not going to be read. */
const READ_IDLE_MS = 2000
/** Turns of this event loop in which most things come about that one waits for. */
const TURNS_BUSY = 200
/** Turns of this event loop after which what the server has answered has been heard. */
const TURNS = 20

const HOST = '127.0.0.1'

export interface ThreadedServer extends Host {
  readonly server: ServerCore
  readonly clock: ManualClock
  readonly lines: string[]
  /** Errors it was told of. */
  readonly failures: Error[]
  connect(): Promise<Client>
}

/** On 127.0.0.1, with two threads unless the options say otherwise. @param taps given if its connections are tapped */
export async function startThreads(t: Ends, options: Partial<Options> = {}, taps?: FaultControl): Promise<ThreadedServer> {
  const clock = new ManualClock()
  const lines: string[] = []
  const failures: Error[] = []
  const server = new ServerCore({ threads: 2, port: -1, listen: [HOST], ...options },
    { clock, log: line => lines.push(line), failed: error => failures.push(error) }, { taps })
  const stopped = new Promise<void>(resolve => {
    server.onShutdown = () => void server.close().then(resolve)
  })
  t.teardown(async () => {
    await server.close()
    if (failures.length === 0) server.verify()
  })
  await server.listen()
  const progress = new Progress(server)
  const to = options.socketPath === undefined ? { host: HOST, port: server.port } : { path: options.socketPath }
  return {
    server, clock, lines, failures,
    connect: async () => await CountedClient.open(to, progress),
    settle: async () => { await progress.settle() },
    pass: async milliseconds => {
      await progress.settle()
      clock.advance(milliseconds / 1000)
      await progress.told()
      await progress.settle()
    },
    stopped: async () => { await stopped },
  }
}

/** What no user of a server sees of it. */
interface Inside {
  readonly pool?: { readonly quickWay: WriteWay | undefined, readonly workers: readonly { ask(task: Task): Promise<unknown> }[] }
}

/** How much the clients have sent, and the server read, in whichever thread. */
class Progress {
  private sentBytes = 0

  constructor(private readonly server: ServerCore) {}

  sent(bytes: number): void { this.sentBytes += bytes }

  private get readBytes(): number { return Number(new Map(this.server.host.report('')).get('bytes_read')) }

  /** Until those who watch have been told of everything: the timers of their threads are the machine's. */
  async told(): Promise<void> {
    await soon('those who watch are told', () => this.server.store.log.unreadWords === 0)
  }

  /** What is read is counted before it is served. A thread that answers a task, of which nothing comes, has served it. */
  private async finished(): Promise<void> {
    const { pool } = this.server as unknown as Inside
    if (pool === undefined) return
    const task = { do: 'follow', opened: { listening: [], udp: [] }, quickWay: pool.quickWay } as const
    await Promise.all(pool.workers.map(worker => worker.ask(task).catch(() => {})))
  }

  /** Until everything has been read that was sent; the answers are written in the same breath. */
  async settle(): Promise<void> {
    // what is not read then never will be, of who is gone or not listened to, or its count has been reset
    await soon('what was sent is read', () => this.readBytes >= this.sentBytes, new Patience(READ_IDLE_MS)).catch(() => {})
    this.sentBytes = this.readBytes
    await this.finished()
    for (let count = 0; count < TURNS; count++) await turn()
  }
}

/** The same as `until`, for what mostly takes less than the shortest pause. */
async function soon(what: string, holds: () => boolean, patience?: Patience): Promise<void> {
  for (let count = 0; count < TURNS_BUSY && !holds(); count++) await turn()
  await until(what, holds, patience)
}

class CountedClient extends Client {
  private constructor(socket: Socket, private readonly progress: Progress) { super(socket) }

  static async open(to: NetConnectOpts, progress: Progress): Promise<CountedClient> {
    const socket = connect(to)
    await once(socket, 'connect')
    socket.setNoDelay(true)
    return new CountedClient(socket, progress)
  }

  override send(bytes: Bytes): Promise<void> {
    this.progress.sent(bytes.length)
    return super.send(bytes)
  }
}
