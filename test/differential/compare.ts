// Sends one stream of requests to two servers and compares what they answer,
// byte for byte, but for cas numbers: each server has its own, so only which of
// them are the same is compared.

import { differsAt, escape, excerpt, toBuffer } from '../support/bytes.js'
import type { Expected, Peer, Verdict } from '../support/peer.js'
import { Mismatch } from '../support/peer.js'
import type { Prng } from '../support/prng.js'
import type { Host } from '../support/replay.js'
import { differenceOf } from './differences.js'
import { CAS } from './request.js'
import type { Request } from './request.js'

/** Ends every batch, so that its answer has an end that can be seen. */
const LAST_COMMAND = 'version\r\n'
const LAST_ANSWER = /VERSION [^ \r\n]+\r\n$/

/** Complete when it ends with the answer to LAST_COMMAND. */
const COMPLETE: Expected = {
  bytesMin: 1,
  judge: (received: Buffer): Verdict => LAST_ANSWER.test(received.subarray(-40).toString('latin1')) ? 'met' : 'incomplete',
  complain: () => ({ message: 'no answer to version', expected: '', received: '' }),
}

/** Requests that are sent in one go. */
export type Batch = readonly Request[]

/**
 * The next batch of a stream. A request that the two servers answer differently, or that ends the connection, is alone
 * in its batch; where it comes up in the middle of one, it ends that and is left out.
 */
export function nextBatch(prng: Prng, next: () => Request, limit: number): Batch {
  const batch: Request[] = []
  while (batch.length < limit) {
    const request = next()
    const difference = differenceOf(request)
    if (difference !== undefined && difference.answer === undefined) continue
    if (isChance(request, batch)) return batch
    if (difference === undefined && request.closes !== true) batch.push(request)
    else if (batch.length === 0) return [request]
    else return batch
    if (prng.oneIn(8)) return batch
  }
  return batch
}

/**
 * memcached changes a counter in place, padded with spaces, unless an answer with its old value waits to be written:
 * then the new value is as long as its digits. Which of the two happens after a get in the same write is chance.
 */
function isChance(request: Request, batch: Batch): boolean {
  return /^(incr|decr)/.test(request.line) && batch.some(({ line }) => line.startsWith('g'))
}

/** One of the two servers, and what it has told so far. */
export class Side {
  private peer: Peer | undefined
  private readonly casOfKey = new Map<string, string>()
  private readonly casOrder = new Map<string, number>()

  constructor(readonly name: string, private readonly host: Host) {}

  /** @param cuts how many times the write is interrupted, at random */
  async ask(batch: Batch, prng: Prng, cuts: number): Promise<string> {
    const peer = this.peer ??= await this.host.connect()
    const closes = batch.some(request => request.closes)
    const bytes = toBuffer(batch.map(request => this.filled(request)).join('') + (closes ? '' : LAST_COMMAND))
    await this.send(peer, bytes, prng, cuts)
    if (closes) {
      this.peer = undefined
      return await peer.closed() ? `${peer.waiting().toString('latin1')}(closed)` : '(still open)'
    }
    const answer = (await peer.answer(COMPLETE)).toString('latin1')
    if (!LAST_ANSWER.test(answer.slice(-40))) this.peer = undefined
    return this.withoutNumbers(answer.replace(LAST_ANSWER, ''))
  }

  async end(): Promise<void> {
    await this.peer?.hangUp()
    this.peer = undefined
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
    return request.text.replaceAll(CAS, this.casOfKey.get(request.casKey ?? '') ?? '18446744073709551615')
  }

  /** The answer with each cas number replaced by how many others were seen before it. */
  private withoutNumbers(answer: string): string {
    let result = ''
    let at = 0
    while (at < answer.length) {
      const end = answer.indexOf('\n', at) + 1 || answer.length
      const line = answer.slice(at, end)
      const value = /^VALUE ([^ ]+) \d+ (\d+)( (\d+))?\r\n$/.exec(line)
      if (value === null) {
        result += line
        at = end
        continue
      }
      const [, key = '', length, tail = '', cas] = value
      result += cas === undefined ? line : `${line.slice(0, -tail.length - 2)} cas#${this.orderOf(key, cas)}\r\n`
      at = end + Number(length) + 2
      result += answer.slice(end, at)
    }
    return result
  }

  private orderOf(key: string, cas: string): number {
    this.casOfKey.set(key, cas)
    const order = this.casOrder.get(cas) ?? this.casOrder.size
    this.casOrder.set(cas, order)
    return order
  }
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
  const [first] = batch
  const difference = batch.length === 1 && first !== undefined ? differenceOf(first) : undefined
  const expected = difference?.answer?.(right) ?? right
  return received === expected ? undefined : { batch, expected, received }
}

/** The shortest stream found that still makes the two disagree: later requests first lose those before them, then each other. */
export async function shrink(history: readonly Batch[], fails: (batches: readonly Batch[]) => Promise<boolean>): Promise<readonly Batch[]> {
  let kept = history
  for (let length = 1; length < history.length; length *= 2) {
    const suffix = history.slice(-length)
    if (!await fails(suffix)) continue
    kept = suffix
    break
  }
  for (let index = kept.length - 2, tries = 0; index >= 0 && tries < TRIES_MAX; index--, tries++) {
    const shorter = [...kept.slice(0, index), ...kept.slice(index + 1)]
    if (await fails(shorter)) kept = shorter
  }
  return kept
}

const TRIES_MAX = 500

/** A failure's text. The batch that they disagree about is one of the batches. */
export function describe(seed: number, batches: readonly Batch[], { batch, expected, received }: Disagreement): Mismatch {
  const requests = batches.slice(0, batches.indexOf(batch) + 1).flat()
  const at = Math.max(0, differsAt(toBuffer(expected), toBuffer(received)))
  return new Mismatch(`MEMSLAB_SEED=${seed}: the servers disagree about the last of these requests`, {
    requests: requests.slice(-60).map(excerptOf).join('\n'),
    memcached: excerpt(expected, at),
    memslab: excerpt(received, at),
  })
}

function excerptOf({ text, casKey }: Request): string {
  const shown = text.length <= 300 ? escape(text.replaceAll(CAS, '<cas>')) : `${escape(text.slice(0, 200).replaceAll(CAS, '<cas>'))}... (${text.length} bytes)`
  return casKey === undefined ? shown : `${shown}   # the cas number of ${escape(casKey)}`
}
