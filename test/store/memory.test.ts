// What memory is for: large items, other sizes than yesterday's, many arenas, no objects.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t, { type Test } from 'tap'
import { Arena } from '../../src/memory/arena.js'
import { Regions } from '../../src/memory/regions.js'
import { ClassCounter, Counter } from '../../src/stats/counters.js'
import { Mode } from '../../src/store/request.js'
import { Outcome } from '../../src/store/outcome.js'
import { bytesOf, StoreUnderTest } from '../support/store.js'

const MIB = 1024 * 1024

t.test('an item of many pages comes back as it was', async t => {
  const subject = new StoreUnderTest({ maxbytes: 320 * MIB, itemSizeMax: 128 * MIB })
  const value = Buffer.alloc(128 * MIB - 1000)
  for (let at = 0; at < value.length; at += 4096) value.writeUInt32LE(at, at)
  t.equal(subject.put(Mode.Set, 'huge', value, 7), Outcome.Stored)
  const found = subject.get('huge')
  t.equal(found?.flags, 7)
  t.ok(found?.value.equals(value))
  const wasted = pageBytes(subject) - value.length
  t.ok(wasted < 3 * MIB, `${wasted} bytes of its pages are empty`)
  t.equal(subject.put(Mode.Set, 'larger', Buffer.alloc(128 * MIB)), Outcome.TooLarge)
  subject.verify()
  subject.delete('huge')
  subject.verify()
})

t.test('large items replace each other for ever in the memory of a few', async t => {
  const subject = new StoreUnderTest({ maxbytes: 16 * MIB, itemSizeMax: 4 * MIB })
  for (let i = 0; i < 100; i++) {
    const bytes = MIB / 2 + i * 30_000
    t.equal(subject.put(Mode.Set, `k${i}`, bytesOf(i, bytes)), Outcome.Stored, `${bytes} bytes`)
    if (i % 10 === 0) subject.verify()
  }
  t.ok(subject.get('k99')?.value.equals(bytesOf(99, MIB / 2 + 99 * 30_000)))
})

t.test('a memory full of one size takes items of every other size', async t => {
  const subject = new StoreUnderTest({ maxbytes: 24 * MIB, itemSizeMax: 8 * MIB })
  for (let i = 0; i < 300_000; i++) subject.put(Mode.Set, `small-${i}`, Buffer.alloc(20))
  for (const bytes of [300, 5000, 70_000, 400_000, 900_000, 3_000_000, 7_000_000]) {
    t.equal(subject.put(Mode.Set, `k${bytes}`, bytesOf(1, bytes)), Outcome.Stored, `${bytes} bytes`)
    t.ok(subject.get(`k${bytes}`)?.value.equals(bytesOf(1, bytes)))
  }
  subject.verify()
  const limit = (24 + subject.store.classes.largest) * MIB
  t.ok(pageBytes(subject) <= limit, `${pageBytes(subject)} bytes, at most a page more than -m for each class`)
})

t.test('without evictions a full memory refuses, and what was there stays', async t => {
  const subject = new StoreUnderTest({ maxbytes: 2 * MIB, evictions: false })
  subject.put(Mode.Set, 'first', bytesOf(3, 1000))
  let stored = 0
  while (subject.put(Mode.Set, `k${stored}`, bytesOf(1, 1000)) === Outcome.Stored) stored++
  t.ok(stored > 1500, `${stored} fitted`)
  t.same(subject.get('first')?.value, bytesOf(3, 1000))
  subject.delete('k5')
  t.equal(subject.put(Mode.Set, 'next', bytesOf(1, 1000)), Outcome.Stored, 'what is deleted makes room')
  t.equal(subject.store.counters.sumClasses(ClassCounter.Evicted), 0)
  subject.verify()
})

t.test('an item may have more pieces than its own chunk has room for', async t => {
  const subject = new StoreUnderTest({ maxbytes: 64 * MIB, slabChunkMax: 1024, itemSizeMax: 48 * MIB })
  // the last needs pieces for the ids of pieces with ids
  for (const bytes of [1000, 170_000, 180_000, MIB, 45 * MIB]) {
    t.equal(subject.put(Mode.Set, 'k', bytesOf(bytes, bytes), 5), Outcome.Stored, `${bytes} bytes`)
    t.ok(subject.get('k')?.value.equals(bytesOf(bytes, bytes)), `${bytes} bytes`)
    t.equal(subject.get('k')?.flags, 5)
    if (bytes <= MIB) subject.verify()
  }
  subject.delete('k')
  subject.verify()
  t.equal(subject.store.shards[0]!.slabs.usedCount, 0, 'everything comes back')
})

