// Copies of values for a program: Buffers that are cut from larger blocks, as Node.js cuts its small ones. A copy of 100 bytes
// takes 28 ns so, where `Buffer.allocUnsafe` and `set` with a view made for it take 64.
import { markAsUntransferable } from 'node:worker_threads'

/** The bytes of a block. */
const BLOCK_BYTES = 64 * 1024
/** The largest copy that is cut from a block, and the largest source whose view is kept. */
const CUT_MAX = 4 * 1024
/** Copies begin at a multiple of this, so that a program can see them as words. */
const ALIGNMENT = 8

type BufferClass = new (buffer: ArrayBuffer, offset: number, length: number) => Buffer

/** The class of Buffers, whose constructor leaves out the checks of `Buffer.from`. */
const OwnBuffer = (Buffer as unknown as { readonly [Symbol.species]: BufferClass })[Symbol.species]

export class Copies {
  private block = new Uint8Array(0)
  /** The buffer of the block, kept as asking a view for its buffer is a call into V8. */
  private buffer = this.block.buffer
  private at = 0
  /** Views of the source, by their lengths. */
  private readonly views: (Uint8Array | undefined)[] = []

  /** @param source the memory that is copied from, at its beginning */
  constructor(private readonly source: Uint8Array) {}

  /** A copy of the first `count` bytes of the source. */
  copy(count: number): Buffer {
    if (count > CUT_MAX) return copyOf(this.source.subarray(0, count))
    if (this.at + count > this.block.length) {
      this.block = new Uint8Array(BLOCK_BYTES)
      this.buffer = this.block.buffer
      // as Node.js does with its pool: a program that posts one value with its buffer must not take the others along
      markAsUntransferable(this.buffer)
      this.at = 0
    }
    const { at } = this
    this.block.set(this.views[count] ??= this.source.subarray(0, count), at)
    this.at = (at + count + ALIGNMENT - 1) & -ALIGNMENT
    return new OwnBuffer(this.buffer, at, count)
  }
}

function copyOf(bytes: Uint8Array): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length)
  copy.set(bytes)
  return copy
}
