// Walks a whole shard and checks that every chunk is exactly one of free, reserved, linked or a piece of an existing item, and
// that table, lists, counts and bytes agree. Throws at the first inconsistency. It is for tests: it reads all memory in use, and
// no other thread may use the store meanwhile.
import { assert } from '../errors.js'
import { ClassWord, ListWord, PageOwner, State } from '../memory/layout.js'
import { NO_ITEM, Segment, type ItemId } from './items/items.js'
import { type Shard } from './shard.js'

/** The counts of one class, from a walk over its pages. */
interface ClassTally { pages: number; leaving: number; used: number; free: Set<number>; requestedBytes: number }

/** The counts of all pages. */
interface PageTally { used: number; bytes: number; empty: number; pool: number; withdrawn: number; leaving: number }

/** Checks a shard. @returns the number of references to its items, and the length of its longest chain */
export function verifyShard(shard: Shard): { refs: number, longestChain: number } {
  const linked = new Set<ItemId>()
  const { tallies, refs } = walkPages(shard, linked)
  const longestChain = checkTable(shard, linked)
  for (let slabClass = 1; slabClass <= shard.slabs.classes.largest; slabClass++) {
    checkFreeChunks(shard, slabClass, tallies[slabClass]!)
    checkLists(shard, slabClass, linked, tallies[slabClass]!.requestedBytes)
  }
  assert(linked.size === 0, `${linked.size} linked items are in no list`)
  return { refs, longestChain }
}

/** All items of a shard. No other thread may use the store meanwhile. */
export function* linkedItems({ arena, items, slabs }: Shard): Iterable<ItemId> {
  for (let page = arena.firstPage; page < slabs.pageEnd; page++) {
    const slabClass = slabs.classOfPage(page)
    if (slabClass <= 0) continue
    for (let index = 0; index < slabs.carvedChunks(page); index++) {
      const chunk = slabs.chunkAt(page, index, slabClass)
      if (items.has(chunk, State.Linked)) yield chunk
    }
  }
}

function walkPages(shard: Shard, linked: Set<ItemId>): { tallies: ClassTally[], refs: number } {
  const { items, slabs } = shard
  const tallies = Array.from({ length: slabs.classes.largest + 1 },
    (): ClassTally => ({ pages: 0, leaving: 0, used: 0, free: new Set(), requestedBytes: 0 }))
  const pieces: ItemId[] = []
  let refs = 0
  const pages: PageTally = { used: 0, bytes: 0, empty: 0, pool: 0, withdrawn: 0, leaving: 0 }
  for (let page = shard.arena.firstPage; page < shard.slabs.pageEnd; page++) {
    const slabClass = slabs.classOfPage(page)
    countPage(shard, page, pages)
    if (slabClass <= 0) continue
    assert(slabs.chunksOf(page, slabClass) > 0, `page ${page} is too small for a chunk of class ${slabClass}`)
    const tally = tallies[slabClass]!
    tally.pages++
    if (slabs.isLeaving(page)) tally.leaving++
    const usedBefore = tally.used
    for (let index = 0; index < slabs.carvedChunks(page); index++) {
      const chunk = slabs.chunkAt(page, index, slabClass)
      if (items.state(chunk) === 0) {
        if (slabs.isLeaving(page) && slabs.isRetired(chunk)) continue
        tally.free.add(chunk)
        continue
      }
      tally.used++
      if (items.isPiece(chunk)) {
        pieces.push(chunk)
        continue
      }
      refs += items.refs(chunk)
      if (items.has(chunk, State.Linked)) {
        assert(shard.generations.isSound(chunk), `item ${chunk} is of a generation that it cannot have`)
        linked.add(chunk)
        tallies[shard.allocator.classOf(chunk)]!.requestedBytes += items.bytesOf(chunk)
      } else assert(items.refs(chunk) > 0, `chunk ${chunk} is neither free, reserved nor linked`)
    }
    const used = tally.used - usedBefore
    assert(slabs.usedChunks(page) === used, `page ${page} has ${used} used chunks, ${slabs.usedChunks(page)} are counted`)
  }
  checkPages(shard, pages)
  checkPieces(shard, pieces)
  return { tallies, refs }
}

function countPage({ slabs }: Shard, page: number, pages: PageTally): void {
  const owner = slabs.classOfPage(page)
  if (owner === PageOwner.Pool) pages.pool++
  if (owner === PageOwner.Withdrawn) pages.withdrawn++
  if (owner > 0 || owner === PageOwner.Pool) {
    pages.used++
    pages.bytes += slabs.sizeOfPage(page)
  }
  if (slabs.isEmptyPage(page)) pages.empty++
  if (slabs.isLeaving(page)) pages.leaving++
}

function checkPages({ slabs, moves }: Shard, pages: PageTally): void {
  assert(pages.empty === slabs.emptyPages, `${pages.empty} pages are empty, ${slabs.emptyPages} are counted`)
  assert(pages.used === slabs.pagesUsed, `${pages.used} pages are in use, ${slabs.pagesUsed} are counted`)
  assert(pages.bytes === slabs.bytesUsed, `pages take ${pages.bytes} bytes, ${slabs.bytesUsed} are counted`)
  assert(pages.pool === slabs.poolPages, `${pages.pool} pages are in the pool, ${slabs.poolPages} are counted`)
  assert(pages.withdrawn === slabs.withdrawnPages,
    `${pages.withdrawn} pages are withdrawn, ${slabs.withdrawnPages} are counted`)
  assert(pages.leaving === (moves.page === 0 ? 0 : 1), `${pages.leaving} pages are leaving their class`)
  assert(moves.page === 0 || slabs.isLeaving(moves.page), `page ${moves.page} is moving, but not leaving its class`)
}

