// Slabs: pages cut into chunks of one size for each class, see classes.ts. Which chunks are free is known here; what is in
// the others is not. A new page is not threaded onto the free list but carved chunk by chunk, so memory is first touched
// when it is first used. A page keeps the bytes it was first given whatever class owns it later, as they have been touched
// and others have not.
import { ARENA_PAGES_MAX, type Arena } from '../../memory/arena.js'
import { ClassWord, Free, ItemWord, PageOwner, PageUse, ShardWord, Size } from '../../memory/layout.js'
import { type Locks } from '../../memory/lock.js'
import { assert } from '../../errors.js'
import { type SlabClasses } from './classes.js'
import { NO_ITEM, type ItemId } from '../items/items.js'

export class Slabs {
  private readonly words: Int32Array
  /**
   * Word indexes of four tables with a word for each page that an arena may have: the class that owns it, its chunks in use, its
   * bytes, its turn.
   */
  private readonly pageTable: number
  private readonly pageUse: number
  private readonly pageSize: number
  private readonly pageTurn: number

  /** The bytes a page needs in `pageTables`. */
  static readonly PAGE_BYTES = 4 * 4

  /**
   * @param classWords, shardWords word indexes of the regions laid out in layout.ts
   * @param pageTablesAt byte index of PAGE_BYTES for each of ARENA_PAGES_MAX pages
   * @param locks on words of the arena
   */
  constructor(private readonly arena: Arena, readonly classes: SlabClasses, private readonly classWords: number,
    private readonly shardWords: number, pageTablesAt: number, private readonly locks: Locks) {
    this.words = arena.words
    this.pageTable = pageTablesAt >> 2
    this.pageUse = this.pageTable + ARENA_PAGES_MAX
    this.pageSize = this.pageUse + ARENA_PAGES_MAX
    this.pageTurn = this.pageSize + ARENA_PAGES_MAX
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
  /** The bytes of all pages that have a class or are in the pool. */
  get bytesUsed(): number { return this.words[this.shardWords + ShardWord.BytesUsed]! }
  /** What they may be at most, but see `takePage`. */
  get bytesMax(): number { return this.words[this.shardWords + ShardWord.BytesMax]! }
  set bytesMax(bytes: number) {
    this.words[this.shardWords + ShardWord.BytesMax] = bytes
    const peak = this.shardWords + ShardWord.BytesPeak
    this.words[peak] = Math.max(this.words[peak]!, bytes)
  }

  /** Whether what is used beyond the limit is more than first pages of classes, because the limit was once higher. */
  get isOverLowered(): boolean {
    return this.bytesUsed > this.bytesMax && this.bytesMax < this.words[this.shardWords + ShardWord.BytesPeak]!
  }

  get firstPage(): number { return this.arena.firstPage }

  /** Behind the last page that was ever used. */
  get pageEnd(): number { return this.arena.firstPage + this.words[this.shardWords + ShardWord.PagesCarved]! }

  /** The class that owns the page in which a chunk lies. */
  classAt(chunk: ItemId): number { return this.words[this.pageTable + (chunk >>> Size.PageShift)]! }

  pageAt(chunk: ItemId): number { return chunk >>> Size.PageShift }

  /** What the generations of the items in a page are counted from, see generations.ts; by a chunk in it, or by its number. */
  turnAt(chunk: ItemId): number { return this.words[this.pageTurn + (chunk >>> Size.PageShift)]! }
  /** As `turnAt`, and before what this thread reads after. */
  loadTurnAt(chunk: ItemId): number { return Atomics.load(this.words, this.pageTurn + (chunk >>> Size.PageShift)) }
  turnOf(page: number): number { return this.words[this.pageTurn + page]! }
  setTurn(page: number, turn: number): void { Atomics.store(this.words, this.pageTurn + page, turn) }

  /** The class that owns a page; for a page of no class a PageOwner, which is not above 0. */
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

  /** All chunks of a class, used, free or not carved yet, but those that are retired. */
  chunkCount(slabClass: number): number {
    return this.get(slabClass, ClassWord.UsedCount) + this.get(slabClass, ClassWord.FreeCount) +
      this.get(slabClass, ClassWord.CarveLeft)
  }

  /** Whether a class has a chunk to hand out without another page. */
  hasChunkLeft(slabClass: number): boolean {
    return this.get(slabClass, ClassWord.FreeCount) > 0 || this.get(slabClass, ClassWord.CarveLeft) > 0
  }

  /**
   * A chunk that is free or can be carved from a page, marked as reserved; NO_ITEM if the class has none and may have no
   * further page.
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
    if (this.get(slabClass, ClassWord.CarveLeft) === 0 && !this.takePage(slabClass)) return NO_ITEM
    const next = this.word(slabClass, ClassWord.CarveNext)
    const chunk = this.words[next]! as ItemId
    this.words[next] = chunk + (this.classes.chunkBytes[slabClass]! >> 2)
    this.add(slabClass, ClassWord.CarveLeft, -1)
    return chunk
  }

  giveBackClassLocked(slabClass: number, chunk: ItemId): void {
    const { words } = this
    assert(words[chunk + ItemWord.State] !== 0, 'a chunk is given back that is free')
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

  // Pages

  /**
   * Gives a class one more page. As in memcached a class without any page gets its first one even when the limit is
   * reached, so that no size of item is locked out; the arena has room for that.
   */
  private takePage(slabClass: number): boolean {
    this.lockPages()
    const page = this.pageFor(slabClass)
    if (page !== 0) this.assignPage(page, slabClass)
    this.unlockPages()
    return page !== 0
  }

  private lockPages(): void { this.locks.take(this.shardWords + ShardWord.PageLock) }
  private unlockPages(): void { this.locks.release(this.shardWords + ShardWord.PageLock) }

  /** A page of no class that the limit allows a class to have: one that was used before, if there is one. */
  private pageFor(slabClass: number): number {
    const pooled = this.poolPages > 0 ? this.findOwned(PageOwner.Pool, slabClass, Infinity) : 0
    if (pooled !== 0) return pooled
    const isFirst = this.get(slabClass, ClassWord.PageCount) === 0
    const room = isFirst ? Infinity : this.bytesMax - this.bytesUsed
    const withdrawn = this.withdrawnPages > 0 ? this.findOwned(PageOwner.Withdrawn, slabClass, room) : 0
    if (withdrawn !== 0) return withdrawn
    const bytes = this.classes.pageBytes(slabClass)
    return bytes <= room ? this.freshPage(bytes, isFirst) : 0
  }

  /** A page of an owner that has up to `bytesMax` bytes and room for a chunk of a class; 0 if there is none. */
  private findOwned(owner: PageOwner, slabClass: number, bytesMax: number): number {
    for (let page = this.arena.firstPage; page < this.pageEnd; page++) {
      if (this.classOfPage(page) === owner && this.sizeOfPage(page) <= bytesMax && this.chunksOf(page, slabClass) > 0) return page
    }
    return 0
  }

  /** A page that was never used; 0 if there is none. As many as there are classes are kept for the first pages of classes. */
  private freshPage(bytes: number, isFirst: boolean): number {
    const page = this.pageEnd
    if (page >= this.arena.pageEnd - (isFirst ? 0 : this.classes.largest)) return 0
    this.words[this.shardWords + ShardWord.PagesCarved]!++
    this.words[this.pageSize + page] = bytes
    return page
  }

  /** Gives a page of no class to one, which carves it when it has carved all of its others. */
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
    // a moved page, whose memory is in use already, for a class that is carving: at most some 0.3 ms for the smallest chunks
    for (let index = 0; index < chunks; index++) {
      const chunk = this.chunkAt(page, index, slabClass)
      words[chunk + ItemWord.State] = 0
      this.hookFree(slabClass, chunk)
    }
  }

