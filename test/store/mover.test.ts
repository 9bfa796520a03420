// Pages that move: what becomes of the items in them, step by step. The whole store is verified between the steps.
import t from 'tap'
import { BusyStatus, ClassWord, ItemWord } from '../../src/memory/layout.js'
import { ClassCounter, Counter } from '../../src/stats/counters.js'
import { Outcome } from '../../src/store/outcome.js'
import { Reassigned } from '../../src/store/slabs/rebalance.js'
import { Mode } from '../../src/store/request.js'
import { type StoreOptions } from '../../src/store/store.js'
import { Prng } from '../support/prng.js'
import { bytesOf, StoreUnderTest } from '../support/store.js'

const MIB = 1024 * 1024
const STEPS_MAX = 2000
/** What a value of 900 bytes, and of 9000, goes into. */
const SMALL = 12
const LARGE = 22
/** What a free chunk begins with in a page that is leaving. */
const RETIRED = -1

class Subject extends StoreUnderTest {
  get slabs() { return this.store.shards[0]!.slabs }
  pagesOf(slabClass: number): number { return this.slabs.get(slabClass, ClassWord.PageCount) }
  counted(counter: Counter): number { return this.store.counters.sum(counter) }
  get evicted(): number { return this.store.counters.sumClasses(ClassCounter.Evicted) }

  /** Fills with items of 900 bytes, `first` to `end`. */
  fill(first: number, end: number, name = 'k'): void {
    for (let i = first; i < end; i++) this.put(Mode.Set, `${name}${i}`, bytesOf(i, 900), i % 3)
  }

  /** The numbers of those that are there, with the right value. */
  kept(first: number, end: number, name = 'k'): number[] {
    const kept = []
    for (let i = first; i < end; i++) {
      const found = this.get(`${name}${i}`)
      if (found === undefined) continue
      if (!found.value.equals(bytesOf(i, 900)) || found.flags !== i % 3) throw new Error(`${name}${i} has changed`)
      kept.push(i)
    }
    return kept
  }

  /** Steps until no page moves; false if that takes too many. @param refs items that the test holds */
  settle(refs = 0): boolean {
    this.store.balanceStep()
    for (let steps = 0; steps < STEPS_MAX; steps++) {
      if (steps < 10 || steps % 10 === 0) this.verify(refs)
      if (!this.store.moveStep()) return true
    }
    return false
  }

  reassign(from: number, to: number): Reassigned { return this.store.rebalance.reassign(from, to) }
}

/** Nothing moves unless a test says so. */
function subjectWith(options: Partial<StoreOptions> = {}): Subject {
  return new Subject({ maxbytes: 16 * MIB, slabAutomove: 0, ...options })
}

t.test('a moved item keeps value, flags, cas number, end and its place among the others', async t => {
  const subject = subjectWith({ lruSegmented: false })
  subject.fill(0, 5000)
  subject.put(Mode.Set, 'mortal', bytesOf(1, 900), 1, 100)
  for (let i = 0; i < 5000; i += 3) subject.delete(`k${i}`)
  const casBefore = subject.get('k4999')?.cas
  t.equal(subject.reassign(SMALL, LARGE), Reassigned.Ok)
  t.equal(subject.settle(), true)
  t.equal(subject.pagesOf(LARGE), 1)
  t.equal(subject.evicted, 0)
  t.ok(subject.counted(Counter.Rescues) > 300, `${subject.counted(Counter.Rescues)} items were moved`)
  t.ok(subject.counted(Counter.InlineReclaims) > 0)
  t.equal(subject.kept(0, 5000).length, 3333)
  t.equal(subject.get('k4999')?.cas, casBefore)
  subject.clock.advance(101)
  t.equal(subject.get('mortal'), undefined)
  const next = subject.evicted
  for (let i = 0; subject.evicted < next + 400; i++) subject.put(Mode.Set, `new${i}`, bytesOf(1, 900))
  const kept = subject.kept(0, 5000)
  t.ok(kept.length > 2500 && kept.every(i => i > 300), 'the oldest went first')
  subject.verify()
})

