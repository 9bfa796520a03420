// A session: the conversation with one client, bytes in and bytes out, without a socket. It lives as long as its connection.
// Between two batches it keeps only the bytes of an incomplete request, the replies that wait for the rest of a value, and its
// work, see work/. All sessions of a thread share one input and one output, so at the end of each batch a session copies aside
// the bytes that it still needs.
import { assert } from '../errors.js'
import { type Sampler } from '../insight/sampler.js'
import { Ascii } from '../memory/ascii.js'
import { Counter } from '../stats/counters.js'
import { type Filling } from '../store/filling.js'
import { type ValueLoan } from '../store/view.js'
import { type Host } from './host.js'
import { type Peer, type Watching } from './peer.js'
import { commandAt } from './sampled.js'
import { Kept, type Owner } from './unfinished.js'
import { Gathering } from './work/gathering.js'
import { LongLine, type Get, type LongGet, Keys } from './work/keys.js'
import { ListingWork, type Listing } from './work/listing.js'
import { Sending } from './work/sending.js'
import { ConnectionState, STATE_NAMES } from './work/state.js'
import { Swallow, SwallowLine } from './work/swallow.js'
import { Value, type Receiver } from './work/value.js'
import { Watch } from './work/watch.js'
import { Wait, type Work } from './work/work.js'

/** The phases of a session. In those from Output on, it takes no input. */
const enum Phase {
  /** It waits for a request: a line, or a packet. */
  Request,
  /** Its work takes the input. */
  Input,
  /** Its work goes on when the client has taken the output. */
  Output,
  /** Its work goes on in a turn of its own. */
  Turn,
  /** It has ended. */
  Closed,
}

/** The result of `Protocol.serve` for a request that is not complete. */
export const UNFINISHED = -1

const NO_MEMORY = Buffer.from('SERVER_ERROR out of memory reading request\r\n')

/** The least bytes of a value that makes the first read of the next value a short one, see Input. */
const LARGE_VALUE_BYTES = 32 * 1024

/** A protocol: parses the bytes of a session and carries out its requests. One object serves all sessions of a thread. */
export interface Protocol {
  /** memcached's name of the protocol, for logs. */
  readonly name: string
  /** True if a client has to authenticate before it is served. */
  readonly needsAuthentication: boolean
  /** True if it only finds out which protocol the client speaks. */
  readonly isUndecided?: boolean
  /**
   * Carries out the request at `at`. Returns the index behind it, or UNFINISHED if its end is missing. With UNFINISHED it may
   * have ended the session, as the request is too long already, or begun work that takes the whole request.
   */
  serve(session: Session, at: number, end: number): number
}

export class Session implements Owner {
  /** True if the current command is one with noreply, or has a quiet opcode. */
  isQuiet = false
  /** True if the client has authenticated. Has no meaning for a protocol that does not require it. */
  isAuthenticated = false
  /** The second of store time since which the client has not been authenticated. */
  unknownSince: number
  /** The second of store time in which the last complete command line, or the last packet without its value, was served. */
  usedAt: number
  /** True if the last value of the client was large, so that a short read is best to get the beginning of the next. */
  sendsLargeValues = false
  /** True if the client has asked for the end of the conversation. */
  hasQuit = false
  /** The replies that wait to be written, one for each request and each key of a get. Counted only if the host limits them. */
  answers = 0

  private phase = Phase.Request
  private work: Work | undefined
  /** The bytes of an incomplete request. */
  private saved: Kept | undefined
  /** The replies that wait for the rest of a value, as memcached holds them back. */
  private parked: Kept | undefined
  /** The bytes that came before another part of the server got the connection; undefined if the session has it. */
  private rest: Buffer | undefined
  /** True while it waits for its turn, or for its client to take the output, and not for input. */
  private isPaused = false
  /** True while its batch is being served. */
  private isWorking = false

  /** @param protocol the protocol to begin with, which may set another */
  constructor(private readonly host: Host, public protocol: Protocol, readonly peer: Peer) {
    this.usedAt = this.unknownSince = host.store.context.now
  }

  // Batches

  /**
   * Serves a batch of `count` bytes, which lie at `batchStart` of the thread's input.
   * @param isTimeFresh true if the store's time was just refreshed, for other batches
   */
  receive(count: number, isTimeFresh = false): void {
    const { input, store, insight: { sampler } } = this.host
    if (!isTimeFresh) store.refreshTime()
    store.counters.add(Counter.BytesRead, count)
    // in another phase, these may be the last bytes of a large value
    if (this.phase === Phase.Request) {
      this.sendsLargeValues = false
      if (sampler.followed === this) sampler.follow()
    }
    this.open()
    const start = input.batchStart - this.savedBytes
    this.restore(start)
    this.run(start, input.batchStart + count)
  }

