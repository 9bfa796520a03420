// Requests and the answers they must get, in each of memcached's protocols: what feeds.ts makes batches of.

export type ProtocolName = 'classic' | 'meta' | 'binary'

export interface Exchange {
  readonly request: Buffer
  readonly answer: Buffer
  readonly casAt?: number        // where the answer holds a cas number, which only the server knows
}

export const CAS_BYTES = 8
export const STORED = Buffer.from('STORED\r\n')
const LINE_END = Buffer.from('\r\n')

// How one protocol says the two commands that all of them have.
interface Phrasing {
  readonly set: (index: number, valueBytes: number) => Exchange
  readonly get: (index: number, valueBytes: number) => Exchange
}

export const phrasings: Readonly<Record<ProtocolName, Phrasing>> = {
  classic: { set: classicSet, get: (index, valueBytes) => classicGet([index], valueBytes) },
  meta: { set: metaSet, get: metaGet },
  binary: { set: binarySet, get: binaryGet },
}

// Sixteen bytes, as keys often are: a word and an id.
function key(index: number): string {
  return `bench:${String(index).padStart(10, '0')}`
}

// Tells by its bytes to which key it belongs.
function valueOf(index: number, valueBytes: number): Buffer {
  return Buffer.alloc(valueBytes, `${index} `)
}

function block(line: string, index: number, valueBytes: number): Buffer {
  return Buffer.concat([Buffer.from(`${line}\r\n`), valueOf(index, valueBytes), LINE_END])
}

function classicSet(index: number, valueBytes: number): Exchange {
  return { request: block(`set ${key(index)} 0 0 ${valueBytes}`, index, valueBytes), answer: STORED }
}

export function classicGet(indexes: readonly number[], valueBytes: number): Exchange {
  const parts = indexes.map(index => block(`VALUE ${key(index)} 0 ${valueBytes}`, index, valueBytes))
  return {
    request: Buffer.from(`get ${indexes.map(key).join(' ')}\r\n`),
    answer: Buffer.concat([...parts, Buffer.from('END\r\n')]),
  }
}

export function classicMiss(index: number): Exchange {
  return { request: Buffer.from(`get absent:${key(index)}\r\n`), answer: Buffer.from('END\r\n') }
}

function metaSet(index: number, valueBytes: number): Exchange {
  return { request: block(`ms ${key(index)} ${valueBytes}`, index, valueBytes), answer: Buffer.from('HD\r\n') }
}

function metaGet(index: number, valueBytes: number): Exchange {
  return { request: Buffer.from(`mg ${key(index)} v\r\n`), answer: block(`VA ${valueBytes}`, index, valueBytes) }
}

// The binary protocol's packets: a header of 24 bytes, then extras, key and value.
const enum Binary { Request = 0x80, Answer = 0x81, Get = 0, Set = 1, CasAt = 16, HeaderBytes = 24 }
const FLAGS = Buffer.alloc(4)
const FLAGS_AND_EXPTIME = Buffer.alloc(8)
const NOTHING = Buffer.alloc(0)

function binarySet(index: number, valueBytes: number): Exchange {
  return {
    request: packet(Binary.Request, Binary.Set, FLAGS_AND_EXPTIME, key(index), valueOf(index, valueBytes)),
    answer: packet(Binary.Answer, Binary.Set, NOTHING, '', NOTHING),
    casAt: Binary.CasAt,
  }
}

function binaryGet(index: number, valueBytes: number): Exchange {
  return {
    request: packet(Binary.Request, Binary.Get, NOTHING, key(index), NOTHING),
    answer: packet(Binary.Answer, Binary.Get, FLAGS, '', valueOf(index, valueBytes)),
    casAt: Binary.CasAt,
  }
}

function packet(magic: number, opcode: number, extras: Buffer, keyText: string, value: Buffer): Buffer {
  const header = Buffer.alloc(Binary.HeaderBytes)
  header.writeUInt8(magic, 0)
  header.writeUInt8(opcode, 1)
  header.writeUInt16BE(keyText.length, 2)
  header.writeUInt8(extras.length, 4)
  header.writeUInt32BE(extras.length + keyText.length + value.length, 8)
  return Buffer.concat([header, extras, Buffer.from(keyText), value])
}
