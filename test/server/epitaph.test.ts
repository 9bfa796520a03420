// What the first thread that dies writes down for all of them.
import t from 'tap'
import { Epitaph } from '../../src/server/epitaph.js'
import { InvariantError } from '../../src/errors.js'
import '../support/fresh.js'

function memory(): SharedArrayBuffer { return new SharedArrayBuffer(Epitaph.BYTES) }

t.test('nobody has died at the start', async t => {
  t.equal(new Epitaph(memory()).read(), undefined)
})

t.test('the first death is the one that counts, for all who share the memory', async t => {
  const shared = memory()
  const cause = new InvariantError('an item is in two lists')
  new Epitaph(shared).write(3, cause)
  new Epitaph(shared).write(1, new InvariantError('another thread has died'))
  const death = new Epitaph(shared).read()
  t.match(death, { thread: 3, cause: { name: cause.name, message: cause.message, stack: cause.stack } })
  t.ok(death?.cause instanceof Error)
})

t.test('what is no error, or very long, is told as far as it goes', async t => {
  const [short, long] = [new Epitaph(memory()), new Epitaph(memory())]
  short.write(2, 'thrown as a text')
  t.equal(short.read()?.cause.message, 'thrown as a text')
  long.write(2, new Error('x'.repeat(10_000)))
  t.match(long.read()?.cause.message, /^x{4000,}$/)
})
