// A client that speaks over UDP: each send is one request datagram, and the
// datagrams of an answer are put together again. Every frame that comes in is
// checked against protocol.txt; one that is wrong fails the next question.
//
//   const { client } = await startUdpServer(t)
//   await client.says('get k\r\n', 'END\r\n')

import { createSocket } from 'node:dgram'
import type { Socket } from 'node:dgram'
import { once } from 'node:events'

import { excerpt, toBuffer } from './bytes.js'
import type { Bytes } from './bytes.js'
import { Patience } from './patience.js'
import { ExactBytes, Matching, Mismatch } from './peer.js'
import type { Expected, Peer } from './peer.js'
import type { Ends } from './real.js'
import { startLonelyServer } from './server.js'
import type { LonelyServer, StartOptions } from './server.js'

const HEADER_BYTES = 8
const DATAGRAM_BYTES_MAX = 1400

export interface UdpServer extends LonelyServer {
  /** A first client. */
  readonly client: DatagramClient
  /** One more client; `connect` makes one over TCP. */
  open(): Promise<DatagramClient>
}

export interface Header { readonly id?: number; readonly sequence?: number; readonly total?: number; readonly reserved?: number }

/** A datagram: memcached's header, which is right unless told otherwise, and what follows it. */
export function frame(payload: Bytes, { id = 1, sequence = 0, total = 1, reserved = 0 }: Header = {}): Buffer {
  const header = Buffer.alloc(HEADER_BYTES)
  for (const [index, field] of [id, sequence, total, reserved].entries()) header.writeUInt16BE(field, index * 2)
  return Buffer.concat([header, toBuffer(payload)])
}

/** The parts of one answer, as far as they are there. */
interface Unfinished { readonly parts: Buffer[]; readonly total: number }

export class DatagramClient implements Peer {
  /** Every datagram that came, header and all. */
  readonly received: Buffer[] = []
  private lastId = 0
  private readonly unfinished = new Map<number, Unfinished>()
  private whole: Buffer[] = []
  private isClosed = false
  private problem: Mismatch | undefined
  private wake: () => void = () => {}

  private constructor(private readonly socket: Socket, private readonly port: number) {
    socket.on('message', datagram => this.take(datagram))
  }

  /** @param port of a server on 127.0.0.1 */
  static async open(port: number): Promise<DatagramClient> {
    const socket = createSocket('udp4')
    socket.bind(0, '127.0.0.1')
    await once(socket, 'listening')
    return new DatagramClient(socket, port)
  }

  /** Sends one datagram; the client numbers them. */
  async send(payload: Bytes): Promise<void> {
    this.lastId = (this.lastId + 1) % 0x1_0000
    await this.sendDatagram(frame(payload, { id: this.lastId }))
  }

  /** Sends exactly these bytes as a datagram. */
  async sendDatagram(bytes: Bytes): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.socket.send(toBuffer(bytes), this.port, '127.0.0.1', error => error === null ? resolve() : reject(error))
    })
  }

  /** Sends and takes the answer, which must be exactly this. */
  async says(payload: Bytes, expect: Bytes): Promise<void> {
    await this.send(payload)
    await this.expect(expect, payload)
  }

  async expect(expect: Bytes, sent: Bytes = ''): Promise<void> {
    const expected = new ExactBytes(expect)
    const answer = await this.answer(expected)
    if (expected.judge(answer) === 'met') return
    const { message, ...details } = expected.complain(answer)
    throw new Mismatch(message, { sent: excerpt(sent), ...details })
  }

  /** Takes the next answer, whatever it is. */
  async anything(): Promise<Buffer> {
    return await this.answer(new Matching(['[^]+']))
  }

  /** Whatever was sent before has been served, and not answered. */
  async heardNothing(): Promise<void> {
    await this.says('mn\r\n', 'MN\r\n')
  }

  async answer(expected: Expected): Promise<Buffer> {
    const isDecided = () => this.problem !== undefined || expected.judge(this.waiting()) !== 'incomplete'
    const patience = new Patience()
    const looking = setInterval(() => this.wake(), patience.lookMs)
    while (!isDecided() && !patience.isOver()) await new Promise<void>(resolve => { this.wake = resolve })
    clearInterval(looking)
    if (this.problem !== undefined) throw this.problem
    const answer = this.waiting()
    this.whole = []
    return answer
  }

  waiting(): Buffer {
    return Buffer.concat(this.whole)
  }

  /** There is no connection that could be. */
  closed(): Promise<boolean> {
    return Promise.resolve(false)
  }

  pause(): void {}

  resume(): void {}

  hangUp(): Promise<Buffer> {
    this.close()
    return Promise.resolve(this.waiting())
  }

  /** May be called twice. */
  close(): void {
    if (!this.isClosed) this.socket.close()
    this.isClosed = true
  }

  private take(datagram: Buffer): void {
    this.received.push(datagram)
    this.problem ??= this.add(datagram)
    this.wake()
  }

  private add(datagram: Buffer): Mismatch | undefined {
    const wrong = (what: string): Mismatch => new Mismatch(`a datagram ${what}`, { received: excerpt(datagram) })
    if (datagram.length <= HEADER_BYTES) return wrong('without a payload')
    if (datagram.length > DATAGRAM_BYTES_MAX) return wrong('that is too long')
    const [id = 0, sequence, total = 0, reserved] = [0, 2, 4, 6].map(at => datagram.readUInt16BE(at))
    const { parts, total: expectedTotal } = this.unfinished.get(id) ?? { parts: [], total }
    if (reserved !== 0 || total === 0 || total !== expectedTotal || sequence !== parts.length) return wrong('with a wrong header')
    parts.push(datagram.subarray(HEADER_BYTES))
    if (parts.length < total) {
      if (datagram.length < DATAGRAM_BYTES_MAX) return wrong('that is not full, though others follow it')
      this.unfinished.set(id, { parts, total })
    } else {
      this.unfinished.delete(id)
      this.whole.push(...parts)
    }
    return undefined
  }
}

/** A server with a UDP port beside its TCP port, both free ones of 127.0.0.1. */
export async function startUdpServer(t: Ends, options: StartOptions = {}): Promise<UdpServer> {
  const lonely = await startLonelyServer(t, { ...options, udpport: -1 })
  const open = async (): Promise<DatagramClient> => {
    const client = await DatagramClient.open(lonely.server.udpPort)
    t.teardown(() => client.close())
    return client
  }
  return { ...lonely, open, client: await open() }
}
