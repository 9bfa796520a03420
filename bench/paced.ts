// Requests that are sent when they are due, whether or not earlier ones have been answered, as independent clients do.
// A latency counts from the moment a request was due: when a server stalls, all that were due meanwhile are late, and
// each of them counts (otherwise a stall would count once, "coordinated omission"). Delays of the load itself count
// too, for both servers alike. The loop never sleeps, as timers are too coarse for the gaps.

import type { Socket } from 'node:net'
import { failWith, open, wrongAnswer, type Tally } from './connection.js'
import type { Batch } from './feeds.js'

const BURST_MAX = 64             // sent in one turn; then answers are read
const OUTSTANDING_MAX = 100_000  // on one connection: the server does not keep up

interface Sent {
  readonly batch: Batch
  readonly dueAt: number
}

export class PacedConnection {
  // Resolves when the connection is open; rejects when the server hangs up.
  readonly opened: Promise<void>

  private readonly socket: Socket
  private readonly broken: Promise<never>
  private readonly outstanding: Sent[] = []
  private received = 0             // of the answer to the first of them
  private isResting = true
  private rested: () => void = () => {}
  private fail: (reason: Error) => void = () => {}

  constructor(port: number, private readonly next: () => Batch, private readonly tally: Tally) {
    this.socket = open(port, (length, buffer) => this.receive(buffer.subarray(0, length)))
    this.broken = new Promise<never>((_, reject) => { this.fail = reject })
    this.broken.catch(() => {})
    this.opened = Promise.race([this.broken, new Promise<void>(resolve => this.socket.once('connect', resolve))])
    failWith(this.socket, error => this.fail(error), () => this.outstanding.length > 0)
  }

  // Resolves after `rest`, when all is answered; rejects as that of Connection.
  run(): Promise<void> {
    this.isResting = false
    const rested = new Promise<void>(resolve => { this.rested = resolve })
    return Promise.race([this.broken, rested])
  }

  send(dueAt: number): void {
    const batch = this.next()
    if (this.outstanding.push({ batch, dueAt }) > OUTSTANDING_MAX) this.fail(new Error('does not keep up'))
    this.socket.write(batch.request)
  }

  rest(): void {
    this.isResting = true
    if (this.outstanding.length === 0) this.rested()
  }

  close(): void { this.socket.destroy() }

  private receive(bytes: Buffer): boolean {
    for (let at = 0; at < bytes.length;) {
      const first = this.outstanding[0]
      const left = first === undefined ? 0 : first.batch.answer.length - this.received
      const length = Math.min(left, bytes.length - at)
      if (first === undefined ||
        first.batch.answer.compare(bytes, at, at + length, this.received, this.received + length) !== 0) {
        this.fail(wrongAnswer(bytes.subarray(at), first?.batch.answer.subarray(this.received) ?? Buffer.alloc(0)))
        this.socket.destroy()
        return false
      }
      at += length
      this.received += length
      if (length === left) this.complete(first)
    }
    return true
  }

  private complete({ batch, dueAt }: Sent): void {
    this.tally.latency.add((performance.now() - dueAt) * 1000)
    this.tally.requests += batch.requests
    this.outstanding.shift()
    this.received = 0
    if (this.isResting && this.outstanding.length === 0) this.rested()
  }
}

// Gives the connections their requests in turn, one each `1000 / perSecond` ms.
export class Pacer {
  private startedAt = 0
  private sent = 0
  private next: NodeJS.Immediate | undefined

  constructor(private readonly connections: readonly PacedConnection[], private readonly perSecond: number) {}

  start(): void {
    this.startedAt = performance.now()
    this.sent = 0
    this.turn()
  }

  stop(): void { clearImmediate(this.next) }

  private turn(): void {
    const due = Math.floor((performance.now() - this.startedAt) / 1000 * this.perSecond)
    for (const end = Math.min(due, this.sent + BURST_MAX); this.sent < end; this.sent++) {
      this.connections[this.sent % this.connections.length]!.send(this.startedAt + this.sent / this.perSecond * 1000)
    }
    this.next = setImmediate(() => this.turn())
  }
}
