// Slabs: pages of 1 MiB cut into chunks of one size for each class. Which chunks are free is known here; what is in the
// others is not. A new page is not threaded onto the free list but carved chunk by chunk, so memory is first touched
// when it is first used. The classes are memcached's: the smallest is `chunkSize` plus the 48 bytes of its item header,
// each next one is larger by `factor`, the last is `slabChunkMax`.
//
// Our items are smaller than memcached's by at least SAVED_BYTES, and so is each chunk by just as much: what goes into a
// class there goes into it here, and a page has as many chunks, but needs less memory. What counts for -m is that memory,
// so there are more pages. A page keeps the bytes it was first given whatever class owns it later, as they have been
// touched and others have not.
import { type Arena } from '../memory/arena.js'
import { ClassWord, ItemWord, ShardWord, Size } from '../memory/layout.js'
import { type Locks } from '../memory/lock.js'
import { assert } from '../errors.js'
import { NO_ITEM, type ItemId } from './items.js'

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

export class Slabs {
  private readonly words: Int32Array
  /** Word indexes of three tables with a word for each page: the class that owns it, its chunks in use, its bytes. */
  private readonly pageTable: number
  private readonly pageUse: number
  private readonly pageSize: number

  /** The bytes a page needs in `pageTables`. */
  static readonly PAGE_BYTES = 3 * 4

  /**
   * @param classWords, shardWords word indexes of the regions laid out in layout.ts
   * @param pageTablesAt byte index of PAGE_BYTES for each page
   * @param locks on words of the arena
   */
  constructor(private readonly arena: Arena, readonly classes: SlabClasses, private readonly classWords: number,
    private readonly shardWords: number, pageTablesAt: number, private readonly locks: Locks) {
    this.words = arena.words
    this.pageTable = pageTablesAt >> 2
    this.pageUse = this.pageTable + arena.pageEnd
    this.pageSize = this.pageUse + arena.pageEnd
  }

  /** Locks a class: its free chunks and its lists. */
  lock(slabClass: number): void { this.locks.take(this.word(slabClass, ClassWord.Lock)) }

  tryLock(slabClass: number): boolean { return this.locks.tryTake(this.word(slabClass, ClassWord.Lock)) }

  unlock(slabClass: number): void { this.locks.release(this.word(slabClass, ClassWord.Lock)) }

  /** The word of a class. */
  word(slabClass: number, word: ClassWord): number {
    return this.classWords + slabClass * ClassWord.Stride + word
  }

  get(slabClass: number, word: ClassWord): number { return this.words[this.word(slabClass, word)]! }

  add(slabClass: number, word: ClassWord, amount: number): void { this.words[this.word(slabClass, word)]! += amount }

  get pagesUsed(): number { return this.words[this.shardWords + ShardWord.PagesUsed]! }
  /** The bytes of all pages that have a class. */
  get bytesUsed(): number { return this.words[this.shardWords + ShardWord.BytesUsed]! }
  /** What they may be at most, but see `takePage`. */
  get bytesMax(): number { return this.words[this.shardWords + ShardWord.BytesMax]! }
  set bytesMax(bytes: number) { this.words[this.shardWords + ShardWord.BytesMax] = bytes }

  /** The class that owns the page in which a chunk lies. */
  classAt(chunk: ItemId): number { return this.words[this.pageTable + (chunk >>> Size.PageShift)]! }

  /** The class that owns a page; 0 for a page that was never used. */
  classOfPage(page: number): number { return this.words[this.pageTable + page]! }

  chunkAt(page: number, index: number, slabClass: number): ItemId {
    return (page * Size.PageWords + index * (this.classes.chunkBytes[slabClass]! >> 2)) as ItemId
  }

  /** The bytes of a page. */
  sizeOfPage(page: number): number { return this.words[this.pageSize + page]! }

  /** How many chunks a page has for the class that owns it, or would have for another. */
  chunksOf(page: number, slabClass: number): number {
    return Math.floor(this.sizeOfPage(page) / this.classes.chunkBytes[slabClass]!)
  }

  /** All chunks of a class, used, free or not carved yet. */
  chunkCount(slabClass: number): number {
    return this.get(slabClass, ClassWord.UsedCount) + this.get(slabClass, ClassWord.FreeCount) + this.get(slabClass, ClassWord.CarveLeft)
  }

