// The hash of keys: that it is SipHash-1-3, the same wherever a key lies, and that nobody gains by what is known of keys that
// collide. Its key is a fixed one here, so no test passes or fails by chance.
import t from 'tap'
import { Arena } from '../../src/memory/arena.js'
import { Regions } from '../../src/memory/regions.js'
import { Hash } from '../../src/store/index/hash.js'
import '../support/fresh.js'

const MIB = 1024 * 1024
const KEY = Buffer.from('000102030405060708090a0b0c0d0e0f', 'hex')
const MASK = (1n << 64n) - 1n

/** In an arena, of WebAssembly or of a buffer, in which keys are put at `AT`; and for keys that lie elsewhere. */
const AT = 1024
const regions = new Regions([{ name: 'nothing', bytes: MIB, alignment: 1 }, { name: 'pages', bytes: MIB, alignment: MIB }])
const layouts = { whole: regions, least: regions }
const arena = new Arena(layouts, false)
const plainArena = new Arena(layouts, false, new ArrayBuffer(2 * MIB))
const hash = hashWith(KEY)
const written = Buffer.from(arena.buffer)
const plainHash = new Hash(wordsOf(KEY), plainArena)

function wordsOf(key: Uint8Array): Int32Array { return new Int32Array(Uint8Array.from(key).buffer) }
function hashWith(key: Uint8Array): Hash { return new Hash(wordsOf(key), arena) }

/** The hash of a key that lies in the arena, as keys of requests and of items do. */
function hashOf(key: string, one = hash): number {
  return one.of(arena.memory.bytes, AT, AT + written.write(key, AT, 'latin1'))
}

/** SipHash after its description: with `often` rounds for each block and `finally` at the end. */
function sipHash(key: Buffer, message: Buffer, often: number, atEnd: number): bigint {
  const [k0, k1] = [key.readBigUInt64LE(0), key.readBigUInt64LE(8)]
  let [v0, v1, v2, v3] = [k0 ^ 0x736f6d6570736575n, k1 ^ 0x646f72616e646f6dn, k0 ^ 0x6c7967656e657261n, k1 ^ 0x7465646279746573n]
  const rotate = (word: bigint, bits: bigint): bigint => (word << bits | word >> 64n - bits) & MASK
  const round = (): void => {
    v0 = v0 + v1 & MASK; v1 = rotate(v1, 13n) ^ v0; v0 = rotate(v0, 32n)
    v2 = v2 + v3 & MASK; v3 = rotate(v3, 16n) ^ v2
    v0 = v0 + v3 & MASK; v3 = rotate(v3, 21n) ^ v0
    v2 = v2 + v1 & MASK; v1 = rotate(v1, 17n) ^ v2; v2 = rotate(v2, 32n)
  }
  const padded = Buffer.concat([message, Buffer.alloc(8 - message.length % 8)])
  padded[padded.length - 1] = message.length & 0xff
  for (let at = 0; at < padded.length; at += 8) {
    const block = padded.readBigUInt64LE(at)
    v3 ^= block
    for (let i = 0; i < often; i++) round()
    v0 ^= block
  }
  v2 ^= 0xffn
  for (let i = 0; i < atEnd; i++) round()
  return v0 ^ v1 ^ v2 ^ v3
}

/** Bytes 0, 1, 2 and so on, as the vectors of SipHash have them. */
function counting(count: number): Buffer { return Buffer.from(Array.from({ length: count }, (_, index) => index)) }

t.test('it is SipHash-1-3, of which it has the lower 32 bits', async t => {
  t.equal(sipHash(KEY, counting(15), 2, 4), 0xa129ca6149be45e5n, 'the test is right about SipHash: appendix A of its description')
  const published = ['dcc40f055801acab', '93ca577df39bf4c9', '4dd4c74d029bcb82', 'fbf7dde7b80af88b']
  for (const [count, bytes] of published.entries()) {
    t.equal(sipHash(KEY, counting(count), 1, 3), Buffer.from(bytes, 'hex').readBigUInt64LE(), `SipHash-1-3 of ${count} bytes`)
  }
  const wrong: string[] = []
  for (let count = 0; count <= 255; count++) {
    const message = counting(count)
    const expected = Number(BigInt.asIntN(32, sipHash(KEY, message, 1, 3)))
    if (hashOf(message.toString('latin1')) !== expected) wrong.push(`${count} bytes in WebAssembly`)
    if (hash.of(message, 0, count) !== expected) wrong.push(`${count} bytes in JavaScript`)
  }
  t.same(wrong, [])
})

t.test('a key has the same hash at any place and in any memory', async t => {
  const other = Buffer.alloc(600, 0xee)
  const wrong: string[] = []
  for (let place = 0; place < 16; place++) {
    for (const count of [1, 7, 8, 9, 15, 16, 31, 250]) {
      const key = Buffer.from(Array.from({ length: count }, (_, index) => index * 37 & 0xff))
      const expected = hashOf(key.toString('latin1'))
      for (const bytes of [arena.memory.bytes, plainArena.memory.bytes, other]) {
        bytes.fill(0xdd, 100, 500)
        bytes.set(key, 200 + place)
        for (const one of [hash, plainHash]) {
          if (one.of(bytes, 200 + place, 200 + place + count) !== expected) wrong.push(`${count} bytes at ${place}`)
        }
      }
    }
  }
  t.same(wrong, [])
})

t.test('a key that seems to go on beyond the end of memory does no harm', async t => {
  const { bytes } = arena.memory
  for (let beyond = 0; beyond < 300; beyond += 7) t.type(hash.of(bytes, bytes.length - 50, bytes.length - 50 + beyond), 'number')
})

