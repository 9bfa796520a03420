// Chunks of memory that is returned to the system when they are given back. The memory of a Buffer would stay with the process,
// as malloc keeps it. So chunks lie in blocks whose buffers can be resized, and a block without a chunk in use is resized to 0.

/** The bytes of a block, which are returned to the system together. To resize a block takes some hundred microseconds. */
const BLOCK_BYTES = 1024 * 1024

/** Chunks of one size, each identified by a number. */
export class Blocks {
  private readonly blocks: Block[] = []
  /** The first block that may have a free chunk. */
  private firstFree = 0
  /** The one block that keeps its memory while no chunk is in use, so that a caller which takes a chunk often need not resize. */
  private ready: Block | undefined

  /** @param chunkBytes the size of a chunk, a divisor of BLOCK_BYTES */
  constructor(private readonly chunkBytes: number) {}

  take(): number {
    const { blocks } = this
    while (this.firstFree < blocks.length && blocks[this.firstFree]!.isFull) this.firstFree++
    const index = this.firstFree
    if (index === blocks.length) blocks.push(new Block(this.chunkBytes))
    const block = blocks[index]!
    if (block.isEmpty && this.ready !== undefined) {
      if (this.ready !== block) this.ready.shrink()
      this.ready = undefined
    }
    return index * this.perBlock + block.take()
  }

  giveBack(chunk: number): void {
    const { perBlock } = this
    const index = Math.floor(chunk / perBlock)
    const block = this.blocks[index]!
    block.giveBack(chunk % perBlock)
    this.firstFree = Math.min(this.firstFree, index)
    if (!block.isEmpty) return
    if (this.ready === undefined) this.ready = block
    else block.shrink()
  }

  /** The bytes of a chunk. */
  chunk(chunk: number): Uint8Array {
    const { perBlock } = this
    return this.blocks[Math.floor(chunk / perBlock)]!.chunk(chunk % perBlock)
  }

  private get perBlock(): number { return BLOCK_BYTES / this.chunkBytes }
}

/** Chunks whose memory is returned to the system together. */
class Block {
  private readonly memory = new ArrayBuffer(0, { maxByteLength: BLOCK_BYTES })
  /** A view that follows the length of the memory. */
  private readonly bytes = new Uint8Array(this.memory)
  private readonly count: number
  /** The free chunks, in reverse order, so that the first in memory is taken first. */
  private readonly free: number[]

  constructor(private readonly chunkBytes: number) {
    const count = this.count = BLOCK_BYTES / chunkBytes
    this.free = Array.from({ length: count }, (_, index) => count - 1 - index)
  }

  get isFull(): boolean { return this.free.length === 0 }
  get isEmpty(): boolean { return this.free.length === this.count }

  take(): number {
    if (this.memory.byteLength === 0) this.memory.resize(BLOCK_BYTES)
    return this.free.pop()!
  }

  giveBack(index: number): void { this.free.push(index) }

  shrink(): void { this.memory.resize(0) }

  chunk(index: number): Uint8Array { return this.bytes.subarray(index * this.chunkBytes, (index + 1) * this.chunkBytes) }
}