t.test('what an item with many pieces had so far comes back if there is no memory for all', async t => {
  const subject = new StoreUnderTest({ maxbytes: 6 * MIB, evictions: false, slabChunkMax: 1024, itemSizeMax: 2 * MIB })
  const { slabs } = subject.store.shards[0]!
  t.equal(subject.put(Mode.Set, 'first', bytesOf(1, 1_500_000)), Outcome.Stored)
  const one = slabs.usedCount
  t.equal(subject.put(Mode.Set, 'second', bytesOf(2, 1_500_000)), Outcome.Stored)
  const both = slabs.usedCount
  for (const bytes of [1_200_000, 1_999_000, 1_500_000]) {
    t.equal(subject.put(Mode.Set, 'third', bytesOf(3, bytes)), Outcome.NoMemory, `${bytes} bytes`)
    t.equal(slabs.usedCount, both)
  }
  t.ok(subject.get('first')?.value.equals(bytesOf(1, 1_500_000)))
  subject.delete('second')
  t.equal(slabs.usedCount, one)
  subject.verify()
})

t.test('nor does anything of it stay where eviction ends half-way, as all that is left is being read', async t => {
  const subject = new StoreUnderTest({ maxbytes: 8 * MIB, itemSizeMax: 4 * MIB })
  const { slabs } = subject.store.shards[0]!
  const keys = Array.from({ length: 30 }, (_, i) => `k${i}`)
  // a chunk each
  for (const key of keys) subject.put(Mode.Set, key, bytesOf(1, 400_000))
  const kept = keys.filter(key => subject.get(key) !== undefined)
  t.ok(kept.length > 6 && kept.length < keys.length, `${kept.length} are there`)
  // so a few pieces of the next can be had, and not all
  const unpins = kept.slice(3).map(key => subject.pin(key))
  t.equal(subject.put(Mode.Set, 'large', bytesOf(2, 3_000_000)), Outcome.NoMemory)
  t.equal(slabs.usedCount, unpins.length)
  subject.verify(unpins.length)
  for (const unpin of unpins) unpin()
  t.equal(subject.put(Mode.Set, 'large', bytesOf(2, 3_000_000)), Outcome.Stored)
  subject.verify()
})

t.test('a page is taken from another class without waiting where nobody is in the way', async t => {
  const subject = new StoreUnderTest({ maxbytes: 8 * MIB, itemSizeMax: 4 * MIB })
  for (let i = 0; i < 10_000; i++) subject.put(Mode.Set, `k${i}`, bytesOf(1, 900))
  const { wait } = Atomics
  t.teardown(() => { Atomics.wait = wait })
  let waits = 0
  Atomics.wait = (() => {
    waits++
    return 'timed-out'
  }) as typeof wait
  t.equal(subject.put(Mode.Set, 'large', bytesOf(1, 3_000_000)), Outcome.Stored)
  t.ok(subject.store.counters.sum(Counter.SlabsMoved) > 0)
  t.equal(waits, 0)
  subject.verify()
})

