// Slabs: pages, which each class cuts into chunks of one size, see classes.ts. This file knows which chunks are free, but not
// what the others contain. A new page's chunks are not put on the free list, but carved one by one, so memory is touched only
// when it is first used. A page has at most 1 MiB, and keeps its first size in bytes whatever class owns it later, as the memory
// beyond it was never touched.
import { ARENA_PAGES_MAX, type Arena } from '../../memory/arena.js'
import { ClassWord, Free, ItemWord, PageOwner, PageUse, ShardWord, Size } from '../../memory/layout.js'
import { type Locks } from '../../memory/lock.js'
import { assert } from '../../errors.js'
import { type SlabClasses } from './classes.js'
import { NO_ITEM, type ItemId } from '../items/items.js'

/** The words of classes that the lists of items are kept in. */
export type ClassWords = Pick<Slabs, 'classes' | 'word' | 'get' | 'add' | 'classAt'>

export class Slabs {
  private readonly words: Int32Array
  /**
   * Word indexes of four tables, with a word for each page that an arena may have: the class that owns it, the number of its
   * chunks in use, its size in bytes, its turn.
   */
  private readonly pageTable: number
  private readonly pageUse: number
  private readonly pageSize: number
  private readonly pageTurn: number

  /** The bytes for each page in `pageTables`. */
  static readonly PAGE_BYTES = 4 * 4

  /**
   * @param classWords, shardWords word indexes of the regions laid out in layout.ts
   * @param pageTablesAt byte index of PAGE_BYTES bytes for each of ARENA_PAGES_MAX pages
   * @param locks the locks on words of the arena
   */
  constructor(private readonly arena: Arena, readonly classes: SlabClasses, private readonly classWords: number,
    private readonly shardWords: number, pageTablesAt: number, private readonly locks: Locks) {
    this.words = arena.words
    this.pageTable = pageTablesAt >> 2
    this.pageUse = this.pageTable + ARENA_PAGES_MAX
    this.pageSize = this.pageUse + ARENA_PAGES_MAX
    this.pageTurn = this.pageSize + ARENA_PAGES_MAX
  }

  /** Takes the lock of a class, which guards its free chunks and its lists. */
  lock(slabClass: number): void { this.locks.take(this.word(slabClass, ClassWord.Lock)) }

  tryLock(slabClass: number): boolean { return this.locks.tryTake(this.word(slabClass, ClassWord.Lock)) }

  unlock(slabClass: number): void { this.locks.release(this.word(slabClass, ClassWord.Lock)) }

  /** The index of a word of a class. */
  word(slabClass: number, word: ClassWord): number {
    return this.classWords + slabClass * ClassWord.Stride + word
  }

  get(slabClass: number, word: ClassWord): number { return this.words[this.word(slabClass, word)]! }

  add(slabClass: number, word: ClassWord, amount: number): void { this.words[this.word(slabClass, word)]! += amount }

  get pagesUsed(): number { return this.words[this.shardWords + ShardWord.PagesUsed]! }
  /** The bytes of all pages that belong to a class or to the pool. */
  get bytesUsed(): number { return this.words[this.shardWords + ShardWord.BytesUsed]! }
  /** The limit of `bytesUsed`, except that classes may get their first pages beyond it, see `takePage`. */
  get bytesMax(): number { return this.words[this.shardWords + ShardWord.BytesMax]! }
  set bytesMax(bytes: number) {
    this.words[this.shardWords + ShardWord.BytesMax] = bytes
    const peak = this.shardWords + ShardWord.BytesPeak
    this.words[peak] = Math.max(this.words[peak]!, bytes)
  }

  /** True if more bytes are used than the limit, which has been lowered. Otherwise only first pages of classes exceed it. */
  get isOverLowered(): boolean {
    return this.bytesUsed > this.bytesMax && this.bytesMax < this.words[this.shardWords + ShardWord.BytesPeak]!
  }

  get firstPage(): number { return this.arena.firstPage }