t.test('large items are moved in pieces, and their headers too', async t => {
  const subject = subjectWith({ maxbytes: 64 * MIB, itemSizeMax: 8 * MIB })
  const bytes = [600_000, 1_300_000, 2_500_000, 700_000, 5_000_000, 1_000_000]
  const largest = subject.store.classes.largest
  for (const [i, count] of bytes.entries()) subject.put(Mode.Set, `large${i}`, bytesOf(i, count), i)
  // a page full of what is as long as a header
  const { items, item } = subject.find('large0')
  const headClass = subject.slabs.classAt(item)
  const chunks = subject.store.classes.chunksPerPage[headClass]!
  for (let i = 0; i < chunks + 100; i++) subject.put(Mode.Set, `h${i}`, bytesOf(i, items.keyBytes(item)))
  for (let i = 0; i < chunks; i++) subject.delete(`h${i}`)
  const last = subject.slabs.classAt(items.piece(item, 1))
  for (const from of [headClass, largest, largest, last]) {
    const before = subject.store.itemCount
    const answer = subject.reassign(from, SMALL)
    if (answer === Reassigned.NoSpare) continue
    t.equal(answer, Reassigned.Ok)
    t.equal(subject.settle(), true)
    t.equal(subject.store.itemCount, before)
  }
  t.ok(subject.counted(Counter.ChunkRescues) > 0 && subject.counted(Counter.Rescues) > 0)
  for (const [i, count] of bytes.entries()) {
    const found = subject.get(`large${i}`)
    t.ok(found?.value.equals(bytesOf(i, count)) && found.flags === i, `large${i}`)
  }
  for (const i of bytes.keys()) subject.delete(`large${i}`)
  subject.verify()
})

t.test('pieces that hold the ids of others are moved like these', async t => {
  const subject = subjectWith({ slabChunkMax: 1024, itemSizeMax: 2 * MIB })
  const { largest } = subject.store.classes
  subject.put(Mode.Set, 'first', bytesOf(1, 400_000), 1)
  for (const key of ['filler', 'second']) subject.put(Mode.Set, key, bytesOf(2, 900_000), 2)
  // now the page that has least in it is the first one
  subject.delete('filler')
  const { items, item } = subject.find('first')
  const ids = items.pieceCount(item) - 1
  t.ok(ids >= items.valuePieces(item), 'not all ids are in its own chunk')
  const before = items.piece(item, ids)
  t.equal(subject.reassign(largest, 1), Reassigned.Ok)
  t.equal(subject.settle(), true)
  t.not(items.piece(item, ids), before)
  t.ok(subject.get('first')?.value.equals(bytesOf(1, 400_000)))
  t.ok(subject.get('second')?.value.equals(bytesOf(2, 900_000)))
  for (const key of ['first', 'second']) subject.delete(key)
  subject.verify()
})

t.test('what is dead is dropped, and not counted as evicted', async t => {
  const subject = subjectWith()
  for (let i = 0; i < 3000; i++) subject.put(Mode.Set, `k${i}`, bytesOf(i, 900), 0, i % 2 === 0 ? 5 : 0)
  subject.clock.advance(10)
  subject.reassign(SMALL, LARGE)
  t.equal(subject.settle(), true)
  t.equal(subject.evicted, 0)
  let kept = 0
  for (let i = 0; i < 3000; i++) if (subject.get(`k${i}`) !== undefined) kept++
  t.equal(kept, 1500)
})

t.test('a full class evicts the oldest for those that are moved', async t => {
  const subject = subjectWith()
  let count = 0
  while (subject.evicted === 0) subject.put(Mode.Set, `k${count}`, bytesOf(count, 900), count++ % 3)
  const before = subject.store.itemCount
  t.equal(subject.reassign(SMALL, LARGE), Reassigned.Ok)
  t.equal(subject.settle(), true)
  const dropped = before - subject.store.itemCount
  t.ok(dropped <= subject.store.classes.chunksPerPage[SMALL]!, `${dropped} items went`)
  const kept = subject.kept(0, count)
  t.equal(kept.length, subject.store.itemCount)
  t.ok(kept[0]! > dropped * 0.7, `the oldest that is left is number ${kept[0]}`)
})

