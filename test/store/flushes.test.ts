// Flushes of prefixes: what they leave alive, and what becomes of them.
import t from 'tap'
import { InvariantError } from '../../src/errors.js'
import { Counter } from '../../src/stats/counters.js'
import { Departure } from '../../src/store/departures.js'
import { FLUSHED_PREFIXES_MAX } from '../../src/store/items/flushes.js'
import { GENERATIONS_MAX } from '../../src/store/items/generations.js'
import { Mode } from '../../src/store/request.js'
import { type ItemView } from '../../src/store/view.js'
import { ClassSet } from '../../src/store/walks/crawler.js'
import { Prng } from '../support/prng.js'
import { bytesOf, StoreUnderTest } from '../support/store.js'

const MIB = 1024 * 1024
const VALUE = bytesOf(1, 10)
const SEED = 20261129

const put = (subject: StoreUnderTest, ...keys: string[]) => { for (const key of keys) subject.put(Mode.Set, key, VALUE) }
const found = (subject: StoreUnderTest, ...keys: string[]) => keys.filter(key => subject.get(key) !== undefined)
const flush = ({ store }: StoreUnderTest, prefix: string) => store.flushPrefix(Buffer.from(prefix, 'latin1'))

/** Gives the background its time, until its walk has been everywhere since the last flush. */
function sweep({ store }: StoreUnderTest): void {
  for (let step = 0; store.context.mayHoldDead; step++) {
    if (step === 10_000) throw new Error('the walk does not come round')
    store.sweepStep(100)
  }
}

t.test('a flush of a prefix takes the keys that have it, and no others', async t => {
  const subject = new StoreUnderTest()
  const others = ['a', 'aa:1', 'b:1', 'b:a:1', ':a:1', 'A:1', 'a;1']
  put(subject, 'a:', 'a:1', 'a:b', 'a::', ...others)
  t.equal(flush(subject, 'a'), true)
  t.same(found(subject, 'a:', 'a:1', 'a:b', 'a::'), [])
  t.same(found(subject, ...others), others)
  t.equal(subject.store.counters.sum(Counter.GetFlushed), 4)
  put(subject, 'a:1')
  t.same(found(subject, 'a:1', 'a:b'), ['a:1'], 'what is stored afterwards is there')
  subject.verify()
})

t.test('of a key that begins with the delimiter the prefix is empty, and a key without one has none', async t => {
  const subject = new StoreUnderTest()
  put(subject, ':', ':1', 'plain', 'a:1')
  flush(subject, '')
  t.same(found(subject, ':', ':1', 'plain', 'a:1'), ['plain', 'a:1'])
  put(subject, 'whole')
  flush(subject, 'whole')
  t.same(found(subject, 'whole'), ['whole'])
})

t.test('the delimiter is that of -D, and bytes are bytes', async t => {
  const subject = new StoreUnderTest({ prefixDelimiter: '/' })
  put(subject, 'a:b/1', 'a/1', '\xff\x80/1')
  flush(subject, 'a:b')
  flush(subject, '\xff\x80')
  t.same(found(subject, 'a:b/1', 'a/1', '\xff\x80/1'), ['a/1'])
})

t.test('what has a delimiter in it, or leaves no room for one in a key, is no prefix', async t => {
  const { store } = new StoreUnderTest()
  const longest = Buffer.alloc(249, 'p')
  t.equal(store.isPrefix(longest), true)
  t.equal(store.isPrefix(Buffer.alloc(250, 'p')), false)
  t.equal(store.isPrefix(Buffer.from('a:b')), false)
  t.equal(store.isPrefix(Buffer.alloc(0)), true)
  t.throws(() => store.flushPrefix(Buffer.from('a:b')), InvariantError)
  t.equal(store.flushPrefix(longest), true)
  store.verify()
})

t.test('long prefixes that differ in one byte are different ones', async t => {
  const subject = new StoreUnderTest()
  const prefixes = Array.from({ length: 20 }, (_, at) => `${'p'.repeat(at * 12)}x${'p'.repeat(240 - at * 12)}`)
  put(subject, ...prefixes.map(prefix => `${prefix}:1`))
  for (const [index, prefix] of prefixes.entries()) if (index % 2 === 0) flush(subject, prefix)
  t.same(found(subject, ...prefixes.map(prefix => `${prefix}:1`)),
    prefixes.filter((_, index) => index % 2 === 1).map(prefix => `${prefix}:1`))
  subject.verify()
})

