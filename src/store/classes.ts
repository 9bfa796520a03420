// The sizes of all slab classes: pages of 1 MiB are cut into chunks of one size for each class. The classes are memcached's:
// the smallest is `chunkSize` plus the 48 bytes of its item header, each next one is larger by `factor`, the last is
// `slabChunkMax`.
//
// Our items are smaller than memcached's by at least SAVED_BYTES, and so is each chunk by just as much: what goes into a
// class there goes into it here, and a page has as many chunks, but needs less memory. What counts for -m is that memory,
// so there are more pages.
import { Size } from '../memory/layout.js'

/** The sizes of all classes: the same for every arena of a store. Class numbers start at 1. */
export class SlabClasses {
  /** The size of a chunk in memcached, which is what clients are shown. */
  readonly nominalBytes: number[] = [0]
  /** Its size here. */
  readonly chunkBytes: number[] = [0]
  readonly chunksPerPage: number[] = [0]
  /** The number of the class with the largest chunks, which is also the number of classes. */
  readonly largest: number
  private readonly byEighth: Uint8Array

  /**
   * @param chunkSize smallest room for key, value and flags, in bytes (-n)
   * @param factor from one class to the next (-f)
   * @param slabChunkMax the largest chunk, in bytes; a divisor of the page size
   */
  constructor(chunkSize: number, factor: number, slabChunkMax: number) {
    let size = Math.min(chunkSize + MEMCACHED_HEADER, slabChunkMax)
    while (this.chunkBytes.length < Size.Classes - 1 && size < slabChunkMax / factor) {
      size = Math.ceil(size / 8) * 8
      this.push(size)
      size = Math.floor(size * factor)
    }
    if (this.nominalBytes.at(-1) !== slabChunkMax) this.push(slabChunkMax)
    this.largest = this.chunkBytes.length - 1
    this.byEighth = new Uint8Array(Math.floor(slabChunkMax / 8) + 1)
    let slabClass = 1
    for (let eighth = 0; eighth < this.byEighth.length; eighth++) {
      while (eighth * 8 > this.nominalBytes[slabClass]!) slabClass++
      this.byEighth[eighth] = slabClass
    }
  }

  private push(nominalBytes: number): void {
    this.nominalBytes.push(nominalBytes)
    this.chunkBytes.push(nominalBytes - SAVED_BYTES)
    this.chunksPerPage.push(Math.floor(Size.Page / nominalBytes))
  }

  /** What a new page of a class takes. */
  pageBytes(slabClass: number): number { return this.chunksPerPage[slabClass]! * this.chunkBytes[slabClass]! }

  /** What a new page takes at least. */
  get pageBytesMin(): number {
    return this.chunkBytes.slice(1).reduce((least, _, index) => Math.min(least, this.pageBytes(index + 1)), Infinity)
  }

  /** The class of the smallest chunk that holds `bytes`; 0 if no chunk does. */
  classFor(bytes: number): number {
    const eighth = (bytes + SAVED_BYTES + 7) >>> 3
    return eighth < this.byEighth.length ? this.byEighth[eighth]! : 0
  }
}

/** memcached's own item header without the cas number: part of its chunk sizes, and so of ours. */
const MEMCACHED_HEADER = 48
/**
 * An item has 48 bytes of header there, 8 of cas number, and 3 of line and key ends: 59 against 36, or 38 for a large value.
 * A multiple of the 4 bytes on which items begin.
 */
const SAVED_BYTES = 20