  /** The number behind the last page that was ever used. */
  get pageEnd(): number { return this.arena.firstPage + this.words[this.shardWords + ShardWord.PagesCarved]! }

  /** The class that owns a chunk's page. */
  classAt(chunk: ItemId): number { return this.words[this.pageTable + (chunk >>> Size.PageShift)]! }

  pageAt(chunk: ItemId): number { return chunk >>> Size.PageShift }

  /** The turn word of a chunk's page, see generations.ts. */
  turnAt(chunk: ItemId): number { return this.words[this.pageTurn + (chunk >>> Size.PageShift)]! }
  /** The same, by an atomic load, which comes before the later reads of this thread. */
  loadTurnAt(chunk: ItemId): number { return Atomics.load(this.words, this.pageTurn + (chunk >>> Size.PageShift)) }
  turnOf(page: number): number { return this.words[this.pageTurn + page]! }
  setTurn(page: number, turn: number): void { Atomics.store(this.words, this.pageTurn + page, turn) }

  /** The class that owns a page; for a page without a class its PageOwner, which is 0 or negative. */
  classOfPage(page: number): number { return this.words[this.pageTable + page]! }

  chunkAt(page: number, index: number, slabClass: number): ItemId {
    return (page * Size.PageWords + index * (this.classes.chunkBytes[slabClass]! >> 2)) as ItemId
  }

  /** The bytes of a page. */
  sizeOfPage(page: number): number { return this.words[this.pageSize + page]! }

  /** The number of chunks that a page has, or would have, in a class. */
  chunksOf(page: number, slabClass: number): number {
    return Math.floor(this.sizeOfPage(page) / this.classes.chunkBytes[slabClass]!)
  }

  /** The number of chunks of a class, used, free or not carved yet, without retired ones. */
  chunkCount(slabClass: number): number {
    return this.get(slabClass, ClassWord.UsedCount) + this.get(slabClass, ClassWord.FreeCount) +
      this.get(slabClass, ClassWord.CarveLeft)
  }

  /** True if a class has a chunk to reserve without another page. */
  hasChunkLeft(slabClass: number): boolean {
    return this.get(slabClass, ClassWord.FreeCount) > 0 || this.get(slabClass, ClassWord.CarveLeft) > 0
  }

  /**
   * Reserves a chunk that is free, or carves one from a page. Returns NO_ITEM if the class has no chunk and may not have another
   * page.
   */
  takeClassLocked(slabClass: number): ItemId {
    const head = this.word(slabClass, ClassWord.FreeHead)
    let chunk = this.words[head]! as ItemId
    if (chunk !== NO_ITEM) this.unhookFree(slabClass, chunk)
    else chunk = this.carveClassLocked(slabClass)
    if (chunk !== NO_ITEM) this.useClassLocked(slabClass, chunk)
    return chunk
  }

  private useClassLocked(slabClass: number, chunk: ItemId): void {
    this.words[chunk + ItemWord.State] = 1
    const use = this.pageUse + (chunk >>> Size.PageShift)
    if (this.words[use]!++ === 0) this.countEmptyPages(-1)
    this.add(slabClass, ClassWord.UsedCount, 1)
  }

  private carveClassLocked(slabClass: number): ItemId {
    const isUsedUp = this.get(slabClass, ClassWord.CarveLeft) === 0
    if (isUsedUp && (!this.mayHavePage(slabClass) || !this.takePage(slabClass))) return NO_ITEM
    const next = this.word(slabClass, ClassWord.CarveNext)
    const chunk = this.words[next]! as ItemId
    this.words[next] = chunk + (this.classes.chunkBytes[slabClass]! >> 2)
    this.add(slabClass, ClassWord.CarveLeft, -1)
    return chunk
  }

