// One conversation: bytes in, bytes out, no socket. A session lives as long as its connection and keeps only what a
// request needs that is not complete: its unfinished line, the item being filled, the item being sent. All the sessions
// of a thread share one input and one output, so at the end of each batch a session has copied aside what it still needs.
//
//   Request   expects a request: a line, or a packet
//   Value     fills a reserved item, of which `received` bytes are there, the line end included
//   Swallow   throws away `swallowLeft` bytes of a value that is refused, then answers `pendingReply`
//   Line      gathers a get that is longer than other lines may be
//   Keys      is in the middle of a get with many keys and waits for its output to be taken
//   Sending   is in the middle of sending a large item and waits for its output to be taken
//   Pieces    is in the middle of such a long get, and goes on when the other connections have had their turn
//   Listing   is in the middle of an answer about many items, and goes on when the other connections have had their turn
//   Watch     throws away whatever comes; somebody else writes to its other end
//   Closed    takes nothing any more
import { assert, InvariantError } from '../errors.js'
import { Ascii } from '../memory/ascii.js'
import { Size } from '../memory/layout.js'
import { Counter } from '../stats/counters.js'
import { NO_ITEM, type ItemId } from '../store/items/items.js'
import { Request } from '../store/request.js'
import { type Shard } from '../store/shard.js'
import { type Host } from './host.js'
import { LongLine } from './long.js'
import { type Loan, type Sink } from './output.js'
import { Kept, type Owner } from './unfinished.js'

export const enum Phase {
  Request, Value, Swallow, Line, Keys, Sending, Watch,
  /** From here on no input is taken. */
  Pieces, Listing, Closed,
}

/** What a protocol answers when a request is not complete. */
export const UNFINISHED = -1

const NO_MEMORY = Buffer.from('SERVER_ERROR out of memory reading request\r\n')

/** Values from here on are worth a short first read, see Input. */
const LARGE_VALUE_BYTES = 32 * 1024
/** What may be read behind a large value along with it: if that is not filled, the kernel had no more. */
const FOLLOWING_BYTES_MAX = 4096

/** What understands the bytes of a session. One serves all the sessions of a thread. */
export interface Protocol {
  /** memcached's name for it, for logs. */
  readonly name: string
  /** Whether a client has to say who it is before it is served. */
  readonly asksWho: boolean
  /** Carries out the request at `at`; answers where the next bytes begin, or UNFINISHED if more must arrive first. */
  request(session: Session, at: number, end: number): number
  /** Goes on with a get that waited for its output, `at` being behind the last key it served. */
  more(session: Session, at: number): number
  /**
   * Ends the session if the request at `at`, of which `end - at` bytes are there, is too long already, or gathers it as a long
   * line.
   */
  checkUnfinished(session: Session, at: number, end: number): void
}

/** What a value is given to that came in parts. */
export interface Receiver {
  /** Stores the filled item, or abandons it, and answers. The request names its key. */
  received(session: Session, shard: Shard, item: ItemId, hasLineEnd: boolean): void
}

/** What a client that watches is told by. */
export interface Watching { end(): void }

/** What goes on when a value that was lent to the output has been sent. */
export interface Sender {
  /** Writes what follows the value, and says what the session waits for. */
  sent(session: Session): void
}

/** Where an answer about many items comes from, a part at a time. */
export interface Listing {
  /** Writes a part, of which there is room for 64 KiB if nothing else waits to be written; true if it was the last. */
  next(): boolean
  /** Whether it has the crawler, as which memcached's has the connection meanwhile: it is one that watches then. */
  readonly hasCrawler: boolean
  /** The last part has been written, or the session has ended before. Called once. */
  end(): void
}

/** The other end of a session: what a connection does for it. */
export interface Peer extends Sink {
  /** The session wants to be resumed when the other connections have had their turn. */
  yield(): void
  /** The session wants no more input until `resume` is called. */
  pause(): void
  /** The conversation is over: write what was given, then close. */
  end(): void
  /** The conversation is over, whatever was given and not written yet. */
  drop(): void
  /** A number for logs and statistics: the file descriptor where there is one. */
  readonly id: number
  /** Whether it stays when a request is answered, so that more can be told later. One that does not gets a turn for each request. */
  readonly isLasting: boolean
}