t.test('what is written over, touched, counted or joined before a flush goes with it, and what is afterwards stays', async t => {
  const subject = new StoreUnderTest()
  const act = () => {
    subject.putWhole(Mode.Set, 'a:over', VALUE)
    subject.putWhole(Mode.Set, 'a:over', bytesOf(2, 10))
    subject.put(Mode.Set, 'a:joined', VALUE)
    subject.put(Mode.Append, 'a:joined', VALUE)
    subject.put(Mode.Set, 'a:number', Buffer.from('10'))
    subject.add('a:number', 5n)
    subject.put(Mode.Set, 'a:touched', VALUE)
    subject.touch('a:touched', 100)
  }
  const keys = ['a:over', 'a:joined', 'a:number', 'a:touched']
  act()
  flush(subject, 'b')
  t.same(found(subject, ...keys), keys)
  flush(subject, 'a')
  t.same(found(subject, ...keys), [])
  act()
  t.same(found(subject, ...keys), keys)
  flush(subject, 'b')
  t.same(found(subject, ...keys), keys)
  subject.verify()
})

t.test('a flush of a prefix walks over nothing; the background reclaims, and forgets the prefix', async t => {
  const subject = new StoreUnderTest()
  const { store } = subject
  const COUNT = 20_000
  for (let i = 0; i < COUNT; i++) put(subject, `${i % 2 === 0 ? 'a' : 'b'}:${i}`)
  flush(subject, 'a')
  t.equal(store.itemCount, COUNT)
  t.equal(store.context.flushedPrefixes.count, 1)
  sweep(subject)
  t.equal(store.itemCount, COUNT / 2)
  t.equal(store.context.flushedPrefixes.count, 0)
  t.equal(found(subject, ...Array.from({ length: COUNT }, (_, i) => `b:${i}`)).length, COUNT / 2,
    'all that were to stay are there')
  subject.verify()
  flush(subject, 'b')
  t.same(found(subject, 'b:1', 'b:19999'), [], 'old as they are, another flush takes them')
})

t.test('a prefix that is flushed while a walk is under way stays known until another has been everywhere', async t => {
  const subject = new StoreUnderTest()
  const { store } = subject
  for (let i = 0; i < 8000; i++) put(subject, `${i % 2 === 0 ? 'a' : 'b'}:${i}`)
  flush(subject, 'a')
  store.sweepStep(100)
  flush(subject, 'b')
  for (let step = 0; store.context.flushedPrefixes.count === 2 && step < 1000; step++) store.sweepStep(100)
  t.equal(store.context.flushedPrefixes.count, 1)
  t.equal(store.context.mayHoldDead, true)
  t.same(found(subject, 'a:0', 'b:1'), [])
  subject.verify()
  sweep(subject)
  t.equal(store.itemCount, 0)
  t.equal(store.context.flushedPrefixes.count, 0)
  subject.verify()
})

t.test('so many prefixes are flushed until the walk comes round, and the next one is refused rather than half done', async t => {
  const subject = new StoreUnderTest()
  const prefixOf = (number: number) => `p${number}`
  for (let number = 0; number <= FLUSHED_PREFIXES_MAX; number++) put(subject, `${prefixOf(number)}:1`)
  const refused = Array.from({ length: FLUSHED_PREFIXES_MAX }, (_, number) => prefixOf(number))
    .filter(prefix => !flush(subject, prefix))
  t.same(refused, [])
  const last = prefixOf(FLUSHED_PREFIXES_MAX)
  t.equal(flush(subject, last), false)
  t.same(found(subject, `${last}:1`), [`${last}:1`])
  put(subject, 'p7:1')
  t.equal(flush(subject, 'p7'), true, 'one that is known is flushed again')
  for (const number of [0, 7, 1000, FLUSHED_PREFIXES_MAX - 1]) t.equal(subject.get(`p${number}:1`), undefined)
  subject.verify()
  sweep(subject)
  t.equal(flush(subject, last), true)
  t.same(found(subject, `${last}:1`), [])
  t.equal(subject.store.itemCount, 0)
  subject.verify()
})

