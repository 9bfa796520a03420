// Chunks of memory that goes back to the system.
import t from 'tap'
import { Blocks } from '../../src/memory/blocks.js'
import { Prng } from '../support/prng.js'

const KIB = 1024
const MIB = 1024 * KIB

t.test('what is given back goes back to the system, all but a mebibyte', async t => {
  const blocks = new Blocks(64 * KIB)
  const before = process.memoryUsage.rss()
  const chunks = Array.from({ length: 2048 }, () => blocks.take())
  for (const chunk of chunks) blocks.chunk(chunk).fill(1)
  t.ok(process.memoryUsage.rss() - before > 120 * MIB, '128 MiB are there')
  for (const chunk of chunks) blocks.giveBack(chunk)
  t.ok(process.memoryUsage.rss() - before < 20 * MIB, 'and are not')
})

t.test('each chunk is its taker\'s alone until it is given back', async t => {
  const prng = new Prng(5)
  const blocks = new Blocks(256 * KIB)
  const taken: { chunk: number, mark: number }[] = []
  for (let step = 0; step < 3000; step++) {
    if (taken.length > 0 && prng.below(100) < (step % 1000 < 500 ? 40 : 60)) {
      const [{ chunk, mark }] = taken.splice(prng.below(taken.length), 1) as [{ chunk: number, mark: number }]
      const bytes = blocks.chunk(chunk)
      if (bytes.length !== 256 * KIB || bytes[0] !== mark || bytes.at(-1) !== mark) {
        t.fail(`step ${step}: chunk ${chunk} is not as it was`)
      }
      blocks.giveBack(chunk)
    } else {
      const chunk = blocks.take()
      const mark = step % 256
      const bytes = blocks.chunk(chunk)
      bytes[0] = bytes[bytes.length - 1] = mark
      taken.push({ chunk, mark })
    }
  }
  t.pass('every step')
})

t.test('who takes a chunk again and again, others being held, does not resize memory each time', async t => {
  const blocks = new Blocks(256 * KIB)
  const held = Array.from({ length: 4 }, () => blocks.take())
  let resized = 0
  const { resize } = ArrayBuffer.prototype
  t.teardown(() => { ArrayBuffer.prototype.resize = resize })
  ArrayBuffer.prototype.resize = function (bytes) {
    resized++
    resize.call(this, bytes)
  }
  for (let i = 0; i < 100; i++) blocks.giveBack(blocks.take())
  t.equal(resized, 1, 'once, for the first')
  for (const chunk of held) blocks.giveBack(chunk)
  t.equal(resized, 2, 'one mebibyte stays, the other goes back')
})