export class Session implements Owner {
  readonly request: Request
  phase: Phase = Phase.Request
  /** Whether the command at work wants no answer. */
  isQuiet = false
  /** What the get at work asks for besides the value: its cas number, a new end of its life. */
  withCas = false
  withTouch = false
  /** Whether the client has shown that it may speak; only asked where that is needed. */
  isAuthenticated = false
  /** Store time since which it has not. */
  unknownSince: number
  /** Store time at which the last whole command line, or the last packet without its value, was served. */
  usedAt: number
  /** Whether the last value of this client was large, so that the next is best read with a short first read. */
  sendsLargeValues = false
  /** Whether the client has ended the conversation, rather than broken its rules. */
  hasQuit = false

  // Value
  shard: Shard | undefined
  item: ItemId = NO_ITEM
  private receiver: Receiver | undefined
  private received = 0
  /** How many bytes of line end follow the value. */
  private endBytes = 2
  private isBadChunk = false

  // Swallow
  private swallowLeft = 0
  private pendingReply: Uint8Array | undefined

  // Watch
  private watching: Watching | undefined

  // Sending
  private sender: Sender | undefined
  private sentBytes = 0
  private pin: Pin | undefined

  private listing: Listing | undefined

  // Line, and then Keys, Sending and Pieces
  private line: LongLine | undefined
  /** Whether other keys follow those of the line that is served, in the next piece of a long line. */
  hasMoreKeys = false

  /** Answers that wait to be written, one for each request and each key of a get; only counted where the host bounds them. */
  answers = 0

  /** What was read and not yet understood. */
  private saved: Kept | undefined
  /** Answers that wait for the rest of a value, as memcached holds them back. */
  private parked: Kept | undefined
  /** Whether it waits for its turn or for its output to be taken, and not for more input. */
  private isPaused = false
  /** Whether its batch is being served just now. */
  isWorking = false

  /** @param protocol the one it begins with; it may put another in its place */
  constructor(private readonly host: Host, public protocol: Protocol, readonly peer: Peer) {
    this.request = new Request(host.input.bytes)
    this.request.client = peer.id
    this.usedAt = this.unknownSince = host.store.context.now
  }

  /** Takes `count` bytes that lie at the start of the thread's input. */
  receive(count: number): void {
    const { input, store } = this.host
    store.refreshTime()
    store.counters.add(Counter.BytesRead, count)
    // the last bytes of a large value may come this way
    if (this.phase === Phase.Request) this.sendsLargeValues = false
    this.begin()
    const start = input.batchStart - this.savedBytes
    this.restore(start)
    this.run(start, input.batchStart + count)
  }

  /** Goes on where the session stopped, because it yielded or because its output has been taken. */
  resume(): void {
    if (this.phase === Phase.Closed) return
    const { input, store } = this.host
    store.refreshTime()
    this.begin()
    this.restore(input.start)
    this.run(input.start, input.start + this.savedBytes)
  }

  /** Takes input and output of the thread, until `run` has written what there is to say. */
  private begin(): void {
    const { input, output } = this.host
    assert(!input.isInUse, 'a batch begins in the middle of another')
    this.isWorking = input.isInUse = true
    output.open(this.peer)
  }

  /** Puts what was kept aside back into the input, at `start`. */
  private restore(start: number): void {
    const { saved } = this
    if (saved === undefined) return
    assert(start >= this.host.input.start, 'more was kept aside than there is room for')
    saved.copyTo(this.host.input.bytes, start, 0, saved.length)
  }

  private get savedBytes(): number { return this.saved?.length ?? 0 }

  /** Keeps the bytes from `at` to `end` aside. Those of them that are still there from last time are not copied again. */
  private save(at: number, end: number, start: number): void {
    const { bytes } = this.host.input
    if (this.saved === undefined) this.saved = this.keep()
    else if (at > start) this.saved.restart()
    this.saved.append(bytes, at + this.saved.length, end)
  }

