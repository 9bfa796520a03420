// The limits of a buffer of replies. A reply that is longer than the room it asked for would be written over what lies behind
// the buffer, which in the arena are other buffers and items: nothing of it goes out.
import t from 'tap'
import { Memory } from '../../src/memory/bytes.js'
import { Output, OUTPUT_BUFFERS, OUTPUT_BYTES, type Held, type Sink } from '../../src/protocol/output.js'
import { Counters } from '../../src/stats/counters.js'
import '../support/fresh.js'

const TOO_MUCH = { name: 'InvariantError', message: /a reply needs more room than a buffer has/ }
const TOO_LONG = { name: 'InvariantError', message: /a reply is longer than the room that was made for it/ }

/** Takes what is written, or holds it, as a socket does whose client does not read. */
class Reader implements Sink {
  readonly lentBytesMax = OUTPUT_BYTES
  readonly written: string[] = []
  readonly held: Held[] = []
  reads = true

  write(bytes: Uint8Array): boolean {
    this.written.push(Buffer.from(bytes).toString('latin1'))
    return this.reads
  }

  writeMany(parts: readonly Uint8Array[]): boolean { return this.write(Buffer.concat(parts)) }

  hold(held: Held): void { this.held.push(held) }
}

/** @param isArena whether its buffer is one of those beside the items, of which clients that do not read hold none */
function makeOutput(isArena: boolean): { output: Output, reader: Reader } {
  const counters = new Counters(new ArrayBuffer(Counters.bytesFor(1)), 0, 1, 0)
  // behind the buffers lies what is not to be touched
  const output = new Output(new Memory(new Uint8Array((OUTPUT_BUFFERS + 1) * OUTPUT_BYTES)), 0, counters)
  const slow = new Reader()
  slow.reads = false
  output.open(slow)
  for (let count = 0; count < (isArena ? 0 : OUTPUT_BUFFERS); count++) {
    output.text(Buffer.from('held'))
    output.flush()
  }
  const reader = new Reader()
  output.open(reader)
  return { output, reader }
}

for (const isArena of [true, false]) {
  const where = isArena ? 'beside the items' : 'of ordinary memory'

  t.test(`a buffer ${where} has room for a reply of its own size, and for none that is longer`, async t => {
    const { output, reader } = makeOutput(isArena)
    t.throws(() => output.ensure(OUTPUT_BYTES + 1), TOO_MUCH)
    output.text(Buffer.from('before'))
    t.throws(() => output.ensure(OUTPUT_BYTES + 1), TOO_MUCH, 'nor when what was before it has gone out')
    t.same(reader.written, ['before'])
    output.ensure(OUTPUT_BYTES)
    for (let count = 0; count < OUTPUT_BYTES; count++) output.byte(0x61)
    output.flush()
    t.same(reader.written.slice(1), ['a'.repeat(OUTPUT_BYTES)])
  })

  t.test(`a reply that is longer than its room does not go out of a buffer ${where}`, async t => {
    const { output, reader } = makeOutput(isArena)
    output.text(Buffer.from('before'))
    output.ensure(OUTPUT_BYTES - 'before'.length)
    for (let count = 'before'.length; count < OUTPUT_BYTES; count++) output.byte(0x61)
    output.byte(0x62)
    t.throws(() => output.flush(), TOO_LONG)
    t.throws(() => output.ensure(1), TOO_LONG, 'nor when more room is asked for')
    t.same(reader.written, [])
  })
}

t.test('text of any length goes out in parts, each of which has room', async t => {
  const { output, reader } = makeOutput(true)
  const text = Buffer.from('0123456789'.repeat(OUTPUT_BYTES / 4))
  output.text(text)
  output.flush()
  t.equal(reader.written.join(''), text.toString())
  t.ok(reader.written.every(({ length }) => length <= OUTPUT_BYTES))
})
