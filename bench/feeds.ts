// What the connections of a workload send and what they must get back, byte for byte, rendered before the clock runs.
// A connection asks its feed for one batch after the other; a batch is written whole and its answer compared whole.

import { CAS_BYTES, classicGet, classicMiss, phrasings, STORED, type Exchange } from './exchanges.js'
import { Prng, shuffle } from './random.js'
import type { SpeedWorkload } from './workloads.js'

export interface Batch {
  readonly request: Buffer
  readonly answer: Buffer
  readonly requests: number
  readonly casAt?: readonly number[]   // where the answer holds cas numbers, which only the server knows
  readonly mayBeRefused?: boolean   // memcached refuses a set now and then while it evicts as fast as it can
}

export interface Feed {
  // The batch is valid until the next call, which comes after its answer has arrived.
  next(): Batch
}

const SEED = 20
const GETS_PER_SET = 10
export const KEYS_PER_GET = 50
const COUNTER_START = 1_000_000_000   // ten digits, and so it stays for nine billion increments
const SEQUENCE_DIGITS = 9
const MIXED_BYTES_MIN = 10
const MIXED_BYTES_MAX = 8192

// The feeds of all connections of one workload; `round` keeps the keys of one measurement apart from another's.
export function makeFeeds(workload: SpeedWorkload, round: number): (connection: number) => Feed {
  switch (workload.command) {
    case 'incr': return connection => new CounterFeed(connection, workload.depth)
    case 'churn': return connection => new FreshFeed(round, connection, sameSizes(workload.depth, workload.valueBytes))
    default: {
      const batches = gather(exchangesOf(workload), workload.depth)
      return connection => new CycleFeed(batches, connection * 7919)
    }
  }
}

// Sets every key that the workload expects to find.
export function preload(workload: SpeedWorkload): Batch[] {
  if (workload.command === 'miss' || workload.command === 'incr' || workload.command === 'churn') return []
  const batchSize = Math.max(1, Math.min(100, Math.floor(2 ** 20 / workload.valueBytes)))
  return gather(keysOf(workload).map(index => phrasings.classic.set(index, workload.valueBytes)), batchSize)
}

function keysOf(workload: SpeedWorkload): number[] {
  return Array.from({ length: workload.keys }, (_, index) => index)
}

function exchangesOf(workload: SpeedWorkload): Exchange[] {
  const { keys, valueBytes } = workload
  const { get, set } = phrasings[workload.protocol ?? 'classic']
  const prng = new Prng(SEED)
  // of few keys each comes several times, so that there are enough for a batch
  const order = shuffle(Array.from({ length: Math.max(keys, workload.depth) }, (_, index) => index % keys), prng)
  switch (workload.command) {
    case 'get': return order.map(index => get(index, valueBytes))
    case 'set': return order.map(index => set(index, valueBytes))
    case 'miss': return order.map(classicMiss)
    case 'multi-get': return order.map(() => classicGet(Array.from({ length: KEYS_PER_GET }, () => prng.below(keys)), valueBytes))
    case 'mixed': return order.flatMap(index => [
      set(index, valueBytes),
      ...Array.from({ length: GETS_PER_SET }, () => get(prng.below(keys), valueBytes)),
    ])
    default: throw new Error(`${workload.command} has no fixed exchanges`)
  }
}

// Batches of `depth` exchanges each; the last may be shorter.
function gather(exchanges: readonly Exchange[], depth: number): Batch[] {
  const batches: Batch[] = []
  for (let start = 0; start < exchanges.length; start += depth) {
    const some = exchanges.slice(start, start + depth)
    const casAt = casPlaces(some)
    batches.push({
      request: Buffer.concat(some.map(exchange => exchange.request)),
      answer: Buffer.concat(some.map(exchange => exchange.answer)),
      requests: some.length,
      ...(casAt.length === 0 ? {} : { casAt }),
    })
  }
  return batches
}

function casPlaces(exchanges: readonly Exchange[]): number[] {
  const places: number[] = []
  let start = 0
  for (const { answer, casAt } of exchanges) {
    if (casAt !== undefined) places.push(start + casAt)
    start += answer.length
  }
  return places
}

