// Sends one stream of requests to two servers and compares what they answer,
// byte for byte, but for what each server has its own of (see answers.ts).

import { differsAt, escape, excerpt, toBuffer } from '../support/bytes.js'
import { packet } from '../support/packet.js'
import type { Expected, Peer, Verdict } from '../support/peer.js'
import { Mismatch } from '../support/peer.js'
import type { Prng } from '../support/prng.js'
import type { Host } from '../support/replay.js'
import { CasNumbers, comparablePackets, comparableText } from './answers.js'
import { differenceOf } from './differences.js'
import { CAS } from './request.js'
import type { Request } from './request.js'
import type { Batch } from './stream.js'

/** Ends every batch of its protocol, so that its answer has an end that can be seen. */
interface Last {
  readonly request: string
  readonly answer: RegExp
}

const VERSION: Last = { request: 'version\r\n', answer: /VERSION [^ \r\n]+\r\n$/ }
const NOOP: Last = { request: packet(0x0a, { opaque: 0xffffffff }).toString('latin1'), answer: /\x81\x0a\0{10}\xff{4}\0{8}$/ }
const LAST_BYTES_MAX = 40

class Complete implements Expected {
  readonly bytesMin = 1

  constructor(private readonly last: Last) {}

  judge(received: Buffer): Verdict {
    return this.last.answer.test(received.subarray(-LAST_BYTES_MAX).toString('latin1')) ? 'met' : 'incomplete'
  }

  complain(): { message: string, expected: string, received: string } {
    return { message: 'no answer to the last request', expected: '', received: '' }
  }
}

/** One of the two servers, and what it has told so far. */
export class Side {
  private readonly peers = new Map<number, Peer>()
  private readonly numbers = new CasNumbers()

  constructor(readonly name: string, private readonly host: Host) {}

  /** @param cuts how many times the write is interrupted, at random */
  async ask({ connection, requests }: Batch, prng: Prng, cuts: number): Promise<string> {
    const peer = await this.peer(connection)
    const closes = requests.some(request => request.closes)
    const last = requests.some(isBinary) ? NOOP : VERSION
    const bytes = toBuffer(requests.map(request => this.filled(request)).join('') + (closes ? '' : last.request))
    await this.send(peer, bytes, prng, cuts)
    if (closes) {
      this.peers.delete(connection)
      return await peer.closed() ? `${peer.waiting().toString('latin1')}(closed)` : '(still open)'
    }
    const received = (await peer.answer(new Complete(last))).toString('latin1')
    if (!last.answer.test(received.slice(-LAST_BYTES_MAX))) this.peers.delete(connection)
    const answer = received.replace(last.answer, '')
    return last === NOOP ? comparablePackets(answer, requests, this.numbers) : comparableText(answer, this.numbers)
  }

  async end(): Promise<void> {
    for (const peer of this.peers.values()) await peer.hangUp()
    this.peers.clear()
  }

  private async peer(connection: number): Promise<Peer> {
    const known = this.peers.get(connection)
    if (known !== undefined) return known
    const peer = await this.host.connect()
    this.peers.set(connection, peer)
    return peer
  }

  private async send(peer: Peer, bytes: Buffer, prng: Prng, cuts: number): Promise<void> {
    const places = Array.from({ length: cuts }, () => prng.below(bytes.length)).sort((one, other) => one - other)
    let start = 0
    for (const place of [...places, bytes.length]) {
      void peer.send(bytes.subarray(start, place))
      if (place < bytes.length) await this.host.settle()
      start = place
    }
  }

  private filled(request: Request): string {
    return request.text.replaceAll(CAS, () => {
      const number = this.numbers.of(request.casKey ?? '')
      return isBinary(request) ? eightBytes(number) : String(number)
    })
  }
}

function isBinary({ opaque }: Request): boolean {
  return opaque !== undefined
}

function eightBytes(number: bigint): string {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(number)
  return bytes.toString('latin1')
}

/** What is wrong with one batch. */
export interface Disagreement {
  readonly batch: Batch
  readonly expected: string
  readonly received: string
}

/** Asks both; `older` is right, but for the known differences. */
export async function disagree(batch: Batch, older: Side, ours: Side, prng: Prng): Promise<Disagreement | undefined> {
  const cuts = prng.oneIn(4) ? prng.between(1, 3) : 0
  const [right, received] = await Promise.all([older.ask(batch, prng, 0), ours.ask(batch, prng, cuts)])
  const [first] = batch.requests
  const difference = batch.requests.length === 1 && first !== undefined ? differenceOf(first) : undefined
  const expected = difference?.answer?.(right) ?? right
  return received === expected ? undefined : { batch, expected, received }
}

/** A failure's text. The batch that they disagree about is one of the batches. */
export function describe(seed: number, batches: readonly Batch[], { batch, expected, received }: Disagreement): Mismatch {
  const requests = batches.slice(0, batches.indexOf(batch) + 1)
    .flatMap(({ connection, requests }) => requests.map(request => `${connection}: ${excerptOf(request)}`))
  const at = Math.max(0, differsAt(toBuffer(expected), toBuffer(received)))
  return new Mismatch(`MEMSLAB_SEED=${seed}: the servers disagree about the last of these requests`, {
    requests: requests.slice(-60).join('\n'),
    memcached: excerpt(expected, at),
    memslab: excerpt(received, at),
  })
}

function excerptOf({ text, casKey }: Request): string {
  const shown = text.length <= 300 ? escape(text.replaceAll(CAS, '<cas>'))
    : `${escape(text.slice(0, 200).replaceAll(CAS, '<cas>'))}... (${text.length} bytes)`
  return casKey === undefined ? shown : `${shown}   # the cas number of ${escape(casKey)}`
}
