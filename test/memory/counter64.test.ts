import t from 'tap'
import { Counter64Word } from '../../src/memory/layout.js'
import { Counter64 } from '../../src/memory/counter64.js'
import '../support/fresh.js'

/** @param low, crossings what the words are at the start */
function begin(low: number, crossings: number, shared = true): { words: Int32Array, sequence: Counter64, next: () => bigint } {
  const words = new Int32Array(new SharedArrayBuffer(4 * Counter64Word.End))
  words[Counter64Word.Low] = low
  words[Counter64Word.Crossings] = crossings
  const sequence = new Counter64(words, 0, shared)
  const next = () => {
    sequence.advance()
    t.equal(sequence.last, sequence.high * 2 ** 32 + sequence.low)
    return BigInt(sequence.high) * 2n ** 32n + BigInt(sequence.low)
  }
  return { words, sequence, next }
}

t.test('numbers follow each other from 1 on', async t => {
  for (const shared of [true, false]) {
    const { next } = begin(0, 0, shared)
    t.same([next(), next(), next()], [1n, 2n, 3n])
  }
})

t.test('they go on past 2^31 and 2^32', async t => {
  for (const shared of [true, false]) {
    const half = begin(0x7ffffffe, 0, shared)
    t.same([half.next(), half.next(), half.next()], [2n ** 31n - 1n, 2n ** 31n, 2n ** 31n + 1n])
    const whole = begin(-2, 1, shared)
    t.same([whole.next(), whole.next(), whole.next()], [2n ** 32n - 1n, 2n ** 32n, 2n ** 32n + 1n])
    const later = begin(-1, 2 ** 20 + 1, shared)
    t.equal(later.next(), (2n ** 19n + 1n) * 2n ** 32n)
  }
})

t.test('a thread is right between the crossing of another and its telling, and when others are ahead', async t => {
  const { words, next } = begin(-1, 1)
  // another thread takes 2^32 and has not told yet
  Atomics.add(words, Counter64Word.Low, 1)
  t.equal(next(), 2n ** 32n + 1n)
  Atomics.add(words, Counter64Word.Crossings, 1)
  t.equal(next(), 2n ** 32n + 2n)
  // this thread's number is from before the crossing that another has told
  const late = begin(-2, 2)
  t.equal(late.next(), 2n ** 32n - 1n)
})
