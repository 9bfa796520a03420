// A value that comes in parts: an item that is reserved and being filled, and what of its request is needed when it is whole. It
// has two ways out, of which its owner takes one: `commit` stores it, `reject` or `drop` gives its memory back.
import { Uint64 } from '../memory/numbers.js'
import { type ItemId } from './items/items.js'
import { type Outcome } from './outcome.js'
import { type Mode, type Request } from './request.js'
import { type Shard } from './shard.js'

export class Filling {
  /** The length of the value in bytes. */
  readonly valueBytes: number
  private readonly hash: number
  private readonly mode: Mode
  private readonly wants: number
  private readonly cas = new Uint64()
  private readonly newCas = new Uint64()

  /** @param item reserved for the request, see Shard.reserve */
  constructor(private readonly shard: Shard, private readonly item: ItemId, request: Request) {
    this.valueBytes = request.valueBytes
    this.hash = request.hash
    this.mode = request.mode
    this.wants = request.wants
    this.cas.set(request.cas.high, request.cas.low)
    this.newCas.set(request.newCas.high, request.newCas.low)
  }

  /** Copies `count` bytes of the value into it, from `offset` on. */
  write(offset: number, from: Uint8Array, at: number, count: number): void {
    this.shard.items.writeValue(this.item, offset, from, at, count)
  }

  /**
   * The memory of the value from `offset` on, as far as it lies together, to be read into directly. It ends at the end of the
   * item's chunk: behind the last byte of the value there is room for two more at least, and none of it is anybody else's.
   */
  roomAt(offset: number): Uint8Array {
    const { item, shard } = this
    const { items } = shard
    return new Uint8Array(items.bytes.buffer, items.valueAt(item, offset), shard.valueRoom(item, offset))
  }

  /** A byte of the value, or one of the two behind it. */
  byteAt(offset: number): number {
    const { item, shard: { items } } = this
    return items.bytes[items.valueAt(item, offset)]!
  }

  /** The bytes from `offset` on that were read along with the last ones before it; see `roomAt`. */
  bytesBehind(offset: number, count: number): Uint8Array {
    const { item, shard: { items } } = this
    const start = items.valueAt(item, offset - 1) + 1
    return items.bytes.subarray(start, start + count)
  }

  /**
   * Stores the value, which must be filled, as its request said.
   * @param request the thread's; it becomes that of this value again, with a copy of the key, and has what came of it
   */
  commit(request: Request): Outcome {
    const { shard, item } = this
    this.restore(request)
    shard.countSet(item)
    return shard.commit(request, item)
  }

  /** Drops the value, as something other than the end of its request followed it. It counts as one that was sent. */
  reject(): void {
    this.shard.countSet(this.item)
    this.drop()
  }

  /** Drops the value, as the rest of it will not come. */
  drop(): void { this.shard.drop(this.item) }

  private restore(request: Request): void {
    const { item, shard: { items } } = this
    const keyStart = items.keyStart(item)
    // a copy, as an answer may show the key when the item is gone
    request.bytes = items.bytes.slice(keyStart, keyStart + items.keyBytes(item))
    request.keyStart = 0
    request.keyEnd = request.bytes.length
    request.hash = this.hash
    request.mode = this.mode
    request.wants = this.wants
    request.flags = items.flags(item)
    request.expiresAt = items.expiresAt(item)
    request.valueBytes = this.valueBytes
    request.cas.set(this.cas.high, this.cas.low)
    request.newCas.set(this.newCas.high, this.newCas.low)
    request.casAfter.set(0, 0)
  }
}
