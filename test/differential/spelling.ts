// Command lines as a client may write them: words, one space or more, one line end or the other.

import type { Prng } from '../support/prng.js'
import type { Request } from './request.js'

export function lineOf(prng: Prng, text: string, more: Partial<Request> = {}): Request {
  const line = prng.oneIn(10) ? text : text + '\r'
  return { line, text: line + '\n', ...more }
}

export function spaced(prng: Prng, words: readonly string[]): string {
  if (!prng.oneIn(15)) return words.join(' ')
  return words.map(word => word + ' '.repeat(prng.between(1, 3))).join('') + (prng.oneIn(2) ? '' : '  ')
}
