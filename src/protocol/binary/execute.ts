// The binary protocol: finds out what a packet asks for and carries it out. One of these serves all the sessions of a
// thread. A failure is always answered, even to a quiet opcode; only a success is not, and a miss of a quiet get.
import { Size } from '../../memory/layout.js'
import { Outcome, type Failure } from '../../store/outcome.js'
import { Mode, Want, type Request } from '../../store/request.js'
import { type Store } from '../../store/store.js'
import { type ItemView } from '../../store/view.js'
import { type Host } from '../host.js'
import { printable } from '../log.js'
import { Retrieval, Retrieved, Storage, ValueForm, type RetrievalAnswers, type StorageAnswers } from '../serve.js'
import { UNFINISHED, type Protocol, type Session } from '../session.js'
import { BinaryParser, FORM, HEADER_BYTES, Opcode, OPCODE_NAMES, type Form } from './parse.js'
import { BinaryReply, Status, statusOf, textOf } from './reply.js'

/** The largest body, in memcached the upper limit of -I. */
const BODY_BYTES_MAX = 1024 * 1024 * 1024
/** An incr or decr with this exptime does not begin a counter that is missing. */
const NEVER_BEGIN = 0xffffffff

/** Carries out a packet whose value may not be there; answers where the next bytes begin, or UNFINISHED. */
export type ValueHandler = (session: Session, end: number) => number

interface Command {
  readonly form: Form
  readonly isQuiet: boolean
  /** Whether a client need not have shown who it is. */
  readonly isOpen: boolean
  readonly run: ValueHandler
}

export class BinaryProtocol implements Protocol, RetrievalAnswers, StorageAnswers {
  readonly name = 'binary'
  readonly asksWho: boolean
  readonly hasLineEnd = false
  readonly parser: BinaryParser
  readonly reply: BinaryReply
  private readonly cache: Store
  private readonly request: Request
  private readonly retrieval: Retrieval
  private readonly values: Storage
  // the get at work
  private withKey = false
  private withValue = false
  /** By opcode. */
  private readonly commands = new Array<Command | undefined>(256).fill(undefined)

  constructor(readonly host: Host) {
    this.cache = host.store
    this.request = host.input.request
    this.retrieval = new Retrieval(host, this)
    this.values = new Storage(host, this, 0)
    this.asksWho = host.isSaslEnabled
    this.parser = new BinaryParser(host.input.bytes, host.store.context.hash)
    this.reply = new BinaryReply(host.output)
    this.addCommands()
  }

  private addCommands(): void {
    this.addGet(Opcode.Get, Opcode.GetQ, false, false)
    this.addGet(Opcode.GetK, Opcode.GetKQ, true, false)
    this.addGet(Opcode.Gat, Opcode.GatQ, false, true)
    this.addGet(Opcode.GatK, Opcode.GatKQ, true, true)
    this.add(Opcode.Touch, undefined, FORM.touch, session => this.touch(session))
    this.addStorage(Opcode.Set, Opcode.SetQ, FORM.store, Mode.Set)
    this.addStorage(Opcode.Add, Opcode.AddQ, FORM.store, Mode.Add)
    this.addStorage(Opcode.Replace, Opcode.ReplaceQ, FORM.store, Mode.Replace)
    this.addStorage(Opcode.Append, Opcode.AppendQ, FORM.keyAndValue, Mode.Append)
    this.addStorage(Opcode.Prepend, Opcode.PrependQ, FORM.keyAndValue, Mode.Prepend)
    this.add(Opcode.Delete, Opcode.DeleteQ, FORM.key, session => this.delete(session))
    this.add(Opcode.Increment, Opcode.IncrementQ, FORM.arithmetic, session => this.arithmetic(session, false))
    this.add(Opcode.Decrement, Opcode.DecrementQ, FORM.arithmetic, session => this.arithmetic(session, true))
  }

  private addGet(opcode: Opcode, quiet: Opcode, withKey: boolean, withTouch: boolean): void {
    this.add(opcode, quiet, withTouch ? FORM.touch : FORM.key, session => this.get(session, withKey, withTouch))
  }

  private addStorage(opcode: Opcode, quiet: Opcode, form: Form, mode: Mode): void {
    this.addWithValue(opcode, quiet, form, (session, end) => this.storage(session, mode, end))
  }

  /** @param quiet the opcode of the same command whose success is not answered */
  add(opcode: Opcode, quiet: Opcode | undefined, form: Form, run: (session: Session) => void, isOpen = false): void {
    this.addWithValue(opcode, quiet, form, session => {
      run(session)
      return this.parser.keyEnd
    }, isOpen)
  }

  addWithValue(opcode: Opcode, quiet: Opcode | undefined, form: Form, run: ValueHandler, isOpen = false): void {
    this.commands[opcode] = { form, isQuiet: false, isOpen, run }
    if (quiet !== undefined) this.commands[quiet] = { form, isQuiet: true, isOpen, run }
  }