function checkPieces({ items }: Shard, pieces: readonly ItemId[]): void {
  const byOwner = new Map<ItemId, ItemId[]>()
  for (const piece of pieces) {
    const owner = items.pieceOwner(piece)
    assert(items.has(owner, State.Large) && !items.isPiece(owner), `piece ${piece} has no owner`)
    const found = byOwner.get(owner)
    if (found === undefined) byOwner.set(owner, [piece])
    else found.push(piece)
  }
  for (const [owner, found] of byOwner) {
    const listed = Array.from({ length: items.pieceCount(owner) }, (_, index) => items.piece(owner, index)).sort(byNumber)
    found.sort(byNumber)
    assert(listed.length === found.length && listed.every((piece, index) => piece === found[index]),
      `item ${owner} lists other pieces than it owns`)
  }
}

function byNumber(one: number, other: number): number { return one - other }

function checkFreeChunks(shard: Shard, slabClass: number, tally: ClassTally): void {
  const { items, slabs } = shard
  let count = 0
  for (let chunk = slabs.get(slabClass, ClassWord.FreeHead) as ItemId; chunk !== NO_ITEM; chunk = items.next(chunk)) {
    assert(tally.free.delete(chunk), `chunk ${chunk} of class ${slabClass} is free twice or in use`)
    count++
  }
  assert(tally.free.size === 0, `${tally.free.size} free chunks of class ${slabClass} are in no list`)
  assert(count === slabs.get(slabClass, ClassWord.FreeCount), `class ${slabClass} counts its free chunks wrongly`)
  assert(tally.used === slabs.get(slabClass, ClassWord.UsedCount), `class ${slabClass} counts its used chunks wrongly`)
  assert(tally.pages === slabs.get(slabClass, ClassWord.PageCount), `class ${slabClass} counts its pages wrongly`)
  assert(tally.leaving === slabs.get(slabClass, ClassWord.LeavingCount), `class ${slabClass} counts its leaving pages wrongly`)
  assert(tally.leaving === 0 || tally.pages > 1, `the only page of class ${slabClass} is leaving`)
}

/** Checks the hash table. @returns the length of its longest chain */
function checkTable(shard: Shard, linked: Set<ItemId>): number {
  const { items, table } = shard
  const keys = new Set<string>()
  let longest = 0
  for (let bucket = 0; bucket < table.bucketCount; bucket++) {
    const before = keys.size
    for (let item = table.head(bucket); item !== NO_ITEM; item = items.chain(item)) {
      assert(linked.has(item), `item ${item} is in the table but not linked`)
      const start = items.keyStart(item)
      const key = Buffer.from(items.bytes.subarray(start, start + items.keyBytes(item))).toString('latin1')
      assert(!keys.has(key), `key ${key} is in the table twice`)
      keys.add(key)
      const found = table.find(shard.allocator.hashOf(item), items.bytes, start, items.keyBytes(item))
      assert(found === item, `item ${item} is in the wrong bucket`)
    }
    longest = Math.max(longest, keys.size - before)
  }
  assert(keys.size === linked.size, `${linked.size} items are linked, ${keys.size} are in the table`)
  assert(keys.size === shard.itemCount, `${keys.size} items, ${shard.itemCount} counted`)
  return longest
}

/** Checks the lists of a class, and removes their items from `linked`. */
function checkLists(shard: Shard, slabClass: number, linked: Set<ItemId>, requestedBytes: number): void {
  const { items, lru } = shard
  let bytesOfAll = 0
  for (let segment = Segment.Hot; segment <= Segment.Temp; segment++) {
    let count = 0
    let bytes = 0
    let last = NO_ITEM
    for (let item = lru.get(slabClass, segment, ListWord.Head) as ItemId; item !== NO_ITEM; item = items.next(item)) {
      assert(linked.delete(item), `item ${item} is in two lists or not linked`)
      assert(items.segment(item) === segment && shard.allocator.classOf(item) === slabClass, `item ${item} is in a wrong list`)
      assert(items.prev(item) === last, `item ${item} has a wrong predecessor`)
      last = item
      count++
      bytes += items.bytesOf(item)
    }
    assert(lru.tail(slabClass, segment) === last, `list ${segment} of class ${slabClass} has a wrong tail`)
    assert(lru.get(slabClass, segment, ListWord.Count) === count, `list ${segment} of class ${slabClass} is miscounted`)
    assert(lru.get(slabClass, segment, ListWord.Bytes) === bytes, `list ${segment} of class ${slabClass} has wrong bytes`)
    bytesOfAll += bytes
  }
  assert(bytesOfAll === requestedBytes, `class ${slabClass} lists ${bytesOfAll} bytes, its items have ${requestedBytes}`)
  assert(shard.slabs.get(slabClass, ClassWord.RequestedBytes) === requestedBytes, `class ${slabClass} miscounts its bytes`)
}
