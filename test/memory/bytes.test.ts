import t from 'tap'
import { Memory } from '../../src/memory/bytes.js'
import '../support/fresh.js'

t.test('copies of every short length and of some long ones, at every alignment', async t => {
  const source = Uint8Array.from({ length: 5000 }, (_, at) => (at * 7 + (at >> 8)) & 0xff)
  const wrong: string[] = []
  for (const count of [...Array(130).keys(), 500, 2000]) {
    for (let from = 0; from < 4; from++) {
      for (let to = 0; to < 4; to++) {
        const inside = new Memory(Uint8Array.from(source))
        inside.move(from, 2500 + to, count)
        const between = new Memory(new Uint8Array(5000))
        between.copyFrom(source, from, 2500 + to, count)
        const wanted = Buffer.from(source.subarray(from, from + count))
        const isRight = wanted.equals(inside.bytes.subarray(2500 + to, 2500 + to + count)) &&
          wanted.equals(between.bytes.subarray(2500 + to, 2500 + to + count)) &&
          inside.bytes[2499 + to] === source[2499 + to] && inside.bytes[2500 + to + count] === source[2500 + to + count]
        if (!isRight) wrong.push(`${count} bytes from ${from} to ${to}`)
      }
    }
  }
  t.same(wrong, [])
})

t.test('ranges are equal only if every byte is, in one array and in two', async t => {
  const wrong: string[] = []
  for (let count = 0; count < 40; count++) {
    const memory = new Memory(new Uint8Array(200))
    if (!memory.equals(3, memory.bytes, 101, count)) wrong.push(`${count} equal bytes`)
    for (let at = 0; at < count; at++) {
      memory.bytes[101 + at] = 1
      const other = Uint8Array.from(memory.bytes)
      if (memory.equals(3, memory.bytes, 101, count) || memory.equals(3, other, 101, count)) wrong.push(`${count}, ${at} differs`)
      memory.bytes[101 + at] = 0
    }
  }
  t.same(wrong, [])
})