  /** Goes on where the session stopped, when it has its turn or the client has taken its output. */
  resume(): void {
    if (this.phase === Phase.Closed) return
    const { input, store } = this.host
    store.refreshTime()
    this.open()
    this.restore(input.start)
    this.run(input.start, input.start + this.savedBytes)
  }

  /**
   * The memory into which the next bytes should be read, if not into the thread's input: the rest of a large value. The
   * connection then calls `receivedDirect`.
   */
  get directTarget(): Uint8Array | undefined {
    const { work } = this
    return work instanceof Value && this.savedBytes === 0 ? work.target : undefined
  }

  /** Serves a batch of `count` bytes that were read into `directTarget`. */
  receivedDirect(count: number): void {
    const { host: { store, input }, work: value } = this
    assert(value instanceof Value, 'bytes were read into a value that the session does not wait for')
    store.counters.add(Counter.BytesRead, count)
    store.refreshTime()
    value.filled(count)
    if (!value.isWhole) return
    this.open()
    const followingBytes = value.copyFollowing(input.batchStart)
    this.unpark()
    value.finish()
    this.setWork(undefined)
    this.run(input.batchStart, input.batchStart + followingBytes)
  }

  /** Takes the input and the output of the thread, until `run` has written the replies. */
  private open(): void {
    const { input, output, store } = this.host
    assert(!input.isInUse, 'a batch begins in the middle of another')
    this.isWorking = input.isInUse = true
    input.request.client = this.peer.id
    store.context.client = this.peer
    output.open(this.peer)
  }

  private run(start: number, end: number): void {
    const { input, output, store, verbosity } = this.host
    this.unpark()
    input.batch = (input.batch + 1) | 0
    input.bytes[end] = Ascii.LineEnd
    if (verbosity > 2) this.host.log(`${this.peer.id}: going from ${this.stateName} to conn_parse_cmd`)
    if (this.phase === Phase.Output) this.resumeWork(start, end)
    const hasTurn = this.phase === Phase.Turn && !output.isBlocked
    if (hasTurn) this.resumeWork(start, end)
    this.serve(start, end, hasTurn ? 1 : 0)
    this.isWorking = input.isInUse = false
    store.context.client = store.context.program
    this.host.unfinished.check()
    if (verbosity > 2) this.host.log(`${this.peer.id}: going from conn_parse_cmd to ${this.stateName}`)
  }

  /** Serves the requests up to `end` that fit one turn. @param served the requests that this turn has served already */
  private serve(start: number, end: number, served: number): void {
    const { output, answersMax } = this.host
    // each request of a datagram has a turn of its own
    const requestsPerTurn = this.peer.isLasting ? this.host.requestsPerTurn : 1
    let at = start
    let hasYielded = false
    while (at < end && this.phase < Phase.Output && !output.isBlocked) {
      if (requestsPerTurn > 0 && served === requestsPerTurn) {
        hasYielded = true
        break
      }
      if (answersMax > 0 && this.phase === Phase.Request && !this.takeAnswer(answersMax)) break
      const next = this.phase === Phase.Request ? this.serveRequest(at, end) : this.resumeWork(at, end)
      if (next !== UNFINISHED) at = next
      // the protocol may have begun work that takes an unfinished line
      else if (this.phase !== Phase.Input) break
      // see flushAnswers
      if (answersMax > 0 && this.answers === 0) output.flush()
      if (this.phase === Phase.Request) served++
    }
    this.finish(start, at, end, hasYielded)
  }

  private serveRequest(at: number, end: number): number {
    const { sampler } = this.host.insight
    const next = sampler.left-- > 0 ? this.protocol.serve(this, at, end) : this.serveSampled(sampler, at, end)
    if (next !== UNFINISHED) this.usedAt = this.host.store.context.now
    return next
  }

  private serveSampled(sampler: Sampler, at: number, end: number): number {
    sampler.open(commandAt(this.host.input.bytes, at), this, this.peer.id)
    const next = this.protocol.serve(this, at, end)
    if (next === UNFINISHED && this.work === undefined) sampler.drop()
    else sampler.close(this.work === undefined, next === end)
    return next
  }

  /** Has the replies so far written once the current request has been served, so that they cannot be discarded any more. */
  flushAnswers(): void { this.answers = 0 }

  /** Counts one more reply. If too many wait, ends the conversation, as memcached does, discards them and returns false. */
  private takeAnswer(answersMax: number): boolean {
    if (this.answers++ < answersMax) return true
    this.host.store.counters.add(Counter.ResponseOom)
    this.host.output.discard()
    this.end()
    return false
  }

