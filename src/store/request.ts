// A request of a client, made of numbers and of ranges of bytes. A thread has one Request: a protocol fills it for each command,
// and an operation of the store reads it and writes its results to it. If a value comes in parts, its Filling keeps the fields
// that are needed later.
import { Digits, Uint64 } from '../memory/numbers.js'

/** The mode of a storage command: memcached's set, add, replace, append, prepend, cas. */
export const enum Mode { Set, Add, Replace, Append, Prepend, Cas }

/** Bits for the options of a request. A plain text command has none of them; the meta and the binary commands have most. */
export const enum Want {
  None = 0,
  /** append, prepend, delete, incr, decr: changes the item only if its cas number is `cas`. */
  CompareCas = 1 << 0,
  /**
   * Storage commands, incr, decr, a get that creates the item, and delete with Invalidate or RemoveValue: gives the item the cas
   * number `newCas`, rather than the store's next one.
   */
  NewCas = 1 << 1,
  /** The same commands: writes the item's new cas number to `casAfter`. */
  TellCas = 1 << 2,
  /** The client sent the key in base64. A new item is marked so, see ItemView.isBinaryKey. */
  BinaryKey = 1 << 3,
  /** Creates a missing item: get with an empty value, append and prepend with theirs, incr and decr with `initial`. */
  Vivify = 1 << 4,
  /** cas: stores the value even if `cas` is older than the item's cas number; the new item is stale then. */
  MayBeStale = 1 << 5,
  /** delete: keeps the item and makes it stale. */
  Invalidate = 1 << 6,
  /** delete: keeps the item, without its value and with the request's `flags` and `expiresAt`. */
  RemoveValue = 1 << 7,
  /** get, incr, decr, and delete with Invalidate: the item expires at `expiresAt`. A get that hits counts as a touch. */
  NewExpiry = 1 << 8,
  /** get: as NewExpiry, and a get that misses counts as a touch too. */
  Touch = 1 << 9,
  /**
   * get: `result` says whether the item is stale, and whether this client is to renew it. The first client that gets a stale
   * item, or one that its get has created, is to renew it.
   */
  Renewal = 1 << 10,
  /** get with Renewal: an item that expires before `recacheBefore` is to be renewed too. */
  Recache = 1 << 11,
  /** get with Recache: compares the expiration time that NewExpiry has set, rather than the one before. */
  RecacheLast = 1 << 12,
  /** get: does not mark the item as used. */
  NoBump = 1 << 13,
  /** get: reads the item without counting a get or marking the item as used. */
  Peek = 1 << 14,
  /** A storage command in any mode: if the value is too large or memory is short, drops the old item. Mode.Set always does. */
  DropOld = 1 << 15,
  /** delete: comes from a meta command. The log shows it as one, and a cas number that differs counts as a miss. */
  FromMeta = 1 << 16,
}

/** Bits for what a get, an incr or a decr found beside the value, in `request.result`. */
export const enum Found {
  None = 0,
  /** The item was missing and has been created, see Want.Vivify. With Outcome.NoMemory, it could not be created. */
  Vivified = 1 << 0,
  /** This client is to renew the item. */
  Won = 1 << 1,
  /** Another client is to renew the item. */
  WonBefore = 1 << 2,
  /** The item is stale. */
  Stale = 1 << 3,
}

/** A client of this thread. */
export interface Client {
  /** The number of its connection: the file descriptor if there is one, otherwise 0. */
  readonly id: number
  /** Its address, as `stats conns` shows it. */
  readonly address: string
  /** @internal Its number in the table of clients, 0 at first: see clients.ts. */
  clientNumber: number
}

export class Request {
  /** The bytes that hold the key, half-open `[keyStart, keyEnd)`. */
  bytes: Uint8Array
  keyStart = 0
  keyEnd = 0
  hash = 0
  /** The number of the client's connection, for the log. */
  client = 0

  mode: Mode = Mode.Set
  /** Bits of Want. Every command sets this field. */
  wants: number = Want.None
  /** The client's flags, 32 bits without sign. */
  flags = 0
  /** The second of store time at which the item expires; 0 for never. */
  expiresAt = 0
  /** The same for an item that a get, incr or decr with Want.Vivify creates. */
  vivifiedUntil = 0
  /** For Want.Recache: a second of store time. */
  recacheBefore = 0
  /** The length of the value in bytes; after append and prepend, that of the joined value. */
  valueBytes = 0
  /** The cas number to compare with. */
  readonly cas = new Uint64()
  readonly newCas = new Uint64()
  /** incr and decr: the number to add or subtract. */
  readonly number = new Uint64()
  readonly initial = new Uint64()
  isDecrement = false

  // The results

  /** The new number of incr and decr. */
  readonly digits = new Digits()
  /** Bits of Found, set by incr and decr, and by a get with any Want. */
  result: number = Found.None
  /**
   * The expiration time of the item before the request set another, for a get, incr or decr with any Want. For an item that the
   * request creates, it is 0, or if incr or decr has no Want.NewExpiry, `expiresAt`.
   */
  endBefore = 0
  /** The cas number of the stored item, with Want.TellCas. The caller sets it to 0 before. */
  readonly casAfter = new Uint64()

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }
}
