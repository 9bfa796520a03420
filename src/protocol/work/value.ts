// A value that comes in parts: the session fills a reserved item, and gives it to its receiver when the line end is there too.
// A large value is read straight into its item: then `target` says where to, and `filled` how much of it came.
import { assert } from '../../errors.js'
import { Ascii } from '../../memory/ascii.js'
import { Size } from '../../memory/layout.js'
import { type ItemId } from '../../store/items/items.js'
import { type Request } from '../../store/request.js'
import { type Shard } from '../../store/shard.js'
import { type Input } from '../input.js'
import { ConnectionState } from './state.js'
import { Wait, type Work } from './work.js'

/** What may be read behind a large value along with it: if that is not filled, the kernel had no more. */
const FOLLOWING_BYTES_MAX = 4096

export interface Receiver {
  /** Stores the filled item, or abandons it, and answers. The request names its key. */
  received(shard: Shard, item: ItemId, hasLineEnd: boolean): void
}

export class Value implements Work {
  readonly wait = Wait.Input
  readonly state = ConnectionState.Nread
  readonly next = undefined
  isDone = false
  private receivedBytes = 0
  private readonly valueBytes: number
  private isBadChunk = false

  /** @param endBytes 2 if a line end follows the value, 0 if nothing does */
  constructor(private readonly input: Input, private readonly request: Request, private readonly shard: Shard,
    private readonly item: ItemId, private readonly receiver: Receiver, private readonly endBytes: 0 | 2) {
    this.valueBytes = shard.items.valueBytes(item)
  }

  private get wholeBytes(): number { return this.valueBytes + this.endBytes }

  resume(at: number, end: number): number {
    const { item, shard: { items }, input: { bytes }, valueBytes, wholeBytes } = this
    if (this.receivedBytes < valueBytes) {
      const count = Math.min(end - at, valueBytes - this.receivedBytes)
      items.writeValue(item, this.receivedBytes, bytes, at, count)
      this.receivedBytes += count
      at += count
    }
    for (; at < end && this.receivedBytes >= valueBytes && this.receivedBytes < wholeBytes; at++, this.receivedBytes++) {
      if (bytes[at] !== (this.receivedBytes === valueBytes ? Ascii.CarriageReturn : Ascii.LineEnd)) this.isBadChunk = true
    }
    if (this.isWhole) this.finish()
    return at
  }

  /** Whether value and line end are there, so that `finish` is due. */
  get isWhole(): boolean { return this.receivedBytes >= this.wholeBytes }

  /** Gives the item to the receiver. */
  finish(): void {
    const { item, request, shard } = this
    const { items } = shard
    this.isDone = true
    request.bytes = items.bytes
    request.keyStart = items.keyStart(item)
    request.keyEnd = request.keyStart + items.keyBytes(item)
    this.receiver.received(shard, item, !this.isBadChunk)
    request.bytes = this.input.bytes
  }

  abandon(): void { this.shard.allocator.abandon(this.item) }

  // Reading straight into the item

  /** Where the next bytes are best read to: the place in the value that they fill. Undefined if too few are missing. */
  get target(): Uint8Array | undefined {
    const { item, receivedBytes, shard, valueBytes } = this
    const { items } = shard
    if (valueBytes - receivedBytes < Size.DirectMin) return undefined
    const room = shard.valueRoom(item, receivedBytes)
    const wanted = this.wholeBytes - receivedBytes + FOLLOWING_BYTES_MAX
    return new Uint8Array(items.bytes.buffer, items.valueAt(item, receivedBytes), Math.min(room, wanted))
  }

  /** Takes note of `count` bytes that were read to `target`: of the value, its line end, and perhaps of what follows. */
  filled(count: number): void {
    this.receivedBytes += count
    if (this.receivedBytes > this.valueBytes && this.endBytes > 0) this.checkSpareBytes()
    assert(this.receivedBytes <= this.wholeBytes + FOLLOWING_BYTES_MAX, 'more was read than there was room for')
  }

  /** Copies what was read behind a whole value to `at` in the input; returns how much that is. */
  copyFollowing(at: number): number {
    const { input, item, shard: { items }, wholeBytes } = this
    const count = this.receivedBytes - wholeBytes
    if (count === 0) return 0
    const start = items.valueAt(item, wholeBytes - 1) + 1
    input.bytes.set(items.bytes.subarray(start, start + count), at)
    return count
  }

  /** What was read behind a value, straight into its spare bytes, must be a line end. */
  private checkSpareBytes(): void {
    const { item, shard: { items }, valueBytes } = this
    const { bytes } = items
    if (bytes[items.valueAt(item, valueBytes)] !== Ascii.CarriageReturn) this.isBadChunk = true
    if (this.receivedBytes < valueBytes + 2) return
    if (bytes[items.valueAt(item, valueBytes + 1)] !== Ascii.LineEnd) this.isBadChunk = true
  }
}
