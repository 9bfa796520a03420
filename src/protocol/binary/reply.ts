// The packets a server sends: one table from Outcome to status, the errors with their texts, and the answers that carry
// something. A packet is an answer to the opcode and the opaque that were last given to `answerTo`.
import { Memory } from '../../memory/bytes.js'
import { Uint64 } from '../../memory/numbers.js'
import { Outcome } from '../../store/outcome.js'
import { Mode, type Request } from '../../store/request.js'
import { type ItemView } from '../../store/view.js'
import { Copy, type Output } from '../output.js'
import { HEADER_BYTES, Magic } from './parse.js'

export const enum Status {
  Success = 0,
  NotFound = 1,
  Exists = 2,
  TooLarge = 3,
  Invalid = 4,
  NotStored = 5,
  NonNumeric = 6,
  AuthFailure = 0x20,
  AuthContinue = 0x21,
  Unknown = 0x81,
  NoMemory = 0x82,
}

const TEXTS: Readonly<Partial<Record<Status, string>>> = {
  [Status.NotFound]: 'Not found',
  [Status.Exists]: 'Data exists for key.',
  [Status.TooLarge]: 'Too large.',
  [Status.Invalid]: 'Invalid arguments',
  [Status.NotStored]: 'Not stored.',
  [Status.NonNumeric]: 'Non-numeric server-side value for incr or decr',
  [Status.AuthFailure]: 'Auth failure.',
  [Status.Unknown]: 'Unknown command',
  [Status.NoMemory]: 'Out of memory allocating item',
}

const STATUSES: Record<Outcome, Status> = {
  [Outcome.Stored]: Status.Success,
  [Outcome.NotStored]: Status.NotStored,
  [Outcome.Exists]: Status.Exists,
  [Outcome.NotFound]: Status.NotFound,
  [Outcome.Deleted]: Status.Success,
  [Outcome.Touched]: Status.Success,
  [Outcome.Number]: Status.Success,
  [Outcome.NonNumeric]: Status.NonNumeric,
  [Outcome.TooLarge]: Status.TooLarge,
  [Outcome.NoMemory]: Status.NoMemory,
}

const BYTES = Array.from({ length: Status.NoMemory + 1 }, (_, status) => Buffer.from(TEXTS[status as Status] ?? '', 'latin1'))

/** The texts of incr and decr for Status.NoMemory: there is no room for a new number, or for one that has become longer. */
export const NO_MEMORY = {
  new: Buffer.from('Out of memory allocating new item'),
  longer: Buffer.from('Out of memory incrementing value'),
} as const

/** The text of a status that is an error. */
export function textOf(status: Status): Uint8Array { return BYTES[status]! }

/** The status that answers an outcome. By the mode, add and replace say why nothing was stored. */
export function statusOf(outcome: Outcome, mode = Mode.Set): Status {
  if (outcome !== Outcome.NotStored) return STATUSES[outcome]
  if (mode === Mode.Add) return Status.Exists
  return mode === Mode.Replace ? Status.NotFound : Status.NotStored
}

const FLAGS_BYTES = 4
const NO_BYTES = new Uint8Array(0)
const NUMBER_BYTES = 8
/** Everything before a value: header, flags, key. */
const BEFORE_VALUE_MAX = HEADER_BYTES + FLAGS_BYTES + 250

export class BinaryReply {
  private opcode = 0
  private opaque = 0
  private readonly uint64 = new Uint64()

  constructor(private readonly output: Output) {}

  answerTo(opcode: number, opaque: number): void {
    this.opcode = opcode
    this.opaque = opaque
  }

  /** Success without a body. */
  done(casHigh: number, casLow: number): void {
    this.output.ensure(HEADER_BYTES)
    this.header(Status.Success, 0, 0, 0, casHigh, casLow)
  }

  error(status: Status, text = textOf(status)): void { this.body(status, text) }

  /** An error to be sent later. */
  errorPacket(status: Status): Uint8Array {
    const text = textOf(status)
    const packet = Buffer.alloc(HEADER_BYTES + text.length)
    writeHeader(new Memory(packet), 0, this.opcode, status, 0, 0, text.length, this.opaque, 0, 0)
    packet.set(text, HEADER_BYTES)
    return packet
  }

