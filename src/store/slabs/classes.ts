// The sizes of all slab classes: pages of 1 MiB are cut into chunks of one size for each class. The classes are memcached's:
// the smallest is `chunkSize` plus the 48 bytes of its item header, each next one is larger by `factor`, the last is
// `slabChunkMax`; or those below the last are given one by one. So is the class of an item, which goes by the size that
// memcached has for it: its nominal size.
//
// Our items are smaller than that by at least `savedBytes`, and so is each chunk by just as much: what goes into a class
// there goes into it here, and a page has as many chunks, but needs less memory. What counts for -m is that memory, so
// there are more pages.
import { Size } from '../../memory/layout.js'

/** What the class table is made of. */
export interface ClassSettings {
  /** Smallest room for key, value and flags, in bytes (-n). */
  chunkSize: number
  /** From one class to the next (-f). */
  factor: number
  /** The largest chunk, in bytes; a divisor of the page size. */
  slabChunkMax: number
  /** The nominal sizes of all classes but the last, in bytes, ascending; none: `chunkSize` and `factor` say them. */
  slabSizes: readonly number[]
  /** Whether an item has a cas number there. */
  useCas: boolean
}

/** The sizes of all classes: the same for every arena of a store. Class numbers start at 1. */
export class SlabClasses {
  /** The size of a chunk in memcached, which is what clients are shown. */
  readonly nominalBytes: number[] = [0]
  /** Its size here. */
  readonly chunkBytes: number[] = [0]
  readonly chunksPerPage: number[] = [0]
  /** The number of the class with the largest chunks, which is also the number of classes. */
  readonly largest: number
  private readonly savedBytes: number
  private readonly byEighth: Uint8Array

  constructor(settings: ClassSettings) {
    const { slabChunkMax, slabSizes, useCas } = settings
    this.savedBytes = useCas ? SAVED_BYTES : SAVED_BYTES - CAS_BYTES
    if (slabSizes.length > 0) for (const size of slabSizes) this.push(roundUp(size))
    else this.pushGrowing(settings)
    this.push(slabChunkMax)
    this.largest = this.chunkBytes.length - 1
    this.byEighth = new Uint8Array(Math.floor(slabChunkMax / 8) + 1)
    let slabClass = 1
    for (let eighth = 0; eighth < this.byEighth.length; eighth++) {
      while (eighth * 8 > this.nominalBytes[slabClass]!) slabClass++
      this.byEighth[eighth] = slabClass
    }
  }

  private pushGrowing({ chunkSize, factor, slabChunkMax }: ClassSettings): void {
    let size = chunkSize + HEADER_BYTES
    while (this.chunkBytes.length < Size.Classes - 1 && size < slabChunkMax / factor) {
      size = roundUp(size)
      this.push(size)
      size = Math.floor(size * factor)
    }
  }

  private push(nominalBytes: number): void {
    const chunkBytes = Math.max(nominalBytes - this.savedBytes, CHUNK_BYTES_MIN)
    this.nominalBytes.push(nominalBytes)
    this.chunkBytes.push(chunkBytes)
    this.chunksPerPage.push(Math.floor(Size.Page / Math.max(nominalBytes, chunkBytes)))
  }

  /** What a new page of a class takes. */
  pageBytes(slabClass: number): number { return this.chunksPerPage[slabClass]! * this.chunkBytes[slabClass]! }

  /** What a new page takes at least. */
  get pageBytesMin(): number {
    return this.chunkBytes.slice(1).reduce((least, _, index) => Math.min(least, this.pageBytes(index + 1)), Infinity)
  }

  /** The size of the smallest chunk. */
  get chunkBytesMin(): number { return this.chunkBytes.slice(1).reduce((least, bytes) => Math.min(least, bytes), Infinity) }

  /** The class of an item of a nominal size; 0 if that is more than one chunk holds. */
  classFor(nominalBytes: number): number {
    const eighth = (nominalBytes + 7) >>> 3
    return eighth < this.byEighth.length ? this.byEighth[eighth]! : 0
  }

  /** The class of the smallest chunk that holds so many bytes, for what is not a whole item; 0 if no chunk does. */
  classHolding(bytes: number): number { return this.classFor(bytes + this.savedBytes) }
}

/** What memcached adds to the key, the flags and the value of an item for its nominal size. */
export function nominalOverhead(useCas: boolean): number {
  return HEADER_BYTES + (useCas ? CAS_BYTES : 0) + ENDS_BYTES
}

function roundUp(size: number): number { return Math.ceil(size / 8) * 8 }

/** memcached's own item header, its cas number, and the ends of key and value: a zero, and `\r\n`. */
const HEADER_BYTES = 48
const CAS_BYTES = 8
const ENDS_BYTES = 3
/**
 * An item has 59 bytes beside its key, flags and value there; here 36, or 38 for a large value. Without cas numbers it has
 * 51 there, and as many as before here. A multiple of the 4 bytes on which items begin, in both cases.
 */
const SAVED_BYTES = 20
/** What a free chunk has in it: its state, and its neighbours. No item is so small, but a class may be. */
const CHUNK_BYTES_MIN = 28
