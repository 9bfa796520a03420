import t from 'tap'
import { Memory } from '../../src/memory/bytes.js'
import { allocateWasm, bufferOf, instructionsOf } from '../../src/memory/wasm.js'
import { bytesOf } from '../support/store.js'

const BYTES = 4 * 64 * 1024

for (const shared of [false, true]) {
  t.test(`bytes are copied inside memory for ${shared ? 'several threads' : 'one thread'}, whatever their place and count`, async t => {
    const linear = allocateWasm(BYTES, shared)
    const buffer = bufferOf(linear)
    t.equal(buffer.byteLength, BYTES)
    t.ok(buffer instanceof SharedArrayBuffer, 'memory that does not count as part of the heap of V8')
    const copier = instructionsOf(linear)?.copy
    t.ok(copier, 'by an instruction of the machine')
    for (const copyInside of [copier, undefined]) {
      const bytes = new Uint8Array(buffer)
      const memory = new Memory(bytes, copyInside)
      const wrong: string[] = []
      for (const count of [0, 1, 3, 4, 5, 23, 24, 25, 31, 56, 57, 100, 1000, 65_537]) {
        for (const [from, to] of [[100, 100_000], [101, 100_002], [100_003, 110]] as const) {
          bytes.fill(0xee)
          const source = bytesOf(count, count)
          bytes.set(source, from)
          memory.move(from, to, count)
          const isRight = Buffer.compare(bytes.slice(to, to + count), source) === 0
          if (!isRight || bytes[to - 1] !== 0xee || bytes[to + count] !== 0xee) wrong.push(`${count} from ${from} to ${to}`)
        }
      }
      t.same(wrong, [])
    }
  })
}

for (const shared of [false, true]) {
  t.test(`words of ${shared ? 'shared' : 'own'} memory are changed as Atomics does it`, async t => {
    const linear = allocateWasm(BYTES, shared)
    const words = new Int32Array(bufferOf(linear))
    const instructions = instructionsOf(linear)!
    const last = words.length - 1
    for (const word of [0, 5, last]) {
      t.equal(instructions.compareExchange(word * 4, 0, 7), 0, 'it was 0 and is 7')
      t.equal(instructions.compareExchange(word * 4, 0, 8), 7, 'it is not 0 and stays')
      t.equal(instructions.add(word * 4, -3), 7)
      t.equal(words[word], 4)
    }
    t.equal(words.filter(word => word !== 0).length, 3, 'no other word')
  })
}

t.test('memory that WebAssembly cannot have is an ordinary buffer', async t => {
  for (const buffer of [new ArrayBuffer(BYTES), new SharedArrayBuffer(BYTES)]) {
    t.equal(bufferOf(buffer), buffer)
    t.equal(instructionsOf(buffer), undefined)
  }
})
