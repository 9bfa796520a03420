// A client that sends many requests at once and reads their answers as they come. It can send them in pieces, and can
// leave the answers lying for a while.

import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'

import { Patience } from '../support/patience.js'
import type { Answer, Request } from './intent.js'

export interface Exchange {
  readonly request: Request
  settle(answer: Answer): void
}

export class Talker {
  private chunks: Buffer[] = []
  private length = 0
  /** With fewer bytes there is nothing new to read. */
  private needed = 1
  private pending: readonly Exchange[] = []
  private settled = 0
  private done: (error?: Error) => void = () => {}

  private constructor(private readonly socket: Socket) {
    socket.on('data', (chunk: Buffer) => {
      this.chunks.push(chunk)
      this.length += chunk.length
      if (this.length >= this.needed) this.read()
    })
    socket.on('error', error => this.done(error))
    socket.on('close', () => {
      this.done(new Error(`the server closed the connection, ${this.pending.length - this.settled} answers short`))
    })
  }

  static async connect(port: number): Promise<Talker> {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true })
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
    return new Talker(socket)
  }

  /**
   * Resolves when all have been answered; the last must be one that is.
   * @param cuts where the bytes are cut in pieces, from 0 to 1
   * @param turns of the event loop for which nobody reads
   */
  async say(exchanges: readonly Exchange[], cuts: readonly number[] = [], turns = 0): Promise<void> {
    this.pending = exchanges
    this.settled = 0
    const answered = new Promise<void>((resolve, reject) => {
      this.done = error => error === undefined ? resolve() : reject(error)
    })
    answered.catch(() => {})  // it is awaited below
    if (turns > 0) this.socket.pause()
    const bytes = Buffer.concat(exchanges.map(({ request }) => request.bytes))
    let at = 0
    for (const cut of [...cuts].sort((one, other) => one - other)) {
      const end = Math.floor(cut * bytes.length)
      this.socket.write(bytes.subarray(at, end))
      at = end
      await turn()
    }
    this.socket.write(bytes.subarray(at))
    for (let count = 0; count < turns; count++) await turn()
    this.socket.resume()
    const patience = new Patience()
    const looking = setInterval(() => {
      if (patience.isOver()) this.done(new Error(`no answer to ${this.question}`))
    }, patience.lookMs)
    await answered.finally(() => clearInterval(looking))
  }

  private get question(): string {
    const { bytes } = this.pending[this.settled]!.request
    return `${JSON.stringify(bytes.toString('latin1', 0, 100))}, after ${this.length} bytes of one`
  }

  end(): Promise<void> {
    const closed = new Promise<void>(resolve => this.socket.once('close', () => resolve()))
    this.done = () => {}
    this.socket.end()
    return closed
  }

  destroy(): void {
    this.socket.destroy()
  }

  private read(): void {
    const bytes = this.chunks.length === 1 ? this.chunks[0]! : Buffer.concat(this.chunks, this.length)
    let at = 0
    this.needed = 1
    try {
      while (this.settled < this.pending.length) {
        const exchange = this.pending[this.settled]!
        const reply = exchange.request.read(bytes, at)
        if (typeof reply === 'number') {
          this.needed = reply
          break
        }
        this.settled++
        exchange.settle(reply.answer)
        at = reply.end
      }
      if (this.settled === this.pending.length && at < bytes.length) {
        throw new Error(`more came than was asked for: ${JSON.stringify(bytes.toString('latin1', at, at + 100))}`)
      }
    } catch (error) {
      this.socket.destroy()
      this.done(error as Error)
      return
    }
    this.chunks = at < bytes.length ? [bytes.subarray(at)] : []
    this.length = bytes.length - at
    if (this.settled === this.pending.length) this.done()
  }
}
