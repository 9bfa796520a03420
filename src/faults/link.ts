// The link of a tapped connection, in front of its own one. It passes on what the client sends, takes what the connection writes,
// notes which request that answers, and sends it on. Each direction has a pipe, which is open as long as no toxic is in it.
//
// A socket is read as without the tap, in the same pieces and into the connection's own memory, until there is a toxic for what
// the client sends. From then on it is read into memory of the thread, and the connection gets the bytes as if from a stream.
import { type Link, type LinkUser, type Remote } from '../net/link.js'
import { setImmediate } from '../timers.js'
import { type Answers } from './answers.js'
import { Chance } from './chance.js'
import { type ConnectionOfCall } from './calls.js'
import { type Fault, type Toxic } from './faults.js'
import { DelayingStage, Pipe } from './pipe.js'
import { type TappedProtocol } from './protocol.js'
import { type Rule, type Rules } from './rules.js'
import { stageOf } from './toxics.js'

/** The most bytes of answers on their way before the session has to wait. One write of it may be more. */
const SENDING_BYTES_MAX = 256 * 1024
/** The most bytes of requests on their way before no more are read. */
const RECEIVING_BYTES_MAX = 1024 * 1024

const TOXICS: readonly Fault['type'][] =
  ['latency', 'bandwidth', 'slow_close', 'timeout', 'reset_peer', 'slicer', 'limit_data'] satisfies readonly Toxic['type'][]

const TOO_MANY = Buffer.from('ERROR Too many open connections\r\n')

/** The number of the first stage of what is sent, which is there while answers are late. */
const LATE = 0

/** Holds answers that are late, and those behind them. */
class Late extends DelayingStage {
  push(bytes: Buffer): void { this.delay(bytes, 0) }
  pushLate(bytes: Buffer, lateMs: number): void { this.delay(bytes, lateMs) }
  end(): void { this.delay(undefined, 0) }
}

/** What all tapped links of a thread share. */
export interface LinkParts {
  readonly rules: Rules
  /** The memory that sockets are read into which have a toxic. */
  readonly buffer: Uint8Array
  /** Called when the link is closed. */
  readonly closed: (link: TappedLink) => void
}

export class TappedLink implements Link, LinkUser {
  private user: LinkUser | undefined
  private isClosed = false
  /** True while the connection wants no bytes. */
  private isPaused = false
  /** True while the client's socket is not read. */
  private isStopped = false
  /** The memory that the client's socket is read into. */
  private target: Uint8Array
  /** The bytes that have come and that the connection has not taken; the end is undefined. */
  private received: (Buffer | undefined)[] = []
  private receivedBytes = 0
  private isDelivering = false
  /** True once the connection has been ended: by itself, by a toxic or by a fault. */
  private hasEnded = false
  /** True while the client's socket has not taken all that it was given. */
  private isWriting = false
  /** True while the session waits until there is room for what it writes. */
  private isFull = false
  private readonly late = new Late()
  private readonly upstream: Pipe
  private readonly downstream: Pipe
  /** The toxics that this connection does not get, by chance or as they are used up. */
  private readonly declined = new Set<number>()
  /** The fault that refuses the connection. */
  private readonly refusal: Rule | undefined

  constructor(private readonly inner: Link, private readonly protocol: TappedProtocol, private readonly answers: Answers,
    private readonly connection: ConnectionOfCall, private readonly parts: LinkParts) {
    this.target = parts.buffer
    this.upstream = new Pipe({ push: bytes => this.receive(bytes), end: () => this.receive(undefined) })
    this.downstream = new Pipe({ push: bytes => this.send(bytes), end: () => this.endSending() })
    this.downstream.add(LATE, this.late)
    this.refusal = parts.rules.find(['refuse'], this.facts)
    this.rulesChanged()
  }

  private get facts(): { verb: string, keys: readonly string[], protocol: 'text', connection: ConnectionOfCall } {
    return { verb: '', keys: [], protocol: 'text', connection: this.connection }
  }

  // Toxics

