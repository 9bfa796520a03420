// Reads packets of the binary protocol in place. A packet has a header of 24 bytes, all its numbers with the highest byte
// first, and a body of three parts, of which the header tells the lengths; the value's is what is left.
//
//   byte  0      1       2         4            5          6        8          12      16   24
//         magic  opcode  keyBytes  extrasBytes  data type  vbucket  bodyBytes  opaque  cas  extras, key, value
//
// Data type and vbucket mean nothing here. The opaque is the client's own, and comes back with the answer.
import { type Uint64 } from '../../memory/numbers.js'
import { type Hash } from '../../store/index/hash.js'
import { type Request } from '../../store/request.js'

/** The first byte of a packet. */
export const enum Magic { Request = 0x80, Response = 0x81 }

export const HEADER_BYTES = 24

/** Says if a part of a packet must be there, may be, or must not. */
export const enum Part { None, Optional, Required }

/** The parts of the packets of an opcode. */
export interface Form {
  readonly extras: Part
  /** Their length if they are there. */
  readonly extrasBytes: number
  readonly key: Part
  readonly value: Part
}

/** The forms there are, made by one function so that they are of one kind to the engine. */
export const FORM = {
  nothing: form(Part.None, Part.None),
  key: form(Part.Required, Part.None),
  mayHaveKey: form(Part.Optional, Part.None),
  keyAndValue: form(Part.Required, Part.Optional),
  mayHaveExptime: form(Part.None, Part.None, 4, Part.Optional),
  touch: form(Part.Required, Part.None, 4),
  store: form(Part.Required, Part.Optional, 8),
  arithmetic: form(Part.Required, Part.None, 20),
  mayHaveFlags: form(Part.Required, Part.Optional, 4, Part.Optional),
} as const satisfies Record<string, Form>

function form(key: Part, value: Part, extrasBytes = 0, extras = extrasBytes === 0 ? Part.None : Part.Required): Form {
  return { extras, extrasBytes, key, value }
}

export class BinaryParser {
  // the header that was read last
  isRequest = false
  opcode = 0
  extrasBytes = 0
  keyBytes = 0
  /** Negative if the body is too short for its extras and its key. */
  valueBytes = 0
  bodyBytes = 0
  opaque = 0

  // where its parts lie, which may not have arrived
  private start = 0
  extrasStart = 0
  keyStart = 0
  keyEnd = 0

  private readonly view: DataView

  constructor(readonly bytes: Uint8Array, private readonly hashing: Hash) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  readHeader(at: number): void {
    const { bytes, view } = this
    const keyBytes = view.getUint16(at + 2)
    const extrasBytes = bytes[at + 4]!
    const bodyBytes = view.getUint32(at + 8)
    this.isRequest = bytes[at] === Magic.Request
    this.opcode = bytes[at + 1]!
    this.extrasBytes = extrasBytes
    this.keyBytes = keyBytes
    this.valueBytes = bodyBytes - extrasBytes - keyBytes
    this.bodyBytes = bodyBytes
    this.opaque = view.getInt32(at + 12)
    this.start = at
    this.extrasStart = at + HEADER_BYTES
    this.keyStart = this.extrasStart + extrasBytes
    this.keyEnd = this.keyStart + keyBytes
  }

  /** True if the packet has the parts that it must have, and no others. */
  fits(form: Form): boolean {
    const { extrasBytes } = this
    return hasPart(form.key, this.keyBytes) && hasPart(form.value, this.valueBytes) &&
      (extrasBytes === 0 ? form.extras !== Part.Required : extrasBytes === form.extrasBytes)
  }

  /** Makes the key that of the request, and hashes it. */
  takeKey(request: Request): void {
    request.keyStart = this.keyStart
    request.keyEnd = this.keyEnd
    request.hash = this.hashing.of(this.bytes, this.keyStart, this.keyEnd)
  }

  /** Reads the cas of the header; false if it is 0, which means none. */
  readCas(into: Uint64): boolean {
    this.readUint64(this.start + 16, into)
    return into.low !== 0 || into.high !== 0
  }

  /** A number of the extras. */
  extrasUint32(offset: number): number { return this.view.getUint32(this.extrasStart + offset) }
  extrasUint64(offset: number, into: Uint64): void { this.readUint64(this.extrasStart + offset, into) }

  private readUint64(at: number, into: Uint64): void { into.set(this.view.getUint32(at), this.view.getUint32(at + 4)) }

  /** The key as text. */
  get keyText(): string {
    return Buffer.from(this.bytes.buffer, this.bytes.byteOffset + this.keyStart, this.keyBytes).toString('latin1')
  }
}

function hasPart(part: Part, count: number): boolean {
  return count === 0 ? part !== Part.Required : part !== Part.None
}
