// The classic text commands.

import { lineEnd, unexpected } from './intent.js'
import type { Answer, Dialect, Intent, Item, Reply, Request } from './intent.js'

const CRLF = '\r\n'

const ANSWERS: Readonly<Record<string, Answer>> = {
  STORED: { is: 'done' }, DELETED: { is: 'done' }, TOUCHED: { is: 'done' }, OK: { is: 'done' },
  NOT_FOUND: { is: 'absent' }, EXISTS: { is: 'exists' }, NOT_STORED: { is: 'unstored' },
  'SERVER_ERROR out of memory storing object': { is: 'full' },
  'SERVER_ERROR out of memory in incr': { is: 'full' },
}

export const classic: Dialect = {
  name: 'classic',

  knows(intent: Intent): boolean {
    switch (intent.does) {
      case 'get': return intent.isQuiet !== true
      case 'gat': return intent.isQuiet !== true
      case 'append': case 'prepend': case 'delete': return intent.token === undefined
      case 'incr': case 'decr': return intent.token === undefined && intent.initial === undefined
      default: return true
    }
  },

  encode(intent: Intent): Request {
    const bytes = write(intent)
    const isQuiet = 'isQuiet' in intent && intent.isQuiet === true
    if (isQuiet) return { bytes, read: (_, at) => ({ answer: { is: 'unknown' }, end: at }) }
    switch (intent.does) {
      case 'get': return { bytes, read: (answer, at) => readItems(bytes, answer, at, intent.keys) }
      case 'gat': return { bytes, read: (answer, at) => readItems(bytes, answer, at, [intent.key]) }
      default: return { bytes, read: (answer, at) => readLine(bytes, answer, at) }
    }
  },
}

function write(intent: Intent): Buffer {
  const noreply = 'isQuiet' in intent && intent.isQuiet === true ? ' noreply' : ''
  switch (intent.does) {
    case 'get': return line(`gets ${intent.keys.join(' ')}`)
    case 'gat': return line(`gats ${intent.exptime} ${intent.key}`)
    case 'touch': return line(`touch ${intent.key} ${intent.exptime}`)
    case 'set': case 'add': case 'replace': {
      const { key, flags, exptime, value, token } = intent
      const command = token === undefined ? intent.does : 'cas'
      const unique = token === undefined ? '' : ` ${token}`
      return block(`${command} ${key} ${flags} ${exptime} ${value.length}${unique}${noreply}`, value)
    }
    case 'append': case 'prepend': {
      const { does, key, value } = intent
      return block(`${does} ${key} 0 0 ${value.length}${noreply}`, value)
    }
    case 'incr': case 'decr': return line(`${intent.does} ${intent.key} ${intent.amount}${noreply}`)
    case 'delete': return line(`delete ${intent.key}${noreply}`)
    case 'flush': return line(`flush_all${noreply}`)
    case 'nothing': return line('version')
  }
}

function line(text: string): Buffer {
  return Buffer.from(text + CRLF, 'latin1')
}

export function block(text: string, value: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(text.length + value.length + 2 * CRLF.length)
  bytes.write(text + CRLF, 0, 'latin1')
  value.copy(bytes, text.length + CRLF.length)
  bytes.write(CRLF, bytes.length - CRLF.length, 'latin1')
  return bytes
}

function readLine(request: Buffer, bytes: Buffer, at: number): Reply | number {
  const end = lineEnd(bytes, at)
  if (end < 0) return bytes.length - at + 1
  const text = bytes.toString('latin1', at, end)
  const known = ANSWERS[text] ?? (text.startsWith('VERSION ') ? { is: 'done' } : undefined)
  if (known !== undefined) return { answer: known, end: end + CRLF.length }
  if (!/^\d+$/.test(text)) throw unexpected(request, bytes, at)
  return { answer: { is: 'done', number: Number(text) }, end: end + CRLF.length }
}

function readItems(request: Buffer, bytes: Buffer, start: number, keys: readonly string[]): Reply | number {
  const items: (Item | undefined)[] = []
  for (let at = start; ;) {
    const end = lineEnd(bytes, at)
    if (end < 0) return bytes.length - start + 1
    const text = bytes.toString('latin1', at, end)
    if (text === 'END') {
      while (items.length < keys.length) items.push(undefined)
      return { answer: { is: 'items', items }, end: end + CRLF.length }
    }
    const [, key = '', flags, length, token] = /^VALUE (\S+) (\d+) (\d+) (\d+)$/.exec(text) ?? []
    const valueStart = end + CRLF.length
    const valueEnd = valueStart + Number(length)
    while (items.length < keys.length && keys[items.length] !== key) items.push(undefined)
    if (items.length === keys.length) throw unexpected(request, bytes, at)
    if (valueEnd + CRLF.length > bytes.length) return valueEnd + CRLF.length - start
    if (bytes.toString('latin1', valueEnd, valueEnd + CRLF.length) !== CRLF) throw unexpected(request, bytes, valueEnd)
    items.push({ key, value: bytes.subarray(valueStart, valueEnd), flags: Number(flags), token })
    at = valueEnd + CRLF.length
  }
}