  private keep(): Kept { return new Kept(this.host.unfinished, this) }

  private forget(): void {
    this.saved?.clear()
    this.saved = undefined
  }

  /** The connection is gone: gives back what is held. */
  close(): void {
    if (this.phase === Phase.Value) this.shard?.allocator.abandon(this.item)
    if (this.phase === Phase.Sending) this.pin?.end()
    if (this.phase === Phase.Listing) this.listing?.end()
    this.watching?.end()
    this.item = NO_ITEM
    this.phase = Phase.Closed
    this.forgetParked()
    this.forgetLine()
    this.forget()
  }

  /** What is unfinished here never will be, as memory is short and nothing in this thread is older. */
  giveUp(): void {
    const { host: { store: { counters } }, peer } = this
    const last = this.isPaused ? undefined : this.lastAnswers()
    counters.add(Counter.ReadBufOom)
    // what still arrives would be read into the value's place, which is somebody else's from now on
    if (this.phase === Phase.Value) peer.pause()
    this.close()
    if (last === undefined) return peer.drop()
    counters.add(Counter.BytesWritten, last.length)
    peer.write(last)
    peer.end()
  }

  /** What a client hears whose request is given up: the answers that wait for its end, and why. */
  private lastAnswers(): Buffer {
    const { parked } = this
    const waiting = Buffer.alloc(parked?.length ?? 0)
    parked?.copyTo(waiting, 0, 0, waiting.length)
    return this.protocol.name === 'ascii' ? Buffer.concat([waiting, NO_MEMORY]) : waiting
  }

  private forgetParked(): void {
    this.parked?.clear()
    this.parked = undefined
  }

  get isClosed(): boolean { return this.phase === Phase.Closed }

  private run(start: number, end: number): void {
    const { input, output, answersMax } = this.host
    // what is answered in messages has one for each request
    const requestsPerTurn = this.peer.isLasting ? this.host.requestsPerTurn : 1
    this.unpark()
    input.bytes[end] = Ascii.LineEnd
    const wasListing = this.phase === Phase.Listing
    if (this.phase === Phase.Sending) this.sendMore()
    else if (wasListing) this.listMore()
    if (this.line?.isWhole === true) this.serveLine()
    if (this.host.verbosity > 2) this.host.log(`${this.peer.id}: going from ${this.stateName} to conn_parse_cmd`)
    let at = start
    let served = wasListing ? 1 : 0
    let hasYielded = false
    while (at < end && this.phase < Phase.Pieces && !output.isBlocked) {
      if (requestsPerTurn > 0 && served === requestsPerTurn) {
        hasYielded = true
        break
      }
      if (answersMax > 0 && this.phase === Phase.Request && !this.takeAnswer(answersMax)) break
      const next = this.step(at, end)
      if (next === UNFINISHED) break
      at = next
      // after mn, what has been answered is lost no more
      if (answersMax > 0 && this.answers === 0) output.flush()
      if (this.phase === Phase.Request) served++
    }
    this.finish(start, at, end, hasYielded)
    this.isWorking = input.isInUse = false
    this.host.unfinished.check()
    if (this.host.verbosity > 2) this.host.log(`${this.peer.id}: going from conn_parse_cmd to ${this.stateName}`)
  }

  /** Where there is no room for one more answer the conversation ends, as in memcached, and answers that wait are lost. */
  private takeAnswer(answersMax: number): boolean {
    if (this.answers++ < answersMax) return true
    this.host.store.counters.add(Counter.ResponseOom)
    this.host.output.discard()
    this.phase = Phase.Closed
    return false
  }