t.test('an empty page stays with its class if another thread stores in it just before it is taken', async t => {
  const subject = new StoreUnderTest({ maxbytes: 3 * MIB, shared: true, threads: 2 })
  const other = StoreUnderTest.attach(subject.store.share(), 1)
  const { allocator: space, slabs } = subject.store.shards[0]!
  const [small, large] = [bytesOf(1, 900), bytesOf(2, 9000)]
  subject.put(Mode.Set, 'large', large)
  subject.put(Mode.Set, 'k0', small)
  const [largeClass, smallClass] = ['large', 'k0'].map(key => space.classOf(subject.find(key).item)) as [number, number]
  const { chunksPerPage } = subject.store.classes
  // two pages, of which the second comes to be empty
  for (let n = 1; n < 2 * chunksPerPage[smallClass]!; n++) subject.put(Mode.Set, `k${n}`, small)
  for (let n = 1; n < 2 * chunksPerPage[smallClass]!; n++) subject.delete(`k${n}`)
  for (let n = 1; n < chunksPerPage[largeClass]!; n++) subject.put(Mode.Set, `large${n}`, large)
  let lateClass = 0
  const tryLock = slabs.tryLock.bind(slabs)
  slabs.tryLock = slabClass => {
    if (slabClass === smallClass && lateClass === 0) {
      other.put(Mode.Set, 'late', small)
      lateClass = space.classOf(other.find('late').item)
    }
    return tryLock(slabClass)
  }
  subject.put(Mode.Set, 'one more', large)
  t.equal(lateClass, smallClass)
  t.not(slabs.pageAt(subject.find('late').item), slabs.pageAt(subject.find('k0').item), 'it was the empty page')
  t.ok(subject.get('late')?.value.equals(small))
  t.ok(subject.get('one more')?.value.equals(large))
  subject.verify()
})

t.test('several arenas are one store', async t => {
  const subject = new StoreUnderTest({ maxbytes: 5000 * MIB })
  t.ok(subject.store.shards.length > 2, `${subject.store.shards.length} arenas`)
  for (let i = 0; i < 3000; i++) subject.put(Mode.Set, `k${i}`, bytesOf(i, i))
  let wrong = 0
  for (let i = 0; i < 3000; i++) if (!subject.get(`k${i}`)?.value.equals(bytesOf(i, i))) wrong++
  t.equal(wrong, 0)
  for (const shard of subject.store.shards) t.ok(shard.itemCount > 500, `${shard.itemCount} items in one arena`)
  t.equal(subject.store.itemCount, 3000)
  subject.store.flush(0)
  subject.reclaimDead()
  t.equal(subject.store.itemCount, 0)
})

t.test('the memory limit can be lowered and raised again, also beyond what it was at the start, but not beyond what was reserved',
  async t => {
  const subject = new StoreUnderTest({ maxbytes: 32 * MIB })
  t.ok(subject.store.setMemoryLimit(8 * MIB))
  for (let i = 0; i < 40_000; i++) subject.put(Mode.Set, `k${i}`, bytesOf(1, 900))
  isFilled(t, subject, 8 * MIB)
  t.ok(subject.store.setMemoryLimit(32 * MIB))
  for (let i = 0; i < 40_000; i++) subject.put(Mode.Set, `k${i}`, bytesOf(1, 900))
  isFilled(t, subject, 32 * MIB)
  t.ok(subject.store.setMemoryLimit(48 * MIB))
  for (let i = 0; i < 60_000; i++) subject.put(Mode.Set, `k${i}`, bytesOf(1, 900))
  isFilled(t, subject, 48 * MIB)
  t.ok(subject.store.setMemoryLimit(2047 * MIB))
  t.notOk(subject.store.setMemoryLimit(2048 * MIB))
  t.notOk(subject.store.setMemoryLimit(100_000 * MIB))
  subject.verify()
})

t.test('the limit goes up to the arenas that there are', async t => {
  const subject = new StoreUnderTest({ maxbytes: 3000 * MIB })
  const arenas = subject.store.shards.length
  t.ok(arenas > 1)
  t.ok(subject.store.setMemoryLimit(arenas * 2047 * MIB))
  t.notOk(subject.store.setMemoryLimit(arenas * 2047 * MIB + 1))
})

t.test('a limit that is raised takes no page that the first of a class may need', async t => {
  // all pages of an arena go to one class, but for one for each of the others
  const subject = new StoreUnderTest({ maxbytes: 8 * MIB, evictions: false, slabChunkMax: MIB, slabReassign: false })
  t.ok(subject.store.setMemoryLimit(2047 * MIB))
  const { slabs, arena } = subject.store.shards[0]!
  const { largest } = slabs.classes
  const pages = arena.pageEnd - arena.firstPage
  const request = Buffer.from('k')
  let taken = 0
  for (; subject.store.shards[0]!.allocator.allocate(request, 0, 1, 0, 0, MIB - 100) !== 0; taken++);
  t.equal(taken, pages - largest)
  for (const bytes of [1, 100, 1000, 10_000, 100_000]) {
    t.equal(subject.put(Mode.Set, 'k', bytesOf(1, bytes)), Outcome.Stored, `${bytes} bytes`)
  }
})

