// A value that comes in parts. The session fills it, and passes it to its receiver when its line end has come, too. The
// connection reads a large value directly into its item: `target` is the memory for the next read, and `filled` gets the number
// of bytes that came.
import { assert } from '../../errors.js'
import { Ascii } from '../../memory/ascii.js'
import { Size } from '../../memory/layout.js'
import { type Filling } from '../../store/filling.js'
import { type Input } from '../input.js'
import { ConnectionState } from './state.js'
import { Wait, type Work } from './work.js'

/**
 * The most bytes behind a large value that one read may return with it. If the read returns fewer, the kernel had no more bytes,
 * and no further read is needed to find that out.
 */
const FOLLOWING_BYTES_MAX = 4096

/** Stores or rejects a value, and answers. @param hasLineEnd false if no line end followed the value */
export type Receiver = (filling: Filling, hasLineEnd: boolean) => void

export class Value implements Work {
  readonly wait = Wait.Input
  readonly state = ConnectionState.Nread
  readonly next = undefined
  isDone = false
  private receivedBytes = 0
  private readonly valueBytes: number
  private isBadChunk = false

  /** @param endBytes 2 if a line end follows the value, otherwise 0 */
  constructor(private readonly input: Input, private readonly filling: Filling, private readonly receiver: Receiver,
    private readonly endBytes: 0 | 2) {
    this.valueBytes = filling.valueBytes
  }

  private get wholeBytes(): number { return this.valueBytes + this.endBytes }

  resume(at: number, end: number): number {
    const { input: { bytes }, valueBytes, wholeBytes } = this
    if (this.receivedBytes < valueBytes) {
      const count = Math.min(end - at, valueBytes - this.receivedBytes)
      this.filling.write(this.receivedBytes, bytes, at, count)
      this.receivedBytes += count
      at += count
    }
    for (; at < end && this.receivedBytes >= valueBytes && this.receivedBytes < wholeBytes; at++, this.receivedBytes++) {
      if (bytes[at] !== (this.receivedBytes === valueBytes ? Ascii.CarriageReturn : Ascii.LineEnd)) this.isBadChunk = true
    }
    if (this.isWhole) this.finish()
    return at
  }

  /** True if the value and its line end have come, so that `finish` is due. */
  get isWhole(): boolean { return this.receivedBytes >= this.wholeBytes }

  /** Passes the value to the receiver. */
  finish(): void {
    this.isDone = true
    this.receiver(this.filling, !this.isBadChunk)
  }

  drop(): void { this.filling.drop() }

  // Reading directly into the item

  /** The memory of the value that the next bytes fill; undefined if fewer than Size.DirectMin bytes are missing. */
  get target(): Uint8Array | undefined {
    const { receivedBytes, valueBytes } = this
    if (valueBytes - receivedBytes < Size.DirectMin) return undefined
    const room = this.filling.roomAt(receivedBytes)
    const wanted = this.wholeBytes - receivedBytes + FOLLOWING_BYTES_MAX
    return room.length <= wanted ? room : room.subarray(0, wanted)
  }

  /** Notes that `count` bytes were read into `target`: bytes of the value, of its line end, and perhaps of later requests. */
  filled(count: number): void {
    this.receivedBytes += count
    if (this.receivedBytes > this.valueBytes && this.endBytes > 0) this.checkSpareBytes()
    assert(this.receivedBytes <= this.wholeBytes + FOLLOWING_BYTES_MAX, 'more was read than there was room for')
  }

  /** Copies the bytes that were read behind a complete value to `at` in the input. Returns their number. */
  copyFollowing(at: number): number {
    const { wholeBytes } = this
    const count = this.receivedBytes - wholeBytes
    if (count > 0) this.input.bytes.set(this.filling.bytesBehind(wholeBytes, count), at)
    return count
  }

  /** Checks the bytes that were read behind the value, as far as they belong to its line end. */
  private checkSpareBytes(): void {
    const { filling, valueBytes } = this
    if (filling.byteAt(valueBytes) !== Ascii.CarriageReturn) this.isBadChunk = true
    if (this.receivedBytes < valueBytes + 2) return
    if (filling.byteAt(valueBytes + 1) !== Ascii.LineEnd) this.isBadChunk = true
  }
}
