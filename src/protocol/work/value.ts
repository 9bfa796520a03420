// A value that comes in parts: the session fills it, and tells its receiver when the line end is there too. A large value is read
// straight into its item: then `target` says where to, and `filled` how much of it came.
import { assert } from '../../errors.js'
import { Ascii } from '../../memory/ascii.js'
import { Size } from '../../memory/layout.js'
import { type Filling } from '../../store/filling.js'
import { type Input } from '../input.js'
import { ConnectionState } from './state.js'
import { Wait, type Work } from './work.js'

/** The most bytes that may be read behind a large value along with it: if they are not filled, the kernel had no more. */
const FOLLOWING_BYTES_MAX = 4096

/** Stores or rejects a value, and answers. @param hasLineEnd false if something other than its line end followed */
export type Receiver = (filling: Filling, hasLineEnd: boolean) => void

export class Value implements Work {
  readonly wait = Wait.Input
  readonly state = ConnectionState.Nread
  readonly next = undefined
  isDone = false
  private receivedBytes = 0
  private readonly valueBytes: number
  private isBadChunk = false

  /** @param endBytes 2 if a line end follows the value, 0 if nothing does */
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

  /** True once value and line end are there, so that `finish` is due. */
  get isWhole(): boolean { return this.receivedBytes >= this.wholeBytes }

  /** Hands the value to the receiver. */
  finish(): void {
    const { input: { bytes, request } } = this
    this.isDone = true
    this.receiver(this.filling, !this.isBadChunk)
    request.bytes = bytes
  }

  drop(): void { this.filling.drop() }

  // Reading straight into the item

  /** Where the next bytes are best read to: the place in the value that they fill. Undefined if too few are missing. */
  get target(): Uint8Array | undefined {
    const { receivedBytes, valueBytes } = this
    if (valueBytes - receivedBytes < Size.DirectMin) return undefined
    const room = this.filling.roomAt(receivedBytes)
    const wanted = this.wholeBytes - receivedBytes + FOLLOWING_BYTES_MAX
    return room.length <= wanted ? room : room.subarray(0, wanted)
  }

  /** Takes note of `count` bytes that were read to `target`: of the value, its line end, and perhaps of what follows. */
  filled(count: number): void {
    this.receivedBytes += count
    if (this.receivedBytes > this.valueBytes && this.endBytes > 0) this.checkSpareBytes()
    assert(this.receivedBytes <= this.wholeBytes + FOLLOWING_BYTES_MAX, 'more was read than there was room for')
  }

  /** Copies what was read behind a whole value to `at` in the input; returns its length. */
  copyFollowing(at: number): number {
    const { wholeBytes } = this
    const count = this.receivedBytes - wholeBytes
    if (count > 0) this.input.bytes.set(this.filling.bytesBehind(wholeBytes, count), at)
    return count
  }

  /** Checks that a line end was read behind a value, straight into its spare bytes. */
  private checkSpareBytes(): void {
    const { filling, valueBytes } = this
    if (filling.byteAt(valueBytes) !== Ascii.CarriageReturn) this.isBadChunk = true
    if (this.receivedBytes < valueBytes + 2) return
    if (filling.byteAt(valueBytes + 1) !== Ascii.LineEnd) this.isBadChunk = true
  }
}