t.test('the memory of a store may be less than an arena can have', async t => {
  const layouts = { whole: regionsWith(2 * MIB), least: regionsWith(1000) }
  const made = new Arena(layouts, false, new ArrayBuffer(12 * MIB))
  t.equal(made.pageEnd, 12)
  t.notOk(made.isWhole)
  t.equal(made.firstPage, 1)
  const whole = new Arena(layouts, false)
  t.ok(whole.isWhole)
  t.equal(whole.firstPage, 3, 'its regions are larger')
})

/** The regions of an arena of ten pages, with one for some use. */
function regionsWith(bytes: number): Regions<'nothing' | 'use' | 'pages'> {
  return new Regions([
    { name: 'nothing', bytes: 64, alignment: 64 }, { name: 'use', bytes, alignment: 64 },
      { name: 'pages', bytes: 10 * MIB, alignment: MIB },
  ])
}

t.test('no object stands for an item: the heap is as large with a million items as with ten thousand', async t => {
  const subject = new StoreUnderTest({ maxbytes: 256 * MIB })
  const value = Buffer.alloc(50)
  const fill = (from: number, to: number) => {
    for (let i = from; i < to; i++) subject.put(Mode.Set, `key-${i}`, value)
  }
  fill(0, 10_000)
  const before = heapAfterCollection()
  fill(10_000, 1_000_000)
  const growth = heapAfterCollection() - before
  t.equal(subject.store.itemCount, 1_000_000)
  t.ok(growth < MIB, `${growth} bytes more`)
})

/** The heap without garbage. The collector is not asked for on the command line of a test, so it is switched on here. */
function heapAfterCollection(): number {
  setFlagsFromString('--expose-gc')
  const collect: unknown = runInNewContext('gc')
  if (typeof collect === 'function') collect()
  return process.memoryUsage().heapUsed
}

/** The bytes of all pages in use. */
function pageBytes(subject: StoreUnderTest): number {
  return subject.store.shards.reduce((sum, shard) => sum + shard.slabs.bytesUsed, 0)
}

/** The pages in use take no more than `limit`, and leave no room for another one. */
function isFilled(t: Test, subject: StoreUnderTest, limit: number): void {
  const used = pageBytes(subject)
  t.ok(used <= limit && used > limit - MIB, `${used} bytes of ${limit}`)
}

t.test('memory in which nothing is stored any more serves any size', async t => {
  const subject = new StoreUnderTest({ maxbytes: 24 * MIB, evictions: false })
  let count = 0
  while (subject.put(Mode.Set, `small${count}`, bytesOf(1, 900)) === Outcome.Stored) count++
  for (let i = 0; i < count; i++) subject.delete(`small${i}`)
  let stored = 0
  while (subject.put(Mode.Set, `large${stored}`, bytesOf(1, 9000)) === Outcome.Stored) stored++
  t.ok(stored > 2100, `${stored} items of 9000 bytes`)
  subject.verify()
})

t.test('yesterday\'s sizes do not starve today\'s', async t => {
  const subject = new StoreUnderTest({ maxbytes: 16 * MIB })
  for (let i = 0; i < 20_000; i++) subject.put(Mode.Set, `old${i}`, bytesOf(1, 900))
  subject.clock.advance(60)
  for (let round = 0; round < 100; round++) {
    for (let i = 0; i < 200; i++) subject.put(Mode.Set, `new${round}-${i}`, bytesOf(1, 1500))
    subject.movePages()
  }
  let kept = 0
  for (let i = 0; i < 200; i++) {
    for (let round = 0; round < 100; round++) if (subject.get(`new${round}-${i}`) !== undefined) kept++
  }
  t.ok(subject.store.counters.sum(Counter.SlabsMoved) > 8, 'pages were moved')
  t.ok(kept > 6000, `${kept} of 20000 items of the new size are there; 564 fit one page`)
  subject.verify()
})