  /** Called when there are other rules than before: takes toxics out, and adds new ones in the order in which they came. */
  rulesChanged(): void {
    const inForce = new Set(this.parts.rules.all.map(({ data }) => data.id))
    for (const pipe of [this.upstream, this.downstream]) {
      for (const rule of pipe.rules) if (rule !== LATE && !inForce.has(rule)) pipe.remove(rule)
    }
    this.addToxics(({ data }) => data.times === undefined)
    this.flow()
  }

  /** Adds the toxics of some rules: those for any number of connections at once, the others when something is sent. */
  private addToxics(isWanted: (rule: Rule) => boolean): void {
    for (const rule of [...this.parts.rules.all].reverse()) if (TOXICS.includes(rule.type) && isWanted(rule)) this.addToxic(rule)
  }

  private addToxic(rule: Rule): void {
    const { id, seed } = rule.data
    const toxic = rule.data.fault as Toxic
    const pipe = toxic.stream === 'upstream' ? this.upstream : this.downstream
    if (this.isClosed || pipe.has(id) || this.declined.has(id)) return
    if (!rule.fits(this.facts) || !rule.take()) this.declined.add(id)
    else pipe.add(id, stageOf(toxic, new Chance(seed, this.connection.id), () => this.inner.reset()))
  }

  // Link: what the connection sees

  get id(): number { return this.inner.id }

  get remote(): Remote | undefined { return this.inner.remote }

  get lentBytesMax(): number { return this.inner.lentBytesMax }

  get isBroken(): boolean { return this.inner.isBroken }

  begin(user: LinkUser): void {
    this.user = user
    this.inner.begin(this)
    if (this.refusal === undefined) return
    const { fault } = this.refusal.data
    if (fault.type === 'refuse' && fault.with === 'too many') this.send(TOO_MANY)
    this.endSending()
  }

  passTo(user: LinkUser): void { this.user = user }

  write(bytes: Uint8Array): boolean {
    if (this.hasEnded) return !this.isBroken
    this.noteRendered(bytes.length)
    if (!this.isPlain) return this.shape([bytes])
    this.answers.pass(bytes)
    return this.noteWrite(this.inner.write(bytes))
  }

  writeMany(parts: readonly Uint8Array[]): boolean {
    if (this.hasEnded) return !this.isBroken
    this.noteRendered(parts.reduce((sum, part) => sum + part.length, 0))
    if (!this.isPlain) return this.shape(parts)
    for (const part of parts) this.answers.pass(part)
    return this.noteWrite(this.inner.writeMany(parts))
  }

  private get isPlain(): boolean {
    const { answers, downstream, late } = this
    return answers.isPlain && downstream.rules.length === 1 && !late.isHolding
  }

  /** Called before `count` bytes are written, after which nothing rendered is left. */
  private noteRendered(count: number): void {
    if (!this.protocol.isAnswering) this.answers.close(this.answers.written + count)
  }

  private noteWrite(isTaken: boolean): boolean {
    if (!isTaken) this.isWriting = true
    return isTaken
  }

  /** Sends copies of bytes through the pipe. Returns false if the session has to wait. */
  private shape(parts: readonly Uint8Array[]): boolean {
    const { answers, late, downstream } = this
    // all of them first: a test sees calls as soon as their answers are out
    for (const { bytes, lateMs, isLast } of parts.flatMap(part => answers.shape(part))) {
      if (bytes.length > 0) late.pushLate(Buffer.from(bytes), lateMs)
      if (isLast) downstream.end()
    }
    if (this.isBroken) return false
    this.isFull = this.isWriting || downstream.heldBytes > SENDING_BYTES_MAX
    return !this.isFull
  }

  pause(): void {
    this.isPaused = true
    this.stop()
  }

  resume(): void {
    this.isPaused = false
    this.noteServed()
    this.flow()
  }

  end(): void {
    if (this.downstream.isHolding || !this.isPlain) this.downstream.end()
    else this.endSending()
  }

  unref(): void { this.inner.unref() }

  destroy(): void { this.inner.destroy() }

  reset(): void { this.inner.reset() }

  /** Called when the connection has served what it was given. */
  private noteServed(): void { if (!this.protocol.isAnswering) this.answers.close(this.answers.written) }

  // The other end of what is sent

  private send(bytes: Buffer): void {
    if (this.hasEnded) return
    this.noteWrite(this.inner.write(bytes))
    this.checkRoom()
  }

