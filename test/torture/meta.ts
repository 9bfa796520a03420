// The meta commands. A quiet one has a number of its own (O), by which its answer, if there is one, is known.

import { block } from './classic.js'
import { lineEnd, unexpected } from './intent.js'
import type { Answer, Dialect, Intent, Reply, Request } from './intent.js'

const CRLF = '\r\n'
const OUT_OF_MEMORY = 'SERVER_ERROR out of memory storing object'
const MODES = { set: 'S', add: 'A', replace: 'R', append: 'A', prepend: 'P' } as const

let opaque = 0

export const meta: Dialect = {
  name: 'meta',

  knows(intent: Intent): boolean {
    if (intent.does === 'get') return intent.keys.length === 1
    return intent.does !== 'flush'
  },

  encode(intent: Intent): Request {
    const isQuiet = 'isQuiet' in intent && intent.isQuiet === true
    const mark = isQuiet ? `O${opaque = (opaque + 1) % 1_000_000}` : ''
    const bytes = write(intent, isQuiet ? ` q ${mark}` : '')
    return { bytes, read: (answer, at) => read(intent, bytes, mark, answer, at) }
  },
}

function write(intent: Intent, quiet: string): Buffer {
  const token = 'token' in intent && intent.token !== undefined ? ` C${intent.token}` : ''
  switch (intent.does) {
    case 'get': return line(`mg ${intent.keys.join()} v c f${quiet}`)
    case 'gat': return line(`mg ${intent.key} T${intent.exptime} f v c${quiet}`)
    case 'touch': return line(`mg ${intent.key} T${intent.exptime}`)
    case 'set': case 'add': case 'replace': {
      const { does, key, flags, exptime, value } = intent
      const mode = does === 'set' ? '' : does === 'add' ? ' ME' : ' MR'
      return block(`ms ${key} ${value.length} c F${flags} T${exptime}${mode}${token}${quiet}`, value)
    }
    case 'append': case 'prepend': {
      const { does, key, value } = intent
      return block(`ms ${key} ${value.length} M${MODES[does]}${token}${quiet}`, value)
    }
    case 'incr': case 'decr': {
      const create = intent.initial === undefined ? '' : ` N0 J${intent.initial}`
      return line(`ma ${intent.key} v c D${intent.amount} M${intent.does === 'incr' ? 'I' : 'D'}${create}${token}${quiet}`)
    }
    case 'delete': return line(`md ${intent.key}${token}${quiet}`)
    case 'flush': throw new Error('there is no such meta command')
    case 'nothing': return line('mn')
  }
}

function line(text: string): Buffer {
  return Buffer.from(text + CRLF, 'latin1')
}

function read(intent: Intent, request: Buffer, mark: string, bytes: Buffer, at: number): Reply | number {
  const lineStop = lineEnd(bytes, at)
  if (lineStop < 0) return bytes.length - at + 1
  const text = bytes.toString('latin1', at, lineStop)
  const [code, ...words] = text.split(' ')
  if (mark !== '' && !words.includes(mark)) return { answer: silence(intent), end: at }
  const end = lineStop + CRLF.length
  const flag = (letter: string): string | undefined => words.find(word => word.startsWith(letter))?.slice(1)
  const isRead = intent.does === 'get' || intent.does === 'gat'
  switch (code) {
    case 'HD': case 'MN': return { answer: { is: 'done', token: flag('c') }, end }
    case 'NF': return { answer: { is: 'absent' }, end }
    case 'EX': return { answer: { is: 'exists' }, end }
    case 'NS': return { answer: { is: 'unstored' }, end }
    case 'EN': return { answer: isRead ? { is: 'items', items: [undefined] } : { is: 'absent' }, end }
    case 'VA': break
    default:
      if (text !== OUT_OF_MEMORY) throw unexpected(request, bytes, at)
      return { answer: { is: 'full' }, end }
  }
  const valueEnd = end + Number(words[0])
  if (valueEnd + CRLF.length > bytes.length) return valueEnd + CRLF.length - at
  if (bytes.toString('latin1', valueEnd, valueEnd + CRLF.length) !== CRLF) throw unexpected(request, bytes, valueEnd)
  const value = bytes.subarray(end, valueEnd)
  const token = flag('c')
  if (isRead) {
    const key = intent.does === 'get' ? intent.keys.join() : intent.key
    return { answer: { is: 'items', items: [{ key, value, flags: Number(flag('f')), token }] }, end: valueEnd + CRLF.length }
  }
  if (intent.does !== 'incr' && intent.does !== 'decr') throw unexpected(request, bytes, at)
  return { answer: { is: 'done', token, number: Number(value.toString('latin1')) }, end: valueEnd + CRLF.length }
}

/** What it means that a quiet command was not answered. */
function silence(intent: Intent): Answer {
  switch (intent.does) {
    case 'get': case 'gat': return { is: 'items', items: [undefined] }
    case 'set': case 'add': case 'replace': case 'append': case 'prepend': return { is: 'done' }
    default: return { is: 'unknown' }
  }
}