t.test('a flush of everything takes the place of all that were flushed before', async t => {
  const subject = new StoreUnderTest()
  for (let i = 0; i < 1000; i++) put(subject, `p${i}:1`)
  for (let i = 0; i < 500; i++) flush(subject, `p${i}`)
  subject.store.flush(0)
  t.equal(subject.store.context.flushedPrefixes.count, 0)
  t.same(found(subject, 'p1:1', 'p900:1'), [])
  put(subject, 'p1:1', 'p900:1')
  flush(subject, 'p1')
  t.same(found(subject, 'p1:1', 'p900:1', 'p2:1'), ['p900:1'])
  subject.verify()
})

t.test('what flushes have left alive stays so when its page moves, and what is dead does not go along', async t => {
  const subject = new StoreUnderTest({ maxbytes: 64 * MIB, slabAutomove: 0 })
  const { store } = subject
  // several pages of one class, and more flushes than a page tells apart
  const keys = Array.from({ length: 6000 }, (_, i) => `${i % 3 === 0 ? 'a' : 'b'}:${i}`)
  for (const key of keys) subject.put(Mode.Set, key, bytesOf(1, 900))
  for (let count = 0; count < 40; count++) flush(subject, `other${count}`)
  flush(subject, 'a')
  const slabClass = store.shards[0]!.allocator.classOf(subject.find('b:1').item)
  for (let moves = 0; moves < 3; moves++) {
    store.rebalance.reassign(slabClass, 0)
    t.ok(subject.movePages())
  }
  t.ok(store.counters.sum(Counter.Rescues) > 500, `${store.counters.sum(Counter.Rescues)} items were moved`)
  t.same(found(subject, ...keys), keys.filter(key => key.startsWith('b:')))
  subject.verify()
})

t.test('an item is found while another thread is in the midst of a turn of its page', async t => {
  const subject = new StoreUnderTest()
  put(subject, 'a:1')
  for (let count = 0; count < 20; count++) flush(subject, `other${count}`)
  const { items, item } = subject.find('a:1')
  const before = items.generation(item)
  // the first number of the other half, before the page has the word for it
  items.setGeneration(item, 16)
  t.same(found(subject, 'a:1'), ['a:1'])
  items.setGeneration(item, before)
  flush(subject, 'a')
  t.same(found(subject, 'a:1'), [])
})

t.test('as generations run out the store counts anew: nothing dies of that, and nothing comes back', async t => {
  const subject = new StoreUnderTest()
  const { context } = subject.store
  for (let i = 0; i < 1000; i++) put(subject, `a:${i}`, `b:${i}`)
  flush(subject, 'a')
  context.generation = GENERATIONS_MAX
  t.equal(flush(subject, 'b'), false, 'not while dead items may be left')
  t.same(found(subject, 'a:1', 'b:1'), ['b:1'])
  sweep(subject)
  subject.verify()
  t.equal(flush(subject, 'c'), true)
  t.ok(context.generation < 100)
  t.same(found(subject, 'a:2', 'b:2'), ['b:2'])
  put(subject, 'a:2')
  t.equal(flush(subject, 'b'), true)
  t.same(found(subject, 'a:2', 'b:2'), ['a:2'])
  put(subject, 'b:2')
  subject.verify()

  context.generation = GENERATIONS_MAX
  subject.store.flush(0)
  t.ok(context.generation < 100, 'a flush of everything may at any time')
  t.same(found(subject, 'a:2', 'b:2'), [])
  put(subject, 'b:2')
  flush(subject, 'a')
  t.same(found(subject, 'a:2', 'b:2'), ['b:2'])
  subject.verify()
})

t.test('neither a dump nor a walk over keys shows what is flushed', async t => {
  const subject = new StoreUnderTest()
  put(subject, 'a:1', 'a:2', 'b:1', 'b:2')
  flush(subject, 'a')
  put(subject, 'a:3')
  const keys: string[] = []
  const visitor = {
    visit: ({ bytes, keyStart, keyBytes }: ItemView) => {
      keys.push(Buffer.from(bytes.subarray(keyStart, keyStart + keyBytes)).toString('latin1'))
      return true
    },
  }
  const dump = subject.store.dump(ClassSet.all)
  while (!dump.step(visitor));
  dump.close()
  t.same(keys.splice(0).sort(), ['a:3', 'b:1', 'b:2'])
  const walk = subject.store.tryWalkKeys(Buffer.from('a:'))
  while (walk?.step(visitor) === false);
  t.same(keys, ['a:3'])
})