t.test('without evictions items that find no room stay, and the page with them', async t => {
  const subject = subjectWith({ evictions: false })
  let count = 0
  while (subject.put(Mode.Set, `k${count}`, bytesOf(count, 900), count % 3) === Outcome.Stored) count++
  const pages = subject.pagesOf(SMALL)
  subject.reassign(SMALL, LARGE)
  subject.movePages()
  t.equal(subject.store.rebalance.isUnderWay, true)
  subject.clock.advance(3)
  t.equal(subject.settle(), true)
  t.equal(subject.pagesOf(SMALL), pages)
  t.equal(subject.kept(0, count).length, count)
  t.ok(subject.counted(Counter.BusyNoMemory) > 0)
  t.equal(subject.store.rebalance.busyStatus, BusyStatus.NoMemory)
  subject.delete('k7')
  t.equal(subject.put(Mode.Set, 'again', bytesOf(1, 900)), Outcome.Stored, 'its free chunks are handed out again')
  subject.verify()
})

t.test('an item that is being read is waited for', async t => {
  const subject = subjectWith()
  subject.fill(0, 2500)
  // the page with least in it is the one that moves
  for (let i = 0; i < 1000; i++) if (i !== 500) subject.delete(`k${i}`)
  const loan = subject.borrow('k500')
  subject.reassign(SMALL, LARGE)
  t.equal(subject.movePages(), false)
  subject.verify(1)
  t.equal(subject.pagesOf(LARGE), 0)
  t.same(loan?.read(), bytesOf(500, 900))
  t.ok(subject.get('k500')?.value.equals(bytesOf(500, 900)), 'others read it')
  t.equal(subject.store.rebalance.busyStatus, BusyStatus.InUse)
  loan?.end()
  t.equal(subject.settle(), true)
  t.equal(subject.pagesOf(LARGE), 1)
  t.ok(subject.get('k500')?.value.equals(bytesOf(500, 900)))
  t.ok(subject.counted(Counter.BusyItems) > 0)
})

t.test('an item that is read for long is deleted, and after half a minute the page stays where it was', async t => {
  const subject = subjectWith()
  subject.fill(0, 2500)
  for (let i = 0; i < 1000; i++) if (i !== 500) subject.delete(`k${i}`)
  const loan = subject.borrow('k500')
  subject.reassign(SMALL, LARGE)
  subject.movePages()
  subject.clock.advance(6)
  subject.movePages()
  t.equal(subject.get('k500'), undefined)
  t.equal(subject.counted(Counter.BusyDeletes), 1)
  t.same(loan?.read(), bytesOf(500, 900))
  t.equal(subject.store.rebalance.isUnderWay, true)
  subject.clock.advance(30)
  t.equal(subject.settle(1), true)
  t.equal(subject.pagesOf(LARGE), 0)
  loan?.end()
  subject.fill(0, 2500)
  t.equal(subject.kept(0, 2500).length, 2500)
  subject.verify()
})

t.test('what lies behind the last chunk of a page that stays after all is not taken for a chunk', async t => {
  const subject = subjectWith({ evictions: false })
  let count = 0
  while (subject.put(Mode.Set, `k${count}`, bytesOf(count, 900), count % 3) === Outcome.Stored) count++
  subject.reassign(SMALL, LARGE)
  subject.movePages()
  const { arena, moves } = subject.store.shards[0]!
  const end = subject.slabs.chunkAt(moves.page, subject.slabs.chunksOf(moves.page, SMALL), SMALL)
  // as another class that had the page may have left it, whose chunks ended elsewhere
  arena.words[end + ItemWord.Next] = RETIRED
  arena.words[end + ItemWord.State] = 0
  subject.clock.advance(3)
  t.equal(subject.settle(), true)
  t.equal(subject.put(Mode.Set, 'one more', bytesOf(1, 900)), Outcome.NoMemory)
  t.equal(subject.kept(0, count).length, count)
})

t.test('no chunk of a page that is being emptied is handed out', async t => {
  const subject = subjectWith()
  subject.fill(0, 2500)
  for (let i = 0; i < 1000; i++) if (i !== 500) subject.delete(`k${i}`)
  const loan = subject.borrow('k500')
  subject.reassign(SMALL, LARGE)
  subject.movePages()
  const { moves } = subject.store.shards[0]!
  const used = subject.slabs.usedChunks(moves.page)
  subject.fill(5000, 7000, 'other')
  t.equal(subject.slabs.usedChunks(moves.page), used)
  subject.verify(1)
  loan?.end()
  t.equal(subject.settle(), true)
})

