// The store for Keyv, against Keyv's interface of stores, as versions 5 and 6 use it: what they call, with which arguments, and
// what they make of the results. Both were tried by hand with the real packages, see src/adapters/keyv.ts.
import t from 'tap'
import ByDefault, { KeyvMemslab } from '../../src/adapters/keyv.mjs'
import { Cache } from '../../src/embed/cache.js'
import { turn } from '../../src/timers.js'
import { ManualClock } from '../support/clock.js'
import { cacheOf } from './cache.js'

/** What Keyv writes by default. */
const text = (value: unknown, expires?: number) => JSON.stringify({ value, expires })

/** The methods that Keyv 6 must find to be native asynchronous functions, so that it passes times to live in milliseconds. */
const ASYNC = ['get', 'getMany', 'set', 'setMany', 'delete', 'deleteMany', 'has', 'hasMany', 'clear', 'disconnect'] as const

async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const found: Item[] = []
  for await (const item of items) found.push(item)
  return found
}

t.test('it has the methods that Keyv looks for', async t => {
  const store = new KeyvMemslab({ cache: cacheOf(t) })
  for (const name of ASYNC) t.equal(store[name].constructor.name, 'AsyncFunction', name)
  t.equal(store.iterator.constructor.name, 'AsyncGeneratorFunction')
  t.equal(store.on('error', () => {}), store, 'Keyv listens for errors')
  t.ok('namespace' in store, 'Keyv 6 leaves the namespace to it')
  t.notOk('capabilities' in store, 'Keyv 6 would pass times of day')
  t.ok(['sqlite', 'postgres', 'mysql', 'mongo', 'redis', 'valkey', 'etcd'].includes(store.opts.dialect), 'Keyv 5 iterates')
  t.equal(ByDefault, KeyvMemslab)
})

t.test('what is set is returned, a string as its bytes', async t => {
  const cache = cacheOf(t)
  const store = new KeyvMemslab({ cache })
  t.equal(await store.set('a', text({ x: 1 })), true)
  t.equal(await store.get('a'), text({ x: 1 }))
  t.same(cache.get('a'), Buffer.from(text({ x: 1 })), 'for other programs too')
  t.equal(await store.get('none'), undefined)
  t.equal(await store.has('a'), true)
  t.equal(await store.has('none'), false)
})

t.test('without a serializer, Keyv passes objects', async t => {
  const store = new KeyvMemslab({ cache: cacheOf(t) })
  const value = { value: new Map([[1, { bytes: Buffer.from('b') }]]), expires: undefined }
  await store.set('a', value)
  await store.set('b', Buffer.from([1, 255]))
  t.same(await store.get('a'), value)
  t.same(await store.get('b'), Buffer.from([1, 255]))
})

t.test('a time to live is in milliseconds', async t => {
  const clock = new ManualClock()
  const store = new KeyvMemslab({ cache: cacheOf(t, { clock }) })
  await store.set('a', 'v', 1500)
  await store.set('kept', 'v', undefined)
  clock.advance(1)
  t.equal(await store.get('a'), 'v')
  clock.advance(1.5)
  t.equal(await store.get('a'), undefined)
  await store.set('kept', 'v', -1)
  t.equal(await store.get('kept'), undefined, 'it was over already')
})

t.test('many at once, in their order', async t => {
  const clock = new ManualClock()
  const store = new KeyvMemslab({ cache: cacheOf(t, { clock }) })
  t.same(await store.setMany([{ key: 'a', value: '1' }, { key: 'b', value: '2', ttl: 1000 }, { key: 'c', value: '3' }]),
    [true, true, true])
  t.same(await store.getMany(['c', 'none', 'a', 'b']), ['3', undefined, '1', '2'])
  t.same(await store.hasMany(['c', 'none']), [true, false])
  clock.advance(3)
  t.same(await store.getMany(['a', 'b']), ['1', undefined])
  t.equal(await store.deleteMany(['a', 'none']), false)
  t.equal(await store.deleteMany(['c']), true)
  t.same(await store.getMany(['a', 'b', 'c']), [undefined, undefined, undefined])
})

t.test('a key is deleted once', async t => {
  const store = new KeyvMemslab({ cache: cacheOf(t) })
  await store.set('a', 'v')
  t.equal(await store.delete('a'), true)
  t.equal(await store.delete('a'), false)
})