  /** What memcached calls the state of a connection, in logs and in `stats conns`. */
  get stateName(): string {
    if (this.isWorking) return 'conn_parse_cmd'
    switch (this.phase) {
      case Phase.Request:
      case Phase.Line: return 'conn_read'
      case Phase.Value: return 'conn_nread'
      case Phase.Swallow: return 'conn_swallow'
      case Phase.Keys:
      case Phase.Pieces:
      case Phase.Sending: return 'conn_mwrite'
      case Phase.Listing: return this.isCommandListed ? 'conn_parse_cmd' : 'conn_watch'
      case Phase.Watch: return 'conn_watch'
      case Phase.Closed: return 'conn_closing'
    }
  }

  private unpark(): void {
    const { parked, host: { output } } = this
    if (parked === undefined) return
    output.ensure(parked.length)
    parked.copyTo(output.bytes, output.at, 0, parked.length)
    output.at += parked.length
    this.forgetParked()
  }

  /** Takes some bytes; returns where the next step begins, or UNFINISHED if more must arrive first. */
  private step(at: number, end: number): number {
    switch (this.phase) {
      case Phase.Request: return this.serve(at, end)
      case Phase.Line: return this.gather(at, end)
      case Phase.Keys: return this.protocol.more(this, at)
      case Phase.Value: return this.takeValue(at, end)
      case Phase.Swallow: return this.swallow(at, end)
      case Phase.Watch: return end
      case Phase.Sending:
      case Phase.Pieces:
      case Phase.Listing:
      case Phase.Closed: throw new InvariantError('a session that takes nothing was given bytes')
    }
  }

  private serve(at: number, end: number): number {
    const next = this.protocol.request(this, at, end)
    if (next !== UNFINISHED) this.usedAt = this.host.store.context.now
    return next
  }

  /** Leaves the shared buffers: writes the output and keeps the rest of the input aside. */
  private finish(start: number, at: number, end: number, hasYielded: boolean): void {
    const { output, store } = this.host
    const isUnfinished = at < end && !hasYielded && !output.isBlocked && this.phase === Phase.Request
    if (isUnfinished) this.protocol.checkUnfinished(this, at, end)
    if (this.phase === Phase.Line) at = end
    if (this.phase === Phase.Closed) {
      this.forget()
      this.forgetLine()
      output.flush()
      this.peer.end()
      return
    }
    if (at < end) this.save(at, end, start)
    else if (this.saved !== undefined) this.forget()
    if (this.phase === Phase.Value && !output.isBlocked) this.park()
    if (this.parked === undefined) {
      output.flush()
      this.answers = 0
    }
    this.isPaused = output.isBlocked || hasYielded || this.phase === Phase.Listing || this.phase === Phase.Pieces
    if (output.isBlocked) {
      this.peer.pause()
    } else if (hasYielded || this.phase === Phase.Listing || this.phase === Phase.Pieces) {
      if (hasYielded && this.peer.isLasting) store.counters.add(Counter.ConnYields)
      this.peer.pause()
      this.peer.yield()
    }
  }

  private park(): void {
    const answers = this.host.output.park()
    if (answers === undefined) return
    this.parked = this.keep()
    this.parked.append(answers, 0, answers.length)
  }

  // Long lines

  /** The request at `at`, of which all is there up to `end`, is to be gathered until its line end comes. */
  beginLine(at: number, end: number): void {
    this.line = new LongLine(this.keep())
    this.phase = Phase.Line
    this.gather(at, end)
  }

  /** How many keys a get has whose line is long; 0 if it is not. */
  get lineKeys(): number { return this.line?.keyCount ?? 0 }

  private gather(at: number, end: number): number {
    const { input, store } = this.host
    const line = this.line!
    const next = line.take(input.bytes, at, end)
    if (line.isWhole) {
      this.usedAt = store.context.now
      this.phase = Phase.Request
      this.serveLine()
    }
    return next
  }

  /** Serves a piece of a long line; the rest has its turn when the others have had theirs. */
  private serveLine(): void {
    const { input, output } = this.host
    const line = this.line!
    if (output.isBlocked) return
    const start = input.pieceStart
    const end = line.copyPiece(input.bytes, start)
    this.hasMoreKeys = !line.isAtLast
    let at = line.isNew ? this.protocol.request(this, start, end) : this.protocol.more(this, start)
    while (this.phase === Phase.Keys && !output.isBlocked && input.bytes[at] !== Ascii.LineEnd) at = this.protocol.more(this, at)
    this.hasMoreKeys = false
    line.advance(at - start)
    if (this.phase === Phase.Keys) this.phase = Phase.Pieces
    else if (this.phase !== Phase.Sending) this.forgetLine()
  }