  giveBackClassLocked(slabClass: number, chunk: ItemId): void {
    const { words } = this
    assert(words[chunk + ItemWord.State] !== 0, 'a chunk is given back that is free already')
    words[chunk + ItemWord.State] = 0
    const used = --words[this.pageUse + (chunk >>> Size.PageShift)]!
    if (used < PageUse.Leaving) this.hookFree(slabClass, chunk)
    else words[chunk + ItemWord.Next] = Free.Retired
    if (used === 0) this.countEmptyPages(1)
    this.add(slabClass, ClassWord.UsedCount, -1)
  }

  private hookFree(slabClass: number, chunk: ItemId): void {
    const { words } = this
    const head = this.word(slabClass, ClassWord.FreeHead)
    const next = words[head]! as ItemId
    words[chunk + ItemWord.Next] = next
    words[chunk + ItemWord.Prev] = NO_ITEM
    if (next !== NO_ITEM) words[next + ItemWord.Prev] = chunk
    words[head] = chunk
    this.add(slabClass, ClassWord.FreeCount, 1)
  }

  /** Removes a chunk from the free list, at any position. */
  private unhookFree(slabClass: number, chunk: ItemId): void {
    const { words } = this
    const next = words[chunk + ItemWord.Next]!
    const prev = words[chunk + ItemWord.Prev]!
    if (next !== NO_ITEM) words[next + ItemWord.Prev] = prev
    if (prev !== NO_ITEM) words[prev + ItemWord.Next] = next
    else words[this.word(slabClass, ClassWord.FreeHead)] = next
    this.add(slabClass, ClassWord.FreeCount, -1)
  }

  // Pages

  /**
   * Gives a class another page. As in memcached, a class without pages gets its first one even if the limit is reached, so that
   * items of all sizes can be stored; the arena has spare pages for that.
   */
  private takePage(slabClass: number): boolean {
    this.lockPages()
    const page = this.pageFor(slabClass)
    if (page !== 0) this.assignPage(page, slabClass)
    this.unlockPages()
    return page !== 0
  }

  /** False if there is no page to take, as far as can be seen without the lock of the pages. */
  private mayHavePage(slabClass: number): boolean {
    return this.bytesUsed + Size.Page / 2 <= this.bytesMax || this.poolPages > 0 || this.withdrawnPages > 0 ||
      this.get(slabClass, ClassWord.PageCount) === 0
  }

  /** True if a thread holds the lock of a class or that of the pages. */
  isAnyLockHeldBy(thread: number): boolean {
    for (let slabClass = 0; slabClass <= this.classes.largest; slabClass++) {
      if (this.locks.isHeldBy(this.word(slabClass, ClassWord.Lock), thread)) return true
    }
    return this.locks.isHeldBy(this.shardWords + ShardWord.PageLock, thread)
  }

  private lockPages(): void { this.locks.take(this.shardWords + ShardWord.PageLock) }
  private unlockPages(): void { this.locks.release(this.shardWords + ShardWord.PageLock) }

  /** A page without a class that the limit allows a class to take: preferably one that was used before. */
  private pageFor(slabClass: number): number {
    const pooled = this.poolPages > 0 ? this.findOwned(PageOwner.Pool, slabClass, Infinity) : 0
    if (pooled !== 0) return pooled
    const isFirst = this.get(slabClass, ClassWord.PageCount) === 0
    const room = isFirst ? Infinity : this.bytesMax - this.bytesUsed
    const withdrawn = this.withdrawnPages > 0 ? this.findOwned(PageOwner.Withdrawn, slabClass, room) : 0
    if (withdrawn !== 0) return withdrawn
    const bytes = this.freshBytes(slabClass, room)
    return bytes > 0 ? this.freshPage(bytes, isFirst) : 0
  }

  /** The bytes of a fresh page for a class if `room` is left: the last page may have only half of its bytes. 0 for no page. */
  private freshBytes(slabClass: number, room: number): number {
    const bytes = this.classes.pageBytes(slabClass)
    if (bytes <= room) return bytes
    const chunkBytes = this.classes.chunkBytes[slabClass]!
    return room < Size.Page / 2 ? 0 : Math.floor(room / chunkBytes) * chunkBytes
  }

