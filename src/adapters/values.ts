// The values of adapters. A string is stored as its bytes in UTF-8, and bytes as they are, so that other programs read them as
// such. Anything else is stored in V8's format for structured clones. The flags of an item tell which.
import { deserialize, serialize } from 'node:v8'
import { type CacheItem } from '../embed/interface.js'
import { isBytes } from '../options/embedded.js'

/** The flags of an item for the form of its value. Those of an item that another program has set mean nothing here. */
const enum FormFlags { Text = 0, Bytes = 1, Clone = 2 }

export interface EncodedValue {
  readonly bytes: Uint8Array
  readonly flags: number
}

export function encodeValue(value: unknown): EncodedValue {
  if (typeof value === 'string') return { bytes: Buffer.from(value), flags: FormFlags.Text }
  if (isBytes(value)) return { bytes: value, flags: FormFlags.Bytes }
  return { bytes: serialize(value), flags: FormFlags.Clone }
}

/** The value of an item; undefined if there is no item. */
export function decodeValue(item: CacheItem<Uint8Array> | undefined): unknown {
  if (item === undefined) return undefined
  const { value, flags } = item
  if (flags === FormFlags.Bytes) return value
  return flags === FormFlags.Clone ? deserialize(value) : textOf(value)
}

export function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString()
}
