// The forms of values that programs store: bytes, strings, JSON, or any other form by a codec of the program. All of them are
// bytes in the store, so what one form has written, clients on the wire and other forms read as bytes.
import { MemslabError } from '../errors.js'
import { isBytes, kindOf } from '../options/embedded.js'

/** Turns a program's values into bytes and back. */
export interface Codec<Value> {
  /** Returns the bytes, or a text that is stored in UTF-8. Anything else is refused with a MemslabError 'EVALUE'. */
  encode(value: Value): Uint8Array | string
  /** Makes the value from a copy of the bytes, which the codec may keep. */
  decode(bytes: Uint8Array): Value
}

/** The forms that have names. */
export type ValuesName = 'bytes' | 'string' | 'json'

/** A form that stores a value as bytes, or as a text in UTF-8, and tells in which form it wants to read. */
export interface Form {
  /** @throws MemslabError with code 'EVALUE' for a value that is none of this form */
  readonly encode: (value: unknown) => Uint8Array | string
  /** Given if the form reads a text in UTF-8. */
  readonly ofText?: (text: string) => unknown
  /** Given if the form reads bytes. */
  readonly ofBytes?: (bytes: Uint8Array) => unknown
}

const BYTES: Form = {
  encode: value => {
    if (isBytes(value)) return value
    throw new MemslabError('EVALUE', `the value must be a Uint8Array, not ${kindOf(value)}`)
  },
  ofBytes: bytes => bytes,
}

const STRING: Form = {
  encode: value => {
    if (typeof value === 'string') return value
    throw new MemslabError('EVALUE', `the value must be a string, not ${kindOf(value)}`)
  },
  ofText: text => text,
}

const JSON_TEXT: Form = {
  encode: value => {
    const text = JSON.stringify(value) as string | undefined
    if (text !== undefined) return text
    throw new MemslabError('EVALUE', `JSON has no form for ${kindOf(value)}`)
  },
  ofText: text => JSON.parse(text),
}

const NAMED: Readonly<Record<ValuesName, Form>> = { bytes: BYTES, string: STRING, json: JSON_TEXT }

/** What a codec has returned, if it can be stored. */
function checked(encoded: unknown): Uint8Array | string {
  if (typeof encoded === 'string' || encoded instanceof Uint8Array) return encoded
  throw new MemslabError('EVALUE', `encode of a codec must return a Uint8Array or a string, not ${kindOf(encoded)}`)
}

/** The form of a name or a codec; a problem in words for anything else. */
export function formOf(values: unknown): Form | string {
  if (values === undefined) return BYTES
  if (typeof values === 'string' && Object.hasOwn(NAMED, values)) return NAMED[values as ValuesName]
  if (typeof values === 'object' && values !== null) {
    const { encode, decode } = values as Partial<Codec<unknown>>
    if (typeof encode === 'function' && typeof decode === 'function') {
      const codec = values as Codec<unknown>
      return { encode: value => checked(codec.encode(value)), ofBytes: bytes => codec.decode(bytes) }
    }
  }
  return `values: must be 'bytes', 'string', 'json' or a codec with encode and decode, not ${
    typeof values === 'string' ? `'${values}'` : kindOf(values)}`
}