  /** A page of an owner that has at most `bytesMax` bytes, and room for a chunk of a class; 0 if there is none. */
  private findOwned(owner: PageOwner, slabClass: number, bytesMax: number): number {
    for (let page = this.arena.firstPage; page < this.pageEnd; page++) {
      if (this.classOfPage(page) === owner && this.sizeOfPage(page) <= bytesMax && this.chunksOf(page, slabClass) > 0) return page
    }
    return 0
  }

  /** A page that was never used; 0 if there is none. One page for each class is kept back, for the first pages of classes. */
  private freshPage(bytes: number, isFirst: boolean): number {
    const page = this.pageEnd
    if (page >= this.arena.pageEnd - (isFirst ? 0 : this.classes.largest)) return 0
    this.words[this.shardWords + ShardWord.PagesCarved]!++
    this.words[this.pageSize + page] = bytes
    return page
  }

  /** Gives a page without a class to a class. If that is carving another page, the chunks are put on its free list. */
  private assignPage(page: number, slabClass: number): void {
    const { words } = this
    this.setOwner(page, slabClass)
    this.countEmptyPages(1)
    const chunks = this.chunksOf(page, slabClass)
    if (this.get(slabClass, ClassWord.CarveLeft) === 0) {
      words[this.word(slabClass, ClassWord.CarveNext)] = page * Size.PageWords
      words[this.word(slabClass, ClassWord.CarveLeft)] = chunks
      return
    }
    // only a moved page comes here, whose memory is touched already: takes at most some 0.3 ms, with the smallest chunks
    for (let index = 0; index < chunks; index++) {
      const chunk = this.chunkAt(page, index, slabClass)
      words[chunk + ItemWord.State] = 0
      this.hookFree(slabClass, chunk)
    }
  }

  /** Sets the owner of a page, and counts it. Needs the lock of the pages, and those of the former and the new class. */
  private setOwner(page: number, owner: number): void {
    this.countOwner(page, this.classOfPage(page), -1)
    this.words[this.pageTable + page] = owner
    this.countOwner(page, owner, 1)
  }

  private countOwner(page: number, owner: number, change: 1 | -1): void {
    const { words, shardWords } = this
    if (owner > 0) this.add(owner, ClassWord.PageCount, change)
    else if (owner === PageOwner.Pool) words[shardWords + ShardWord.PoolPages]! += change
    else if (owner === PageOwner.Withdrawn) words[shardWords + ShardWord.WithdrawnPages]! += change
    if (owner <= 0 && owner !== PageOwner.Pool) return
    words[shardWords + ShardWord.PagesUsed]! += change
    words[shardWords + ShardWord.BytesUsed]! += change * this.sizeOfPage(page)
  }

  /** The number of pages in the pool, which any class may take. */
  get poolPages(): number { return this.words[this.shardWords + ShardWord.PoolPages]! }
  /** The number of pages that are set aside because the limit was lowered. */
  get withdrawnPages(): number { return this.words[this.shardWords + ShardWord.WithdrawnPages]! }

  /** Sets pages of the pool aside while all pages together take more than the limit. */
  withdrawPool(): void {
    this.lockPages()
    for (let page = this.arena.firstPage; page < this.pageEnd && this.bytesUsed > this.bytesMax; page++) {
      if (this.classOfPage(page) === PageOwner.Pool) this.setOwner(page, PageOwner.Withdrawn)
    }
    this.unlockPages()
  }

  /** Gives a class a page of the pool; false if there is none with room for a chunk of the class. */
  takeFromPoolClassLocked(slabClass: number): boolean {
    this.lockPages()
    const page = this.findOwned(PageOwner.Pool, slabClass, Infinity)
    if (page !== 0) this.assignPage(page, slabClass)
    this.unlockPages()
    return page !== 0
  }

  /** Counts empty pages, atomically, as threads that hold different classes do so at once. */
  private countEmptyPages(change: number): void {
    Atomics.add(this.words, this.shardWords + ShardWord.EmptyPages, change)
    Atomics.add(this.words, this.shardWords + ShardWord.EmptyChanges, 1)
  }

