// A client on a stream: sends bytes and compares the answers byte for byte.
//
//   await client.says('get k\r\n', 'END\r\n')
//
// A wrong answer throws a Mismatch that shows both. Nothing here knows the
// protocol; strings are Latin-1.

import { connect } from 'node:net'
import type { NetConnectOpts } from 'node:net'
import type { Duplex } from 'node:stream'

import { excerpt, toBuffer } from './bytes.js'
import type { Bytes } from './bytes.js'
import { IDLE_MS, Patience } from './patience.js'
import { ExactBytes, Matching, Mismatch } from './peer.js'
import type { Expected, Peer } from './peer.js'

/** Longer answers are looked at only when they can be complete. */
const SHORT_ANSWER = 64 * 1024

/** Its patience is for how long an answer does not come while nobody works, see patience.ts. */
export class Client implements Peer {
  private chunks: Buffer[] = []
  private length = 0
  private isClosed = false
  private wake: () => void = () => {}

  constructor(readonly stream: Duplex, private readonly patienceMs = IDLE_MS) {
    stream.on('data', (chunk: Buffer) => {
      this.chunks.push(chunk)
      this.length += chunk.length
      this.wake()
    })
    stream.on('error', () => {})  // 'close' follows
    stream.on('end', () => stream.end())
    stream.on('close', () => {
      this.isClosed = true
      this.wake()
    })
  }

  static async connect(to: NetConnectOpts, patienceMs?: number): Promise<Client> {
    const socket = connect(to)
    const client = new Client(socket, patienceMs)
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
    socket.setNoDelay(true)
    return client
  }

  /** Sends and takes the answer, which must be exactly this, or match this as a whole. */
  async says(send: Bytes, expect: Bytes | RegExp): Promise<Buffer> {
    void this.send(send)
    return await this.expect(expect, send)
  }

  /** Resolves when the kernel has taken the bytes, which a server that does not read can hold up. */
  send(bytes: Bytes): Promise<void> {
    return new Promise(resolve => this.stream.write(toBuffer(bytes), () => resolve()))
  }

  async expect(expect: Bytes | RegExp, sent: Bytes = ''): Promise<Buffer> {
    const expected = expect instanceof RegExp ? new Matching([expect.source]) : new ExactBytes(expect)
    const received = await this.answer(expected)
    if (expected.judge(received) === 'met') return received
    const { message, ...details } = expected.complain(received)
    const closed = this.isClosed ? ', and the connection is closed' : ''
    throw new Mismatch(`${message}${closed}`, { sent: excerpt(sent), ...details })
  }

  /** The server closes the connection, here and now, and has nothing more to say. */
  async expectClosed(): Promise<void> {
    if (!await this.closed()) throw new Mismatch('the connection is still open')
    if (this.length > 0) throw new Mismatch('before the connection closed something came', { received: excerpt(this.take()) })
  }

  async answer(expected: Expected): Promise<Buffer> {
    await this.until(() => {
      const isWorthALook = this.length <= SHORT_ANSWER || this.length >= expected.bytesMin
      return isWorthALook && expected.judge(this.waiting()) !== 'incomplete'
    })
    return this.take()
  }

  waiting(): Buffer {
    const [only, second] = this.chunks
    if (only !== undefined && second === undefined) return only
    const all = Buffer.concat(this.chunks, this.length)
    this.chunks = [all]
    return all
  }

  async closed(): Promise<boolean> {
    await this.until(() => false)
    return this.isClosed
  }

  async hangUp(): Promise<Buffer> {
    this.stream.resume()
    this.stream.end()
    await this.until(() => false)
    this.stream.destroy()
    return this.take()
  }

  pause(): void {
    this.stream.pause()
  }

  resume(): void {
    this.stream.resume()
  }

  private take(): Buffer {
    const all = this.waiting()
    this.chunks = []
    this.length = 0
    return all
  }

  /** Resolves once the condition holds, the connection is closed, or patience has ended. */
  private async until(isEnough: () => boolean): Promise<void> {
    const patience = new Patience(this.patienceMs)
    let isLate = false
    const looking = setInterval(() => {
      isLate = patience.isOver()
      this.wake()
    }, patience.lookMs)
    while (!isEnough() && !this.isClosed && !isLate) {
      await new Promise<void>(resolve => { this.wake = resolve })
    }
    clearInterval(looking)
  }
}
