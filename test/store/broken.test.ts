// What an operation that breaks an invariant leaves behind: the lock that it held stays held, and no thread reads on.
import t from 'tap'
import { InvariantError } from '../../src/errors.js'
import { Outcome } from '../../src/store/outcome.js'
import { Mode } from '../../src/store/request.js'
import { StoreUnderTest } from '../support/store.js'

const VALUE = Buffer.from('a value')

/** Breaks the item of a key, which is there: its reference is dropped twice, the second time with its stripe locked. */
function breakItem(subject: StoreUnderTest, key: string): void {
  const end = subject.pin(key)
  const { items, item } = subject.find(key)
  items.dropRef(item)
  end()
}

t.test('a thread that breaks an invariant keeps the lock, and others get an error instead of what it left', async t => {
  const made = new StoreUnderTest({ shared: true, threads: 3 })
  const breaking = StoreUnderTest.attach(made.store.share(), 1)
  const waiting = StoreUnderTest.attach(made.store.share(), 2)
  breaking.put(Mode.Set, 'k', VALUE)
  const request = waiting.for('k')
  const { stripes } = waiting.store.context
  t.throws(() => breakItem(breaking, 'k'), { name: 'InvariantError', message: /a reference is dropped/ })
  t.notOk(stripes.tryTake(request.hash), 'the stripe is not handed on')
  breaking.store.fail()
  t.throws(() => stripes.take(request.hash), { name: 'InvariantError', message: /has died, and thread 1 holds/ })
  for (const key of ['k', 'another key']) t.throws(() => waiting.get(key), InvariantError, 'nor does a batch begin')
  t.throws(() => made.put(Mode.Set, 'k', VALUE), InvariantError)
})

t.test('a store of one thread that breaks an invariant serves nothing more', async t => {
  const subject = new StoreUnderTest()
  subject.put(Mode.Set, 'k', VALUE)
  subject.put(Mode.Set, 'another key', VALUE)
  t.throws(() => breakItem(subject, 'k'), InvariantError)
  t.throws(() => subject.get('k'), InvariantError, 'its stripe stays locked')
  subject.store.fail()
  t.throws(() => subject.get('another key'), InvariantError)
})

t.test('a loan ends once', async t => {
  const subject = new StoreUnderTest()
  subject.put(Mode.Set, 'k', VALUE)
  const end = subject.pin('k')
  end()
  t.throws(end, InvariantError)
  subject.verify()
})

t.test('an item has no more references than can be counted', async t => {
  const subject = new StoreUnderTest()
  subject.put(Mode.Set, 'k', VALUE)
  const { items, item } = subject.find('k')
  for (let count = 0; count < 511; count++) items.addRef(item)
  t.throws(() => items.addRef(item), InvariantError)
})

t.test('an item is linked once, and its chunk is given back once', async t => {
  const subject = new StoreUnderTest()
  subject.put(Mode.Set, 'k', VALUE)
  const { items, item } = subject.find('k')
  const { slabs } = subject.store.shards[0]!
  const slabClass = slabs.classAt(item)
  t.throws(() => items.link(item, 0), { name: 'InvariantError', message: /is linked that is not reserved/ })
  t.equal(subject.delete('k'), Outcome.Deleted)
  slabs.lock(slabClass)
  t.throws(() => slabs.giveBackClassLocked(slabClass, item), { name: 'InvariantError', message: /is given back that is free/ })
})
