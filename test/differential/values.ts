// Random values, and data blocks that hold them: as announced, or longer, or
// shorter, or with another end.

import type { Prng } from '../support/prng.js'
import { NUMBERS } from './keys.js'
import type { Request } from './request.js'

const LETTERS = 'bcdfhjkpqrtwxyz'
const LARGE_BYTES = [20_000, 65_536, 300_000, 1_048_000, 1_048_600]
const ONE_LARGE_IN = 150
const ONE_SPOILED_IN = 15

/** Follows a data block that is too short, which takes the first bytes of this for its own. */
const FILLER = `get ${'f'.repeat(200)}\r\n`

export function randomValue(prng: Prng, isCounter: boolean): string {
  if (prng.oneIn(ONE_LARGE_IN)) return randomText(prng, prng.pick(LARGE_BYTES))
  if (isCounter) return prng.oneIn(8) ? randomText(prng, prng.between(1, 100)) : prng.pick(NUMBERS)
  switch (prng.below(5)) {
    case 0: return ''
    case 1: return randomBytes(prng, prng.between(1, 60))
    case 2: return randomText(prng, prng.between(100, 4000))
    case 3: return prng.pick(NUMBERS)
    default: return randomText(prng, prng.between(1, 40))
  }
}

export function randomText(prng: Prng, length: number): string {
  const unit = randomLetters(prng, Math.min(length, 7))
  return unit.repeat(Math.ceil(length / Math.max(1, unit.length))).slice(0, length)
}

/** Letters that are no command, should they come to be read as one. */
export function randomLetters(prng: Prng, length: number): string {
  return Array.from({ length }, () => LETTERS[prng.below(LETTERS.length)]).join('')
}

/** Any bytes, line ends often. */
function randomBytes(prng: Prng, length: number): string {
  return Array.from({ length }, () => prng.oneIn(8) ? prng.pick(['\r', '\n']) : String.fromCharCode(prng.below(256))).join('')
}

/** The request with the data block that its line has announced; mostly it fits. */
export function withBlock(prng: Prng, request: Request, data: string): Request {
  const isWhole = !prng.oneIn(ONE_SPOILED_IN)
  const block = isWhole ? data + '\r\n' : spoiled(prng, data)
  const following = block.length < data.length + 2 ? block + FILLER : block
  return { ...request, text: request.text + following, isWhole, leftover: following.slice(data.length + 2) }
}

function spoiled(prng: Prng, data: string): string {
  switch (prng.below(4)) {
    case 0: return data + randomText(prng, prng.between(1, 3)) + '\r\n'
    case 1: return data + randomText(prng, prng.between(4, 30)) + '\r\n'
    case 2: return data.slice(0, Math.max(0, data.length - prng.between(1, 100))) + '\r\n'
    default: return data + prng.pick(['XX', '\n\r', '\n\n', '\rX'])
  }
}