  /** Writes down who has a page, and counts it. Needs the lock of pages and those of the classes concerned. */
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

  /** Pages that any class may have. */
  get poolPages(): number { return this.words[this.shardWords + ShardWord.PoolPages]! }
  /** Pages that are not used because the limit was lowered. */
  get withdrawnPages(): number { return this.words[this.shardWords + ShardWord.WithdrawnPages]! }

  /** Lays pages of the pool aside while all pages together take more than the limit. */
  withdrawPool(): void {
    this.lockPages()
    for (let page = this.arena.firstPage; page < this.pageEnd && this.bytesUsed > this.bytesMax; page++) {
      if (this.classOfPage(page) === PageOwner.Pool) this.setOwner(page, PageOwner.Withdrawn)
    }
    this.unlockPages()
  }

  /** Gives a class, whose lock is held, a page of the pool; false if there is none that can hold its chunks. */
  takeFromPoolClassLocked(slabClass: number): boolean {
    this.lockPages()
    const page = this.findOwned(PageOwner.Pool, slabClass, Infinity)
    if (page !== 0) this.assignPage(page, slabClass)
    this.unlockPages()
    return page !== 0
  }

  /** Classes count here without a lock that they have in common. */
  private countEmptyPages(change: number): void {
    Atomics.add(this.words, this.shardWords + ShardWord.EmptyPages, change)
    Atomics.add(this.words, this.shardWords + ShardWord.EmptyChanges, 1)
  }

