// The lines in which keys are listed: those of `lru_crawler metadump` and `mgdump`, and of `keys`. Each is about one key, and is
// one line, whatever bytes the key has.
import { Ascii } from '../../memory/ascii.js'
import { writeNumber, writeUint64 } from '../../memory/numbers.js'
import { ENCODED_BYTES_MAX, writeEncodedKey } from '../../memory/uri.js'
import { type Store } from '../../store/store.js'
import { type ItemView } from '../../store/view.js'
import { line } from '../answers.js'

/** A kind of line. */
export interface KeyLine {
  /** The most bytes that a line has beside its key, and for each byte of that. */
  readonly lineBytes: number
  readonly keyFactor: number
  /** Writes the line of an item at `at`, where there is room for it; returns the index behind it. */
  write(to: Uint8Array, at: number, store: Store, view: ItemView): number
}

export const METADUMP_LINE: KeyLine = { lineBytes: 160, keyFactor: ENCODED_BYTES_MAX, write: writeMetadumpLine }

export const MGDUMP_LINE: KeyLine = { lineBytes: 16, keyFactor: 2, write: writeMgdumpLine }

const LABELS = {
  key: Buffer.from('key='), exp: Buffer.from(' exp='), never: Buffer.from('-1'), la: Buffer.from(' la='),
  cas: Buffer.from(' cas='),
  fetched: Buffer.from(' fetch=yes cls='), unfetched: Buffer.from(' fetch=no cls='), size: Buffer.from(' size='),
  flags: Buffer.from(' flags='), end: Buffer.from(' \n'), mg: Buffer.from('mg '), base64: Buffer.from(' b'),
}

/** `key=KEY exp=SECOND la=SECOND cas=NUMBER fetch=yes|no cls=CLASS size=BYTES flags=NUMBER `, and a bare \n. */
function writeMetadumpLine(to: Uint8Array, at: number, store: Store, view: ItemView): number {
  const { bytes, expiresAt, keyBytes, keyStart } = view
  at = writeBytes(to, at, LABELS.key)
  at = writeEncodedKey(to, at, bytes, keyStart, keyStart + keyBytes)
  at = writeBytes(to, at, LABELS.exp)
  at = expiresAt === 0 ? writeBytes(to, at, LABELS.never) : writeNumber(to, at, expiresAt + store.epoch)
  at = writeBytes(to, at, LABELS.la)
  at = writeNumber(to, at, view.usedAt + store.epoch)
  at = writeBytes(to, at, LABELS.cas)
  at = writeUint64(to, at, view.casHigh, view.casLow)
  at = writeBytes(to, at, view.isFetched ? LABELS.fetched : LABELS.unfetched)
  at = writeNumber(to, at, view.slabClass)
  at = writeBytes(to, at, LABELS.size)
  at = writeNumber(to, at, view.itemBytes)
  at = writeBytes(to, at, LABELS.flags)
  at = writeNumber(to, at, view.flags)
  return writeBytes(to, at, LABELS.end)
}

/** The line that a client sends to get the item: `mg KEY`, or `mg KEY b` with a key that cannot be written as it is. */
function writeMgdumpLine(to: Uint8Array, at: number, _store: Store, view: ItemView): number {
  const { bytes, keyStart, keyBytes } = view
  at = writeBytes(to, at, LABELS.mg)
  if (isPlainKey(view)) at = writePart(to, at, bytes, keyStart, keyBytes)
  else {
    at = writeBytes(to, at, Buffer.from(Buffer.from(bytes.subarray(keyStart, keyStart + keyBytes)).toString('base64')))
    at = writeBytes(to, at, LABELS.base64)
  }
  return writeBytes(to, at, LINE_END)
}

const LINE_END = line('')

/**
 * True of a key that can be written in a line as it is: not of one that came in base64, nor of one with a control byte or a
 * space. The binary protocol takes such keys, and a client that sent the lines of a dump back would send more commands than
 * lines.
 */
export function isPlainKey(view: ItemView): boolean {
  if (view.isBinaryKey) return false
  const { bytes, keyStart } = view
  const end = keyStart + view.keyBytes
  for (let at = keyStart; at < end; at++) {
    const byte = bytes[at]!
    if (byte <= Ascii.Space || byte === Ascii.Delete) return false
  }
  return true
}

export function writeBytes(to: Uint8Array, at: number, from: Uint8Array): number {
  return writePart(to, at, from, 0, from.length)
}

export function writePart(to: Uint8Array, at: number, from: Uint8Array, start: number, count: number): number {
  for (let i = 0; i < count; i++) to[at + i] = from[start + i]!
  return at + count
}
