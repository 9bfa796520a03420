// One conversation: bytes in, bytes out, no socket. A session lives as long as its connection and keeps only what a
// request needs that is not complete: the bytes of it that have come, and one piece of work at most, see work/. All the sessions
// of a thread share one input and one output, so at the end of each batch a session copies aside what it still needs.
import { assert } from '../errors.js'
import { Ascii } from '../memory/ascii.js'
import { Counter } from '../stats/counters.js'
import { type Filling } from '../store/filling.js'
import { type ValueLoan } from '../store/view.js'
import { type Host } from './host.js'
import { type Peer, type Watching } from './peer.js'
import { Kept, type Owner } from './unfinished.js'
import { LongLine, type Get, type LongGet, Keys } from './work/keys.js'
import { ListingWork, type Listing } from './work/listing.js'
import { Sending } from './work/sending.js'
import { ConnectionState, STATE_NAMES } from './work/state.js'
import { Swallow } from './work/swallow.js'
import { Value, type Receiver } from './work/value.js'
import { Watch } from './work/watch.js'
import { Wait, type Work } from './work/work.js'

/** What a session does with the bytes that come. */
const enum Phase {
  /** Waits for a request: a line, or a packet. */
  Request,
  /** Has work that takes them. */
  Input,
  /** Has work that goes on when its output is taken. From here on no input is taken. */
  Output,
  /** Has work that goes on in a turn of its own. */
  Turn,
  /** Has ended. */
  Closed,
}

/** The result of a request that is not complete. */
export const UNFINISHED = -1

const NO_MEMORY = Buffer.from('SERVER_ERROR out of memory reading request\r\n')

/** Values from here on are worth a short first read, see Input. */
const LARGE_VALUE_BYTES = 32 * 1024

/** A parser of the bytes of a session, which carries out what they ask for. One serves all the sessions of a thread. */
export interface Protocol {
  /** memcached's name for it, for logs. */
  readonly name: string
  /** Whether a client has to authenticate before it is served. */
  readonly asksWho: boolean
  /**
   * Carries out the request at `at`; returns where the next bytes begin. UNFINISHED if more must arrive first; it may have ended
   * the session then, because what is there is too long already, or begun work that takes the rest.
   */
  serve(session: Session, at: number, end: number): number
}

export class Session implements Owner {
  /** Whether the client wants no answer to the command at work. */
  isQuiet = false
  /** Whether the client has authenticated; only asked where that is needed. */
  isAuthenticated = false
  /** Store time since which it has not. */
  unknownSince: number
  /** Store time at which the last whole command line, or the last packet without its value, was served. */
  usedAt: number
  /** Whether the last value of this client was large, so that the next is best read with a short first read. */
  sendsLargeValues = false
  /** Whether the client has ended the conversation, rather than broken its rules. */
  hasQuit = false
  /** Answers that wait to be written, one for each request and each key of a get; only counted where the host bounds them. */
  answers = 0

  private phase = Phase.Request
  private work: Work | undefined
  /** Bytes that were read and not yet understood. */
  private saved: Kept | undefined
  /** Answers that wait for the rest of a value, as memcached holds them back. */
  private parked: Kept | undefined
  /** Whether it waits for its turn or for its output to be taken, and not for more input. */
  private isPaused = false
  /** Whether its batch is being served at this moment. */
  private isWorking = false

  /** @param protocol the one it begins with, which may put another in its place */
  constructor(private readonly host: Host, public protocol: Protocol, readonly peer: Peer) {
    this.usedAt = this.unknownSince = host.store.context.now
  }

  // Batches

  /** Takes `count` bytes that lie at the start of the thread's input. */
  receive(count: number): void {
    const { input, store } = this.host
    store.refreshTime()
    store.counters.add(Counter.BytesRead, count)
    // the last bytes of a large value may come this way
    if (this.phase === Phase.Request) this.sendsLargeValues = false
    this.open()
    const start = input.batchStart - this.savedBytes
    this.restore(start)
    this.run(start, input.batchStart + count)
  }

  /** Goes on where the session stopped, because it yielded or because its output has been taken. */
  resume(): void {
    if (this.phase === Phase.Closed) return
    const { input, store } = this.host
    store.refreshTime()
    this.open()
    this.restore(input.start)
    this.run(input.start, input.start + this.savedBytes)
  }

  /**
   * Where the next bytes are best read to, if not into the thread's input: the place in a large value that they fill. The
   * connection then calls `receivedDirect`.
   */
  get directTarget(): Uint8Array | undefined {
    const { work } = this
    return work instanceof Value && this.savedBytes === 0 ? work.target : undefined
  }

