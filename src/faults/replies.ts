// The answers that faults give in place of the server, in the form of each protocol.
import { type ReadRequest, HEADER_BYTES, keyBack } from './requests.js'
import { Counter, type Counters } from '../stats/counters.js'

const NOTHING: Uint8Array = new Uint8Array(0)

/** The magic of a packet that answers. */
const RESPONSE = 0x81

/** The answer of `reply`: a line, or bytes that are sent as they are. */
export function replyTo(request: ReadRequest, answer: string | Uint8Array): Uint8Array {
  if (typeof answer !== 'string') return answer
  const { protocol, isQuiet } = request.asked
  const text = answer.replace(/\r?\n$/, '')
  if (protocol === 'binary') return packetFor(request, text)
  // a quiet meta command keeps quiet about what is as expected, a line with noreply about everything
  if (isQuiet && (protocol === 'text' || /^(HD|EN)\b/.test(text))) return NOTHING
  return Buffer.from(`${text}\r\n`)
}

/** The statuses of lines, the first that fits. The texts are memcached's; without one, the packet repeats what the line says. */
const STATUSES: readonly (readonly [line: RegExp, status: number, text?: string])[] = [
  [/^(NOT_FOUND|END|EN|NF)\b/, 0x01, 'Not found'],
  [/^(EXISTS|EX)\b/, 0x02, 'Data exists for key.'],
  [/^(NOT_STORED|NS)\b/, 0x05, 'Not stored.'],
  [/too large/i, 0x03],
  [/^SERVER_ERROR.*out of memory/i, 0x82],
  [/^SERVER_ERROR.*busy/i, 0x85],
  [/^SERVER_ERROR.*temporar/i, 0x86],
  [/^SERVER_ERROR/, 0x84],
  [/^CLIENT_ERROR.*(unauthenticated|auth)/i, 0x20],
  [/^CLIENT_ERROR.*non-numeric/i, 0x06],
  [/^CLIENT_ERROR/, 0x04],
  [/^ERROR/, 0x81, 'Unknown command'],
]

function packetFor(request: ReadRequest, text: string): Uint8Array {
  const { isQuiet, verb } = request.asked
  const row = STATUSES.find(([line]) => line.test(text))
  if (row !== undefined) {
    const [, status, known = text.replace(/^\w+ /, '')] = row
    const isMissOfGet = status === 0x01 && (verb === 'get' || verb === 'gat')
    return isMissOfGet ? missOfGet(request) : packet(request, { status, value: Buffer.from(known) })
  }
  const [, flags, value] = /^VALUE \S+ (\d+) \d+(?: \d+)?\r?\n([^]*?)(?:\r?\nEND)?$/.exec(text) ?? []
  if (flags !== undefined && value !== undefined) {
    const extras = Buffer.alloc(4)
    extras.writeUInt32BE(Number(flags) >>> 0)
    return packet(request, { extras, key: keyBack(request), value: Buffer.from(value) })
  }
  if (isQuiet) return NOTHING
  if (/^\d+$/.test(text) && (verb === 'incr' || verb === 'decr')) {
    const value = Buffer.alloc(8)
    value.writeBigUInt64BE(BigInt.asUintN(64, BigInt(text)))
    return packet(request, { value })
  }
  return packet(request, { value: Buffer.from(verb === 'version' ? text.replace(/^VERSION /, '') : '') })
}

interface Parts {
  readonly status?: number
  readonly extras?: Uint8Array
  readonly key?: Uint8Array
  readonly value?: Uint8Array
}

function packet({ asked, opaque }: ReadRequest, { status = 0, extras = NOTHING, key = NOTHING, value = NOTHING }: Parts): Buffer {
  const header = Buffer.alloc(HEADER_BYTES)
  header[0] = RESPONSE
  header[1] = asked.opcode ?? 0
  header.writeUInt16BE(key.length, 2)
  header[4] = extras.length
  header.writeUInt16BE(status, 6)
  header.writeUInt32BE(extras.length + key.length + value.length, 8)
  header.writeUInt32BE(opaque, 12)
  return Buffer.concat([header, extras, key, value])
}

