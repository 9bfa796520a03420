// The binary protocol. Each packet has a number of its own (opaque), by which the answer to a quiet one is known.

import { counts, header, uint32s } from '../support/packet.js'
import { unexpected } from './intent.js'
import type { Answer, Dialect, Intent, Reply, Request } from './intent.js'

const enum Opcode {
  Set = 0x01, Add = 0x02, Replace = 0x03, Delete = 0x04, Increment = 0x05, Decrement = 0x06, Flush = 0x08,
  GetQ = 0x09, Noop = 0x0a, GetK = 0x0c, Append = 0x0e, Prepend = 0x0f,
  SetQ = 0x11, AddQ = 0x12, ReplaceQ = 0x13, DeleteQ = 0x14, IncrementQ = 0x15, DecrementQ = 0x16, FlushQ = 0x18,
  AppendQ = 0x19, PrependQ = 0x1a, Touch = 0x1c, GatQ = 0x1e, GatK = 0x23,
}

const enum Status { Done = 0, Absent = 1, Exists = 2, Unstored = 5, Full = 0x82 }

const HEADER_BYTES = 24
const ANSWER = 0x81
const NEVER_CREATE = 0xffffffff
const NONE = Buffer.alloc(0)

let opaque = 0

export const binary: Dialect = {
  name: 'binary',

  knows(intent: Intent): boolean {
    if (intent.does === 'get') return intent.keys.length === 1
    return !('exptime' in intent) || intent.exptime >= 0
  },

  encode(intent: Intent): Request {
    opaque = (opaque + 1) % 0x1_0000_0000
    const own = opaque
    const bytes = write(intent, own)
    return { bytes, read: (answer, at) => read(intent, bytes, own, answer, at) }
  },
}

function write(intent: Intent, own: number): Buffer {
  const isQuiet = 'isQuiet' in intent && intent.isQuiet === true
  const token = 'token' in intent && intent.token !== undefined ? BigInt(intent.token) : 0n
  const make = (opcode: Opcode, key = '', extras: Uint8Array = NONE, value: Uint8Array = NONE): Buffer => Buffer.concat([
    header({
      opcode, keyBytes: key.length, extrasBytes: extras.length, bodyBytes: extras.length + key.length + value.length,
      opaque: own, cas: token,
    }),
    extras, Buffer.from(key, 'latin1'), value,
  ])
  switch (intent.does) {
    case 'get': return make(isQuiet ? Opcode.GetQ : Opcode.GetK, intent.keys.join())
    case 'gat': return make(isQuiet ? Opcode.GatQ : Opcode.GatK, intent.key, uint32s(intent.exptime))
    case 'touch': return make(Opcode.Touch, intent.key, uint32s(intent.exptime))
    case 'set': case 'add': case 'replace': {
      const loud = { set: Opcode.Set, add: Opcode.Add, replace: Opcode.Replace }[intent.does]
      return make(loud + (isQuiet ? 0x10 : 0), intent.key, uint32s(intent.flags, intent.exptime), intent.value)
    }
    case 'append': return make(isQuiet ? Opcode.AppendQ : Opcode.Append, intent.key, NONE, intent.value)
    case 'prepend': return make(isQuiet ? Opcode.PrependQ : Opcode.Prepend, intent.key, NONE, intent.value)
    case 'incr': case 'decr': {
      const loud = intent.does === 'incr' ? Opcode.Increment : Opcode.Decrement
      const { amount, initial } = intent
      const extras = counts(BigInt(amount), BigInt(initial ?? 0), initial === undefined ? NEVER_CREATE : 0)
      return make(loud + (isQuiet ? 0x10 : 0), intent.key, extras)
    }
    case 'delete': return make(isQuiet ? Opcode.DeleteQ : Opcode.Delete, intent.key)
    case 'flush': return make(isQuiet ? Opcode.FlushQ : Opcode.Flush)
    case 'nothing': return make(Opcode.Noop)
  }
}

function read(intent: Intent, request: Buffer, own: number, bytes: Buffer, at: number): Reply | number {
  if (bytes.length - at < HEADER_BYTES) return HEADER_BYTES
  if (bytes[at] !== ANSWER) throw unexpected(request, bytes, at)
  const isOwn = bytes.readUInt32BE(at + 12) === own
  if (!isOwn && 'isQuiet' in intent && intent.isQuiet === true) return { answer: silence(intent), end: at }
  if (!isOwn || bytes[at + 1] !== request[1]) throw unexpected(request, bytes, at)
  const bodyStart = at + HEADER_BYTES
  const end = bodyStart + bytes.readUInt32BE(at + 8)
  if (end > bytes.length) return end - at
  const status = bytes.readUInt16BE(at + 6)
  const isRead = intent.does === 'get' || intent.does === 'gat'
  switch (status) {
    case Status.Done: break
    case Status.Absent: return { answer: isRead ? { is: 'items', items: [undefined] } : { is: 'absent' }, end }
    case Status.Exists: return { answer: { is: intent.does === 'add' ? 'unstored' : 'exists' }, end }
    case Status.Unstored: return { answer: { is: 'unstored' }, end }
    case Status.Full: return { answer: { is: 'full' }, end }
    default: throw unexpected(request, bytes, at)
  }
  const token = bytes.readBigUInt64BE(at + 16).toString()
  const valueStart = bodyStart + bytes[at + 4]! + bytes.readUInt16BE(at + 2)
  if (isRead) {
    const key = intent.does === 'get' ? intent.keys.join() : intent.key
    const given = bytes.toString('latin1', bodyStart + bytes[at + 4]!, valueStart)
    if (given !== '' && given !== key) throw unexpected(request, bytes, at)
    const item = { key, value: bytes.subarray(valueStart, end), flags: bytes.readUInt32BE(bodyStart), token }
    return { answer: { is: 'items', items: [item] }, end }
  }
  if (intent.does !== 'incr' && intent.does !== 'decr') return { answer: { is: 'done', token }, end }
  return { answer: { is: 'done', token, number: Number(bytes.readBigUInt64BE(valueStart)) }, end }
}

/** What it means that a quiet command was not answered. */
function silence(intent: Intent): Answer {
  return intent.does === 'get' || intent.does === 'gat' ? { is: 'items', items: [undefined] } : { is: 'done' }
}