t.test('the flush is recorded, by the hash of the prefix', async t => {
  const subject = new StoreUnderTest()
  put(subject, 'a:1')
  flush(subject, 'a')
  subject.get('a:1')
  const { departures, hash, now } = subject.store.context
  const search = departures.search(hash.of(Buffer.from('a'), 0, 1), true)
  while (!search.step());
  t.match(search.found, { reason: Departure.PrefixFlushed, second: now })
  t.equal(departures.remembered, 1, 'and not the items')
})

for (const options of [{ maxbytes: 64 * MIB }, { maxbytes: 64 * MIB, factor: 2, slabChunkMax: 16_384 }]) {
  t.test(`a store agrees with a map, however flushes of prefixes and of everything follow each other: ${JSON.stringify(options)}`,
    async t => {
    const random = new Prng(SEED)
    const subject = new StoreUnderTest(options)
    const { store } = subject
    const PREFIXES = 40
    const model = new Map<string, number>()
    const keyOf = () => {
      const prefix = random.below(PREFIXES + 1)
      return prefix === PREFIXES ? `plain-${random.below(500)}` : `p${prefix}:${random.below(120)}`
    }
    const wrong: string[] = []
    for (let step = 0; step < 60_000 && wrong.length < 5; step++) {
      const roll = random.below(1000)
      const key = keyOf()
      if (roll < 450) {
        const seed = random.below(1000)
        const value = bytesOf(seed, 2 + [10, 200, 1500, 30_000][random.below(400) === 0 ? 3 : random.below(3)]!)
        value.writeUInt16BE(seed)
        if (random.oneIn(2)) subject.put(Mode.Set, key, value)
        else subject.putWhole(Mode.Set, key, value)
        model.set(key, seed)
      } else if (roll < 900) {
        const seed = subject.get(key)?.value.readUInt16BE()
        if (seed !== model.get(key)) wrong.push(`seed ${SEED} step ${step}: ${key} has ${seed}, not ${model.get(key)}`)
      } else if (roll < 920) {
        subject.delete(key)
        model.delete(key)
      } else if (roll < 960) {
        const prefix = `p${random.below(PREFIXES)}`
        if (!flush(subject, prefix)) wrong.push(`step ${step}: ${prefix} was refused`)
        for (const other of model.keys()) if (other.startsWith(`${prefix}:`)) model.delete(other)
      } else if (roll < 961) {
        store.flush(0)
        model.clear()
      } else if (roll < 985) {
        store.sweepStep(100)
      } else if (roll < 995) {
        store.rebalance.reassign(random.below(store.classes.largest + 2) - 1, random.below(store.classes.largest + 1))
        subject.movePages(20)
      } else if (roll === 995) {
        // as if many more had come
        store.context.generation = Math.min(store.context.generation + random.below(40), GENERATIONS_MAX)
      }
      if (step % 3000 === 0) subject.verify()
    }
    t.same(wrong, [])
    subject.reclaimDead()
    t.equal(store.itemCount, model.size)
    sweep(subject)
    t.equal(store.itemCount, model.size)
    subject.verify()
  })
}

t.test('verify finds a flushed prefix that cannot be found, or is of a generation to come', async t => {
  const subject = new StoreUnderTest()
  const { flushedPrefixes } = subject.store.context
  flush(subject, 'a')
  subject.verify()
  flushedPrefixes.note(subject.store.context.hash.of(Buffer.from('b'), 0, 1), Buffer.from('b'), 1000)
  t.throws(() => subject.verify(), /prefix 1 is flushed in generation 1000/)
  flushedPrefixes.forget(2000)
  subject.verify()
  flushedPrefixes.note(12345, Buffer.from('b'), 2)
  t.throws(() => subject.verify(), /flushed prefix 0 cannot be found/)
})