t.test('a stalled upload does not keep large items from finding memory', async t => {
  const subject = new StoreUnderTest({ maxbytes: 64 * MIB, itemSizeMax: 16 * MIB })
  for (let i = 0; i < 600_000; i++) subject.put(Mode.Set, `small-${i}`, Buffer.alloc(20))
  // the oldest item of all is being read, so its page cannot be emptied
  const unpin = subject.pin('small-599999')
  for (let i = 0; i < 5; i++) t.equal(subject.put(Mode.Set, `large${i}`, bytesOf(i, 9_000_000)), Outcome.Stored)
  subject.verify(1)
  unpin()
  subject.verify()
})

t.test('any number of clients may read an item, which is changed meanwhile', async t => {
  const subject = new StoreUnderTest()
  subject.put(Mode.Set, 'k', Buffer.from('5'))
  const loans = Array.from({ length: 2000 }, () => subject.borrow('k')!)
  t.equal(subject.store.refCount, 1, 'those of one thread count once')
  t.equal(subject.put(Mode.Append, 'k', Buffer.from('6')), Outcome.Stored)
  t.equal(subject.add('k', 1n), 57n)
  t.equal(subject.get('k')?.value.toString(), '57')
  for (const { end } of loans.slice(1)) end()
  t.equal(loans[0]!.read().toString(), '5')
  loans[0]!.end()
  subject.verify()
})

t.test('a number of half a million digits is refused, and quickly', async t => {
  const subject = new StoreUnderTest()
  subject.put(Mode.Set, 'k', Buffer.alloc(500_000, '7'))
  for (let i = 0; i < 200; i++) t.equal(subject.add('k', 1n), Outcome.NonNumeric)
})

t.test('two sizes in turn do not pump the memory past its limit', async t => {
  const subject = new StoreUnderTest({ maxbytes: 8 * MIB })
  for (let round = 0; round < 40; round++) {
    for (let i = 0; i < 2000; i++) subject.put(Mode.Set, `small${round}-${i}`, bytesOf(1, 1000))
    subject.put(Mode.Set, 'large', bytesOf(1, 9000))
    subject.delete('large')
  }
  t.ok(pageBytes(subject) <= 10 * MIB, `${pageBytes(subject)} bytes: -m and the first page of each class`)
  subject.verify()
})

t.test('a page of small chunks that is too small for the largest ones is not taken for them', async t => {
  const subject = new StoreUnderTest({ maxbytes: 16 * MIB, slabChunkMax: MIB })
  let small = 0
  while (subject.store.counters.sumClasses(ClassCounter.Evicted) === 0) subject.put(Mode.Set, `small${small++}`, bytesOf(1, 10))
  for (let round = 0; round < 40; round++) {
    subject.put(Mode.Set, `large${round}`, bytesOf(round, 900_000))
    subject.clock.advance(1)
    subject.movePages()
  }
  t.ok(subject.get('large39')?.value.equals(bytesOf(39, 900_000)))
  t.ok(subject.store.itemCount > small * 0.9, `${subject.store.itemCount} of ${small} are there`)
  subject.verify()
})

t.test('an empty page that cannot be taken is not sought again and again', async t => {
  const subject = new StoreUnderTest({ maxbytes: 64 * MIB })
  subject.put(Mode.Set, 'odd', bytesOf(1, 5000))
  subject.delete('odd')
  const { slabs } = subject.store.shards[0]!
  t.equal(slabs.emptyPages, 1)
  const slabClass = 1
  t.equal(slabs.findEmptyPageClassLocked(slabClass), 0)
  for (let count = 0; count < 4; count++) subject.put(Mode.Set, `k${count}`, bytesOf(1, 400_000))
  for (let count = 0; count < 4; count++) subject.delete(`k${count}`)
  t.ok(slabs.findEmptyPageClassLocked(slabClass) > 0, 'one that can be is found')
})

t.test('pages stay where they are when they may not move', async t => {
  for (const options of [{ slabReassign: false }, { slabAutomove: 0 }]) {
    const subject = new StoreUnderTest({ maxbytes: 16 * MIB, ...options })
    for (let i = 0; i < 20_000; i++) subject.put(Mode.Set, `old${i}`, bytesOf(1, 900))
    subject.clock.advance(60)
    for (let i = 0; i < 5000; i++) {
      subject.put(Mode.Set, `new${i}`, bytesOf(1, 1500))
      if (i % 100 === 0) subject.movePages()
    }
    t.equal(subject.store.counters.sum(Counter.SlabsMoved), 0, JSON.stringify(options))
    subject.verify()
  }
})