  /** Takes a page from its class. All its chunks must be free. */
  private takeFromClass(page: number): void {
    const { words } = this
    const use = this.pageUse + page
    const slabClass = this.classOfPage(page)
    if (this.isLeaving(page)) this.countLeaving(page, -1)
    else {
      const carved = this.carvedChunks(page)
      for (let index = 0; index < carved; index++) this.unhookFree(slabClass, this.chunkAt(page, index, slabClass))
      if (this.isBeingCarved(page, slabClass)) words[this.word(slabClass, ClassWord.CarveLeft)] = 0
      this.countEmptyPages(-1)
    }
    assert(words[use] === 0, 'a page changes its class with a chunk in use')
  }

  /** Gives a page to a class or a PageOwner. All its chunks must be free. Needs the locks of both classes. */
  movePageClassesLocked(page: number, owner: number): void {
    this.lockPages()
    this.takeFromClass(page)
    if (owner > 0) this.assignPage(page, owner)
    else this.setOwner(page, owner)
    this.unlockPages()
  }

  // Leaving: a page is to leave its class, and its items are moved to other pages. Its free chunks are retired: they are in no
  // list.

  isLeaving(page: number): boolean { return this.words[this.pageUse + page]! >= PageUse.Leaving }

  /** The number of chunks of a page that are in use. */
  usedChunks(page: number): number { return this.words[this.pageUse + page]! & (PageUse.Leaving - 1) }

  /**
   * The page of a class with the fewest chunks in use that may leave the class; 0 if there is none.
   * @param forClass the class that is to get the page, which must have room for a chunk of it; or a PageOwner
   */
  leastUsedPage(slabClass: number, forClass: number): number {
    let least = 0
    for (let page = this.arena.firstPage; page < this.pageEnd; page++) {
      if (this.classOfPage(page) !== slabClass || !this.mayLeave(page, slabClass, forClass)) continue
      if (least === 0 || this.usedChunks(page) < this.usedChunks(least)) least = page
    }
    return least
  }

  /** Sets `classes` to 1 for each class for which `leastUsedPage` finds a page, and to 0 for the others. Reads each page once. */
  markLeavable(classes: Uint8Array, forClass: number): void {
    classes.fill(0)
    for (let page = this.arena.firstPage; page < this.pageEnd; page++) {
      const slabClass = this.classOfPage(page)
      if (slabClass > 0 && classes[slabClass] === 0 && this.mayLeave(page, slabClass, forClass)) classes[slabClass] = 1
    }
  }

  private mayLeave(page: number, slabClass: number, forClass: number): boolean {
    return !this.isLeaving(page) && !this.isBeingCarved(page, slabClass) && (forClass <= 0 || this.chunksOf(page, forClass) > 0)
  }

  /** Lets a page leave its class: chunks of it that are freed from now on are retired. The page must not be being carved. */
  beginLeavingClassLocked(page: number): void {
    if (this.isEmptyPage(page)) this.countEmptyPages(-1)
    this.countLeaving(page, 1)
  }

  private countLeaving(page: number, change: 1 | -1): void {
    this.words[this.pageUse + page]! += change * PageUse.Leaving
    this.add(this.classOfPage(page), ClassWord.LeavingCount, change)
  }

  /** Retires a free chunk of a page that is leaving; false if it is in use or retired already. */
  retireClassLocked(slabClass: number, chunk: ItemId): boolean {
    const { words } = this
    if (words[chunk + ItemWord.State] !== 0 || this.isRetired(chunk)) return false
    this.unhookFree(slabClass, chunk)
    words[chunk + ItemWord.Next] = Free.Retired
    return true
  }

  /** Reserves a retired chunk, as `takeClassLocked` does other chunks; false if the chunk is not a retired one of the class. */
  tryTakeRetiredClassLocked(slabClass: number, chunk: ItemId): boolean {
    if (this.classAt(chunk) !== slabClass || this.words[chunk + ItemWord.State] !== 0 || !this.isRetired(chunk)) return false
    this.useClassLocked(slabClass, chunk)
    return true
  }

