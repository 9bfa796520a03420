// The opcodes about items.
import { Use } from '../../insight/sampler.js'
import { Outcome, type Failure } from '../../store/outcome.js'
import { Found, Mode, Want, type Request } from '../../store/request.js'
import { type ItemView } from '../../store/view.js'
import { isOldClusterKey } from '../cluster.js'
import { Retrieval, Retrieved, ValueForm, type RetrievalAnswers } from '../retrieval.js'
import { type Session } from '../session.js'
import { Storage, type StorageAnswers } from '../storage.js'
import { type Packets } from './packets.js'
import { NO_MEMORY, Status, statusOf } from './reply.js'

/** An incr or decr with this exptime does not begin a counter that is missing. */
const NEVER_BEGIN = 0xffffffff

export class ItemCommands implements RetrievalAnswers, StorageAnswers {
  readonly hasLineEnd = false
  private readonly request: Request
  private readonly retrieval: Retrieval
  private readonly storage: Storage
  // the get at work
  private withKey = false
  private withValue = false

  constructor(private readonly packets: Packets) {
    const { host, request } = packets
    this.request = request
    this.retrieval = new Retrieval(host, this)
    this.storage = new Storage(host, this, 0)
  }

  // GET, GETK, GAT, GATK, TOUCH, and their quiet forms

  get(session: Session, withKey: boolean, withTouch: boolean): void {
    this.withKey = withKey
    this.withValue = true
    const came = this.retrieve(session, withTouch)
    if (came === Retrieved.Miss && !this.hasAnsweredCluster(withKey)) this.miss(session, withKey)
  }

  /** Answers a key under which older clients look for the list of a cluster's nodes; false if it is another, or there is none. */
  private hasAnsweredCluster(withKey: boolean): boolean {
    const { request: { bytes, keyStart, keyEnd }, packets: { host: { cluster }, reply } } = this
    const list = cluster !== undefined && isOldClusterKey(bytes, keyStart, keyEnd) ? cluster.get() : undefined
    if (list === undefined) return false
    reply.value(list.flags, list.bytes, withKey ? bytes.subarray(keyStart, keyEnd) : undefined)
    return true
  }

  touch(session: Session): void {
    this.withKey = this.withValue = false
    if (this.retrieve(session, true) === Retrieved.Miss) this.packets.error(session, Status.NotFound)
  }

  private retrieve(session: Session, withTouch: boolean): Retrieved {
    const { request, packets: { host: { prefixes }, parser, reply, store } } = this
    parser.takeKey(request)
    request.wants = withTouch ? Want.Touch : Want.None
    if (withTouch) request.expiresAt = store.expiryFor(parser.extrasUint32(0))
    reply.ensureItem()
    const came = this.retrieval.get(session)
    if (prefixes.isOn) prefixes.recordGet(request.bytes, request.keyStart, request.keyEnd, came !== Retrieved.Miss)
    return came
  }

  hasValue(): boolean { return this.withValue }

  head(view: ItemView, form: ValueForm): boolean {
    this.packets.reply.beforeValue(view, this.request, this.withKey, form === ValueForm.None ? 0 : view.valueBytes)
    return true
  }

  private miss(session: Session, withKey: boolean): void {
    if (session.isQuiet) return
    if (withKey) this.packets.reply.missingKey(this.request)
    else this.packets.error(session, Status.NotFound)
  }

  // SET, ADD, REPLACE, APPEND, PREPEND

  store(session: Session, mode: Mode, end: number): number {
    const { request, packets: { host: { prefixes }, parser } } = this
    parser.takeKey(request)
    this.readStorage(session, mode)
    if (prefixes.isOn) prefixes.recordSet(request.bytes, request.keyStart, request.keyEnd)
    return this.storage.take(session, parser.keyEnd, end)
  }

  /**
   * A cas number makes set, add and replace the same; append and prepend stay what they are. A store without cas numbers (-C)
   * minds none here, as in memcached.
   */
  private readStorage(session: Session, mode: Mode): void {
    const { request, packets: { parser, store } } = this
    const hasCas = parser.readCas(request.cas) && store.options.useCas
    const isJoin = mode === Mode.Append || mode === Mode.Prepend
    request.mode = hasCas && !isJoin ? Mode.Cas : mode
    request.wants = (session.isQuiet ? Want.None : Want.TellCas) | (hasCas && isJoin ? Want.CompareCas : Want.None) |
      // a set that brings a cas number is still a set, and its key's old value outdated
      (hasCas && mode === Mode.Set ? Want.DropOld : Want.None)
    request.casAfter.set(0, 0)
    request.flags = isJoin ? 0 : parser.extrasUint32(0)
    request.expiresAt = isJoin ? 0 : store.expiryFor(parser.extrasUint32(4))
    request.valueBytes = parser.valueBytes
  }

  stored(session: Session, outcome: Outcome): void {
    const { mode, casAfter } = this.request
    if (outcome !== Outcome.Stored) this.packets.error(session, statusOf(outcome, mode))
    else if (!session.isQuiet) this.packets.reply.done(casAfter.high, casAfter.low)
  }

  failed(session: Session, outcome: Failure): void { this.packets.errorAfterValue(session, statusOf(outcome)) }

  /** Nothing follows a value that could be wrong. */
  badDataChunk(): void {}

  hold(session: Session): (answer: () => void) => void {
    const { packets } = this
    const { opcode, opaque } = packets.parser
    return answer => {
      packets.reply.answerTo(opcode, opaque)
      if (packets.isLogged) packets.logAnswer(session, answer)
      else answer()
    }
  }

  // DELETE, INCREMENT, DECREMENT

  delete(session: Session): void {
    const { request, packets } = this
    const { parser, host: { insight: { sampler }, prefixes } } = packets
    parser.takeKey(request)
    request.wants = parser.readCas(request.cas) ? Want.CompareCas : Want.None
    if (prefixes.isOn) prefixes.recordDelete(request.bytes, request.keyStart, request.keyEnd)
    const outcome = packets.store.delete(request)
    if (sampler.isOpen) sampler.note(request, Use.Delete, outcome === Outcome.Deleted, 0)
    if (outcome !== Outcome.Deleted) packets.error(session, statusOf(outcome))
    else if (!session.isQuiet) packets.reply.done(0, 0)
  }

  arithmetic(session: Session, isDecrement: boolean): void {
    const { request, packets } = this
    const { parser, store, host: { insight: { sampler } } } = packets
    const exptime = parser.extrasUint32(16)
    parser.takeKey(request)
    parser.extrasUint64(0, request.number)
    parser.extrasUint64(8, request.initial)
    request.isDecrement = isDecrement
    request.expiresAt = request.vivifiedUntil = exptime === NEVER_BEGIN ? 0 : store.expiryFor(exptime)
    request.casAfter.set(0, 0)
    request.wants = Want.TellCas | (parser.readCas(request.cas) ? Want.CompareCas : Want.None) |
      (exptime === NEVER_BEGIN ? Want.None : Want.Vivify)
    const outcome = store.arithmetic(request)
    if (sampler.isOpen) sampler.note(request, Use.Arithmetic, outcome !== Outcome.NotFound, 0)
    if (outcome === Outcome.NoMemory) packets.error(session, Status.NoMemory, noMemoryFor(request))
    else if (outcome !== Outcome.Number) packets.error(session, statusOf(outcome))
    else if (!session.isQuiet) packets.reply.number(request)
  }
}

/** The text of an incr or decr that finds no memory. */
function noMemoryFor({ result }: Request): Uint8Array { return result === Found.Vivified ? NO_MEMORY.new : NO_MEMORY.longer }