// Takes over the cas numbers in a piece of a server's answer, which begins at byte `start` of it: all else is compared.
export function adoptCas({ answer, casAt }: Batch, piece: Uint8Array, length: number, start: number): void {
  if (casAt === undefined) return
  for (const at of casAt) {
    const end = Math.min(at + CAS_BYTES, start + length)
    for (let index = Math.max(at, start); index < end; index++) answer[index] = piece[index - start]!
  }
}

// The same batches over and over, every connection starting at another one.
class CycleFeed implements Feed {
  private at: number

  constructor(private readonly batches: readonly Batch[], start: number) {
    this.at = start % batches.length
  }

  next(): Batch {
    const batch = this.batches[this.at]!
    this.at = this.at + 1 === this.batches.length ? 0 : this.at + 1
    return batch
  }
}

// Sets of keys never used before, one for each of the sizes: the keys have 20 bytes, the digits of the last nine written anew
// into the one request buffer.
export class FreshFeed implements Feed {
  private readonly batch: Batch
  private readonly digitsAt: number[] = []
  private sequence = 0

  constructor(round: number, connection: number, sizes: readonly number[]) {
    const start = `set key:${String(round % 100).padStart(2, '0')}:${String(connection).padStart(4, '0')}`
    const digits = '0'.repeat(SEQUENCE_DIGITS)
    let at = 0
    const sets = sizes.map(valueBytes => {
      const line = Buffer.from(`${start}${digits} 0 0 ${valueBytes}\r\n`)
      const set = Buffer.concat([line, Buffer.alloc(valueBytes, 'abcdefgh'), Buffer.from('\r\n')])
      this.digitsAt.push(at + start.length)
      at += set.length
      return set
    })
    this.batch = {
      request: Buffer.concat(sets),
      answer: Buffer.concat(sizes.map(() => STORED)),
      requests: sizes.length,
      mayBeRefused: true,
    }
  }

  next(): Batch {
    for (const at of this.digitsAt) writeDigits(this.batch.request, at, SEQUENCE_DIGITS, this.sequence++)
    return this.batch
  }
}

export function sameSizes(count: number, valueBytes: number): number[] {
  return Array.from({ length: count }, () => valueBytes)
}

// From 10 B to 8 KiB, as many of each doubling, others for each seed.
export function mixedSizes(count: number, seed: number): number[] {
  const prng = new Prng(seed)
  return Array.from({ length: count }, () => Math.round(MIXED_BYTES_MIN * (MIXED_BYTES_MAX / MIXED_BYTES_MIN) ** prng.next()))
}

// Every connection counts `depth` counters of its own up together, so it knows each answer: the first batch sets them.
class CounterFeed implements Feed {
  private readonly first: Batch
  private readonly batch: Batch
  private count = COUNTER_START - 1

  constructor(connection: number, depth: number) {
    const keys = Array.from({ length: depth }, (_, counter) => `counter:${connection}:${counter}`)
    this.first = {
      request: Buffer.from(keys.map(key => `set ${key} 0 0 10\r\n${COUNTER_START}\r\n`).join('')),
      answer: Buffer.from('STORED\r\n'.repeat(depth)),
      requests: depth,
    }
    this.batch = {
      request: Buffer.from(keys.map(key => `incr ${key} 1\r\n`).join('')),
      answer: Buffer.from(`${COUNTER_START}\r\n`.repeat(depth)),
      requests: depth,
    }
  }

  next(): Batch {
    this.count++
    if (this.count === COUNTER_START) return this.first
    const { answer } = this.batch
    for (let at = 0; at < answer.length; at += 12) writeDigits(answer, at, 10, this.count)
    return this.batch
  }
}

function writeDigits(buffer: Buffer, start: number, digits: number, value: number): void {
  let rest = value
  for (let at = start + digits - 1; at >= start; at--) {
    const next = Math.floor(rest / 10)
    buffer[at] = 0x30 + rest - next * 10
    rest = next
  }
}