t.test('a set evicts few items even when the oldest ones are all in the page that leaves', async t => {
  for (const isMoved of [true, false]) {
    const subject = subjectWith()
    let count = 0
    while (subject.evicted === 0) subject.put(Mode.Set, `k${count}`, bytesOf(count, 900), count++ % 3)
    t.equal(subject.reassign(SMALL, LARGE), Reassigned.Ok)
    subject.movePages(1)
    let most = 0
    for (let steps = 0; steps < 5000; steps++) {
      const before = subject.evicted
      subject.put(Mode.Set, `k${count}`, bytesOf(count, 900), count++ % 3)
      most = Math.max(most, subject.evicted - before)
      if (isMoved && steps % 5 === 0 && !subject.store.moveStep()) break
    }
    t.ok(most <= 20, `${most} items went for one`)
    subject.verify()
    subject.kept(0, count)
    t.equal(subject.settle(), true)
    t.equal(subject.pagesOf(LARGE), 1, 'the page has gone all the same')
  }
})

t.test('while a page leaves a class nobody takes its last other one', async t => {
  for (const evictions of [true, false]) {
    const subject = subjectWith({ maxbytes: 4 * MIB, evictions })
    let count = 0
    while (subject.pagesOf(SMALL) < 2) subject.fill(count, ++count)
    for (let i = 0; i < 400; i++) subject.put(Mode.Set, `large${i}`, bytesOf(i, 9000))
    const loan = subject.borrow('k500')
    for (let i = 0; i < count; i++) if (i !== 500) subject.delete(`k${i}`)
    subject.reassign(SMALL, LARGE)
    subject.movePages()
    for (let i = 400; i < 800; i++) subject.put(Mode.Set, `large${i}`, bytesOf(i, 9000))
    subject.verify(1)
    t.equal(subject.pagesOf(SMALL), 2)
    for (let i = 0; i < 100; i++) t.equal(subject.put(Mode.Set, `new${i}`, bytesOf(i, 900)), Outcome.Stored)
    loan?.end()
    t.equal(subject.settle(), true)
    t.equal(subject.pagesOf(SMALL), 1)
  }
})

t.test('a page goes to the pool, and from there to whoever needs one', async t => {
  const subject = subjectWith()
  subject.fill(0, 20_000)
  const used = subject.slabs.bytesUsed
  t.equal(subject.reassign(SMALL, 0), Reassigned.Ok)
  t.equal(subject.settle(), true)
  t.equal(subject.store.rebalance.poolPages, 1)
  t.equal(subject.slabs.bytesUsed, used)
  subject.put(Mode.Set, 'first', bytesOf(1, 9000))
  t.equal(subject.store.rebalance.poolPages, 0)
  subject.reassign(SMALL, 0)
  subject.settle()
  t.equal(subject.reassign(0, LARGE), Reassigned.Ok)
  t.equal(subject.pagesOf(LARGE), 2)
  t.equal(subject.reassign(0, LARGE), Reassigned.NoSpare)
  subject.verify()
})

t.test('slabs reassign says why not', async t => {
  const subject = subjectWith()
  subject.fill(0, 3000)
  const { largest } = subject.store.classes
  const answers: [number, number, Reassigned][] = [[3, 3, Reassigned.Same], [-1, -1, Reassigned.Same],
    [1, -1, Reassigned.BadClass],
    [-2, 1, Reassigned.BadClass], [1, largest + 1, Reassigned.BadClass], [largest + 1, 1, Reassigned.BadClass],
    [LARGE, SMALL, Reassigned.NoSpare], [0, SMALL, Reassigned.NoSpare], [SMALL, LARGE, Reassigned.Ok],
      [SMALL, LARGE, Reassigned.Busy]]
  for (const [from, to, answer] of answers) t.equal(subject.reassign(from, to), answer, `${from} ${to}`)
  subject.settle()
  t.equal(subject.reassign(-1, LARGE), Reassigned.Ok)
  subject.settle()
  t.equal(subject.pagesOf(LARGE), 2)
  const fixed = subjectWith({ slabReassign: false })
  t.equal(fixed.reassign(3, 3), Reassigned.Disabled)
  const tight = subjectWith({ slabChunkMax: MIB })
  for (let i = 0; i < 30_000; i++) tight.put(Mode.Set, `k${i}`, bytesOf(1, 10))
  t.equal(tight.reassign(1, tight.store.classes.largest), Reassigned.Unsafe, 'none of its pages can hold the largest chunk')
})

