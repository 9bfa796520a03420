// One client connection that, while it runs, keeps exactly one batch under way and compares every byte of the answers. All
// connections of a thread read into one buffer; nothing is parsed. Used by the load threads, and by the main thread to fill a
// server.
// What is asked only once, and how a socket is opened, is here too.

import { connect, type Socket } from 'node:net'
import { adoptCas, type Batch } from './feeds.js'
import type { Histogram } from './histogram.js'

const READ_BYTES = 256 * 1024
export const SILENCE_MS_MAX = 10_000
const REFUSAL = 'SERVER_ERROR out of memory storing object'
const readBuffer = Buffer.allocUnsafeSlow(READ_BYTES)

export interface Tally {
  requests: number
  refused: number             // of the requests, those whose set found no memory
  readonly latency: Histogram
}

export class Connection {
  // Resolves when the connection is open; rejects when the server hangs up.
  readonly opened: Promise<void>

  private readonly socket: Socket
  private readonly broken: Promise<never>
  private batch: Batch | undefined
  private received = 0
  private text = ''               // the answer so far of a batch that may be refused
  private sentAt = 0
  private isResting = true
  private rested: () => void = () => {}
  private fail: (reason: Error) => void = () => {}

  constructor(port: number, private readonly next: () => Batch | undefined, private readonly tally: Tally) {
    this.socket = open(port, (length, buffer) => this.receive(length, buffer))
    this.broken = new Promise<never>((_, reject) => { this.fail = reject })
    this.broken.catch(() => {})
    this.opened = Promise.race([this.broken, new Promise<void>(resolve => this.socket.once('connect', resolve))])
    failWith(this.socket, error => this.fail(error), () => this.batch !== undefined)
  }

  // Sends batch after batch until the feed has no more or `rest` is called. Resolves when the last answer is in; rejects when
  // an answer is wrong or the server hangs up.
  run(): Promise<void> {
    this.isResting = false
    const rested = new Promise<void>(resolve => { this.rested = resolve })
    this.sentAt = performance.now()
    this.send()
    return Promise.race([this.broken, rested])
  }

  rest(): void { this.isResting = true }

  close(): void { this.socket.destroy() }

  private send(): void {
    this.batch = this.isResting ? undefined : this.next()
    this.received = 0
    this.text = ''
    if (this.batch === undefined) this.rested()
    else this.socket.write(this.batch.request)
  }

  private receive(length: number, buffer: Buffer): boolean {
    if (this.batch?.mayBeRefused === true) return this.receiveLines(this.batch, buffer.toString('latin1', 0, length))
    const answer = this.batch?.answer
    const upTo = this.received + length
    if (this.batch !== undefined) adoptCas(this.batch, buffer, length, this.received)
    if (answer === undefined || upTo > answer.length || buffer.compare(answer, this.received, upTo, 0, length) !== 0) {
      this.refuse(buffer.subarray(0, length))
      return false
    }
    this.received = upTo
    if (upTo === answer.length) this.complete()
    return true
  }

  // As many lines as requests, each STORED or a refusal.
  private receiveLines({ answer, requests }: Batch, text: string): boolean {
    this.text += text
    if (this.text.length < answer.length || !this.text.endsWith('\n')) return true
    if (this.text.length > answer.length) {
      const lines = this.text.split('\r\n')
      if (lines.length <= requests) return true
      this.tally.refused += lines.filter(line => line === REFUSAL).length
      this.text = lines.filter(line => line !== REFUSAL).join('\r\n')
    }
    if (!answer.toString('latin1').startsWith(this.text)) {
      this.refuse(Buffer.from(this.text, 'latin1'))
      return false
    }
    this.complete()
    return true
  }

  private complete(): void {
    const now = performance.now()
    this.tally.latency.add((now - this.sentAt) * 1000)
    this.tally.requests += this.batch!.requests
    this.sentAt = now
    this.send()
  }

  private refuse(bytes: Buffer): void {
    this.fail(wrongAnswer(bytes, this.batch?.answer.subarray(this.received, this.received + bytes.length) ?? Buffer.alloc(0)))
    this.socket.destroy()
  }
}

// A socket whose bytes go to `receive`, in a buffer that is valid until it returns. False: it wants no more.
export function open(port: number, receive: (length: number, buffer: Buffer) => boolean): Socket {
  return connect({
    host: '127.0.0.1', port, noDelay: true,
    onread: { buffer: readBuffer, callback: (length, buffer) => receive(length, buffer as Buffer) },
  })
}

// Fails when the other end closes the socket, and when nothing comes for long while an answer is due.
export function failWith(socket: Socket, fail: (reason: Error) => void, isDue: () => boolean = () => true): void {
  socket.on('error', fail)
  socket.setTimeout(SILENCE_MS_MAX, () => {
    if (isDue()) fail(new Error('no answer'))
  })
  socket.on('close', () => fail(new Error('the server closed a connection')))
}

export function wrongAnswer(bytes: Buffer, expected: Buffer): Error {
  const at = bytes.findIndex((byte, index) => byte !== expected[index])
  return new Error(`wrong answer: ${excerpt(bytes, at)} instead of ${excerpt(expected, at)}`)
}

function excerpt(bytes: Buffer, at: number): string {
  return JSON.stringify(bytes.toString('latin1', Math.max(0, at - 40), at + 40))
}

// Sends one command and returns the whole answer, whose end the caller knows.
export function ask(port: number, command: string, end: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = ''
    const socket = connect(port, '127.0.0.1')
    socket.setTimeout(SILENCE_MS_MAX, () => socket.destroy())
    socket.setEncoding('latin1')
    socket.on('error', reject)
    socket.on('close', () => reject(new Error(`no answer to ${command}`)))
    socket.on('data', (text: string) => {
      answer += text
      if (!answer.endsWith(end)) return
      resolve(answer)
      socket.destroy()
    })
    socket.write(`${command}\r\n`)
  })
}

// The numbers of the general statistics by name.
export async function askStats(port: number): Promise<Map<string, number>> {
  const answer = await ask(port, 'stats', 'END\r\n')
  return new Map(Array.from(answer.matchAll(/^STAT (\S+) (\S+)\r$/gm), ([, name, value]) => [name!, Number(value)]))
}