  /** A header and ready-made bytes. */
  body(status: Status, bytes: Uint8Array): void {
    this.output.ensure(HEADER_BYTES)
    this.header(status, 0, 0, bytes.length, 0, 0)
    this.output.text(bytes)
  }

  /** Flags, a key if there is to be one, and a value that is no item's. All of them fit one buffer. */
  value(flags: number, bytes: Uint8Array, key: Uint8Array = NO_BYTES): void {
    const { output } = this
    const bodyBytes = FLAGS_BYTES + key.length + bytes.length
    output.ensure(HEADER_BYTES + bodyBytes)
    this.header(Status.Success, FLAGS_BYTES, key.length, bodyBytes, 0, 0)
    output.memory.writeUint32(output.at, flags)
    output.at += FLAGS_BYTES
    output.copy(key, 0, key.length)
    output.copy(bytes, 0, bytes.length)
  }

  /** A miss that tells which key it was. */
  missingKey(request: Request): void {
    const keyBytes = request.keyEnd - request.keyStart
    this.output.ensure(HEADER_BYTES + keyBytes)
    this.header(Status.NotFound, 0, keyBytes, keyBytes, 0, 0)
    this.output.copy(request.bytes, request.keyStart, keyBytes)
  }

  /** The number of incr and decr. */
  number(request: Request): void {
    const { output, uint64 } = this
    const { casAfter, digits } = request
    digits.readInto(uint64)
    output.ensure(HEADER_BYTES + NUMBER_BYTES)
    this.header(Status.Success, 0, 0, NUMBER_BYTES, casAfter.high, casAfter.low)
    output.memory.writeUint32(output.at, uint64.high)
    output.memory.writeUint32(output.at + 4, uint64.low)
    output.at += NUMBER_BYTES
  }

  /** A row of STAT; without name and value it is the last one. */
  stat(name: string, value: string): void {
    this.output.ensure(HEADER_BYTES)
    this.header(Status.Success, 0, name.length, name.length + value.length, 0, 0)
    this.output.text(Buffer.from(name + value, 'latin1'))
  }

  /** The part of such a row before its value of so many bytes. */
  statBefore(name: string, valueBytes: number): void {
    this.output.ensure(HEADER_BYTES + name.length)
    this.header(Status.Success, 0, name.length, name.length + valueBytes, 0, 0)
    this.output.text(Buffer.from(name, 'latin1'))
  }

  /** Makes room for an item, so that nothing is written while it is locked. */
  ensureItem(): void { this.output.ensure(BEFORE_VALUE_MAX + Copy.RoomBytes) }

  /** The part of an answer before a value of so many bytes; TOUCH answers this alone. */
  beforeValue(view: ItemView, request: Request, withKey: boolean, valueBytes: number): void {
    const { output } = this
    const keyBytes = withKey ? request.keyEnd - request.keyStart : 0
    this.header(Status.Success, FLAGS_BYTES, keyBytes, FLAGS_BYTES + keyBytes + valueBytes, view.casHigh, view.casLow)
    output.memory.writeUint32(output.at, view.flags)
    output.at += FLAGS_BYTES
    if (withKey) output.copy(request.bytes, request.keyStart, keyBytes)
  }

  private header(status: Status, extrasBytes: number, keyBytes: number, bodyBytes: number, casHigh: number,
    casLow: number): void {
    const { output } = this
    writeHeader(output.memory, output.at, this.opcode, status, extrasBytes, keyBytes, bodyBytes, this.opaque, casHigh, casLow)
    output.at += HEADER_BYTES
  }
}

/** The first two words hold what is shorter than a word; data type and the high byte of the status are always 0. */
function writeHeader(memory: Memory, at: number, opcode: number, status: Status, extrasBytes: number, keyBytes: number,
  bodyBytes: number, opaque: number, casHigh: number, casLow: number): void {
  memory.writeUint32(at, Magic.Response << 24 | opcode << 16 | keyBytes)
  memory.writeUint32(at + 4, extrasBytes << 24 | status)
  memory.writeUint32(at + 8, bodyBytes)
  memory.writeUint32(at + 12, opaque)
  memory.writeUint32(at + 16, casHigh)
  memory.writeUint32(at + 20, casLow)
}