t.test('a lower memory limit gives pages back, the oldest items first, and a higher one uses them again', async t => {
  const subject = subjectWith()
  let count = 0
  while (subject.evicted === 0) subject.put(Mode.Set, `k${count}`, bytesOf(count, 900), count++ % 3)
  subject.store.setMemoryLimit(8 * MIB)
  for (let steps = 0; steps < 10 && subject.slabs.bytesUsed > 8 * MIB; steps++) t.equal(subject.settle(), true)
  t.ok(subject.slabs.bytesUsed <= 8 * MIB, `${subject.slabs.bytesUsed} bytes`)
  t.ok(subject.slabs.withdrawnPages >= 8)
  const kept = subject.kept(0, count)
  t.ok(kept.length > count * 0.45 && kept[0]! > count * 0.4, `${kept.length} of ${count} are left, from ${kept[0]} on`)
  subject.fill(count, 2 * count)
  subject.settle()
  t.ok(subject.slabs.bytesUsed <= 8 * MIB)
  subject.store.setMemoryLimit(16 * MIB)
  subject.fill(2 * count, 4 * count)
  t.ok(subject.slabs.bytesUsed > 15 * MIB && subject.slabs.bytesUsed <= 16 * MIB)
  t.equal(subject.slabs.withdrawnPages, 0)
  subject.verify()
})

t.test('what a class has too much of for a whole window goes to the pool', async t => {
  const subject = subjectWith({ slabAutomove: 1 })
  subject.fill(0, 8000)
  for (let i = 0; i < 7000; i++) subject.delete(`k${i}`)
  const passSeconds = (seconds: number): void => {
    for (let second = 0; second < seconds; second++) {
      subject.clock.advance(1)
      subject.settle()
    }
  }
  passSeconds(8)
  t.equal(subject.store.rebalance.poolPages, 0)
  passSeconds(20)
  t.ok(subject.store.rebalance.poolPages >= 4, `${subject.store.rebalance.poolPages} pages`)
  t.equal(subject.kept(7000, 8000).length, 1000)
  t.ok(subject.slabs.get(SMALL, ClassWord.FreeCount) > 1000, 'but not the last')
})

t.test('a class that evicts what is younger than elsewhere gets pages, by the ratio', async t => {
  for (const [ratio, isHelped] of [[0.8, true], [0.2, false]] as const) {
    const subject = subjectWith({ slabAutomove: 1, slabAutomoveRatio: ratio })
    // two classes that evict what is about 70 s old, until one of them is filled quicker
    let small = 0
    let large = 0
    for (let second = 0; second < 170; second++) {
      for (let i = 0; i < 150; i++) subject.put(Mode.Set, `small${small++}`, bytesOf(1, 900))
      for (let i = 0; i < (second < 80 ? 5 : 8); i++) subject.put(Mode.Set, `large${large++}`, bytesOf(1, 9000))
      subject.clock.advance(1)
      subject.movePages()
      if (second === 79) t.equal(subject.counted(Counter.SlabsMoved), 0)
    }
    subject.verify()
    const moved = subject.counted(Counter.SlabsMoved)
    t.equal(moved > 0, isHelped, `ratio ${ratio}: ${moved} pages moved`)
    t.ok(moved < 6, 'and not to and fro')
  }
})

t.test('a class gives no page to itself, whatever the ratio', async t => {
  const subject = subjectWith({ slabAutomove: 1, slabAutomoveWindow: 3, maxbytes: 4 * MIB, shared: true })
  subject.store.automove.ratio = 5
  for (let second = 0, count = 0; second < 200; second++) {
    for (let i = 0; i < 40; i++) subject.put(Mode.Set, `k${count++}`, bytesOf(1, 900))
    subject.clock.advance(1)
    subject.movePages()
  }
  t.ok(subject.evicted > 0)
  t.equal(subject.store.rebalance.isUnderWay, false)
  t.equal(subject.counted(Counter.Rescues), 0)
})

