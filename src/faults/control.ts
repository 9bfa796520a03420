// The control of faults, in the thread that makes a server: a test gives it faults, and it gives them to all threads that serve,
// at once, and takes their calls.
import { MessageChannel, receiveMessageOnPort, type MessagePort } from 'node:worker_threads'
import { SystemClock } from '../clock.js'
import { type Tap } from '../net/tap.js'
import { readDuration } from '../options/durations.js'
import { type Host } from '../protocol/host.js'
import { type Call, choiceOf } from './calls.js'
import { checkFault, checkMatch } from './check.js'
import { latency, type Fault, type FaultOptions, type Match, type UsedFault, type WaitOptions } from './faults.js'
import { CallRecord, type CallListener } from './record.js'
import { RuleCount, SharedWord, type RuleData, type RuleMessage } from './rules.js'
import { ThreadTap, type TapData } from './tap.js'
import { waitFor } from './wait.js'

/** The calls that a server keeps by default: the last ones. */
const CALLS_MAX = 10_000
/** The longest interval of a Node.js timer. */
const FOREVER_MS = 2 ** 31 - 1

/** What a control needs of its server, and settings. */
export interface ControlParts {
  /** The most calls that are kept. */
  readonly callsMax?: number | undefined
  /** The seed of everything that is left to chance. Default: a random one, which is printed. */
  readonly seed?: number | undefined
  /** Stops the server, or starts it again; one after the other. */
  readonly down?: (isDown: boolean) => Promise<void>
  /** Prints a line for the person who runs the test. */
  readonly print?: (line: string) => void
}

/** The control's side of the tap of a worker. */
interface Seat { readonly port: MessagePort }

export class FaultControl {
  private readonly shared = new SharedArrayBuffer(SharedWord.Count * Int32Array.BYTES_PER_ELEMENT)
  private readonly words = new Int32Array(this.shared)
  private readonly seats = new Set<Seat>()
  /** The tap of this thread. */
  private own: ThreadTap | undefined
  private readonly record: CallRecord
  private readonly origin = new SystemClock().origin
  /** In the order in which they came. */
  private readonly inForce: InForce[] = []
  /** The rule of `freeze`, which is no fault of the test's own. */
  private frozen: InForce | undefined
  private lastId = 0
  private knownSeed: number | undefined

  constructor(private readonly parts: ControlParts = {}) {
    this.record = new CallRecord(parts.callsMax ?? CALLS_MAX)
    this.knownSeed = parts.seed
  }

  // For the server

  /** Makes the tap of this thread, which takes the place of an earlier one: a server has ended, and another one begins. */
  tap(host: Host): Tap {
    const tap = this.own = new ThreadTap(this.dataFor(undefined), host, call => this.record.add(call))
    for (const data of this.rules) tap.rules.take({ add: data })
    return tap
  }

  /** What the tap of a worker starts from, and the port in it, which has to be transferred. */
  seat(): { readonly data: TapData, readonly transfer: readonly MessagePort[] } {
    const { port1, port2 } = new MessageChannel()
    const seat = { port: port1 }
    port1.on('message', (call: Call) => this.record.add(call))
    port1.on('close', () => this.seats.delete(seat))
    port1.unref()
    for (const data of this.rules) port1.postMessage({ add: data } satisfies RuleMessage)
    this.seats.add(seat)
    return { data: this.dataFor(port2), transfer: [port2] }
  }

  /** The rules of all threads. */
  private get rules(): RuleData[] { return [...this.inForce, this.frozen].flatMap(used => used?.data ?? []) }

  private dataFor(port: MessagePort | undefined): TapData {
    return { module: require.resolve('./tap.js'), shared: this.shared, port, origin: this.origin }
  }

  // For the test

  /** @throws MemslabError with code 'EUSAGE' and all problems, if the fault or its options are wrong */
  use(fault: Fault, options: FaultOptions = {}): UsedFault {
    checkFault(fault, options)
    const used = fault.type === 'down' ? this.takeDown(fault) : this.add(fault, options)
    this.inForce.push(used)
    return used
  }

  private takeDown(fault: Fault): InForce {
    const used: InForce = new InForce(fault, {}, 0, undefined, async () => {
      if (this.forget(used) && this.downs.length === 0) await this.parts.down?.(false)
    })
    used.ready = this.parts.down?.(true) ?? used.ready
    // for a test that does not wait for it
    used.ready.catch(() => {})
    return used
  }

  /** Holds up all that clients send until `resume`. `reset` leaves it alone. */
  freeze(): void { this.frozen ??= this.add(latency({ latency: FOREVER_MS }, { stream: 'upstream' }), {}) }

