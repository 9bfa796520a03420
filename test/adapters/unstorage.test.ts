// The driver for unstorage, against unstorage's interface of drivers: what it calls, and what it makes of the results. It was
// tried by hand with the real package, see src/adapters/unstorage.ts.
import t from 'tap'
import byDefault, { memslabDriver } from '../../src/adapters/unstorage.mjs'
import { ManualClock } from '../support/clock.js'
import { cacheOf } from './cache.js'

t.test('it has what unstorage looks for', async t => {
  const cache = cacheOf(t)
  const options = { cache, base: 'app' }
  const driver = memslabDriver(options)
  t.equal(driver.name, 'memslab')
  t.equal(driver.options, options)
  t.same(driver.getInstance().handle, cache.handle)
  t.equal(byDefault, memslabDriver)
})

t.test('its methods are called without it', async t => {
  const { setItem, getItem, hasItem, removeItem } = memslabDriver({ cache: cacheOf(t) })
  setItem('a:b', 'text')
  t.equal(getItem('a:b'), 'text')
  t.equal(hasItem('a:b'), true)
  removeItem('a:b')
  t.equal(getItem('a:b'), null, 'null is a miss')
  t.equal(hasItem('a:b'), false)
})

t.test('raw values come back as they were given, and bytes as Buffers', async t => {
  const { setItem, setItemRaw, getItem, getItemRaw } = memslabDriver({ cache: cacheOf(t) })
  setItemRaw('bytes', Uint8Array.of(1, 255))
  t.same(getItemRaw('bytes'), Buffer.from([1, 255]))
  const object = { map: new Map([['k', 1n]]) }
  setItemRaw('object', object)
  t.same(getItemRaw('object'), object)
  setItemRaw('text', 'raw')
  t.equal(getItem('text'), 'raw')
  setItem('text', '{"a":1}')
  t.equal(getItemRaw('text'), '{"a":1}')
  t.equal(getItemRaw('none'), null)
})

t.test('keys are listed by their base, without that of the driver', async t => {
  const cache = cacheOf(t)
  const driver = memslabDriver({ cache, base: 'app' })
  for (const key of ['foo:a', 'foo:b', 'foobar', 'other']) driver.setItem(key, 'v')
  cache.set('of another part', Buffer.from('v'))
  t.same((await driver.getKeys()).sort(), ['foo:a', 'foo:b', 'foobar', 'other'])
  t.same((await driver.getKeys('foo:')).sort(), ['foo:a', 'foo:b'])
  t.same((await driver.getKeys('none:')).sort(), [])
})

t.test('clear removes what is in a base, and nothing of other parts', async t => {
  const cache = cacheOf(t)
  const driver = memslabDriver({ cache, base: 'app:' })
  for (const key of ['foo:a', 'foo:b', 'foobar']) driver.setItem(key, 'v')
  cache.set('of another part', Buffer.from('v'))
  await driver.clear('foo:')
  t.same([...cache.keys()].sort(), ['app:foobar', 'of another part'])
  await driver.clear()
  t.same([...cache.keys()], ['of another part'])
  await memslabDriver({ cache }).clear()
  t.same([...cache.keys()], [], 'a driver without a base has the whole cache')
})

t.test('a ttl is in seconds, that of the item before that of the driver', async t => {
  const clock = new ManualClock()
  const driver = memslabDriver({ cache: cacheOf(t, { clock }), ttl: 100 })
  driver.setItem('default', 'v')
  driver.setItem('long', 'v', { ttl: 200 })
  driver.setItemRaw('ever', 'v', { ttl: 0 })
  clock.advance(102)
  t.same((await driver.getKeys()).sort(), ['ever', 'long'])
})

t.test('a key may be longer than a key of memcached', async t => {
  const driver = memslabDriver({ cache: cacheOf(t), base: 'app' })
  const long = 'part:'.repeat(100)
  driver.setItem(long, 'v')
  t.equal(driver.getItem(long), 'v')
  const [listed] = await driver.getKeys('part:')
  t.equal(driver.getItem(listed!), 'v', 'the shortened key stands for it')
})

t.test('dispose closes the cache of its own', async t => {
  const driver = memslabDriver({ memory: '2m' })
  driver.setItem('a', 'v')
  driver.dispose()
  t.throws(() => driver.getItem('a'), { code: 'ECLOSED' })
  const cache = cacheOf(t)
  memslabDriver({ cache }).dispose()
  t.equal(cache.has('a'), false)
})