t.test('in mode 2 whoever evicts gets a page', async t => {
  const subject = subjectWith({ slabAutomove: 2 })
  subject.fill(0, 20_000)
  subject.put(Mode.Set, 'first', bytesOf(1, 9000))
  const before = subject.pagesOf(LARGE)
  for (let i = 0; i < 300; i++) subject.put(Mode.Set, `large${i}`, bytesOf(1, 9000))
  subject.settle()
  t.ok(subject.pagesOf(LARGE) > before)
  subject.store.automove.mode = 0
  const after = subject.pagesOf(LARGE)
  for (let i = 0; i < 1000; i++) subject.put(Mode.Set, `large${i}`, bytesOf(1, 9000))
  subject.settle()
  t.equal(subject.pagesOf(LARGE), after)
})

t.test('whatever is done while pages move, every value that is there is the last that was stored', async t => {
  const seed = Number(process.env['MEMSLAB_SEED'] ?? 20261122)
  t.comment(`MEMSLAB_SEED=${seed}`)
  const prng = new Prng(seed)
  const subject = new Subject({ maxbytes: 20 * MIB, itemSizeMax: 2 * MIB })
  const model = new Map<string, Buffer>()
  const { largest } = subject.store.classes
  const sizes = [100, 900, 9000, 60_000, 700_000]
  /** The next class from one on that has pages to spare; else any. */
  const rich = (from: number): number => {
    for (let tries = 0; tries < largest; tries++) {
      if (subject.pagesOf((from + tries) % largest + 1) > 1) return (from + tries) % largest + 1
    }
    return -1
  }
  for (let count = 0; count < 6000; count++) {
    const size = sizes[prng.below(prng.below(20) === 0 ? 5 : 4)]!
    const key = `${size}-${prng.below(Math.ceil(12_000_000 / size))}`
    const what = prng.below(10)
    if (what < 6) {
      const value = bytesOf(prng.below(1000), size - prng.below(10))
      if (subject.put(Mode.Set, key, value) === Outcome.Stored) model.set(key, value)
      else model.delete(key)
    } else if (what < 9) {
      const found = subject.get(key)
      if (found !== undefined && !found.value.equals(model.get(key) ?? Buffer.alloc(0))) t.fail(`${key} has another value`)
    } else {
      subject.delete(key)
      model.delete(key)
    }
    if (prng.below(10) === 0) subject.reassign(rich(prng.below(largest)), prng.below(largest + 1))
    subject.movePages(1)
    if (count % 100 === 0) subject.verify()
  }
  let kept = 0
  for (const [key, value] of model) {
    const found = subject.get(key)
    if (found !== undefined && !found.value.equals(value)) t.fail(`${key} has another value`)
    if (found !== undefined) kept++
  }
  t.ok(kept > 50, `${kept} of ${model.size} values are there`)
  t.ok(subject.counted(Counter.SlabsMoved) > 5, `${subject.counted(Counter.SlabsMoved)} pages moved`)
  subject.settle()
})

t.test('what is stored after the last flush stays, and what is older is gone, wherever pages move between flushes', async t => {
  const subject = subjectWith()
  const prng = new Prng(12)
  for (let round = 0; round < 60; round++) {
    const count = 200 + prng.below(3000)
    subject.store.flush(0)
    subject.fill(0, count, `round-${round}-`)
    for (let moves = 0; moves < 3; moves++) {
      // to the pool, from where the next items take it
      subject.reassign(SMALL, 0)
      t.ok(subject.movePages(STEPS_MAX))
    }
    t.equal(subject.kept(0, count, `round-${round}-`).length, count, `all of round ${round}`)
    t.same(subject.kept(0, 3200, `round-${round - 1 - prng.below(20)}-`), [], 'none of an earlier one')
    if (round % 4 === 0) subject.reclaimDead()
    subject.verify()
  }
  t.equal(subject.evicted, 0)
  t.ok(subject.counted(Counter.Rescues) > 1000, `${subject.counted(Counter.Rescues)} items were moved`)
})
