// The view through which all code outside the store reads items: gets, dumps, web pages, embedders. A shard has one ItemView in
// each thread, which points at one item after the other, so that showing an item allocates nothing.
//
// A view is valid only during the call that passes it. The item is locked meanwhile, so the reader copies what it needs and
// begins no other operation of the store. A reader that needs the value for longer borrows it, see ValueLoan.
import { assert } from '../errors.js'
import { type Memory } from '../memory/bytes.js'
import { State } from '../memory/layout.js'
import { type Uint64 } from '../memory/numbers.js'
import { type StoreContext } from './context.js'
import { NO_ITEM, type ItemId, type Items } from './items/items.js'
import { type Allocator } from './slabs/allocator.js'

/** The receiver of the item of a get. */
export interface Reader {
  /**
   * Reads an item. The item is locked until this returns, so a reader begins no other operation of the store.
   * @returns false if the reader declines the item; then the get is not counted, and the item is not marked as used. What
   *   else the request wants, such as another expiration time, has been done already
   */
  read(view: ItemView): boolean
}

/** The part of a shard that keeps lent values in place. */
export interface Lender {
  readonly items: Items
  /** Lends the value of an item to one more holder. */
  lendStripeLocked(item: ItemId): ValueLoan
  /** @internal Ends a loan that has no holder any more. Takes the item's stripe. */
  endLoan(item: ItemId): void
}

export class ItemView {
  /** The bytes of the arena, in which the key lies. */
  readonly bytes: Uint8Array
  private item: ItemId = NO_ITEM

  private readonly items: Items

  constructor(private readonly lender: Lender, private readonly allocator: Allocator, private readonly context: StoreContext) {
    this.items = lender.items
    this.bytes = this.items.bytes
  }

  /** @internal Points the view at an item. The caller has the item's stripe. */
  of(item: ItemId): this {
    this.item = item
    return this
  }

  /** The byte index of the key in `bytes`. */
  get keyStart(): number { return this.items.keyStart(this.item) }

  /** The length of the key, 1 to 250. */
  get keyBytes(): number { return this.items.keyBytes(this.item) }

  /** True if the client that stored the item sent its key in base64. */
  get isBinaryKey(): boolean { return this.items.has(this.item, State.BinaryKey) }

  /** The client's flags, 32 unsigned bits. */
  get flags(): number { return this.items.flags(this.item) }

  /** The halves of the cas number, 32 unsigned bits each. */
  get casHigh(): number { return this.items.casHigh(this.item) }
  get casLow(): number { return this.items.casLow(this.item) }

  /** True if `cas` is the item's cas number. A cas number of 0 equals none. */
  hasCas(cas: Uint64): boolean {
    return !cas.isZero && this.items.casLow(this.item) === cas.low && this.items.casHigh(this.item) === cas.high
  }

  /** The second of store time at which the item expires; 0 for never. */
  get expiresAt(): number { return this.items.expiresAt(this.item) }

  /** The second of store time at which the item was last used. */
  get usedAt(): number { return this.items.usedAt(this.item) }

  /** The seconds since the item was last used. */
  get age(): number { return this.items.age(this.item, this.context.now) }

  /** True once a client has fetched the item. */
  get isFetched(): boolean { return this.items.has(this.item, State.Fetched) }

  /** The number of the slab class in whose lists the item is, 1 to 63. */
  get slabClass(): number { return this.allocator.classOf(this.item) }

  /** The bytes of the item as memcached counts them: header, flags, key and value. */
  get itemBytes(): number { return this.items.bytesOf(this.item) }

  /** The length of the value in bytes. */
  get valueBytes(): number { return this.items.valueBytes(this.item) }

  /** Copies the value to `at` in `to`, where the caller has made room. Returns the index behind the copy. */
  copyValue(to: Memory, at: number): number {
    const valueBytes = this.items.valueBytes(this.item)
    this.items.readValue(this.item, 0, to, at, valueBytes)
    return at + valueBytes
  }

  /** Lends the value for longer than the view is valid. */
  lend(): ValueLoan { return this.lender.lendStripeLocked(this.item) }
}

/**
 * A value that stays in place and unchanged until its last holder has called `end`, even if its key is replaced or deleted
 * meanwhile. Holders only read it. The holders of a thread share one loan, so that the references of an item count threads:
 * any number of clients may read one value.
 */
export class ValueLoan {
  /** The length of the value in bytes. */
  readonly valueBytes: number
  private holders = 1

  constructor(private readonly lender: Lender, private readonly item: ItemId) {
    this.valueBytes = lender.items.valueBytes(item)
  }

  /** The contiguous bytes of the value from `offset` on, at most `countMax`. They are not copied. */
  bytesAt(offset: number, countMax: number): Buffer {
    const { item, lender: { items }, valueBytes } = this
    const count = Math.min(items.valueRun(item, offset), valueBytes - offset, countMax)
    return Buffer.from(items.bytes.buffer, items.valueAt(item, offset), count)
  }

  /** Adds a holder. */
  share(): void { this.holders++ }

  /** Removes a holder; the last one ends the loan. */
  end(): void {
    assert(this.holders > 0, 'a loan ends that has ended before')
    if (--this.holders === 0) this.lender.endLoan(this.item)
  }
}
