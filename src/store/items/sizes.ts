// The counts of `stats sizes`, with -o track_sizes: the number of items of each size, in steps of 32 bytes. There is also a count
// for each block of 256 steps, so that `stats sizes` need not read every size that -I allows. The memory limits how many blocks
// have items: for 1 GiB they are some 500 at most.

/** The bytes of a step, as in memcached. */
const STEP = 32
/** The number of steps in a block. */
const BLOCK = 256
/** The most empty blocks that are skipped in one part, which takes 0.1 ms. */
const EMPTY_BLOCKS_MAX = 5000

export class Sizes {
  private readonly steps: Int32Array
  private readonly blocks: Int32Array

  /** The bytes of memory that Sizes need, zeroed at the start. */
  static bytesFor(itemSizeMax: number): number { return (stepsFor(itemSizeMax) + blocksFor(itemSizeMax)) * 4 }

  /** @param at byte index of `bytesFor(itemSizeMax)` bytes in `buffer` */
  constructor(buffer: ArrayBuffer | SharedArrayBuffer, at: number, itemSizeMax: number) {
    this.steps = new Int32Array(buffer, at, stepsFor(itemSizeMax))
    this.blocks = new Int32Array(buffer, at + this.steps.byteLength, blocksFor(itemSizeMax))
  }

  /** Counts an item of so many bytes that is added (1) or removed (-1). */
  count(bytes: number, change: 1 | -1): void {
    const step = Math.min(Math.ceil(bytes / STEP), this.steps.length - 1)
    Atomics.add(this.steps, step, change)
    Atomics.add(this.blocks, Math.floor(step / BLOCK), change)
  }

  /**
   * The sizes of items, rounded up to steps, with the number of items of each. They come in parts of at most 256 sizes, none of
   * which takes long; some parts are empty.
   */
  *parts(): Iterable<(readonly [bytes: number, items: number])[]> {
    for (let block = 0; block < this.blocks.length; block++) {
      if (this.blocks[block] !== 0) yield this.sizesOf(block)
      else if ((block + 1) % EMPTY_BLOCKS_MAX === 0) yield []
    }
  }

  private sizesOf(block: number): (readonly [bytes: number, items: number])[] {
    const sizes: [bytes: number, items: number][] = []
    const end = Math.min((block + 1) * BLOCK, this.steps.length)
    for (let step = block * BLOCK; step < end; step++) {
      const items = this.steps[step]!
      if (items !== 0) sizes.push([step * STEP, items])
    }
    return sizes
  }
}

function stepsFor(itemSizeMax: number): number { return Math.floor(itemSizeMax / STEP) + 2 }

function blocksFor(itemSizeMax: number): number { return Math.ceil(stepsFor(itemSizeMax) / BLOCK) }