  private forgetLine(): void {
    this.line?.end()
    this.line = undefined
  }

  // Values

  /** A value of so many bytes is announced. */
  expectValue(valueBytes: number): void { this.sendsLargeValues = valueBytes >= LARGE_VALUE_BYTES }

  /**
   * Fills a reserved item from the bytes that follow, then gives it to `receiver`.
   * @param endBytes 2 if a line end follows the value, 0 if nothing does
   */
  beginValue(shard: Shard, item: ItemId, receiver: Receiver, endBytes: 0 | 2): void {
    this.shard = shard
    this.item = item
    this.receiver = receiver
    this.endBytes = endBytes
    this.received = 0
    this.isBadChunk = false
    this.phase = Phase.Value
  }

  /** Throws away the next `count` bytes and then answers `reply`. */
  beginSwallow(count: number, reply: Uint8Array | undefined): void {
    this.swallowLeft = count
    this.pendingReply = reply
    this.phase = Phase.Swallow
    if (count === 0) this.endSwallow()
  }

  private takeValue(at: number, end: number): number {
    const { bytes } = this.host.input
    const items = this.shard!.items
    const valueBytes = items.valueBytes(this.item)
    if (this.received < valueBytes) {
      const count = Math.min(end - at, valueBytes - this.received)
      items.writeValue(this.item, this.received, bytes, at, count)
      this.received += count
      at += count
    }
    const wholeBytes = valueBytes + this.endBytes
    for (; at < end && this.received >= valueBytes && this.received < wholeBytes; at++, this.received++) {
      if (bytes[at] !== (this.received === valueBytes ? Ascii.CarriageReturn : Ascii.LineEnd)) this.isBadChunk = true
    }
    if (this.received === wholeBytes) this.endValue()
    return at
  }

  private endValue(): void {
    const shard = this.shard!
    const item = this.item
    const { items } = shard
    this.item = NO_ITEM
    this.phase = Phase.Request
    this.request.bytes = items.bytes
    this.request.keyStart = items.keyStart(item)
    this.request.keyEnd = this.request.keyStart + items.keyBytes(item)
    this.receiver!.received(this, shard, item, !this.isBadChunk)
    this.request.bytes = this.host.input.bytes
  }

  /**
   * Where the next bytes should be read to, if not into the thread's input: the place in a large value that they fill.
   * Bytes read there are told by `receivedDirect`.
   */
  get directTarget(): Uint8Array | undefined {
    if (this.phase !== Phase.Value || this.savedBytes > 0) return undefined
    const { items } = this.shard!
    const valueBytes = items.valueBytes(this.item)
    if (valueBytes - this.received < Size.DirectMin) return undefined
    const room = this.shard!.valueRoom(this.item, this.received)
    const wanted = valueBytes + this.endBytes - this.received + FOLLOWING_BYTES_MAX
    return new Uint8Array(items.bytes.buffer, items.valueAt(this.item, this.received), Math.min(room, wanted))
  }

  /** `count` bytes were read to `directTarget`: of the value, its line end, and perhaps of what follows it. */
  receivedDirect(count: number): void {
    const { store, input } = this.host
    const { items } = this.shard!
    const item = this.item
    const valueBytes = items.valueBytes(item)
    store.counters.add(Counter.BytesRead, count)
    store.refreshTime()
    this.received += count
    const wholeBytes = valueBytes + this.endBytes
    if (this.received > valueBytes && this.endBytes > 0) this.checkSpareBytes(valueBytes)
    if (this.received < wholeBytes) return
    const followingBytes = this.received - wholeBytes
    assert(followingBytes <= FOLLOWING_BYTES_MAX, 'more was read than there was room for')
    this.begin()
    if (followingBytes > 0) {
      const at = items.valueAt(item, wholeBytes - 1) + 1
      input.bytes.set(items.bytes.subarray(at, at + followingBytes), input.batchStart)
    }
    this.unpark()
    this.endValue()
    this.run(input.batchStart, input.batchStart + followingBytes)
  }

