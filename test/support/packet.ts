// Packets of the binary protocol as tests write and read them: texts are Latin-1, a character a byte.

/** The opcodes of the binary protocol; a Q says that the client wants to hear of failures alone. */
export const enum Opcode {
  Get, Set, Add, Replace, Delete, Increment, Decrement, Quit, Flush, GetQ, Noop, Version, GetK, GetKQ, Append, Prepend, Stat,
  SetQ, AddQ, ReplaceQ, DeleteQ, IncrementQ, DecrementQ, QuitQ, FlushQ, AppendQ, PrependQ,
  Touch = 0x1c, Gat, GatQ,
  SaslListMechs = 0x20, SaslAuth, SaslStep,
  GatK, GatKQ,
}

const HEADER_BYTES = 24

export interface Parts {
  readonly key?: string
  readonly extras?: Uint8Array
  readonly value?: string
  readonly opaque?: number
  readonly cas?: bigint
}

export interface Answer {
  readonly opcode: number
  readonly status: number
  readonly key: string
  readonly extras: string
  readonly value: string
  readonly opaque: number
  readonly cas: bigint
}

/** A request with these parts; its lengths are right. */
export function packet(opcode: number,
  { key = '', extras = new Uint8Array(0), value = '', opaque = 0, cas = 0n }: Parts = {}): Buffer {
  const body = Buffer.concat([extras, Buffer.from(key + value, 'latin1')])
  return Buffer.concat([header({ opcode, keyBytes: key.length, extrasBytes: extras.length, bodyBytes: body.length, opaque, cas }),
    body])
}

export interface Header {
  readonly magic?: number
  readonly opcode: number
  readonly keyBytes?: number
  readonly extrasBytes?: number
  readonly bodyBytes?: number
  readonly opaque?: number
  readonly cas?: bigint
}

/** A header alone, right or wrong. */
export function header({ magic = 0x80, opcode, keyBytes = 0, extrasBytes = 0, bodyBytes = 0, opaque = 0,
  cas = 0n }: Header): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES)
  bytes[0] = magic
  bytes[1] = opcode
  bytes.writeUInt16BE(keyBytes, 2)
  bytes[4] = extrasBytes
  bytes.writeUInt32BE(bodyBytes, 8)
  bytes.writeUInt32BE(opaque, 12)
  bytes.writeBigUInt64BE(cas, 16)
  return bytes
}

/** Numbers of 32 bits, one behind the other. */
export function uint32s(...numbers: number[]): Buffer {
  const bytes = Buffer.alloc(numbers.length * 4)
  numbers.forEach((number, index) => bytes.writeUInt32BE(number, index * 4))
  return bytes
}

/** The extras of incr and decr. */
export function counts(delta: bigint, initial = 0n, exptime = 0): Buffer {
  const bytes = Buffer.alloc(20)
  bytes.writeBigUInt64BE(delta, 0)
  bytes.writeBigUInt64BE(initial, 8)
  bytes.writeUInt32BE(exptime, 16)
  return bytes
}

/** Reads whole answers. */
export function readAnswers(bytes: Buffer): Answer[] {
  const answers: Answer[] = []
  for (let at = 0; at < bytes.length;) {
    if (bytes[at] !== 0x81 || bytes[at + 5] !== 0) throw new Error(`no answer begins at byte ${at}`)
    const keyStart = at + HEADER_BYTES + bytes[at + 4]!
    const valueStart = keyStart + bytes.readUInt16BE(at + 2)
    const end = at + HEADER_BYTES + bytes.readUInt32BE(at + 8)
    if (end > bytes.length || valueStart > end) throw new Error(`the answer at byte ${at} has no end`)
    answers.push({
      opcode: bytes[at + 1]!,
      status: bytes.readUInt16BE(at + 6),
      opaque: bytes.readUInt32BE(at + 12),
      cas: bytes.readBigUInt64BE(at + 16),
      extras: bytes.toString('latin1', at + HEADER_BYTES, keyStart),
      key: bytes.toString('latin1', keyStart, valueStart),
      value: bytes.toString('latin1', valueStart, end),
    })
    at = end
  }
  return answers
}