t.test('clear removes the keys of the namespace alone', async t => {
  const cache = cacheOf(t)
  cache.set('of another part', Buffer.from('v'))
  const one = new KeyvMemslab({ cache })
  const two = new KeyvMemslab({ cache, namespace: 'two' })
  one.namespace = 'one'   // as Keyv does
  for (let index = 0; index < 3000; index++) await one.set(`k${index}`, 'v')
  await two.set('k0', 'of two')
  await one.clear()
  t.same([...cache.keys()].sort(), ['of another part', 'two::k0'])
  one.namespace = undefined
  await one.clear()
  t.same([...cache.keys()], [], 'without a namespace, everything')
})

t.test('the iterator yields the keys and values of a namespace, without its prefix', async t => {
  const cache = cacheOf(t)
  const store = new KeyvMemslab({ cache, namespace: 'one' })
  await new KeyvMemslab({ cache, namespace: 'other' }).set('x', 'of other')
  await store.setMany(['a', 'b', 'c'].map(key => ({ key, value: key.toUpperCase() })))
  t.same((await all(store.iterator())).sort(), [['a', 'A'], ['b', 'B'], ['c', 'C']])
  t.same(await all(store.iterator('other')), [['x', 'of other']])
  const seen = []
  for await (const [key] of store.iterator()) {
    await store.deleteMany(['a', 'b', 'c'])
    seen.push(key)
  }
  t.equal(seen.length, 1, 'a key that is gone is left out')
})

t.test('an iteration that is left halfway, and two at a time, disturb no other', async t => {
  const store = new KeyvMemslab({ cache: cacheOf(t) })
  await store.setMany(Array.from({ length: 5000 }, (_, index) => ({ key: `k${index}`, value: 'v' })))
  for await (const [key] of store.iterator()) {
    t.ok(key)
    break
  }
  const both = await Promise.all([all(store.iterator()), all(store.iterator()), store.clear()])
  t.equal(both[0].length + both[1].length <= 10_000, true)
  t.same(await all(store.iterator()), [])
})

t.test('clear waits while another thread lists keys', async t => {
  const cache = cacheOf(t)
  const other = Cache.attach(cache.handle)
  const store = new KeyvMemslab({ cache, namespace: 'n' })
  for (let index = 0; index < 1000; index++) other.set(`k${index}`, Buffer.alloc(1))   // more than one step of a list
  await store.set('a', 'v')
  const listing = other.keys()
  t.ok(listing.next().value)
  const cleared = store.clear()
  await turn()
  t.ok(cache.has('n::a'), 'it cannot know the keys yet')
  listing.return!()
  await cleared
  t.notOk(cache.has('n::a'))
  other.close()
})

t.test('a key may be longer than a key of memcached', async t => {
  const cache = cacheOf(t)
  const store = new KeyvMemslab({ cache, namespace: 'n' })
  const keys = ['é'.repeat(500), `${'é'.repeat(499)}e`, 'x'.repeat(247), 'x'.repeat(248), '界'.repeat(100)]
  for (const key of keys) await store.set(key, key)
  t.same(await store.getMany(keys), keys)
  for (const [key, value] of await all(store.iterator())) t.equal(await store.get(key), value, 'a listed key is one')
  await store.clear()
  t.same([...cache.keys()], [])
})

t.test('an operation that fails rejects', async t => {
  const store = new KeyvMemslab({ memory: '2m', itemSizeMax: 100_000 })
  await store.set('a', 'old')
  await t.rejects(store.set('a', 'x'.repeat(200_000)), { code: 'ETOOLARGE' })
  t.equal(await store.get('a'), undefined, 'the old value is outdated')
  await store.disconnect()
  await t.rejects(store.get('a'), { code: 'ECLOSED' })
})

t.test('a cache of the program stays open, and may have another form of values', async t => {
  const cache = new Cache({ memory: '2m', values: 'string' })
  t.teardown(() => cache.close())
  const store = new KeyvMemslab({ cache })
  await store.set('a', 'text')
  await store.disconnect()
  t.equal(cache.get('a'), 'text')
})

t.test('wrong options are found at once', async t => {
  const cache = cacheOf(t)
  t.throws(() => new KeyvMemslab({ cache, memory: '2m' }), { code: 'EUSAGE', problems: [/^memory: .*cache is given/] })
  t.throws(() => new KeyvMemslab({ cache: new Map() as never }), { code: 'EUSAGE', problems: [/^cache: must be a Cache/] })
  t.throws(() => new KeyvMemslab({ memroy: '2m' } as never), { code: 'EUSAGE', problems: [/memroy/] })
})
