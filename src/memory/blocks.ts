// Chunks of memory that goes back to the system when they are given back. Memory of Buffers stays with the process, as malloc
// keeps it; so chunks lie in blocks whose memory can be resized, and a block of which no chunk is used has none.

/** The memory that goes back at a time, in bytes; to resize a block takes some hundred microseconds. */
const BLOCK_BYTES = 1024 * 1024

/** Chunks of one size, each known by a number. */
export class Blocks {
  private readonly blocks: Block[] = []
  /** The first block that may have a free chunk. */
  private firstFree = 0
  /** The one block that has its memory though no chunk is used, for those who take a chunk again and again. */
  private ready: Block | undefined

  /** @param chunkBytes of which a block holds a whole number */
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

/** Chunks that go back to the system together. */
class Block {
  private readonly memory = new ArrayBuffer(0, { maxByteLength: BLOCK_BYTES })
  /** As long as the memory is. */
  private readonly bytes = new Uint8Array(this.memory)
  private readonly count: number
  /** Chunks that are free; those that come first in memory are taken first. */
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