  /** What was read behind a value, straight into its spare bytes, must be a line end. */
  private checkSpareBytes(valueBytes: number): void {
    const { items } = this.shard!
    const { bytes } = items
    if (bytes[items.valueAt(this.item, valueBytes)] !== Ascii.CarriageReturn) this.isBadChunk = true
    if (this.received < valueBytes + 2) return
    if (bytes[items.valueAt(this.item, valueBytes + 1)] !== Ascii.LineEnd) this.isBadChunk = true
  }

  private swallow(at: number, end: number): number {
    const count = Math.min(end - at, this.swallowLeft)
    this.swallowLeft -= count
    if (this.swallowLeft === 0) this.endSwallow()
    return at + count
  }

  private endSwallow(): void {
    this.phase = Phase.Request
    if (this.pendingReply !== undefined) this.host.output.text(this.pendingReply)
    this.pendingReply = undefined
  }

  // Sending large items

  /** Sends the value of a pinned item, in runs that lie together, as fast as the other end takes them; then tells `sender`. */
  beginSending(shard: Shard, item: ItemId, sender: Sender): void {
    this.shard = shard
    this.item = item
    this.sender = sender
    this.sentBytes = 0
    this.pin = new Pin(shard, item)
    this.phase = Phase.Sending
    this.sendMore()
  }

  private sendMore(): void {
    const { output } = this.host
    const { items } = this.shard!
    const item = this.item
    const pin = this.pin!
    const valueBytes = items.valueBytes(item)
    while (!output.isBlocked) {
      const run = Math.min(items.valueRun(item, this.sentBytes), valueBytes - this.sentBytes, this.peer.lentBytesMax)
      output.ensureLent(run)
      if (output.isBlocked) return
      const at = items.valueAt(item, this.sentBytes)
      this.sentBytes += run
      pin.share()
      output.lend(Buffer.from(items.bytes.buffer, at, run), pin)
      if (this.sentBytes < valueBytes) continue
      this.item = NO_ITEM
      pin.end()
      this.sender!.sent(this)
      return
    }
  }

  /** What the client has shown of itself holds no more. */
  forgetWho(): void {
    if (this.isAuthenticated) this.unknownSince = this.host.store.context.now
    this.isAuthenticated = false
  }

  /** Whether the client still has to say who it is. */
  get isUnknown(): boolean { return this.protocol.asksWho && !this.isAuthenticated }

  /** The client has said that it wants no more. */
  quit(): void {
    this.hasQuit = true
    this.phase = Phase.Closed
  }

  /** From now on the client is only told what `watching` tells it, which ends with the session. */
  watch(watching: Watching): void {
    this.watching = watching
    this.phase = Phase.Watch
  }

  // Listing

  /** Answers what a listing says, a part now and each of the others in a turn of its own. */
  beginListing(listing: Listing): void {
    this.listing = listing
    this.phase = Phase.Listing
    this.listMore()
  }

  /** Whether it is in the middle of an answer about many items that is a command like others. */
  get isCommandListed(): boolean { return this.listing?.hasCrawler === false }

  private listMore(): void {
    if (!this.listing!.next()) return
    this.phase = Phase.Request
    this.listing!.end()
    this.listing = undefined
  }

  /** Whether it waits for a request, so that nothing is lost if it ends. */
  get isIdle(): boolean { return this.phase === Phase.Request || this.phase === Phase.Line }
}

/** One reference to an item that is being sent, shared by its session and the parts that are on their way. */
class Pin implements Loan {
  private holders = 1

  constructor(private readonly shard: Shard, private readonly item: ItemId) {}

  share(): void { this.holders++ }

  end(): void {
    if (--this.holders === 0) this.shard.unpin(this.item)
  }
}
