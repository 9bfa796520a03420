// A value that comes in parts: a reserved item that is being filled, and the fields of the request that are needed when the value
// is complete. Its owner ends it once: `commit` stores the item, `reject` or `drop` frees it.
import { Uint64 } from '../memory/numbers.js'
import { type StoreContext } from './context.js'
import { type ItemId } from './items/items.js'
import { Outcome, Refusal } from './outcome.js'
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

  /** @param item an item that is reserved for the request, see Shard.reserve */
  constructor(private readonly shard: Shard, private readonly context: StoreContext, private readonly item: ItemId,
    request: Request) {
    this.valueBytes = request.valueBytes
    this.hash = request.hash
    this.mode = request.mode
    this.wants = request.wants
    this.cas.set(request.cas.high, request.cas.low)
    this.newCas.set(request.newCas.high, request.newCas.low)
  }

  /** Copies `count` bytes of `from`, which begin at `at`, into the value from `offset` on. */
  write(offset: number, from: Uint8Array, at: number, count: number): void {
    this.shard.items.writeValue(this.item, offset, from, at, count)
  }

  /**
   * The contiguous memory of the value from `offset` on, for a socket to be read into. If the value ends in it, the memory
   * extends to the end of the chunk, all of which belongs to the item. Behind a value of Size.DirectMin bytes or more there are
   * at least two more bytes.
   */
  roomAt(offset: number): Uint8Array {
    const { item, shard } = this
    const { items } = shard
    return new Uint8Array(items.bytes.buffer, items.valueAt(item, offset), shard.valueRoom(item, offset))
  }

  /** A byte of the value, or of the two behind it. */
  byteAt(offset: number): number {
    const { item, shard: { items } } = this
    return items.bytes[items.valueAt(item, offset)]!
  }

  /** The bytes from `offset` on that were read together with the byte before them; see `roomAt`. */
  bytesBehind(offset: number, count: number): Uint8Array {
    const { item, shard: { items } } = this
    const start = items.valueAt(item, offset - 1) + 1
    return items.bytes.subarray(start, start + count)
  }

  /**
   * Stores the value, which must be complete, as its request asked.
   * @param request the thread's Request; it gets the kept fields again, with a copy of the key, and then the results
   */
  commit(request: Request): Outcome {
    const { shard, item } = this
    this.restore(request)
    shard.countSet(item)
    const outcome = shard.commit(request, item)
    if (outcome === Outcome.Stored && this.context.accesses.isSampled(request.hash)) this.context.noteStored(request)
    return outcome
  }

  /**
   * Drops the value because it was not followed by a line end. Counts it as a value that a client has sent.
   * @param request the thread's Request; it gets the kept fields again, with a copy of the key
   */
  reject(request: Request): void {
    const { shard } = this
    this.restore(request)
    shard.countSet(this.item)
    this.drop()
    shard.refuse(request, Refusal.BadData, this.valueBytes)
  }

  /** Drops the value because the client will not send the rest of it. */
  drop(): void { this.shard.drop(this.item) }

  private restore(request: Request): void {
    const { item, shard: { items } } = this
    const keyStart = items.keyStart(item)
    // a copy, as a reply may show the key after the item has been freed
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
