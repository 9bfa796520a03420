// A server that is given spoiled streams on bare sessions, a step at a time. The
// same steps always do the same, so that a failure can be had again.

import type { Options } from '../../src/options/options.js'
import { excerpt } from '../support/bytes.js'
import { startSessions } from '../support/session.js'
import type { BareSession, SessionHost } from '../support/session.js'
import { binaryFault, textFault } from './wellformed.js'

/** What one connection sends, in pieces as they arrive. */
export interface Step {
  readonly pieces: readonly Buffer[]
  /** The piece before which the client stops reading its answers; it goes on after the last. */
  readonly pausedFrom: number | undefined
  /** How many of the connections so far stay, in the middle of whatever they are in. */
  readonly staying: number
  /** By how much the clock moves on afterwards. */
  readonly seconds: number
}

const STEPS_BETWEEN_VERIFICATIONS = 50
const BINARY_MAGIC = 0x80

export class World {
  private readonly staying: BareSession[] = []
  private stepCount = 0

  private constructor(private readonly host: SessionHost, private readonly end: () => Promise<void>) {}

  static async start(options: Partial<Options>, isDirect: boolean): Promise<World> {
    const tasks: (() => unknown)[] = []
    const host = await startSessions({ teardown: task => tasks.push(task) }, options, isDirect)
    return new World(host, async () => { for (const task of tasks) await task() })
  }

  async take({ pieces, pausedFrom, staying, seconds }: Step): Promise<void> {
    const session = await this.host.connect()
    for (const [index, piece] of pieces.entries()) {
      if (index === pausedFrom) session.pause()
      await session.send(piece)
    }
    session.resume()
    this.judge(await session.answer(), pieces.find(({ length }) => length > 0)?.[0])
    if (!await session.closed()) this.staying.push(session)
    await this.hangUp(staying)
    this.host.clock.advance(seconds)
    if (++this.stepCount % STEPS_BETWEEN_VERIFICATIONS === 0) this.host.server.verify()
  }

  /** Ends the oldest connections, until only so many stay. */
  async hangUp(staying: number): Promise<void> {
    for (const session of this.staying.splice(0, Math.max(0, this.staying.length - staying))) await session.hangUp()
  }

  /** Nothing may be left behind. */
  async close(): Promise<void> {
    await this.hangUp(0)
    const { refCount } = this.host.server.store
    await this.end()
    if (refCount !== 0) throw new Error(`${refCount} items are still held`)
  }

  /** Everything has been read, so no answer may be cut short. */
  private judge(answers: Buffer, firstByte: number | undefined): void {
    const isBinary = firstByte === BINARY_MAGIC && this.host.server.options.protocol !== 'ascii'
    const fault = isBinary ? binaryFault(answers) : textFault(answers)
    if (fault !== undefined) throw new Error(`${fault.message}: ${excerpt(answers, fault.at)}`)
  }
}
