// Reads a request where it lies in the input of a thread: what it asks, and where it ends. This is no parser that judges: the
// protocol does that afterwards. Where both disagree about a malformed request, it is the protocol's word that counts.
import { Ascii } from '../memory/ascii.js'
import { VALUE_BYTES_MAX } from '../protocol/line.js'
import { type Call } from './calls.js'

/** What a request asks, as its call has it. */
export type Asked =
  Pick<Call, 'verb' | 'keys' | 'key' | 'flags' | 'exptime' | 'bytes' | 'protocol' | 'line' | 'opcode' | 'isQuiet'>

export interface ReadRequest {
  readonly asked: Asked
  /** The bytes of each key as the store knows it, and where it stands in the line; a packet has no such place. */
  readonly keys: readonly KeyBytes[]
  /** The words of a line. */
  readonly words: readonly string[]
  /** The opaque of a packet. */
  readonly opaque: number
  /** The index behind the line, or behind the key of a packet. */
  readonly headEnd: number
  /** The bytes that follow it: a value with its line end. */
  readonly followingBytes: number
}

export interface KeyBytes {
  readonly text: string
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
}

/** The most bytes of a line that a call keeps. */
const LINE_BYTES_MAX = 2048

// Text and meta

const STORING = ['set', 'add', 'replace', 'append', 'prepend', 'cas']
const GETS = ['get', 'gets']
const TOUCHING_GETS = ['gat', 'gats']
/** Commands of which the second word is the key. */
const WITH_KEY = ['delete', 'incr', 'decr', 'touch', 'mg', 'ms', 'md', 'ma', 'me']
const META = /^m[gsdaen]$/
/** Commands that answer whatever their last word is. */
const NEVER_QUIET = [...GETS, ...TOUCHING_GETS, 'mn', 'me']

/** A word of a line and its place. */
interface Word { readonly text: string, readonly start: number, readonly end: number }

/** Reads a line. @param lineEnd the index of its line feed, or for a part of a line the end of that */
export function readLine(bytes: Uint8Array, at: number, lineEnd: number): ReadRequest {
  const words = wordsOf(bytes, at, lineEnd)
  const texts = words.map(({ text }) => text)
  const verb = texts[0] ?? ''
  const isMeta = META.test(verb)
  const flags = isMeta ? texts.slice(verb === 'ms' ? 3 : 2) : []
  const keys = keysOf(verb, words, flags.some(flag => flag.startsWith('b')))
  const valueBytes = valueBytesOf(verb, texts, flags)
  return {
    asked: {
      verb, keys: keys.map(({ text }) => text), key: keys[0]?.text,
      flags: isMeta ? numberOf(flags, 'F') : STORING.includes(verb) ? wholeOf(texts[2]) : undefined,
      exptime: isMeta ? numberOf(flags, 'T') : exptimeOf(verb, texts),
      bytes: valueBytes,
      protocol: isMeta ? 'meta' : 'text',
      line: latin1(bytes, at, Math.min(withoutReturn(bytes, at, lineEnd), at + LINE_BYTES_MAX)),
      opcode: undefined,
      isQuiet: !NEVER_QUIET.includes(verb) && (isMeta ? flags.some(flag => flag.startsWith('q')) : texts.at(-1) === 'noreply'),
    },
    keys, words: texts, opaque: 0,
    headEnd: lineEnd + 1,
    followingBytes: valueBytes === undefined ? 0 : valueBytes + 2,
  }
}

function wordsOf(bytes: Uint8Array, at: number, lineEnd: number): Word[] {
  const end = withoutReturn(bytes, at, lineEnd)
  const words: Word[] = []
  for (let start = at; start < end;) {
    if (bytes[start] === Ascii.Space) {
      start++
      continue
    }
    const space = bytes.subarray(start, end).indexOf(Ascii.Space)
    const stop = space < 0 ? end : start + space
    words.push({ text: latin1(bytes, start, stop), start, end: stop })
    start = stop
  }
  return words
}

function withoutReturn(bytes: Uint8Array, at: number, lineEnd: number): number {
  return lineEnd > at && bytes[lineEnd - 1] === Ascii.CarriageReturn ? lineEnd - 1 : lineEnd
}

function keysOf(verb: string, words: readonly Word[], isBase64: boolean): KeyBytes[] {
  if (GETS.includes(verb)) return words.slice(1).map(word => keyOf(word, false))
  if (TOUCHING_GETS.includes(verb)) return words.slice(2).map(word => keyOf(word, false))
  const [, key] = words
  if (key === undefined || !(STORING.includes(verb) || WITH_KEY.includes(verb))) return []
  return [keyOf(key, isBase64)]
}

function keyOf({ text, start, end }: Word, isBase64: boolean): KeyBytes {
  const bytes = Buffer.from(text, isBase64 ? 'base64' : 'latin1')
  return { text: textOf(bytes), bytes, start, end }
}

/** The bytes of the value that follows a line; undefined if none does. */
function valueBytesOf(verb: string, words: readonly string[], flags: readonly string[]): number | undefined {
  if (verb === 'ms') {
    // behind a malformed line the protocol skips no value
    if (flags.some(flag => flag < '0' || flag > '{')) return undefined
    return /^\d+$/.test(words[2] ?? '') ? lengthOf(words[2]) : undefined
  }
  return STORING.includes(verb) ? lengthOf(words[4]) : undefined
}

function lengthOf(word: string | undefined): number | undefined {
  const length = wholeOf(word)
  return length === undefined || length < 0 || length > VALUE_BYTES_MAX ? undefined : length
}