t.test('two stores have different hashes', async t => {
  const keys = [new Int32Array(Hash.KEY_WORDS), new Int32Array(Hash.KEY_WORDS)] as const
  for (const key of keys) Hash.fillKey(key)
  const [one, other] = keys.map(key => new Hash(key, arena))
  const isSame = (i: number): boolean => hashOf(`key-${i}`, one) === hashOf(`key-${i}`, other)
  t.equal(Array.from({ length: 1000 }, (_, i) => i).filter(isSame).length, 0)
})

t.test('parts of keys have no share of their own in the hash', async t => {
  for (const partBytes of [1, 4, 8, 16]) {
    let sums = 0
    for (let i = 0; i < 2000; i++) {
      const [a, b] = [part(2 * i, partBytes), part(2 * i + 1, partBytes)]
      const [c, d] = [part(5000 + 2 * i, partBytes), part(5001 + 2 * i, partBytes)]
      const [ac, bc, ad, bd] = [hashOf(a + c), hashOf(b + c), hashOf(a + d), hashOf(b + d)]
      // the share of a and b together, were there one: by exclusive or, and by addition
      if (((ac ^ bc) === (ad ^ bd) || ((ac - bc) | 0) === ((ad - bd) | 0)) && a !== b && c !== d) sums++
    }
    t.equal(sums, 0, `parts of ${partBytes} bytes that change the hash alike whatever stands beside them`)
  }
})

/** `count` characters; by far most of the numbers make different ones if there are two of them or more. */
function part(number: number, count: number): string {
  return String.fromCharCode(...Array.from({ length: count }, (_, at) => 0x21 + Math.imul(number + 1, 2 * at + 7919) % 94))
}

t.test('keys put together from parts that were found to collide do so no more than others', async t => {
  // what a client can find out: which keys are in one bucket with one of its own
  const bucketBits = 0xfff
  const findParts = (keyOf: (part: string) => string): string[] => {
    const wanted = hashOf(keyOf('p0000000')) & bucketBits
    const parts: string[] = []
    for (let i = 1; parts.length < 40; i++) {
      const found = `p${String(i).padStart(7, '0')}`
      if ((hashOf(keyOf(found)) & bucketBits) === wanted) parts.push(found)
    }
    return parts
  }
  const firsts = findParts(part => `${part}q0000000`)
  const seconds = findParts(part => `p0000000${part}`)
  const keys = firsts.flatMap(first => seconds.map(second => first + second))
  const longest = longestOf(keys, key => hashOf(key) & bucketBits)
  t.ok(longest <= 8, `of ${keys.length} such keys ${longest} are in one of 4096 buckets`)
  const ends = findParts(part => `the same long beginning, more than a block:${part}`)
  const others = ends.map(end => `another beginning of the same length, a blck:${end}`)
  const shared = longestOf(others, key => hashOf(key) & bucketBits)
  t.ok(shared <= 4, `${shared} of ${others.length} ends that collide behind one beginning do so behind another`)
})

const COUNT = 65_536
const ALPHABET = 'abcdefghijklmnopqrstuvwxyz'
/** Keys as programs make them. */
const FAMILIES: Readonly<Record<string, (index: number) => string>> = {
  'counters': index => String(index),
  'counters with zeros before them': index => String(index).padStart(16, '0'),
  'counters behind a word': index => `user:${index}`,
  'counters before a word': index => `${index}:profile:name`,
  'steps of a power of two': index => String(index * 4096),
  'dates': index => new Date(Date.UTC(1990, 0, 1) + index * 3_600_000).toISOString(),
  'a long common beginning': index => `${'x'.repeat(240)}${index}`,
  'a long common end': index => `${index}${'x'.repeat(240)}`,
  'two numbers': index => `${index >> 8}:${index & 0xff}`,
  'four letters': index => [15, 10, 5, 0].map(shift => ALPHABET[(index >> shift & 31) % 26]! + (index >> shift & 1)).join(''),
  'numbers of 32 bits': index => Buffer.from(Uint32Array.of(index).buffer).toString('latin1'),
  'numbers of 32 bits, the other way round': index => Buffer.from(Uint32Array.of(index).buffer).reverse().toString('latin1'),
  'hexadecimal numbers': index => Math.imul(index, 0x01000193).toString(16),
  'two bits that are not 0': index => twoBits(index),
}

/** 128 bytes, all 0 but for two bits at most, which differ from those of any other number. */
function twoBits(index: number): string {
  const key = Buffer.alloc(128)
  for (const bit of [index >> 8, 256 + (index & 0xff)]) key[bit >> 3]! |= 1 << (bit & 7)
  return key.toString('latin1')
}

for (const [family, keyOf] of Object.entries(FAMILIES)) {
  t.test(`${family} are spread as by chance`, async t => {
    const keys = [...new Set(Array.from({ length: COUNT }, (_, index) => keyOf(index)))]
    t.ok(keys.length > COUNT / 2, `${keys.length} different keys`)
    // as many buckets as keys, by the low bits and by the high ones: by chance the longest chain has 8 or 9
    const hashes = keys.map(key => hashOf(key))
    for (const [bits, bucketOf] of [['low', (one: number) => one & 0xffff], ['high', (one: number) => one >>> 16]] as const) {
      const longest = longestOf(hashes, bucketOf)
      t.ok(longest < 12, `${longest} keys in one bucket by the ${bits} bits`)
    }
    // shards
    const share = keys.length / 256
    t.ok(longestOf(hashes, one => one >>> 24) < share + 6 * Math.sqrt(share), 'no shard has much more than others')
  })
}

/** How many have the same place as the most do. */
function longestOf<T>(all: readonly T[], placeOf: (one: T) => number): number {
  const counts = new Map<number, number>()
  for (const one of all) counts.set(placeOf(one), (counts.get(placeOf(one)) ?? 0) + 1)
  return Math.max(...counts.values())
}