  /**
   * A chunk that is free or can be carved from a page, marked as reserved; NO_ITEM if the class has none and may have no
   * further page.
   */
  takeLocked(slabClass: number): ItemId {
    const head = this.word(slabClass, ClassWord.FreeHead)
    let chunk = this.words[head]! as ItemId
    if (chunk !== NO_ITEM) this.unhookFree(slabClass, chunk)
    else chunk = this.carveLocked(slabClass)
    if (chunk === NO_ITEM) return NO_ITEM
    this.words[chunk + ItemWord.State] = 1
    const use = this.pageUse + (chunk >>> Size.PageShift)
    if (this.words[use]!++ === 0) this.countEmptyPages(-1)
    this.add(slabClass, ClassWord.UsedCount, 1)
    return chunk
  }

  private carveLocked(slabClass: number): ItemId {
    if (this.get(slabClass, ClassWord.CarveLeft) === 0 && !this.takePage(slabClass)) return NO_ITEM
    const next = this.word(slabClass, ClassWord.CarveNext)
    const chunk = this.words[next]! as ItemId
    this.words[next] = chunk + (this.classes.chunkBytes[slabClass]! >> 2)
    this.add(slabClass, ClassWord.CarveLeft, -1)
    return chunk
  }

  giveBackLocked(slabClass: number, chunk: ItemId): void {
    const { words } = this
    const head = this.word(slabClass, ClassWord.FreeHead)
    const next = words[head]! as ItemId
    words[chunk + ItemWord.State] = 0
    words[chunk + ItemWord.Next] = next
    words[chunk + ItemWord.Prev] = NO_ITEM
    if (next !== NO_ITEM) words[next + ItemWord.Prev] = chunk
    words[head] = chunk
    const use = this.pageUse + (chunk >>> Size.PageShift)
    if (--words[use]! === 0) this.countEmptyPages(1)
    this.add(slabClass, ClassWord.FreeCount, 1)
    this.add(slabClass, ClassWord.UsedCount, -1)
  }

  /** Takes a chunk out of the free list, wherever it is in it. */
  private unhookFree(slabClass: number, chunk: ItemId): void {
    const { words } = this
    const next = words[chunk + ItemWord.Next]!
    const prev = words[chunk + ItemWord.Prev]!
    if (next !== NO_ITEM) words[next + ItemWord.Prev] = prev
    if (prev !== NO_ITEM) words[prev + ItemWord.Next] = next
    else words[this.word(slabClass, ClassWord.FreeHead)] = next
    this.add(slabClass, ClassWord.FreeCount, -1)
  }

  /**
   * Gives a class one more page. As in memcached a class without any page gets its first one even when the limit is
   * reached, so that no size of item is locked out; the arena has room for that.
   */
  private takePage(slabClass: number): boolean {
    const bytes = this.classes.pageBytes(slabClass)
    const pageLock = this.shardWords + ShardWord.PageLock
    this.locks.take(pageLock)
    const hasPage = this.get(slabClass, ClassWord.PageCount) > 0
    const page = hasPage && this.bytesUsed + bytes > this.bytesMax ? 0 : this.freshPage()
    if (page !== 0) {
      this.words[this.pageSize + page] = bytes
      this.assignPage(page, slabClass)
    }
    this.locks.release(pageLock)
    return page !== 0
  }

  /** Makes a page of no class the one from which a class, that has carved all of its others, takes its next chunks. */
  private assignPage(page: number, slabClass: number): void {
    const words = this.words
    words[this.pageTable + page] = slabClass
    words[this.shardWords + ShardWord.PagesUsed]!++
    words[this.shardWords + ShardWord.BytesUsed]! += this.sizeOfPage(page)
    words[this.word(slabClass, ClassWord.CarveNext)] = page * Size.PageWords
    words[this.word(slabClass, ClassWord.CarveLeft)] = this.chunksOf(page, slabClass)
    this.add(slabClass, ClassWord.PageCount, 1)
    this.countEmptyPages(1)
  }

  /** Classes count here without a lock that they have in common. */
  private countEmptyPages(change: number): void {
    Atomics.add(this.words, this.shardWords + ShardWord.EmptyPages, change)
    Atomics.add(this.words, this.shardWords + ShardWord.EmptyChanges, 1)
  }

