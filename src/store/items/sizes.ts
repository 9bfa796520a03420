// What `stats sizes` shows, where -o track_sizes has it counted: how many items there are of each size, in steps of 32 bytes. So
// that it is shown without looking at every size that -I allows, there is a count for each block of sizes too: as many blocks
// have something in them as there is memory for, of 1 GiB some 500 at most.

/** The bytes of a step, as memcached has them. */
const STEP = 32
/** How many steps make a block. */
const BLOCK = 256
/** So many blocks in which there is nothing are looked at in one go: 0.1 ms. */
const EMPTY_BLOCKS_MAX = 5000

export class Sizes {
  private readonly steps: Int32Array
  private readonly blocks: Int32Array

  /** The bytes of memory that this needs, zeroed at the start. */
  static bytesFor(itemSizeMax: number): number { return (stepsFor(itemSizeMax) + blocksFor(itemSizeMax)) * 4 }

  /** @param at byte index of `bytesFor(itemSizeMax)` in `buffer` */
  constructor(buffer: ArrayBuffer | SharedArrayBuffer, at: number, itemSizeMax: number) {
    this.steps = new Int32Array(buffer, at, stepsFor(itemSizeMax))
    this.blocks = new Int32Array(buffer, at + this.steps.byteLength, blocksFor(itemSizeMax))
  }

  /** An item of so many bytes comes or goes. */
  count(bytes: number, change: 1 | -1): void {
    const step = Math.min(Math.ceil(bytes / STEP), this.steps.length - 1)
    Atomics.add(this.steps, step, change)
    Atomics.add(this.blocks, Math.floor(step / BLOCK), change)
  }

  /**
   * The sizes that there are, rounded up to steps, and how many items have each; in parts of at most 256, none of which takes
   * long. Some may be empty.
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