  // Packets

  serve(session: Session, at: number, end: number): number {
    const { parser } = this
    if (end - at < HEADER_BYTES) return UNFINISHED
    parser.readHeader(at)
    this.reply.answerTo(parser.opcode, parser.opaque)
    const isLogged = this.host.verbosity > 1
    if (isLogged) this.logRequest(session, at, end)
    const command = this.commands[parser.opcode]
    if (!parser.isRequest) return this.endConversation(session, end, 'Invalid magic')
    const refusal = this.refusal(session, command)
    if (refusal !== Status.Success) {
      this.error(session, refusal)
      return this.endConversation(session, end, 'Protocol error')
    }
    // an unfinished packet has at most its header, its extras and a short key: nothing more is waited for here
    if (parser.keyEnd > end) return UNFINISHED
    if (command === undefined) return this.unknown(session)
    session.isQuiet = command.isQuiet
    return isLogged ? this.runLogged(command, session, end) : command.run(session, end)
  }

  /** By itself, as a closure in `serve` would cost each request something. */
  private runLogged(command: Command, session: Session, end: number): number {
    return this.logAnswer(session, () => command.run(session, end))
  }

  /** Why a packet, by its header, ends the conversation; Success if it does not. */
  private refusal(session: Session, command: Command | undefined): Status {
    const { parser } = this
    if (parser.valueBytes < 0) return Status.Unknown
    if (parser.bodyBytes > BODY_BYTES_MAX) return Status.Invalid
    const mayRun = !this.asksWho || session.isAuthenticated || (command !== undefined && command.isOpen)
    if (!mayRun) return Status.AuthFailure
    if (parser.keyBytes > Size.KeyMax) return Status.Invalid
    return command === undefined || parser.fits(command.form) ? Status.Success : Status.Invalid
  }

  private endConversation(session: Session, end: number, why: string): number {
    const { host, parser } = this
    if (host.verbosity > 0) host.log(`${why} (opcode ${hex(parser.opcode)}), close connection ${session.peer.id}`)
    session.end()
    return end
  }

  /** An opcode that nobody knows. */
  unknown(session: Session): number { return this.answerAfterValue(session, Status.Unknown) }

  /** A value that is not wanted is still received, and only then answered. */
  answerAfterValue(session: Session, status: Status): number {
    const packet = this.reply.errorPacket(status)
    session.swallow(this.parser.valueBytes, packet)
    if (this.host.verbosity > 1) {
      this.logError(session, status)
      this.logHeader(session, packet)
    }
    return this.parser.keyEnd
  }

  error(session: Session, status: Status): void {
    this.reply.error(status)
    if (this.host.verbosity > 1) this.logError(session, status)
  }

  // What is said with -vv, in memcached's form

  /** A packet, once its key is there too. */
  private logRequest(session: Session, at: number, end: number): void {
    const { host, parser } = this
    if (parser.isRequest && parser.keyEnd > end && parser.keyBytes <= Size.KeyMax) return
    const { id } = session.peer
    host.log(`<${id} Read binary protocol data:`)
    for (const row of hexRows(parser.bytes.subarray(at, at + HEADER_BYTES))) host.log(`<${id}   ${row}`)
    const name = OPCODE_NAMES[parser.opcode]
    if (name === undefined || parser.keyBytes === 0 || parser.keyEnd > end) return
    const key = printable(parser.bytes.subarray(parser.keyStart, parser.keyEnd))
    host.log(`<${id} ${name} ${key}${parser.valueBytes > 0 ? ` Value len is ${parser.valueBytes}` : ''}`)
  }

  /** Carries out what answers, and logs the header of the first packet of the answer if there is one. */
  private logAnswer<Result>(session: Session, answer: () => Result): Result {
    const { output } = this.host
    output.begin()
    const result = answer()
    if (output.begun.length >= HEADER_BYTES) this.logHeader(session, output.begun)
    return result
  }

  private logHeader(session: Session, packet: Uint8Array): void {
    const { id } = session.peer
    this.host.log(`>${id} Writing bin response:`)
    for (const row of hexRows(packet.subarray(0, HEADER_BYTES))) this.host.log(`>${id}  ${row}`)
  }

  private logError(session: Session, status: Status): void {
    this.host.log(`>${session.peer.id} Writing an error: ${Buffer.from(textOf(status)).toString('latin1')}`)
  }

  // GET, GETK, GAT, GATK, TOUCH, and their quiet forms

  private get(session: Session, withKey: boolean, withTouch: boolean): void {
    this.withKey = withKey
    this.withValue = true
    const came = this.retrieve(session, withTouch)
    if (came === Retrieved.Miss) this.miss(session, withKey)
    else if (came === Retrieved.TooManyReaders) this.error(session, Status.NoMemory)
  }

  private touch(session: Session): void {
    this.withKey = this.withValue = false
    if (this.retrieve(session, true) === Retrieved.Miss) this.error(session, Status.NotFound)
  }