  /** Takes a page, whose chunks must all be free, from its class. */
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

  /** Gives a page, whose chunks must all be free, to a class or to an owner of no class. Needs the locks of both classes. */
  movePageClassesLocked(page: number, owner: number): void {
    this.lockPages()
    this.takeFromClass(page)
    if (owner > 0) this.assignPage(page, owner)
    else this.setOwner(page, owner)
    this.unlockPages()
  }

  // A page that leaves its class while its items are moved elsewhere. Its free chunks are retired: in no list.

  isLeaving(page: number): boolean { return this.words[this.pageUse + page]! >= PageUse.Leaving }

  /** How many chunks of a page are in use. */
  usedChunks(page: number): number { return this.words[this.pageUse + page]! & (PageUse.Leaving - 1) }

  /** The page of a class that has least in it and can hold a chunk of `forClass`, if that is one; 0 if none does. */
  leastUsedPage(slabClass: number, forClass: number): number {
    let least = 0
    for (let page = this.arena.firstPage; page < this.pageEnd; page++) {
      if (this.classOfPage(page) !== slabClass || !this.mayLeave(page, slabClass, forClass)) continue
      if (least === 0 || this.usedChunks(page) < this.usedChunks(least)) least = page
    }
    return least
  }

  /** Notes with 1 the classes for which `leastUsedPage` has a page; the others are 0. Looks at each page once. */
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

  /** From now on what comes free in a page is retired. The page must not be one that is being carved. */
  beginLeavingClassLocked(page: number): void {
    if (this.isEmptyPage(page)) this.countEmptyPages(-1)
    this.countLeaving(page, 1)
  }

  private countLeaving(page: number, change: 1 | -1): void {
    this.words[this.pageUse + page]! += change * PageUse.Leaving
    this.add(this.classOfPage(page), ClassWord.LeavingCount, change)
  }

  /** Retires a free chunk of a page that is leaving; false if it is in use, or is retired already. */
  retireClassLocked(slabClass: number, chunk: ItemId): boolean {
    const { words } = this
    if (words[chunk + ItemWord.State] !== 0 || this.isRetired(chunk)) return false
    this.unhookFree(slabClass, chunk)
    words[chunk + ItemWord.Next] = Free.Retired
    return true
  }

  /** Hands out a chunk that is retired, as `takeClassLocked` does others; false if it is something else. */
  tryTakeRetiredClassLocked(slabClass: number, chunk: ItemId): boolean {
    if (this.classAt(chunk) !== slabClass || this.words[chunk + ItemWord.State] !== 0 || !this.isRetired(chunk)) return false
    this.useClassLocked(slabClass, chunk)
    return true
  }

  /** Of a free chunk: whether it is in no list. */
  isRetired(chunk: ItemId): boolean { return this.words[chunk + ItemWord.Next] === Free.Retired }

  /** A page stays with its class after all. */
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

  /** Pages that have a class but in which no chunk is in use. */
  get emptyPages(): number { return this.words[this.shardWords + ShardWord.EmptyPages]! }

  isEmptyPage(page: number): boolean { return this.classOfPage(page) > 0 && this.words[this.pageUse + page] === 0 }

  /**
   * A page of another class in which no chunk is in use and that can hold one of this class, but not the only one of its
   * class, which would be given a new one beyond the limit; 0 if there is none. Needs the lock of `slabClass`.
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

  /** The pages of a class that are not leaving it: those it can store in. */
  stayingPages(slabClass: number): number {
    return this.get(slabClass, ClassWord.PageCount) - this.get(slabClass, ClassWord.LeavingCount)
  }

  /** Whether a class has more than one page, beside one that is leaving it. */
  canSpare(slabClass: number): boolean { return this.stayingPages(slabClass) > 1 }

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
