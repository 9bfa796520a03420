// Sessions without a server and without sockets, over a store of this process that is shared between threads or not.
// The other end takes everything at once, and every byte of the answers is compared.

import { SystemClock } from '../dist/clock.js'
import { completeOptions } from '../dist/options/options.js'
import type { Host, Rows } from '../dist/protocol/host.js'
import { Input, INPUT_BYTES } from '../dist/protocol/input.js'
import { Output, OUTPUT_BUFFERS, OUTPUT_BYTES } from '../dist/protocol/output.js'
import type { Peer } from '../dist/protocol/peer.js'
import { Session } from '../dist/protocol/session.js'
import { Unfinished } from '../dist/protocol/unfinished.js'
import { Protocols } from '../dist/protocol/protocols.js'
import { Insight } from '../dist/insight/insight.js'
import { Prefixes } from '../dist/stats/prefixes.js'
import { postedSignals, type Signals } from '../dist/server/signals.js'
import { Store } from '../dist/store/store.js'
import { adoptCas, KEYS_PER_GET, makeFeeds, preload, type Batch } from './feeds.js'
import type { SpeedWorkload } from './workloads.js'

export class BareHost implements Host {
  readonly options = completeOptions({ maxbytes: 64 * 2 ** 20 })
  readonly store: Store
  readonly input: Input
  readonly output: Output
  readonly unfinished: Unfinished
  readonly prefixes: Prefixes
  readonly insight: Insight
  readonly protocols: Protocols
  verbosity = 0
  readonly credentials = undefined
  readonly asksText = false
  readonly debugClock = undefined
  readonly cluster = undefined
  readonly requestsPerTurn = 1000
  readonly answersMax = 0
  readonly signals: Signals = { ...postedSignals(() => {}), failed: error => { throw error } }
  readonly log = this.signals.log

  constructor(shared: boolean) {
    const { options } = this
    this.store = new Store({ ...options, ioBytes: INPUT_BYTES + OUTPUT_BUFFERS * OUTPUT_BYTES, shared }, new SystemClock())
    const { memory } = this.store.shards[0]!.items
    this.input = new Input(memory.bytes, this.store.ioStart)
    this.output = new Output(memory, this.store.ioStart + INPUT_BYTES, this.store.counters)
    this.unfinished = new Unfinished(this.store.counters, options.requestMemLimit, options.requestMemLimit, () => {})
    const prefixMemory = shared ? new SharedArrayBuffer(Prefixes.BYTES) : new ArrayBuffer(Prefixes.BYTES)
    this.prefixes = new Prefixes(prefixMemory, options.prefixDelimiter, this.store.context.hash)
    const insightBytes = Insight.bytesFor(options, this.store.options.threads)
    this.insight = new Insight(shared ? new SharedArrayBuffer(insightBytes) : new ArrayBuffer(insightBytes), options, this.store)
    this.protocols = new Protocols(this)
  }

  report(): Rows { return [] }
  reportOwn(): Rows[] { return [] }
  metrics(): Uint8Array { return new Uint8Array(0) }
  reportSizes(): Rows[] { return [] }
  reportConnections(): Rows[] { return [] }
  watch(): undefined { return undefined }
  refreshCertificates(): string | undefined { return undefined }
  setExternal(): void {}
}

export class BareSession {
  private readonly session: Session
  private received = 0
  private batch: Batch = { request: Buffer.alloc(0), answer: Buffer.alloc(0), requests: 0 }
  private isWrong = false
  private readonly input: Buffer
  // Requests as texts: writing one is a plain copy to memory of either kind, as a read from a socket is; `set` is slow to shared
  // memory.
  private readonly texts = new Map<Batch, string>()

  constructor(host: BareHost) {
    const { buffer, byteOffset, length } = host.input.readBuffer
    this.input = Buffer.from(buffer, byteOffset, length)
    const peer: Peer = {
      id: 0,
      address: 'bench',
      clientNumber: 0,
      isLasting: true,
      lentBytesMax: 512 * 1024,
      write: bytes => this.take([bytes]),
      writeMany: parts => this.take(parts),
      hold: () => {},
      yield: () => {},
      pause: () => {},
      end: () => {},
      drop: () => {},
    }
    this.session = new Session(host, host.protocols.for('auto'), peer)
  }

  // Returns the length of the answer.
  exchange(batch: Batch): number {
    this.received = 0
    this.batch = batch
    this.input.write(this.textOf(batch), 0, 'latin1')
    this.session.receive(batch.request.length)
    if (this.isWrong || this.received !== batch.answer.length) throw new Error('a session answered wrongly')
    return this.received
  }

  private textOf(batch: Batch): string {
    const known = this.texts.get(batch)
    if (known !== undefined) return known
    const text = batch.request.toString('latin1')
    this.texts.set(batch, text)
    return text
  }

  private take(parts: readonly Uint8Array[]): boolean {
    for (const part of parts) {
      const end = this.received + part.length
      adoptCas(this.batch, part, part.length, this.received)
      if (this.batch.answer.compare(part, 0, part.length, this.received, end) !== 0) this.isWrong = true
      this.received = end
    }
    return true
  }
}

// Does what it says `times` times and returns a checksum, so that nothing is optimised away.
export interface Layer {
  readonly name: string
  readonly work: (times: number) => number
}

const row = { kind: 'speed', connections: 1, keys: 10_000, valueBytes: 100, megabytes: 64 } as const
const workloads: readonly SpeedWorkload[] = [
  { ...row, name: 'session set', command: 'set', depth: 100 },
  { ...row, name: 'session get', command: 'get', depth: 100 },
  { ...row, name: 'session set x 1', command: 'set', depth: 1 },
  { ...row, name: 'session get x 1', command: 'get', depth: 1 },
  { ...row, name: 'session get of 50', command: 'multi-get', depth: 1 },
  { ...row, name: 'session incr', command: 'incr', depth: 100 },
  { ...row, name: 'session meta set', protocol: 'meta', command: 'set', depth: 100 },
  { ...row, name: 'session meta get', protocol: 'meta', command: 'get', depth: 100 },
  { ...row, name: 'session binary set', protocol: 'binary', command: 'set', depth: 100 },
  { ...row, name: 'session binary get', protocol: 'binary', command: 'get', depth: 100 },
]

// Whole batches through sessions. Times are those of one request, or of one key where a request has many.
export function sessionLayers(host: BareHost): Layer[] {
  const filling = new BareSession(host)
  for (const batch of preload(workloads[0]!)) filling.exchange(batch)
  return workloads.map(workload => {
    const bare = new BareSession(host)
    const feed = makeFeeds(workload, 0)(0)
    const share = workload.command === 'multi-get' ? KEYS_PER_GET : workload.depth
    const work = (times: number): number => {
      let bytes = 0
      for (let done = 0; done < times; done += share) bytes += bare.exchange(feed.next())
      return bytes
    }
    return { name: workload.name, work }
  })
}