  /** Leaves the shared buffers: writes the output, or parks it, and keeps the rest of the input aside. */
  private finish(start: number, at: number, end: number, hasYielded: boolean): void {
    const { output } = this.host
    if (this.phase === Phase.Closed) {
      this.forget()
      output.flush()
      if (this.rest === undefined) this.peer.end()
      else this.peer.handOff?.(this.rest)
      return
    }
    if (at < end) this.save(at, end, start)
    else if (this.saved !== undefined) this.forget()
    if (this.work instanceof Value && !output.isBlocked) this.park()
    if (this.parked === undefined) {
      output.flush()
      this.answers = 0
    }
    this.pause(hasYielded)
  }

  /** Stops reading if the session waits for its turn, or for the client to take the output. */
  private pause(hasYielded: boolean): void {
    const { host: { output, store }, peer } = this
    const needsTurn = !output.isBlocked && (hasYielded || this.phase === Phase.Turn)
    this.isPaused = output.isBlocked || needsTurn
    if (!this.isPaused) return
    peer.pause()
    if (!needsTurn) return
    if (hasYielded && peer.isLasting) store.counters.add(Counter.ConnYields)
    peer.yield()
  }

  // Bytes that are kept aside

  private get savedBytes(): number { return this.saved?.length ?? 0 }

  private keep(): Kept { return new Kept(this.host.unfinished, this) }

  /** Keeps the bytes from `at` to `end` aside. Those that have been kept since an earlier batch are not copied again. */
  private save(at: number, end: number, start: number): void {
    const { bytes } = this.host.input
    if (this.saved === undefined) this.saved = this.keep()
    else if (at > start) this.saved.restart()
    this.saved.append(bytes, at + this.saved.length, end)
  }

  /** Copies the bytes that were kept aside back into the input, to `start`. */
  private restore(start: number): void {
    const { saved } = this
    if (saved === undefined) return
    assert(start >= this.host.input.start, 'more bytes were kept aside than the input has room for')
    saved.copyTo(this.host.input.bytes, start, 0, saved.length)
  }

  private forget(): void {
    this.saved?.clear()
    this.saved = undefined
  }

  private park(): void {
    const answers = this.host.output.park()
    if (answers === undefined) return
    this.parked = this.keep()
    this.parked.append(answers, 0, answers.length)
  }

  private unpark(): void {
    const { parked, host: { output } } = this
    if (parked === undefined) return
    output.ensure(parked.length)
    parked.copyTo(output.bytes, output.at, 0, parked.length)
    output.at += parked.length
    this.forgetParked()
  }

  private forgetParked(): void {
    this.parked?.clear()
    this.parked = undefined
  }

  // Work

  private resumeWork(at: number, end: number): number {
    const work = this.work!
    const next = work.resume(at, end)
    // the work may have begun other work, which is to be done first
    if (this.work === work) this.setWork(work.isDone ? work.next : work)
    return next
  }

  private setWork(work: Work | undefined): void {
    this.work = work
    if (this.phase === Phase.Closed) return
    this.phase = work === undefined ? Phase.Request : PHASES[work.wait]
  }

  /** Notes the size of a value that the client has announced. */
  expectValue(valueBytes: number): void { this.sendsLargeValues = valueBytes >= LARGE_VALUE_BYTES }

  /**
   * Fills a value with the bytes that follow, then passes it to `receiver`.
   * @param endBytes 2 if a line end follows the value, otherwise 0
   */
  beginValue(filling: Filling, receiver: Receiver, endBytes: 0 | 2): void {
    this.setWork(new Value(this.host.input, filling, receiver, endBytes))
  }

  /** Gathers the next `count` bytes, and then passes them to `done`. */
  gather(count: number, done: (bytes: Buffer) => void): void {
    if (count === 0) done(Buffer.alloc(0))
    else this.setWork(new Gathering(this.host.input, this.keep(), count, done))
  }

  /** Discards the next `count` bytes and then writes `reply`. */
  swallow(count: number, reply: Uint8Array | undefined): void {
    const { output } = this.host
    if (count > 0) this.setWork(new Swallow(output, count, reply))
    else if (reply !== undefined) output.text(reply)
  }

  /** Discards the bytes up to the line end and then writes `reply`. */
  swallowLine(reply: Uint8Array): void { this.setWork(new SwallowLine(this.host, reply)) }

  /**
   * Lends a value to the output, and ends the loan when all of it is written. False if the rest has to wait until the client has
   * taken the part that was sent.
   */
  send(loan: ValueLoan, hasLineEnd: boolean): boolean {
    const sending = new Sending(this.host.output, loan, this.peer.lentBytesMax, hasLineEnd)
    sending.resume(0)
    if (sending.isDone) return true
    sending.next = this.work
    this.setWork(sending)
    return false
  }