  /** Takes `count` bytes that were read to `directTarget`. */
  receivedDirect(count: number): void {
    const { host: { store, input }, work: value } = this
    assert(value instanceof Value, 'bytes were read into a value that nobody waits for')
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

  /** Takes input and output of the thread, until `run` has written the answers. */
  private open(): void {
    const { input, output } = this.host
    assert(!input.isInUse, 'a batch begins in the middle of another')
    this.isWorking = input.isInUse = true
    input.request.client = this.peer.id
    output.open(this.peer)
  }

  private run(start: number, end: number): void {
    const { input, output, verbosity } = this.host
    this.unpark()
    input.bytes[end] = Ascii.LineEnd
    if (verbosity > 2) this.host.log(`${this.peer.id}: going from ${this.stateName} to conn_parse_cmd`)
    if (this.phase === Phase.Output) this.goOn(start, end)
    const hasTurn = this.phase === Phase.Turn && !output.isBlocked
    if (hasTurn) this.goOn(start, end)
    this.serve(start, end, hasTurn ? 1 : 0)
    this.isWorking = input.isInUse = false
    this.host.unfinished.check()
    if (verbosity > 2) this.host.log(`${this.peer.id}: going from conn_parse_cmd to ${this.stateName}`)
  }

  /** Serves what there is up to `end`, as far as one turn goes. @param served how many requests this turn has had */
  private serve(start: number, end: number, served: number): void {
    const { output, answersMax } = this.host
    // who is answered in messages has one for each request
    const requestsPerTurn = this.peer.isLasting ? this.host.requestsPerTurn : 1
    let at = start
    let hasYielded = false
    while (at < end && this.phase < Phase.Output && !output.isBlocked) {
      if (requestsPerTurn > 0 && served === requestsPerTurn) {
        hasYielded = true
        break
      }
      if (answersMax > 0 && this.phase === Phase.Request && !this.takeAnswer(answersMax)) break
      const next = this.phase === Phase.Request ? this.serveRequest(at, end) : this.goOn(at, end)
      if (next !== UNFINISHED) at = next
      // work may have begun that takes the rest of an unfinished line
      else if (this.phase !== Phase.Input) break
      // after mn, what has been answered is lost no more
      if (answersMax > 0 && this.answers === 0) output.flush()
      if (this.phase === Phase.Request) served++
    }
    this.finish(start, at, end, hasYielded)
  }

  private serveRequest(at: number, end: number): number {
    const next = this.protocol.serve(this, at, end)
    if (next !== UNFINISHED) this.usedAt = this.host.store.context.now
    return next
  }

  /** Where there is no room for one more answer the conversation ends, as in memcached, and answers that wait are lost. */
  private takeAnswer(answersMax: number): boolean {
    if (this.answers++ < answersMax) return true
    this.host.store.counters.add(Counter.ResponseOom)
    this.host.output.discard()
    this.end()
    return false
  }

  /** Leaves the shared buffers: writes the output and keeps the rest of the input aside. */
  private finish(start: number, at: number, end: number, hasYielded: boolean): void {
    const { output } = this.host
    if (this.phase === Phase.Closed) {
      this.forget()
      output.flush()
      this.peer.end()
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

  /** Stops reading, if the session goes on before there is more input. */
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

  // What is kept aside

  private get savedBytes(): number { return this.saved?.length ?? 0 }

  private keep(): Kept { return new Kept(this.host.unfinished, this) }

  /** Keeps the bytes from `at` to `end` aside. Those of them that are still there from last time are not copied again. */
  private save(at: number, end: number, start: number): void {
    const { bytes } = this.host.input
    if (this.saved === undefined) this.saved = this.keep()
    else if (at > start) this.saved.restart()
    this.saved.append(bytes, at + this.saved.length, end)
  }

  /** Puts what was kept aside back into the input, at `start`. */
  private restore(start: number): void {
    const { saved } = this
    if (saved === undefined) return
    assert(start >= this.host.input.start, 'more was kept aside than there is room for')
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

  private goOn(at: number, end: number): number {
    const work = this.work!
    const next = work.resume(at, end)
    // it may have begun another, which is to be done before it
    if (this.work === work) this.setWork(work.isDone ? work.next : work)
    return next
  }

  private setWork(work: Work | undefined): void {
    this.work = work
    if (this.phase === Phase.Closed) return
    this.phase = work === undefined ? Phase.Request : PHASES[work.wait]
  }

  /** A value of so many bytes is announced. */
  expectValue(valueBytes: number): void { this.sendsLargeValues = valueBytes >= LARGE_VALUE_BYTES }

  /**
   * Fills a value from the bytes that follow, then hands it to `receiver`.
   * @param endBytes 2 if a line end follows the value, 0 if nothing does
   */
  beginValue(filling: Filling, receiver: Receiver, endBytes: 0 | 2): void {
    this.setWork(new Value(this.host.input, filling, receiver, endBytes))
  }

  /** Throws away the next `count` bytes and then answers `reply`. */
  swallow(count: number, reply: Uint8Array | undefined): void {
    const { output } = this.host
    if (count > 0) this.setWork(new Swallow(output, count, reply))
    else if (reply !== undefined) output.text(reply)
  }

  /**
   * Lends a value to the output, and ends its loan when all is written; false if the rest has to wait until the client takes
   * what was sent.
   */
  send(loan: ValueLoan, hasLineEnd: boolean): boolean {
    const sending = new Sending(this.host.output, loan, this.peer.lentBytesMax, hasLineEnd)
    sending.resume(0)
    if (sending.isDone) return true
    sending.next = this.work
    this.setWork(sending)
    return false
  }

  /** Goes on with a get when its output has been taken. */
  beginKeys(get: Get): void {
    const keys = new Keys(get)
    if (this.work === undefined) this.setWork(keys)
    // what it sends is taken first
    else this.work.next = keys
  }

  /** Gathers a line, of which the beginning is not read yet, until its end comes, and has `get` serve it. */
  beginLongLine(get: LongGet): void { this.setWork(new LongLine(this.host.input, this.keep(), get)) }

  /** Answers what a listing brings, a part now and each of the others in a turn of its own. */
  list(listing: Listing): void {
    this.setWork(new ListingWork(listing))
    this.goOn(0, 0)
  }

  /** Throws away what the client sends from now on, as it watches. `watching` ends with the session. */
  watch(watching: Watching): void { this.setWork(new Watch(watching)) }

  // Its state

  /** What memcached calls the state of a connection. */
  get state(): ConnectionState {
    if (this.isWorking) return ConnectionState.ParseCmd
    if (this.phase === Phase.Closed) return ConnectionState.Closing
    return this.work === undefined ? ConnectionState.Read : this.work.state
  }

  private get stateName(): string { return STATE_NAMES[this.state] }

  get isClosed(): boolean { return this.phase === Phase.Closed }

  /** Whether it expects the next request, and no work is at hand. */
  get isAtRequest(): boolean { return this.phase === Phase.Request }

  /** Whether it waits for a request, so that nothing is lost if it ends. */
  get isIdle(): boolean { return this.state === ConnectionState.Read }

  /** Whether it is in the middle of a listing. */
  get isListing(): boolean { return this.work instanceof ListingWork }

  /** Whether the client still has to authenticate. */
  get isUnknown(): boolean { return this.protocol.asksWho && !this.isAuthenticated }

  /** Takes back that the client has authenticated. */
  forgetWho(): void {
    if (this.isAuthenticated) this.unknownSince = this.host.store.context.now
    this.isAuthenticated = false
  }

  // Its end

  /** Ends the conversation as the client asks for. */
  quit(): void {
    this.hasQuit = true
    this.end()
  }

  /** Ends the conversation when the batch is served so far, as the client has broken its rules. */
  end(): void { this.phase = Phase.Closed }

  /** Gives back what is held, as the connection is gone. */
  close(): void {
    for (let { work } = this; work !== undefined; work = work.next) work.drop()
    this.work = undefined
    this.phase = Phase.Closed
    this.forgetParked()
    this.forget()
  }

  /** Gives up what is unfinished, as memory is short and nothing in this thread is older. */
  giveUp(): void {
    const { host: { store: { counters } }, peer } = this
    const last = this.isPaused ? undefined : this.lastAnswers()
    counters.add(Counter.ReadBufOom)
    // what still arrives would be read into the value's place, which is another item's from now on
    if (this.work instanceof Value) peer.pause()
    this.close()
    if (last === undefined) return peer.drop()
    counters.add(Counter.BytesWritten, last.length)
    peer.write(last)
    peer.end()
  }

  /** The last bytes for a client whose request is given up: the answers that wait for its end, and why. */
  private lastAnswers(): Buffer {
    const { parked } = this
    const waiting = Buffer.alloc(parked?.length ?? 0)
    parked?.copyTo(waiting, 0, 0, waiting.length)
    return this.protocol.name === 'ascii' ? Buffer.concat([waiting, NO_MEMORY]) : waiting
  }
}

/** By what its work waits for. */
const PHASES: Readonly<Record<Wait, Phase>> = {
  [Wait.Input]: Phase.Input,
  [Wait.Output]: Phase.Output,
  [Wait.Turn]: Phase.Turn,
}
