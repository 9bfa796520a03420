// One request of a client, made of numbers and of ranges of bytes. A thread has one: a protocol fills it for each command, an
// operation of the store reads it and leaves there what came of it. What a value that comes in parts needs later of its request
// is kept by its Filling.
import { Uint64 } from '../memory/numbers.js'

/** How a value is stored: memcached's set, add, replace, append, prepend, cas. */
export const enum Mode { Set, Add, Replace, Append, Prepend, Cas }

/** Bits for what a request wants beyond its plain form. The meta and the binary protocol have most of these. */
export const enum Want {
  None = 0,
  /** append, prepend, delete, incr, decr: only if the item has the cas number `cas`. */
  CompareCas = 1 << 0,
  /** What is stored gets the cas number `newCas`, rather than the next of the store. */
  NewCas = 1 << 1,
  /** set, incr, decr: leaves the item's cas number in `casAfter`; incr and decr also the end that it had. */
  TellCas = 1 << 2,
  /** The key came in base64, and goes out in it. */
  BinaryKey = 1 << 3,
  /** A missing key comes into being: get stores an empty value, append and prepend theirs, incr and decr `initial`. */
  Vivify = 1 << 4,
  /** cas: a number older than the item's stores all the same, and what it stores is stale. */
  MayBeStale = 1 << 5,
  /** delete: the item stays, but is stale. */
  Invalidate = 1 << 6,
  /** delete: the item stays, but without its value, and with `flags` and `expiresAt`. */
  RemoveValue = 1 << 7,
  /** get, incr, decr, and delete with Invalidate: the item ends at `expiresAt`. A get that finds it counts as a touch. */
  NewExpiry = 1 << 8,
  /** get: as NewExpiry, and one that misses counts as a touch too. */
  Touch = 1 << 9,
  /** get: says in `result` whether the item is stale, and whether this client is to renew it: one that is new, or stale. */
  Renewal = 1 << 10,
  /** get with Renewal: an item that ends before `recacheBefore` is to be renewed too. */
  Recache = 1 << 11,
  /** get with Recache: looks at the end that NewExpiry has given, rather than at the one before. */
  RecacheLast = 1 << 12,
  /** get: the item does not count as used. */
  NoBump = 1 << 13,
  /** get: only looks; it counts as no get, and the item not as used. */
  Peek = 1 << 14,
  /** set in any mode: if it fails for its size or for want of memory, the old value goes too. A plain set always wants that. */
  DropOld = 1 << 15,
  /** delete: a meta command asks for it. The log tells, and a cas number that differs counts as a miss. */
  FromMeta = 1 << 16,
}

/** Bits for what a get or an arithmetic operation found beside the value, in `request.result`. */
export const enum Found {
  None = 0,
  /** The item was missing and has come into being, see Want.Vivify. */
  Vivified = 1 << 0,
  /** This client is to renew the item. */
  Won = 1 << 1,
  /** Another client is to renew it. */
  WonBefore = 1 << 2,
  /** The item is stale. */
  Stale = 1 << 3,
}

export class Request {
  /** The bytes that hold the key, half-open `[keyStart, keyEnd)`. */
  bytes: Uint8Array
  keyStart = 0
  keyEnd = 0
  hash = 0
  /** The number of the client, for the log. */
  client = 0

  mode: Mode = Mode.Set
  /** Bits of Want. Every command sets them. */
  wants: number = Want.None
  /** The client's flags, 32 bits without sign. */
  flags = 0
  /** The second of store time at which the item ends; 0 means never. */
  expiresAt = 0
  /** The same for an item that a get, incr or decr with Want.Vivify brings into being. */
  vivifiedUntil = 0
  /** For Want.Recache: a second of store time. */
  recacheBefore = 0
  /** The length of the value; after append and prepend, that of the joined value. */
  valueBytes = 0
  /** The cas number to compare with. */
  readonly cas = new Uint64()
  readonly newCas = new Uint64()
  /** incr and decr: the number to add. */
  readonly number = new Uint64()
  readonly initial = new Uint64()
  isDecrement = false

  // What came of it; beside these, incr and decr leave their result in `number`

  /** Bits of Found, of a get, incr or decr that wants something. */
  result: number = Found.None
  /** The same: the end of the item before the request gave it another; for one that has come into being, 0. */
  endedAt = 0
  /** The cas number of what was stored, with Want.TellCas. The caller sets it to 0 before. */
  readonly casAfter = new Uint64()

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }
}
