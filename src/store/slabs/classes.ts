// The sizes of all slab classes. Each class cuts pages of 1 MiB into chunks of one size. The classes are memcached's: the
// smallest chunk is `chunkSize` plus the 48 bytes of memcached's item header, each next one is larger by `factor`, and the last
// is `slabChunkMax`; or the options list all sizes but the last. The class of an item is memcached's, too: it depends on the size
// that the item has in memcached, its nominal size.
//
// Items are smaller here than in memcached by at least `savedBytes`, and each chunk is smaller by exactly that. So a class holds
// the same items as in memcached, and a page has as many chunks, but takes less memory. As -m limits that memory, there are more
// pages.
import { Size } from '../../memory/layout.js'

/** The settings that the classes follow from. */
export interface ClassSettings {
  /** The least space for key, value and flags, in bytes (-n). */
  chunkSize: number
  /** The ratio of the sizes of a class and the class before it (-f). */
  factor: number
  /** The largest chunk, in bytes; a divisor of the page size. */
  slabChunkMax: number
  /** The nominal sizes of all classes but the last, in bytes, ascending. If empty, they follow from `chunkSize` and `factor`. */
  slabSizes: readonly number[]
  /** True if items have cas numbers in memcached. */
  useCas: boolean
}

/** The sizes of all classes, which are the same in every arena of a store. Classes are numbered from 1. */
export class SlabClasses {
  /** The size of a chunk in memcached, which clients are shown, by class. */
  readonly nominalBytes: number[] = [0]
  /** The size of a chunk here, by class. */
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
    let eighth = 0
    for (let slabClass = 1; slabClass <= this.largest; slabClass++) {
      const end = Math.floor(this.nominalBytes[slabClass]! / 8) + 1
      this.byEighth.fill(slabClass, eighth, end)
      eighth = end
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

  /** The bytes of a new page of a class. */
  pageBytes(slabClass: number): number { return this.chunksPerPage[slabClass]! * this.chunkBytes[slabClass]! }

  /** The bytes of the smallest new page. */
  get pageBytesMin(): number {
    return this.chunkBytes.slice(1).reduce((least, _, index) => Math.min(least, this.pageBytes(index + 1)), Infinity)
  }

  /** The size of the smallest chunk. */
  get chunkBytesMin(): number { return this.chunkBytes.slice(1).reduce((least, bytes) => Math.min(least, bytes), Infinity) }

  /** The class of an item with a nominal size; 0 if the largest chunk is too small. */
  classFor(nominalBytes: number): number {
    const eighth = (nominalBytes + 7) >>> 3
    return eighth < this.byEighth.length ? this.byEighth[eighth]! : 0
  }

  /** The class of the smallest chunk that has so many bytes here; 0 if no chunk does. For pieces and headers of large items. */
  classHolding(bytes: number): number { return this.classFor(bytes + this.savedBytes) }
}

/** The bytes that memcached adds to the key, the flags and the value of an item for its nominal size. */
export function nominalOverhead(useCas: boolean): number {
  return HEADER_BYTES + (useCas ? CAS_BYTES : 0) + ENDS_BYTES
}

function roundUp(size: number): number { return Math.ceil(size / 8) * 8 }

/** The size of memcached's item header. */
const HEADER_BYTES = 48
/** The size of a cas number in memcached. */
const CAS_BYTES = 8
/** The size of the ends of key and value in memcached: a zero byte and `\r\n`. */
const ENDS_BYTES = 3
/**
 * The bytes by which an item is smaller than in memcached, at least. Beside its key, flags and value an item has 59 bytes in
 * memcached, and 36 here, or 38 with a large value. Without cas numbers it has 51 in memcached, and still as many here. In both
 * cases the difference is rounded down to a multiple of 4, as items begin on words.
 */
const SAVED_BYTES = 20
/** The least size of a chunk, as a free chunk has a state and two neighbours. No item is so small, but a class may be. */
const CHUNK_BYTES_MIN = 28