  private endSending(): void {
    if (this.hasEnded) return
    this.hasEnded = true
    this.inner.end()
  }

  // LinkUser: what the client's link sees

  get firstTarget(): Uint8Array { return this.target = this.user!.firstTarget }

  read(count: number): Uint8Array | undefined {
    const { parts: { buffer }, target, user } = this
    const passes = this.passes()
    if (passes && target !== buffer) {
      const next = user!.read(count)
      this.noteServed()
      this.flow()
      if (next !== undefined) this.target = next
      return next
    }
    this.take(target.subarray(0, count), passes)
    if (target === buffer) return undefined
    return this.target = buffer
  }

  readChunk(chunk: Uint8Array): number {
    this.take(chunk, this.passes())
    return chunk.length
  }

  /** Called when something has come. Returns true if it passes on to the connection as it is. */
  private passes(): boolean {
    this.parts.rules.sync()
    this.addToxics(({ data }) => data.times !== undefined)
    return this.upstream.isOpen && this.received.length === 0 && !this.isPaused && !this.hasEnded
  }

  private take(chunk: Uint8Array, passes: boolean): void {
    if (this.hasEnded || this.isClosed) return
    let taken = 0
    if (passes) {
      taken = this.user!.readChunk(chunk)
      this.noteServed()
    }
    if (taken < chunk.length) this.upstream.push(Buffer.from(chunk.subarray(taken)))
    this.flow()
  }

  ended(): void {
    if (this.upstream.isOpen && this.received.length === 0) this.user?.ended()
    else this.upstream.end()
  }

  drained(): void {
    this.isWriting = false
    if (this.isFull) this.checkRoom()
    else this.user?.drained()
  }

  /** Lets the session go on in a turn of its own, if it waits and there is room. */
  private checkRoom(): void {
    if (!this.isFull || this.isWriting || this.downstream.heldBytes > SENDING_BYTES_MAX / 2) return
    this.isFull = false
    setImmediate(() => this.user?.drained())
  }

  failed(): void { this.user?.failed() }

  broke(problem: string): void { this.user?.broke(problem) }

  closed(): void {
    this.isClosed = true
    this.upstream.drop()
    this.downstream.drop()
    this.received = []
    this.answers.end()
    this.parts.closed(this)
    this.user?.closed()
  }

  // The other end of what is received

  private receive(bytes: Buffer | undefined): void {
    this.received.push(bytes)
    this.receivedBytes += bytes?.length ?? 0
    this.deliver()
  }

  /** Gives the connection what has come, as far as it takes it. */
  private deliver(): void {
    const { user, received } = this
    if (user === undefined || this.isDelivering) return
    this.isDelivering = true
    while (this.canDeliver) {
      const bytes = received[0]
      if (bytes === undefined) {
        received.length = 0
        user.ended()
        break
      }
      const taken = user.readChunk(bytes)
      this.receivedBytes -= taken
      this.noteServed()
      if (taken === bytes.length) received.shift()
      else received[0] = bytes.subarray(taken)
      // it takes none while another session uses the input of the thread
      if (taken === 0) return this.deliverSoon()
    }
    this.isDelivering = false
    this.flow()
  }

  /** True while there is something that the connection may be given. One that has been ended takes no more. */
  private get canDeliver(): boolean { return this.received.length > 0 && !this.isPaused && !this.isClosed && !this.hasEnded }

  private deliverSoon(): void {
    setImmediate(() => {
      this.isDelivering = false
      this.deliver()
    })
  }

  /** Reads the client's socket or not, by what is still on its way. */
  private flow(): void {
    if (this.isClosed) return
    if (this.canDeliver && !this.isDelivering) this.deliver()
    const waitingBytes = this.receivedBytes + this.upstream.heldBytes
    if (this.isPaused || waitingBytes > RECEIVING_BYTES_MAX) this.stop()
    else this.go()
    this.checkRoom()
  }

  private stop(): void {
    if (this.isStopped) return
    this.isStopped = true
    this.inner.pause()
  }

  private go(): void {
    if (!this.isStopped) return
    this.isStopped = false
    this.inner.resume()
  }
}
