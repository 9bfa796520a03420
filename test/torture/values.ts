// Values that tell where they come from. A value is a row of pieces, each made by one request: a header that says for
// which key, by whom, the number of the request and the length, then bytes that follow from the header and nothing else.
// So every byte is a check of those before it, and what is torn, or belongs to another key, is seen wherever it is cut.
// A piece is at least as long as its header. An empty value has no pieces; whose it is, the flags of the item tell.
//
// Numbers have 16 digits, so that they neither grow nor shrink: the number of the write, and how far they have gone.

import type { Value } from './history.js'

export type PieceKind = 'base' | 'front' | 'back'

export interface Piece {
  readonly kind: PieceKind
  /** The client that made it, and the number of its request. */
  readonly writer: number
  readonly id: number
}

const LETTERS = { base: 'b', front: 'f', back: 'a' } as const
const KINDS: Readonly<Record<string, PieceKind>> = { b: 'base', f: 'front', a: 'back' }
const HEADER = /^<([bfa]) (\S+) (\d+) (\d+) (\d+)>/
const HEADER_BYTES_MAX = 320

/** Longer than any piece, and without period. */
const NOISE = makeNoise(2 ** 21 + 65_536)

export function makePiece(key: string, { kind, writer, id }: Piece, bytes: number): Buffer {
  const draft = `<${LETTERS[kind]} ${key} ${writer} ${id} `
  const length = Math.max(bytes, draft.length + 9)
  const header = `${draft}${String(length).padStart(8, '0')}>`
  const piece = Buffer.allocUnsafe(length)
  piece.write(header, 0, 'latin1')
  NOISE.copy(piece, header.length, noiseAt(header), noiseAt(header) + length - header.length)
  return piece
}

/** The pieces of a value. @throws if a byte of it is not as it was made */
export function readPieces(key: string, value: Buffer): Piece[] {
  const pieces: Piece[] = []
  for (let at = 0; at < value.length;) {
    const start = value.toString('latin1', at, at + HEADER_BYTES_MAX)
    const [header, letter = '', owner, writer, id, length] = HEADER.exec(start) ?? []
    if (header === undefined) throw new Error(`torn value of ${key}: no piece begins at byte ${at} of ${value.length}`)
    if (owner !== key) throw new Error(`foreign value: ${key} has ${header} at byte ${at}`)
    const end = at + Number(length)
    const noise = noiseAt(header)
    const rest = end - at - header.length
    if (end > value.length) throw new Error(`torn value of ${key}: ${header} at byte ${at} goes beyond byte ${value.length}`)
    if (rest < 0 || NOISE.compare(value, at + header.length, end, noise, noise + rest) !== 0) {
      throw new Error(`torn value of ${key}: not all bytes of ${header} at byte ${at} are its own`)
    }
    pieces.push({ kind: KINDS[letter]!, writer: Number(writer), id: Number(id) })
    at = end
  }
  return pieces
}

/** The value that these pieces are. @param flags of the item, which name the write that it begins with */
export function valueOf(pieces: readonly Piece[], flags: number): Value {
  const of = (kind: PieceKind): number[] => pieces.filter(piece => piece.kind === kind).map(({ id }) => id)
  const bases = pieces.filter(({ kind }) => kind === 'base')
  const order = pieces.map(({ kind }) => LETTERS[kind]).join('')
  if (!/^f*b?a*$/.test(order)) throw new Error(`pieces out of order: ${order}`)
  if (bases.some(({ id }) => id !== flags)) throw new Error(`the flags are ${flags}, but it begins with ${bases[0]?.id}`)
  return { base: flags, front: of('front').reverse(), back: of('back'), sum: 0 }
}

const SPAN = 1_000_000_000
const FIRST = 1_000_000

/** Which way a number goes: from the least of its span up, or from the greatest down. */
export type Direction = 'up' | 'down'

export function firstNumber(id: number, direction: Direction): number {
  return (FIRST + id) * SPAN + (direction === 'up' ? 0 : SPAN - 1)
}

export function numberValue(number: number, direction: Direction): Value {
  const base = Math.floor(number / SPAN) - FIRST
  const gone = number % SPAN
  if (!Number.isSafeInteger(number) || base < 0) throw new Error(`torn number ${number}`)
  return { base, front: [], back: [], sum: direction === 'up' ? gone : SPAN - 1 - gone }
}

export function readNumber(key: string, value: Buffer): number {
  const text = value.toString('latin1')
  if (!/^\d{16}$/.test(text)) throw new Error(`torn number in ${key}: ${JSON.stringify(text.slice(0, 50))}`)
  return Number(text)
}

function noiseAt(header: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < header.length; index++) hash = Math.imul(hash ^ header.charCodeAt(index), 0x01000193)
  return (hash ^ (hash >>> 16)) & 0xffff
}

function makeNoise(bytes: number): Buffer {
  const words = new Uint32Array(bytes / 4)
  let state = 1
  for (let index = 0; index < words.length; index++) {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    words[index] = mixed ^ (mixed >>> 14)
  }
  return Buffer.from(words.buffer)
}