  /** True if a free chunk is retired, that is, in no list. */
  isRetired(chunk: ItemId): boolean { return this.words[chunk + ItemWord.Next] === Free.Retired }

  /** Lets a page that was leaving its class stay in it. */
  undoLeavingClassLocked(page: number): void {
    const { words } = this
    const slabClass = this.classOfPage(page)
    this.countLeaving(page, -1)
    if (this.isEmptyPage(page)) this.countEmptyPages(1)
    const count = this.chunksOf(page, slabClass)
    for (let index = 0; index < count; index++) {
      const chunk = this.chunkAt(page, index, slabClass)
      if (words[chunk + ItemWord.State] === 0 && this.isRetired(chunk)) this.hookFree(slabClass, chunk)
    }
  }

  /** The number of pages that belong to a class and have no chunk in use. */
  get emptyPages(): number { return this.words[this.shardWords + ShardWord.EmptyPages]! }

  isEmptyPage(page: number): boolean { return this.classOfPage(page) > 0 && this.words[this.pageUse + page] === 0 }

  /**
   * A page of another class that has no chunk in use and room for a chunk of this class; 0 if there is none. It is not the only
   * page of its class, as that class would then get a new one beyond the limit.
   */
  findEmptyPageClassLocked(slabClass: number): number {
    const changes = this.words[this.shardWords + ShardWord.EmptyChanges]!
    const sought = this.word(slabClass, ClassWord.EmptySought)
    if (this.emptyPages === 0 || this.words[sought] === changes) return 0
    for (let page = this.arena.firstPage; page < this.pageEnd; page++) {
      const owner = this.classOfPage(page)
      if (owner !== slabClass && this.isEmptyPage(page) && this.canSpare(owner) && this.chunksOf(page, slabClass) > 0) return page
    }
    this.words[sought] = changes
    return 0
  }

  /** The number of pages of a class that are not leaving it. */
  stayingPages(slabClass: number): number {
    return this.get(slabClass, ClassWord.PageCount) - this.get(slabClass, ClassWord.LeavingCount)
  }

  /** True if a class has more than one page that is not leaving it. */
  canSpare(slabClass: number): boolean { return this.stayingPages(slabClass) > 1 }

  /** The page that an allocation last began to empty, perhaps without finishing. */
  get emptyingPage(): number { return this.words[this.shardWords + ShardWord.Emptying]! }
  set emptyingPage(page: number) { this.words[this.shardWords + ShardWord.Emptying] = page }

  /** The number of chunks in use. */
  get usedCount(): number {
    let count = 0
    for (let slabClass = 1; slabClass <= this.classes.largest; slabClass++) count += this.get(slabClass, ClassWord.UsedCount)
    return count
  }

  /** The number of chunks that have been carved, without retired ones: those that a walk over the memory meets. */
  get carvedCount(): number {
    let count = 0
    for (let slabClass = 1; slabClass <= this.classes.largest; slabClass++) {
      count += this.get(slabClass, ClassWord.UsedCount) + this.get(slabClass, ClassWord.FreeCount)
    }
    return count
  }

  /** The number of chunks of a page that have been carved. The memory behind them was never touched. */
  carvedChunks(page: number): number {
    const slabClass = this.classOfPage(page)
    // read once, before `isBeingCarved`: otherwise a caller without the lock might take the count of the next page for this one
    const left = this.get(slabClass, ClassWord.CarveLeft)
    const all = this.chunksOf(page, slabClass)
    return this.isBeingCarved(page, slabClass) ? all - left : all
  }

  private isBeingCarved(page: number, slabClass: number): boolean {
    return this.get(slabClass, ClassWord.CarveLeft) > 0 && this.get(slabClass, ClassWord.CarveNext) >>> Size.PageShift === page
  }
}
