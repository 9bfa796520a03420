// The one reader of an item for all who are outside the store: a get, a dump, a page, an embedder. A shard has one ItemView,
// which its thread points at one item after the other, so that showing an item allocates nothing.
//
// A view is valid during the call that hands it out: the item is locked, and its reader copies what it needs and begins no other
// operation of the store. A value that is needed for longer is lent, see ValueLoan.
import { assert } from '../errors.js'
import { type Memory } from '../memory/bytes.js'
import { State } from '../memory/layout.js'
import { type Uint64 } from '../memory/numbers.js'
import { type StoreContext } from './context.js'
import { NO_ITEM, type ItemId, type Items } from './items/items.js'
import { type Allocator } from './slabs/allocator.js'

/** A caller that looks at items. */
export interface Reader {
  /**
   * Reads an item, which is locked until this returns, so it begins no other operation of the store.
   * @returns false if it could not take what it was shown; the get then does not count, nor the item as used
   */
  read(view: ItemView): boolean
}

/** Keeps the memory of items in place: a shard does. */
export interface Pins {
  readonly items: Items
  /** Pins an item, whose stripe the caller holds; false if it has more readers than can be counted. */
  tryPinStripeLocked(item: ItemId): boolean
  unpin(item: ItemId): void
}

export class ItemView {
  /** The arena's bytes, among which are those of the key. */
  readonly bytes: Uint8Array
  private item: ItemId = NO_ITEM

  constructor(private readonly pins: Pins, private readonly items: Items, private readonly allocator: Allocator,
    private readonly context: StoreContext) {
    this.bytes = items.bytes
  }

  /** @internal Points the view at an item, whose stripe the caller holds. */
  of(item: ItemId): this {
    this.item = item
    return this
  }

  /** The byte index of the key in `bytes`. */
  get keyStart(): number { return this.items.keyStart(this.item) }

  /** The length of the key, 1 to 250. */
  get keyBytes(): number { return this.items.keyBytes(this.item) }

  /** True of an item whose key came in base64. */
  get isBinaryKey(): boolean { return this.items.has(this.item, State.BinaryKey) }

  /** The client's flags, 32 bits without sign. */
  get flags(): number { return this.items.flags(this.item) }

  /** The halves of the cas number, 32 bits each without sign. */
  get casHigh(): number { return this.items.casHigh(this.item) }
  get casLow(): number { return this.items.casLow(this.item) }

  /** True if `cas` is the item's number; a number of 0 equals none. */
  hasCas(cas: Uint64): boolean {
    return !cas.isZero && this.items.casLow(this.item) === cas.low && this.items.casHigh(this.item) === cas.high
  }

  /** The second of store time at which the item ends; 0 for never. */
  get expiresAt(): number { return this.items.expiresAt(this.item) }

  /** The second of store time at which the item was last used. */
  get usedAt(): number { return this.items.usedAt(this.item) }

  /** How many seconds the item was not used. */
  get age(): number { return this.items.age(this.item, this.context.now) }

  /** True once a client has fetched the item. */
  get isFetched(): boolean { return this.items.has(this.item, State.Fetched) }

  /** The number of the slab class in whose lists the item is, 1 to 63. */
  get slabClass(): number { return this.allocator.classOf(this.item) }

  /** The bytes of the item as memcached counts them: header, flags, key and value. */
  get itemBytes(): number { return this.items.bytesOf(this.item) }

  /** The length of the value in bytes. */
  get valueBytes(): number { return this.items.valueBytes(this.item) }

  /** Copies the value to `at` in `to`, where there is room for it; returns the index behind it. */
  copyValue(to: Memory, at: number): number {
    const valueBytes = this.items.valueBytes(this.item)
    this.items.readValue(this.item, 0, to, at, valueBytes)
    return at + valueBytes
  }

  /** Lends the value for longer than the view is valid; undefined if the item has as many readers as can be counted, 511. */
  lend(): ValueLoan | undefined {
    return this.pins.tryPinStripeLocked(this.item) ? new ValueLoan(this.pins, this.item) : undefined
  }
}

/**
 * A value that stays where it is, as it is, until the last who holds it has called `end`, whatever is stored under its key
 * meanwhile. Who holds it only reads.
 */
export class ValueLoan {
  /** The length of the value in bytes. */
  readonly valueBytes: number
  private holders = 1

  constructor(private readonly pins: Pins, private readonly item: ItemId) {
    this.valueBytes = pins.items.valueBytes(item)
  }

  /** Bytes of the value from `offset` on, at most `countMax`: as many as lie together. They are not copied. */
  bytesAt(offset: number, countMax: number): Buffer {
    const { item, pins: { items }, valueBytes } = this
    const count = Math.min(items.valueRun(item, offset), valueBytes - offset, countMax)
    return Buffer.from(items.bytes.buffer, items.valueAt(item, offset), count)
  }

  /** One more holds it. */
  share(): void { this.holders++ }

  /** One fewer holds it. */
  end(): void {
    assert(this.holders > 0, 'a loan ends that has ended before')
    if (--this.holders === 0) this.pins.unpin(this.item)
  }
}