function exptimeOf(verb: string, words: readonly string[]): number | undefined {
  if (STORING.includes(verb)) return wholeOf(words[3])
  if (verb === 'touch') return wholeOf(words[2])
  return TOUCHING_GETS.includes(verb) ? wholeOf(words[1]) : undefined
}

/** The number behind a letter. */
function numberOf(flags: readonly string[], letter: string): number | undefined {
  return wholeOf(flags.find(flag => flag.startsWith(letter))?.slice(1))
}

function wholeOf(word: string | undefined): number | undefined {
  return word !== undefined && /^[-+]?\d+$/.test(word) ? Number(word) : undefined
}

// Binary

export const HEADER_BYTES = 24

/** The verbs of opcodes; those with a quiet form, or one that answers with the key, have all their opcodes. */
const OPCODES: Readonly<Record<string, { readonly loud: readonly number[], readonly quiet?: readonly number[] }>> = {
  get: { loud: [0x00, 0x0c], quiet: [0x09, 0x0d] },
  gat: { loud: [0x1d, 0x23], quiet: [0x1e, 0x24] },
  touch: { loud: [0x1c] },
  set: { loud: [0x01], quiet: [0x11] },
  add: { loud: [0x02], quiet: [0x12] },
  replace: { loud: [0x03], quiet: [0x13] },
  append: { loud: [0x0e], quiet: [0x19] },
  prepend: { loud: [0x0f], quiet: [0x1a] },
  delete: { loud: [0x04], quiet: [0x14] },
  incr: { loud: [0x05], quiet: [0x15] },
  decr: { loud: [0x06], quiet: [0x16] },
  noop: { loud: [0x0a] },
  version: { loud: [0x0b] },
  quit: { loud: [0x07], quiet: [0x17] },
  flush_all: { loud: [0x08], quiet: [0x18] },
  stats: { loud: [0x10] },
  config: { loud: [0x60, 0x64, 0x66] },
  sasl_list_mechs: { loud: [0x20] },
  sasl_auth: { loud: [0x21] },
  sasl_step: { loud: [0x22] },
}
const VERBS = new Map<number, { readonly verb: string, readonly isQuiet: boolean }>()
for (const [verb, { loud, quiet = [] }] of Object.entries(OPCODES)) {
  for (const opcode of loud) VERBS.set(opcode, { verb, isQuiet: false })
  for (const opcode of quiet) VERBS.set(opcode, { verb, isQuiet: true })
}

/** The verbs of all protocols, for messages about one that does not exist. */
export const KNOWN_VERBS: readonly string[] = [...new Set([
  ...GETS, ...TOUCHING_GETS, ...STORING, ...WITH_KEY, 'mn', ...Object.keys(OPCODES), 'verbosity', 'slabs', 'lru', 'lru_crawler',
  'watch', 'cache_memlimit', 'shutdown', 'extstore', 'refresh_certs', 'debugtime', 'flush_prefix', 'keys',
])]

/** Opcodes whose answers have the key. */
const WITH_KEY_BACK = [0x0c, 0x0d, 0x23, 0x24]

/** The key that the answer to a packet repeats; empty for most. */
export function keyBack({ asked, keys }: ReadRequest): Uint8Array {
  return keys[0] !== undefined && WITH_KEY_BACK.includes(asked.opcode ?? -1) ? keys[0].bytes : new Uint8Array(0)
}

/** The bytes of a packet up to its value, as its header says. The header is there. */
export function packetHeadBytes(bytes: Uint8Array, at: number): number {
  return HEADER_BYTES + bytes[at + 4]! + (bytes[at + 2]! << 8 | bytes[at + 3]!)
}

/** Reads a packet, of which the header is there, and the rest up to `end`. */
export function readPacket(bytes: Uint8Array, at: number, end: number): ReadRequest {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, HEADER_BYTES)
  const opcode = view.getUint8(1)
  const extrasBytes = view.getUint8(4)
  const headEnd = at + packetHeadBytes(bytes, at)
  const keyStart = at + HEADER_BYTES + extrasBytes
  const { verb, isQuiet } = VERBS.get(opcode) ?? { verb: `0x${opcode.toString(16).padStart(2, '0')}`, isQuiet: false }
  const isStoring = STORING.includes(verb)
  const followingBytes = Math.max(view.getUint32(8) - (headEnd - at - HEADER_BYTES), 0)
  const extra = (offset: number): number | undefined => {
    const start = at + HEADER_BYTES + offset
    if (offset + 4 > extrasBytes || start + 4 > end) return undefined
    return new DataView(bytes.buffer, bytes.byteOffset + start, 4).getUint32(0)
  }
  const keyEnd = Math.min(headEnd, end)
  const key = keyEnd > keyStart ? keyOfPacket(bytes, keyStart, keyEnd) : undefined
  return {
    asked: {
      verb, isQuiet, opcode, protocol: 'binary', line: undefined,
      keys: key === undefined ? [] : [key.text], key: key?.text,
      flags: isStoring ? extra(0) : undefined,
      exptime: isStoring ? extra(4) : ['incr', 'decr'].includes(verb) ? extra(16) : extra(0),
      bytes: isStoring ? followingBytes : undefined,
    },
    keys: key === undefined ? [] : [key],
    words: [], opaque: view.getUint32(12), headEnd, followingBytes,
  }
}

function keyOfPacket(bytes: Uint8Array, start: number, end: number): KeyBytes {
  const own = Buffer.from(bytes.subarray(start, end))
  return { text: textOf(own), bytes: own, start: 0, end: 0 }
}

function latin1(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, Math.max(end - start, 0)).toString('latin1')
}

/** Bytes as text: UTF-8 where they are that, as nearly all keys are; otherwise a character for each byte. */
export function textOf(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const text = buffer.toString()
  return text.includes('\ufffd') ? buffer.toString('latin1') : text
}
