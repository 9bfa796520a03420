import t from 'tap'
import { nominalOverhead, SlabClasses } from '../../src/store/slabs/classes.js'
import { Outcome } from '../../src/store/outcome.js'
import { Mode } from '../../src/store/request.js'
import { bytesOf, StoreUnderTest } from '../support/store.js'

// what `memcached -vv` prints with its defaults
const DEFAULT_SIZES = [96, 120, 152, 192, 240, 304, 384, 480, 600, 752, 944, 1184, 1480, 1856, 2320, 2904, 3632, 4544, 5680,
  7104, 8880, 11104, 13880, 17352, 21696, 27120, 33904, 42384, 52984, 66232, 82792, 103496, 129376, 161720, 202152, 252696,
  315872, 394840, 524288]

const DEFAULTS = { chunkSize: 48, factor: 1.25, slabChunkMax: 512 * 1024, slabSizes: [], useCas: true }

/**
 * The class that memcached takes: that of the smallest chunk for header, cas number, key and its end, flags, value and its end.
 */
function memcachedClass(sizes: readonly number[], keyBytes: number, hasFlags: boolean, valueBytes: number,
  useCas: boolean): number {
  const total = 48 + (useCas ? 8 : 0) + keyBytes + 1 + (hasFlags ? 4 : 0) + valueBytes + 2
  const index = sizes.findIndex(size => size >= total)
  return index < 0 ? sizes.length : index + 1
}

t.test('the classes are memcached\'s', async t => {
  const classes = new SlabClasses(DEFAULTS)
  t.same(classes.nominalBytes.slice(1), DEFAULT_SIZES)
  t.same(classes.chunksPerPage.slice(1, 4), [10922, 8738, 6898])
  t.equal(classes.largest, 39)
})

t.test('classes of one\'s own come before that of the largest chunk', async t => {
  const classes = new SlabClasses({ ...DEFAULTS, slabSizes: [100, 200, 300] })
  t.same(classes.nominalBytes.slice(1), [104, 200, 304, 524288], 'in steps of 8 bytes')
  const twice = new SlabClasses({ ...DEFAULTS, slabSizes: [100, 524288] })
  t.same(twice.nominalBytes.slice(1), [104, 524288, 524288])
  t.equal(twice.classFor(524288), 2, 'the first of two alike is taken')
})

t.test('the smallest classes there may be have room for a free chunk', async t => {
  for (const useCas of [true, false]) {
    const classes = new SlabClasses({ ...DEFAULTS, chunkSize: 1, slabSizes: [9, 18, 27, 36], useCas })
    t.same(classes.nominalBytes.slice(1, 5), [16, 24, 32, 40])
    for (let slabClass = 1; slabClass < 5; slabClass++) {
      t.ok(classes.chunkBytes[slabClass]! >= 28)
      t.ok(classes.pageBytes(slabClass) <= 1024 * 1024)
    }
  }
})

t.test('what is not an item goes into the smallest chunk that holds it', async t => {
  for (const [chunkSize, factor, slabChunkMax] of [[48, 1.25, 524288], [80, 1.5, 524288], [1, 1.01, 1024],
    [48, 2, 1000]] as const) {
    const of = new SlabClasses({ ...DEFAULTS, chunkSize, factor, slabChunkMax })
    const { chunkBytes, largest } = of
    t.ok(largest < 64, `${largest} classes of -n ${chunkSize} -f ${factor}`)
    const wrong = []
    const last = chunkBytes[largest]!
    for (let bytes = 1; bytes <= last; bytes += bytes < 5000 ? 1 : 97) {
      const slabClass = of.classHolding(bytes)
      const isRight = chunkBytes[slabClass]! >= bytes && (slabClass === 1 || chunkBytes[slabClass - 1]! < bytes)
      if (!isRight) wrong.push(bytes)
    }
    t.same(wrong, [], `-n ${chunkSize} -f ${factor}`)
    t.equal(of.classHolding(last + 1), 0, 'nothing holds more than the largest chunk')
  }
})

t.test('a chunk is smaller than memcached\'s, and holds what goes into its class there', async t => {
  for (const useCas of [true, false]) {
    const classes = new SlabClasses({ ...DEFAULTS, useCas })
    const overhead = nominalOverhead(useCas)
    t.equal(overhead, useCas ? 59 : 51)
    for (let slabClass = 1; slabClass <= classes.largest; slabClass++) {
      const nominal = classes.nominalBytes[slabClass]!
      const keyAndValue = nominal - overhead
      const spare = nominal > 8192 ? 2 : 0
      t.equal(classes.classFor(nominal), slabClass)
      t.ok(classes.chunkBytes[slabClass]! >= 36 + keyAndValue + spare && classes.chunkBytes[slabClass]! < nominal)
    }
  }
})

for (const useCas of [true, false]) {
  t.test(`an item of any size is in its class of memcached, ${useCas ? 'with' : 'without'} cas numbers`, async t => {
    for (const [key, flags] of [['k', 0], ['k', 1], ['x'.repeat(250), 0], ['x'.repeat(17), 77]] as const) {
      const subject = new StoreUnderTest({ maxbytes: 64 * 1024 * 1024, useCas })
      const { store } = subject
      const sizes = store.classes.nominalBytes.slice(1)
      const wrong = []
      for (const bytes of sizesAround(sizes, key.length + 59)) {
        const expected = memcachedClass(sizes, key.length, flags !== 0, bytes, useCas)
        // first as new memory, then over what is there, as a short request stores it
        subject.put(Mode.Set, key, VALUE.subarray(0, bytes), flags)
        const first = classOf(subject, key)
        subject.putWhole(Mode.Set, key, VALUE.subarray(0, bytes), flags)
        if (first !== expected || classOf(subject, key) !== expected) wrong.push(bytes)
      }
      t.same(wrong, [], `a key of ${key.length}, flags ${flags}`)
      store.verify()
    }
  })
}

const VALUE = bytesOf(1, 600_000)

/** The value sizes up to 3000, and those from ten bytes less to ten more than fill the chunks of each class. */
function sizesAround(classSizes: readonly number[], overhead: number): Set<number> {
  const sizes = new Set(Array.from({ length: 3000 }, (_, bytes) => bytes))
  for (const size of classSizes) {
    for (let bytes = size - overhead - 10; bytes <= size - overhead + 10; bytes++) if (bytes > 0) sizes.add(bytes)
  }
  return sizes
}

function classOf(subject: StoreUnderTest, key: string): number {
  const { item } = subject.find(key)
  return subject.store.shards[0]!.allocator.classOf(item)
}

t.test('items of all sizes fit classes of one\'s own', async t => {
  const subject = new StoreUnderTest({ slabSizes: [70, 100, 3000] })
  for (const bytes of [0, 1, 2, 10, 11, 40, 2000, 2939, 2940, 2941, 9000, 524_000, 600_000]) {
    t.equal(subject.put(Mode.Set, 'k', VALUE.subarray(0, bytes)), Outcome.Stored)
    t.ok(subject.get('k')?.value.equals(VALUE.subarray(0, bytes)), `${bytes} bytes`)
    t.equal(classOf(subject, 'k'), memcachedClass([72, 104, 3000, 524288], 1, false, bytes, true), `${bytes} bytes`)
  }
  subject.store.verify()
})
