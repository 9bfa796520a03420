// One request, made of numbers and of ranges of bytes. A session has one and fills it anew for each command; the store
// reads it and leaves a number there when it answers one.
import { Uint64 } from '../memory/numbers.js'
import { NO_ITEM, type ItemId } from './items/items.js'

/** How a value is stored: memcached's set, add, replace, append, prepend, cas. */
export const enum Mode { Set, Add, Replace, Append, Prepend, Cas }

/** What a request asks for beyond its plain form, as bits. The meta and the binary protocol have these. */
export const enum Extra {
  None = 0,
  /** append, prepend, delete, incr, decr: only if the item has the cas number `cas`. */
  CompareCas = 1 << 0,
  /** What is stored gets the cas number `newCas`, rather than the next of the store. */
  NewCas = 1 << 1,
  /** `casAfter` is wanted. */
  TellCas = 1 << 2,
  /** The key came in base64, and goes out so. */
  BinaryKey = 1 << 3,
  /** A missing key comes into being: append and prepend store their value, incr and decr `initial`. */
  Vivify = 1 << 4,
  /** A cas number older than the item's stores all the same, and what it stores is stale. */
  MayBeStale = 1 << 5,
  /** delete: the item stays, but is stale. */
  Invalidate = 1 << 6,
  /** delete: the item stays, but without its value, and with `flags` and `expiresAt`. */
  RemoveValue = 1 << 7,
  /** delete with Invalidate: the item ends at `expiresAt`. */
  NewExpiry = 1 << 8,
  /** delete: a meta command asks for it, which only the log wants to know. */
  FromMeta = 1 << 9,
}

export class Request {
  /** The bytes that hold the key, half-open `[keyStart, keyEnd)`. */
  bytes: Uint8Array
  keyStart = 0
  keyEnd = 0
  hash = 0
  /** A number for the log: whose request it is. */
  client = 0

  mode: Mode = Mode.Set
  /** Bits of Extra. Every command sets them. */
  extras: number = Extra.None
  /** The client's flags, 32 bits without sign. */
  flags = 0
  /** When the item ends, in seconds of the store's own time; 0 means never. */
  expiresAt = 0
  /** The length of the value; after append and prepend, that of the joined value. */
  valueBytes = 0
  /** The cas number to compare with. */
  readonly cas = new Uint64()
  readonly newCas = new Uint64()
  /** The cas number of what was stored, with Extra.TellCas; the caller makes it 0 before. */
  readonly casAfter = new Uint64()
  /** incr and decr: what to add, and then the result. */
  readonly number = new Uint64()
  readonly initial = new Uint64()
  isDecrement = false
  /** incr and decr: the item that has the result, and whether it is a new one, begun by Extra.Vivify. */
  item: ItemId = NO_ITEM
  isBegun = false

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }
}