  /** Lets what was held up go on its way. */
  resume(): void {
    const { frozen } = this
    this.frozen = undefined
    if (frozen?.data !== undefined) this.tell({ remove: frozen.data.id })
  }

  get isFrozen(): boolean { return this.frozen !== undefined }

  /** The faults for which the server is down. */
  get downs(): readonly UsedFault[] { return this.inForce.filter(({ fault }) => fault.type === 'down') }

  /** Forgets `freeze`, and these faults, as the server is being started. */
  comesUp(downs: readonly UsedFault[]): void {
    this.resume()
    for (const used of this.inForce.filter(each => downs.includes(each))) this.forget(used)
  }

  private add(fault: Exclude<Fault, { type: 'down' }>, options: FaultOptions): InForce {
    const toxicity = options.toxicity ?? ('toxicity' in fault ? fault.toxicity : undefined) ?? 1
    const isByChance = toxicity < 1 || (fault.type === 'latency' && (fault.attributes.jitter ?? 0) > 0) ||
      (fault.type === 'slicer' && (fault.attributes.size_variation ?? 0) > 0)
    const times = options.once === true ? 1 : options.times ?? (options.nth === undefined ? undefined : 1)
    const data: RuleData = {
      id: ++this.lastId,
      fault: fault.type === 'late' ? { ...fault, delay: readDuration(fault.delay)! } : fault,
      choice: choiceOf(options), times, toxicity,
      first: options.nth ?? 1,
      seed: options.seed ?? (isByChance ? this.seed : 0),
      counts: new SharedArrayBuffer(RuleCount.Count * Int32Array.BYTES_PER_ELEMENT),
    }
    const used: InForce = new InForce(fault, options, data.seed, data, () => {
      if (this.forget(used)) this.tell({ remove: data.id })
      return Promise.resolve()
    })
    this.tell({ add: data })
    return used
  }

  /** The seed of the server. */
  private get seed(): number {
    if (this.knownSeed !== undefined) return this.knownSeed
    this.knownSeed = Math.floor(Math.random() * 0x7fffffff)
    this.parts.print?.(`memslab: faults leave something to chance; seed: ${this.knownSeed} repeats it`)
    return this.knownSeed
  }

  private forget(used: InForce): boolean {
    const index = this.inForce.indexOf(used)
    if (index < 0) return false
    this.inForce.splice(index, 1)
    return true
  }

  /** Gives all threads a message before they serve the next request. */
  private tell(message: RuleMessage): void {
    for (const { port } of this.seats) port.postMessage(message)
    Atomics.add(this.words, SharedWord.Version, 1)
    this.own?.rules.take(message)
  }

  /** Removes all faults. Resolves when the server is as before. */
  async reset(): Promise<void> { await Promise.all([...this.inForce].map(used => used.remove())) }

  /** The faults that have a number of uses left, in the order in which they came. */
  get pending(): UsedFault[] { return this.inForce.filter(({ isPending }) => isPending) }

  /** @throws MemslabError with code 'EUSAGE' and all problems, if the match is wrong */
  calls(match: Match = {}): Call[] {
    checkMatch(match)
    this.collect()
    return this.record.matching(choiceOf(match))
  }

  /** The number of calls that are forgotten, as there were more than are kept. */
  get droppedCalls(): number {
    this.collect()
    return this.record.droppedCount
  }

  clearCalls(): void {
    this.collect()
    this.record.clear()
  }

  /** Waits for a call, see `waitFor`. */
  waitForCall(match: Match = {}, options: WaitOptions = {}): Promise<Call> { return waitFor(this, match, options) }

  /** Has a listener hear of the calls from now on. */
  on(listener: CallListener): void {
    this.collect()
    this.record.on(listener)
  }

  /** Has it hear of no more calls than have been until now. */
  off(listener: CallListener): void {
    this.collect()
    this.record.off(listener)
  }

  /** Takes the calls of other threads, which may not have been heard yet. */
  private collect(): void {
    for (const { port } of this.seats) {
      for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port)) {
        this.record.add(next.message as Call)
      }
    }
  }
}

class InForce implements UsedFault {
  ready: Promise<void> = Promise.resolve()
  private readonly counts: Int32Array | undefined

  /** @param data undefined for `down`, which no thread sees */
  constructor(readonly fault: Fault, readonly options: FaultOptions, readonly seed: number, readonly data: RuleData | undefined,
    readonly remove: () => Promise<void>) {
    this.counts = data && new Int32Array(data.counts)
  }

  get used(): number { return this.counts === undefined ? 0 : Atomics.load(this.counts, RuleCount.Used) }

  get isPending(): boolean { return this.data?.times !== undefined && this.used < this.data.times }
}