  private retrieve(session: Session, withTouch: boolean): Retrieved {
    const { parser, reply, request, host: { prefixes } } = this
    parser.takeKey(request)
    request.wants = withTouch ? Want.Touch : Want.None
    if (withTouch) request.expiresAt = this.cache.expiryFor(parser.extrasUint32(0))
    reply.ensureItem()
    const came = this.retrieval.get(session)
    if (prefixes.isOn) prefixes.recordGet(request.bytes, request.keyStart, request.keyEnd, came !== Retrieved.Miss)
    return came
  }

  hasValue(): boolean { return this.withValue }

  head(view: ItemView, form: ValueForm): boolean {
    this.reply.beforeValue(view, this.request, this.withKey, form === ValueForm.None ? 0 : view.valueBytes)
    return true
  }

  private miss(session: Session, withKey: boolean): void {
    if (session.isQuiet) return
    if (withKey) this.reply.missingKey(this.request)
    else this.error(session, Status.NotFound)
  }

  // SET, ADD, REPLACE, APPEND, PREPEND

  private storage(session: Session, mode: Mode, end: number): number {
    const { parser, request, host: { prefixes } } = this
    parser.takeKey(request)
    this.readStorage(session, mode)
    if (prefixes.isOn) prefixes.recordSet(request.bytes, request.keyStart, request.keyEnd)
    return this.values.take(session, parser.keyEnd, end)
  }

  /** A cas number makes set, add and replace the same; append and prepend stay what they are. */
  private readStorage(session: Session, mode: Mode): void {
    const { parser, request } = this
    const hasCas = parser.readCas(request.cas)
    const isJoin = mode === Mode.Append || mode === Mode.Prepend
    request.mode = hasCas && !isJoin ? Mode.Cas : mode
    request.wants = (session.isQuiet ? Want.None : Want.TellCas) | (hasCas && isJoin ? Want.CompareCas : Want.None) |
      // a set that brings a cas number is still a set, and its key's old value outdated
      (hasCas && mode === Mode.Set ? Want.DropOld : Want.None)
    request.casAfter.set(0, 0)
    request.flags = isJoin ? 0 : parser.extrasUint32(0)
    request.expiresAt = isJoin ? 0 : this.cache.expiryFor(parser.extrasUint32(4))
    request.valueBytes = parser.valueBytes
  }

  failed(session: Session, outcome: Failure): void { this.answerAfterValue(session, statusOf(outcome)) }

  /** Nothing follows a value that could be wrong. */
  badDataChunk(): void {}

  hold(session: Session): (answer: () => void) => void {
    const { opcode, opaque } = this.parser
    return answer => {
      this.reply.answerTo(opcode, opaque)
      if (this.host.verbosity > 1) this.logAnswer(session, answer)
      else answer()
    }
  }

  stored(session: Session, outcome: Outcome): void {
    const { mode, casAfter } = this.request
    if (outcome !== Outcome.Stored) this.error(session, statusOf(outcome, mode))
    else if (!session.isQuiet) this.reply.done(casAfter.high, casAfter.low)
  }

  // DELETE, INCREMENT, DECREMENT

  private delete(session: Session): void {
    const { parser, host, request } = this
    parser.takeKey(request)
    request.wants = parser.readCas(request.cas) ? Want.CompareCas : Want.None
    if (host.prefixes.isOn) host.prefixes.recordDelete(request.bytes, request.keyStart, request.keyEnd)
    const outcome = this.cache.delete(request)
    if (outcome !== Outcome.Deleted) this.error(session, statusOf(outcome))
    else if (!session.isQuiet) this.reply.done(0, 0)
  }

  private arithmetic(session: Session, isDecrement: boolean): void {
    const { parser, request } = this
    const exptime = parser.extrasUint32(16)
    parser.takeKey(request)
    parser.extrasUint64(0, request.number)
    parser.extrasUint64(8, request.initial)
    request.isDecrement = isDecrement
    request.expiresAt = request.vivifiedUntil = exptime === NEVER_BEGIN ? 0 : this.cache.expiryFor(exptime)
    request.casAfter.set(0, 0)
    request.wants = Want.TellCas | (parser.readCas(request.cas) ? Want.CompareCas : Want.None) |
      (exptime === NEVER_BEGIN ? Want.None : Want.Vivify)
    const outcome = this.cache.arithmetic(request)
    if (outcome !== Outcome.Number) this.error(session, statusOf(outcome))
    else if (!session.isQuiet) this.reply.number(request)
  }
}

/** ` 0x80 0x01 0x00 0x03`, a row for each four bytes. */
function hexRows(bytes: Uint8Array): string[] {
  const words = Array.from(bytes, byte => ` 0x${hex(byte)}`)
  return words.flatMap((_, index) => index % 4 === 0 ? [words.slice(index, index + 4).join('')] : [])
}

function hex(byte: number): string { return byte.toString(16).padStart(2, '0') }