function missOfGet(request: ReadRequest): Uint8Array {
  if (request.asked.isQuiet) return NOTHING
  const key = keyBack(request)
  return packet(request, { status: 0x01, key, value: key.length > 0 ? NOTHING : Buffer.from('Not found') })
}

// Misses

/** The commands that look an item up and say so if there is none; and what a text command answers then. */
const MISSES: Readonly<Record<string, string>> = {
  get: 'END', gets: 'END', gat: 'END', gats: 'END', touch: 'NOT_FOUND', incr: 'NOT_FOUND', decr: 'NOT_FOUND', delete: 'NOT_FOUND',
  cas: 'NOT_FOUND', replace: 'NOT_STORED', append: 'NOT_STORED', prepend: 'NOT_STORED',
  mg: 'EN', me: 'EN', md: 'NF', ma: 'NF', ms: 'NS',
}

/** The statuses of binary misses that are not 1. */
const BINARY_MISSES: Readonly<Record<string, number>> = { append: 0x05, prepend: 0x05 }

/** The modes of ms that need an item; with C, a set needs one, too. */
const NEEDS_ITEM = /^M[apr]/i

/** True if a request can miss. */
export function canMiss({ asked: { verb }, keys, words }: ReadRequest): boolean {
  if (keys.length === 0) return false
  if (verb === 'ms') return words.slice(3).some(flag => NEEDS_ITEM.test(flag) || flag.startsWith('C'))
  return verb in MISSES
}

/** True if a request that misses would create the item. */
export function createsItem({ asked: { verb, protocol, exptime }, words }: ReadRequest): boolean {
  if (protocol === 'binary') return (verb === 'incr' || verb === 'decr') && exptime !== 0xffffffff
  return ['mg', 'ma', 'ms'].includes(verb) && words.slice(verb === 'ms' ? 3 : 2).some(flag => flag.startsWith('N'))
}

/** The answer to a request that misses all its keys. */
export function missOf(request: ReadRequest): Uint8Array {
  const { asked: { verb, protocol, isQuiet }, words } = request
  if (protocol === 'binary') {
    if (verb === 'get' || verb === 'gat') return missOfGet(request)
    const status = BINARY_MISSES[verb] ?? 0x01
    return packet(request, { status, value: Buffer.from(status === 0x05 ? 'Not stored.' : 'Not found') })
  }
  if (protocol === 'text') return isQuiet ? NOTHING : Buffer.from(`${MISSES[verb]}\r\n`)
  if (isQuiet && verb === 'mg') return NOTHING
  const flags = words.slice(verb === 'ms' ? 3 : 2)
  const needsCas = verb === 'ms' && flags.some(flag => flag.startsWith('C'))
  return Buffer.from(`${needsCas ? 'NF' : MISSES[verb]}${verb === 'me' ? '' : returned(words[1] ?? '', flags)}\r\n`, 'latin1')
}

/** The key and the opaque, where the flags of a meta command ask for them back. */
function returned(key: string, flags: readonly string[]): string {
  const isBase64 = flags.some(flag => flag.startsWith('b'))
  return flags.map(flag => {
    if (flag.startsWith('O')) return ` ${flag}`
    if (flag.startsWith('k')) return ` k${key}${isBase64 ? ' b' : ''}`
    return ''
  }).join('')
}

/** Counts what `stats` counts of a miss. */
export function countMiss(counters: Counters, { asked: { verb } }: ReadRequest): void {
  switch (verb) {
    case 'get': case 'gets': case 'mg':
      counters.add(Counter.CmdGet)
      return counters.add(Counter.GetMisses)
    case 'gat': case 'gats': case 'touch':
      counters.add(Counter.CmdTouch)
      return counters.add(Counter.TouchMisses)
    case 'delete': case 'md': return counters.add(Counter.DeleteMisses)
    case 'incr': return counters.add(Counter.IncrMisses)
    case 'decr': return counters.add(Counter.DecrMisses)
    case 'cas': return counters.add(Counter.CasMisses)
    default:
  }
}