  /** Goes on with a get when the client has taken the output. */
  beginKeys(get: Get): void {
    const keys = new Keys(get)
    if (this.work === undefined) this.setWork(keys)
    // the value that is being sent comes first
    else this.work.next = keys
  }

  /** Gathers a line until its end has come, and then has `get` serve it. The next bytes of the input are its beginning. */
  beginLongLine(get: LongGet): void { this.setWork(new LongLine(this.host.input, this.keep(), get)) }

  /** Writes the first part of a listing now, and each of the others in a turn of its own. */
  list(listing: Listing): void {
    this.setWork(new ListingWork(listing))
    this.resumeWork(0, 0)
  }

  /** Discards the bytes that the client sends from now on, as it watches. `watching` ends with the session. */
  watch(watching: Watching): void { this.setWork(new Watch(watching)) }

  // Its state

  /** The state that memcached would show for the connection. */
  get state(): ConnectionState {
    if (this.isWorking) return ConnectionState.ParseCmd
    if (this.phase === Phase.Closed) return this.hasLeft ? ConnectionState.Http : ConnectionState.Closing
    return this.work === undefined ? ConnectionState.Read : this.work.state
  }

  private get stateName(): string { return STATE_NAMES[this.state] }

  get isClosed(): boolean { return this.phase === Phase.Closed }

  /** True if it waits for a request or for the rest of a line, so that no reply is lost if it ends. */
  get isIdle(): boolean { return this.state === ConnectionState.Read }

  /** True if it waits for a request, of which no byte has come, and for nothing else. */
  get isBetweenRequests(): boolean {
    return this.isIdle && !this.isPaused && this.saved === undefined && this.parked === undefined
  }

  /** True if it is in the middle of a listing. */
  get isListing(): boolean { return this.work instanceof ListingWork }

  /** True if a request has been begun that is not answered completely yet. */
  get hasWork(): boolean { return this.work !== undefined && !(this.work instanceof Watch) }

  /** True if the client still has to authenticate. */
  get isUnauthenticated(): boolean { return this.protocol.needsAuthentication && !this.isAuthenticated && !this.hasLeft }

  /** Requires the client to authenticate again. */
  forgetUser(): void {
    if (this.isAuthenticated) this.unknownSince = this.host.store.context.now
    this.isAuthenticated = false
  }

  // Its end

  /** Ends the conversation because the client asks for it. */
  quit(): void {
    this.hasQuit = true
    this.end()
  }

  /** True if the connection has left the session. */
  private get hasLeft(): boolean { return this.rest !== undefined }

  /** Ends the conversation, and passes its connection on with the bytes from `at` to `end`. */
  handOff(at: number, end: number): void {
    this.rest = Buffer.from(this.host.input.bytes.subarray(at, end))
    this.end()
  }

  /** The same before any byte has come. */
  leave(): void {
    this.rest = Buffer.alloc(0)
    this.end()
    this.peer.handOff?.(this.rest)
  }

  /** Ends the conversation after the current request: no further request of the batch is served. */
  end(): void { this.phase = Phase.Closed }

  /** Frees everything that the session holds, as the connection has been closed. */
  close(): void {
    const { sampler } = this.host.insight
    if (sampler.followed === this) sampler.followed = undefined
    for (let { work } = this; work !== undefined; work = work.next) work.drop()
    this.work = undefined
    this.phase = Phase.Closed
    this.forgetParked()
    this.forget()
  }

  /** Ends the conversation with its unfinished request, which is the oldest of this thread, as memory is short. */
  giveUp(): void {
    const { host: { store: { counters } }, peer } = this
    const last = this.isPaused ? undefined : this.lastAnswers()
    counters.add(Counter.ReadBufOom)
    // the connection must not read more bytes into the value, whose memory may be given to another item
    if (this.work instanceof Value) peer.pause()
    this.close()
    if (last === undefined) return peer.drop()
    counters.add(Counter.BytesWritten, last.length)
    peer.write(last)
    peer.end()
  }

  /** The last bytes for a client whose request is given up: the replies that are parked and, in the text protocol, an error. */
  private lastAnswers(): Buffer {
    const { parked } = this
    const waiting = Buffer.alloc(parked?.length ?? 0)
    parked?.copyTo(waiting, 0, 0, waiting.length)
    return this.protocol.name === 'ascii' ? Buffer.concat([waiting, NO_MEMORY]) : waiting
  }
}

/** The phase of a session, by what its work waits for. */
const PHASES: Readonly<Record<Wait, Phase>> = {
  [Wait.Input]: Phase.Input,
  [Wait.Output]: Phase.Output,
  [Wait.Turn]: Phase.Turn,
}