  /** A page that was never used; 0 if there is none. */
  private freshPage(): number {
    const carved = this.words[this.shardWords + ShardWord.PagesCarved]!
    if (carved >= this.arena.pageEnd - this.arena.firstPage) return 0
    this.words[this.shardWords + ShardWord.PagesCarved] = carved + 1
    return this.arena.firstPage + carved
  }

  /** Takes a page, whose chunks must all be free, from its class. */
  private takeFromClass(page: number): void {
    const { words } = this
    assert(words[this.pageUse + page] === 0, 'a page changes its class with a chunk in use')
    const slabClass = this.classOfPage(page)
    const carved = this.carvedChunks(page)
    for (let index = 0; index < carved; index++) this.unhookFree(slabClass, this.chunkAt(page, index, slabClass))
    if (this.isBeingCarved(page, slabClass)) words[this.word(slabClass, ClassWord.CarveLeft)] = 0
    this.add(slabClass, ClassWord.PageCount, -1)
    words[this.shardWords + ShardWord.PagesUsed]!--
    words[this.shardWords + ShardWord.BytesUsed]! -= this.sizeOfPage(page)
    this.countEmptyPages(-1)
  }

  /** Gives a page, whose chunks must all be free, to a class that has no chunk left. Needs the locks of both. */
  movePageLocked(page: number, slabClass: number): void {
    const pageLock = this.shardWords + ShardWord.PageLock
    this.locks.take(pageLock)
    this.takeFromClass(page)
    this.assignPage(page, slabClass)
    this.locks.release(pageLock)
  }

  /** Pages that have a class but in which no chunk is in use. */
  get emptyPages(): number { return this.words[this.shardWords + ShardWord.EmptyPages]! }

  isEmptyPage(page: number): boolean { return this.classOfPage(page) > 0 && this.words[this.pageUse + page] === 0 }

  /**
   * A page of another class in which no chunk is in use and that can hold one of this class, but not the only one of its
   * class, which would be given a new one beyond the limit; 0 if there is none. Needs the lock of `slabClass`.
   */
  findEmptyPageLocked(slabClass: number): number {
    const changes = this.words[this.shardWords + ShardWord.EmptyChanges]!
    const sought = this.word(slabClass, ClassWord.EmptySought)
    if (this.emptyPages === 0 || this.words[sought] === changes) return 0
    for (let page = this.arena.firstPage; page < this.arena.pageEnd; page++) {
      const owner = this.classOfPage(page)
      if (owner !== slabClass && this.isEmptyPage(page) && this.canSpare(owner) && this.chunksOf(page, slabClass) > 0) return page
    }
    this.words[sought] = changes
    return 0
  }

  /** Whether a class has more than one page. */
  canSpare(slabClass: number): boolean { return this.get(slabClass, ClassWord.PageCount) > 1 }

  /** The page that was last being emptied, perhaps only in part. */
  get emptyingPage(): number { return this.words[this.shardWords + ShardWord.Emptying]! }
  set emptyingPage(page: number) { this.words[this.shardWords + ShardWord.Emptying] = page }

  /** How many chunks are in use. */
  get usedCount(): number {
    let count = 0
    for (let slabClass = 1; slabClass <= this.classes.largest; slabClass++) count += this.get(slabClass, ClassWord.UsedCount)
    return count
  }

  /** How many chunks all classes have handed out at least once: what a walk over the memory meets. */
  get carvedCount(): number {
    let count = 0
    for (let slabClass = 1; slabClass <= this.classes.largest; slabClass++) {
      count += this.get(slabClass, ClassWord.UsedCount) + this.get(slabClass, ClassWord.FreeCount)
    }
    return count
  }

  /** How many chunks of a page have been handed out at least once; those behind were never touched. */
  carvedChunks(page: number): number {
    const slabClass = this.classOfPage(page)
    // read once, and before `isBeingCarved`: who holds no lock may else take what is left of the next page for that of this one
    const left = this.get(slabClass, ClassWord.CarveLeft)
    const all = this.chunksOf(page, slabClass)
    return this.isBeingCarved(page, slabClass) ? all - left : all
  }

  private isBeingCarved(page: number, slabClass: number): boolean {
    return this.get(slabClass, ClassWord.CarveLeft) > 0 && this.get(slabClass, ClassWord.CarveNext) >>> Size.PageShift === page
  }
}
