import t from 'tap'
import { parseUint64, Uint64, writeNumber, writeUint64 } from '../../src/memory/numbers.js'
import { Prng } from '../support/prng.js'

const EDGES = [0n, 1n, 9n, 10n, 99n, 2n ** 31n - 1n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 32n, 10n ** 15n, 2n ** 53n - 1n,
  2n ** 53n, 2n ** 53n + 1n, 2n ** 63n - 1n, 2n ** 63n, 10n ** 19n, 2n ** 64n - 1n]

t.test('digits and words are the same number both ways', async t => {
  const random = new Prng(7)
  const numbers = [...EDGES, ...Array.from({ length: 2000 }, () => randomUint64(random))]
  const wrong = numbers.filter(number => {
    const bytes = Buffer.from(String(number))
    const parsed = new Uint64()
    const out = Buffer.alloc(20)
    return !parseUint64(bytes, 0, bytes.length, parsed) || parsed.toBigInt() !== number ||
      out.toString('latin1', 0, writeUint64(out, 0, parsed.high, parsed.low)) !== String(number)
  })
  t.same(wrong, [])
})

t.test('what is no number of 64 bits is refused', async t => {
  for (const text of ['', '-1', '+1', '1x', ' 1', '0x1', '18446744073709551616', '9'.repeat(30)]) {
    t.notOk(parseUint64(Buffer.from(text), 0, text.length, new Uint64()), JSON.stringify(text))
  }
})

t.test('sums wrap at 2^64 and differences stop at 0', async t => {
  const random = new Prng(8)
  const pairs = EDGES.flatMap(a => EDGES.map(b => [a, b] as const))
  for (let i = 0; i < 2000; i++) pairs.push([randomUint64(random), randomUint64(random)])
  const wrong = pairs.filter(([a, b]) => {
    const sum = uint64(a)
    const difference = uint64(a)
    const other = uint64(b)
    sum.add(other.high, other.low)
    difference.subtract(other.high, other.low)
    return sum.toBigInt() !== BigInt.asUintN(64, a + b) || difference.toBigInt() !== (a > b ? a - b : 0n)
  })
  t.same(wrong, [])
})

t.test('small and large whole numbers are written in decimal', async t => {
  const out = Buffer.alloc(20)
  for (const number of [0, 9, 10, 250, 65536, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 999_999_999_999, Number.MAX_SAFE_INTEGER]) {
    t.equal(out.toString('latin1', 0, writeNumber(out, 0, number)), String(number))
  }
})

function uint64(value: bigint): Uint64 {
  const words = new Uint64()
  words.setBigInt(value)
  return words
}

function randomUint64(random: Prng): bigint {
  return ((BigInt(random.next()) << 32n) | BigInt(random.next())) >> BigInt(random.below(64))
}
