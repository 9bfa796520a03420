// A bare session: bytes in, bytes out, no socket and no waiting. What a
// connection does for a session is done here by plain calls, so a request can
// be cut anywhere and its answer is there when the call returns.

import type { Options } from '../../src/options/options.js'
import { READ_BYTES } from '../../src/protocol/input.js'
import type { Held } from '../../src/protocol/output.js'
import { Session } from '../../src/protocol/session.js'
import type { Protocol } from '../../src/protocol/session.js'
import type { Peer as SessionPeer } from '../../src/protocol/peer.js'
import { Protocols } from '../../src/protocol/protocols.js'
import { ServerCore } from '../../src/server/core.js'
import { ManualClock } from './clock.js'
import type { Peer } from './peer.js'
import type { Ends } from './real.js'
import type { Host } from './replay.js'

export interface SessionHost extends Host {
  readonly server: ServerCore
  readonly clock: ManualClock
  connect(): Promise<BareSession>
}

/** @param isDirect large values are read straight into their items, as from a socket, and not by way of the input buffer */
export async function startSessions(t: Ends, options: Partial<Options> = {}, isDirect = false): Promise<SessionHost> {
  const clock = new ManualClock()
  const server = new ServerCore({ ...options, port: 0 }, { clock, log: () => {} })
  const protocol = new Protocols(server.host).for(server.options.protocol)
  let isStopped = false
  server.onShutdown = () => { isStopped = true }
  t.teardown(async () => {
    try {
      server.verify()
    } finally {
      await server.close()
    }
  })
  await server.listen()  // opens nothing, as there is no port, but starts the background steps
  return {
    server, clock,
    connect: () => Promise.resolve(new BareSession(server, protocol, isDirect)),
    settle: () => Promise.resolve(),
    pass: milliseconds => Promise.resolve(clock.advance(milliseconds / 1000)),
    stopped: () => isStopped ? Promise.resolve() : Promise.reject(new Error('the server was not told to end')),
  }
}

/** What a session sees of its connection. */
class Door implements SessionPeer {
  readonly lentBytesMax = 512 * 1024
  readonly id = 0
  readonly address = 'stream'
  clientNumber = 0
  readonly isLasting = true
  readonly answered: Buffer[] = []
  /** Written, but not read by the client yet. */
  readonly held: Held[] = []
  isRead = true
  isPaused = false
  isOver = false

  write(bytes: Uint8Array): boolean {
    this.answered.push(Buffer.from(bytes))
    return this.isRead
  }

  writeMany(parts: readonly Uint8Array[]): boolean {
    for (const part of parts) this.write(part)
    return this.isRead
  }

  hold(held: Held): void {
    this.held.push(held)
  }

  pause(): void {
    this.isPaused = true
  }

  /** `pause` has been called as well. */
  yield(): void {}

  end(): void {
    this.isOver = true
  }

  drop(): void {
    this.end()
  }
}

export class BareSession implements Peer {
  private readonly door = new Door()
  private readonly session: Session
  private readonly unread: Uint8Array[] = []

  constructor(private readonly server: Pick<ServerCore, 'host'>, protocol: Protocol, private readonly isDirect: boolean) {
    this.session = new Session(server.host, protocol, this.door)
  }

  send(bytes: Uint8Array): Promise<void> {
    if (bytes.length > 0) this.unread.push(bytes)
    this.run()
    return Promise.resolve()
  }

  answer(): Promise<Buffer> {
    const answer = this.waiting()
    this.door.answered.length = 0
    return Promise.resolve(answer)
  }

  waiting(): Buffer {
    return Buffer.concat(this.door.answered)
  }

  closed(): Promise<boolean> {
    return Promise.resolve(this.door.isOver)
  }

  pause(): void {
    this.door.isRead = false
  }

  resume(): void {
    this.door.isRead = true
    this.settle()
    this.run()
  }

  hangUp(): Promise<Buffer> {
    this.settle()
    this.session.close()
    return Promise.resolve(this.waiting())
  }

  private settle(): void {
    for (const batch of this.door.held.splice(0)) batch.settle()
  }

  /** Gives the session what was sent, as far as it wants it. */
  private run(): void {
    const { door, session } = this
    while (!door.isOver) {
      if (!door.isPaused) {
        if (!this.deliver()) return
      } else {
        if (door.held.length > 0) return
        door.isPaused = false
        session.resume()
      }
    }
    session.close()
  }

  /** One read of a socket. False: there is nothing to read. */
  private deliver(): boolean {
    const bytes = this.unread.shift()
    if (bytes === undefined) return false
    const { input } = this.server.host
    const target = this.isDirect ? this.session.directTarget : undefined
    const count = Math.min(bytes.length, target?.length ?? READ_BYTES)
    if (count < bytes.length) this.unread.unshift(bytes.subarray(count))
    if (target === undefined) {
      input.bytes.set(bytes.subarray(0, count), input.batchStart)
      this.session.receive(count)
    } else {
      target.set(bytes.subarray(0, count))
      this.session.receivedDirect(count)
    }
    return true
  }
}
