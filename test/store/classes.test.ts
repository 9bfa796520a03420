import t from 'tap'
import { SlabClasses } from '../../src/store/classes.js'

// what `memcached -vv` prints with its defaults
const DEFAULT_SIZES = [96, 120, 152, 192, 240, 304, 384, 480, 600, 752, 944, 1184, 1480, 1856, 2320, 2904, 3632, 4544, 5680,
  7104, 8880, 11104, 13880, 17352, 21696, 27120, 33904, 42384, 52984, 66232, 82792, 103496, 129376, 161720, 202152, 252696,
  315872, 394840, 524288]

t.test('the classes are memcached\'s', async t => {
  const classes = new SlabClasses(48, 1.25, 512 * 1024)
  t.same(classes.nominalBytes.slice(1), DEFAULT_SIZES)
  t.same(classes.chunksPerPage.slice(1, 4), [10922, 8738, 6898])
  t.equal(classes.largest, 39)
})

t.test('an item goes into the smallest chunk that holds it', async t => {
  for (const [chunkSize, factor, max] of [[48, 1.25, 524288], [80, 1.5, 524288], [1, 1.01, 1024], [48, 2, 1000]] as const) {
    const of = new SlabClasses(chunkSize, factor, max)
    const { chunkBytes, largest } = of
    t.ok(largest < 64, `${largest} classes of -n ${chunkSize} -f ${factor}`)
    const wrong = []
    const last = chunkBytes[largest]!
    for (let bytes = 1; bytes <= last; bytes += bytes < 5000 ? 1 : 97) {
      const slabClass = of.classFor(bytes)
      const isRight = chunkBytes[slabClass]! >= bytes && (slabClass === 1 || chunkBytes[slabClass - 1]! < bytes)
      if (!isRight) wrong.push(bytes)
    }
    t.same(wrong, [], `-n ${chunkSize} -f ${factor}`)
    t.equal(of.classFor(last + 1), 0, 'nothing holds more than the largest chunk')
  }
})

t.test('a chunk is smaller than memcached\'s, and holds what goes into its class there', async t => {
  const classes = new SlabClasses(48, 1.25, 512 * 1024)
  for (let slabClass = 1; slabClass <= classes.largest; slabClass++) {
    const nominal = classes.nominalBytes[slabClass]!
    // header, cas number, the ends of key and line: what memcached adds to key and value; and what is added here
    const keyAndValue = nominal - 48 - 8 - 3
    const spare = nominal > 8192 ? 2 : 0
    t.equal(classes.classFor(36 + keyAndValue + spare), slabClass)
    t.ok(classes.chunkBytes[slabClass]! >= 36 + keyAndValue + spare && classes.chunkBytes[slabClass]! < nominal)
  }
})
