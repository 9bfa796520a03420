// The channels of diagnostics_channel: what a thread tells of the calls of its caches, and that subscribers may use the cache.
import { AsyncLocalStorage } from 'node:async_hooks'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import t, { type Test } from 'tap'
import { Cache } from '../../src/embed/cache.js'
import { type CacheOptions } from '../../src/embed/options.js'
import { ManualClock } from '../support/clock.js'
import '../support/fresh.js'

const NAMES = ['hit', 'miss', 'set', 'delete', 'evict', 'expire'] as const
const MIB = 1024 * 1024

interface Message { readonly cache: unknown, readonly key: unknown, readonly bytes?: number }

/** A cache, and the messages so far, without the cache. */
function heard(t: Pick<Test, 'teardown'>, options: CacheOptions = {}, names: readonly (typeof NAMES)[number][] = NAMES,
  also: (message: Message) => void = () => {}) {
  const clock = new ManualClock()
  const cache = new Cache({ memory: '4m', clock, ...options, values: 'string' })
  const got: object[] = []
  for (const name of names) {
    const listener = (message: unknown): void => {
      const { cache: from, ...rest } = message as Message
      if (from === cache) got.push({ name, ...rest })
      also(message as Message)
    }
    subscribe(`memslab:${name}`, listener)
    t.teardown(() => unsubscribe(`memslab:${name}`, listener))
  }
  t.teardown(() => cache.close())
  return { cache, clock, got, take: () => got.splice(0) }
}

t.test('gets are hits or misses, in any form of values', async t => {
  const { cache, take } = heard(t)
  cache.set('a', 'value')
  t.same(take(), [{ name: 'set', key: 'a', bytes: 5 }])
  t.equal(cache.get('a'), 'value')
  t.match(cache.gets('a'), { value: 'value', flags: 0 })
  t.same(cache.as('bytes').get(Buffer.from('a')), Buffer.from('value'))
  t.equal(cache.getView('a', view => String(Buffer.from(view))), 'value')
  t.same(take(), Array(4).fill({ name: 'hit', key: 'a', bytes: 5 }), 'within the call')
  t.equal(cache.get('none'), undefined)
  t.same(take(), [{ name: 'miss', key: 'none' }])
  t.ok(cache.has('a'))
  t.same(take(), [], 'which is no get')
  t.same(cache.getMany(['a', 'none']), ['value', undefined])
  t.same(take().map(message => (message as { name: string }).name), ['hit', 'miss'])
  t.equal(await cache.getOrSet('made', () => 'x'), 'x')
  t.ok(take().some(message => (message as { name: string }).name === 'set'))
})

t.test('what is stored and deleted is told, and what is refused is not', async t => {
  const { cache, take } = heard(t)
  t.equal(cache.add('a', '1', { flags: 7 }), true)
  t.equal(cache.add('a', '22'), false)
  t.equal(cache.append('a', '23'), true)
  t.same(take(), [{ name: 'set', key: 'a', bytes: 1 }, { name: 'set', key: 'a', bytes: 3 }])
  t.equal(cache.incr('a', 1), 124)
  t.equal(cache.touch('a', 60_000), true)
  t.same(take(), [])
  t.equal(cache.delete('a'), true)
  t.equal(cache.delete('a'), false)
  t.same(take(), [
    { name: 'delete', key: 'a', reason: 'deleted', bytes: 3, flags: 7, age: 0, ttl: 60_000, fetched: true },
  ])
  cache.set('a', 'v')
  t.throws(() => cache.set('a', 'x'.repeat(2 * MIB)), { code: 'ETOOLARGE', message: new RegExp(`${2 * MIB} bytes`) })
  t.match(take(), [{ name: 'set' }, { name: 'delete', key: 'a', reason: 'too large' }])
})

t.test('evictions and expirations are those that calls of this thread cause', async t => {
  const { cache, clock, take } = heard(t, { memory: '2m' }, ['evict', 'expire'])
  cache.set('a', 'v', { ttl: 1000 })
  cache.set('b', 'v', { ttl: 1000 })
  clock.advance(1)   // the background work reclaims them a second later
  cache.get('a')
  cache.incr('b', 1)
  t.match(take(), [{ name: 'expire', key: 'a' }, { name: 'expire', key: 'b' }])
  for (let index = 0; index < 4000; index++) cache.set(`k${index}`, 'x'.repeat(1000))
  const evicted = take()
  t.ok(evicted.length > 1000, `${evicted.length} were evicted`)
  t.match(evicted[0], { name: 'evict', reason: 'evicted', bytes: 1000 })
  cache.set('gone', 'v', { ttl: 1000 })
  take()
  const other = new Cache({ memory: '2m' })
  const attached = Cache.attach(other.handle)
  for (let index = 0; index < 4000; index++) attached.set(`k${index}`, Buffer.alloc(1000))
  clock.advance(100)
  t.same(take(), [], 'neither the background work nor another cache')
  attached.close()
  other.close()
})

t.test('a subscriber may use the cache in the midst of any call', async t => {
  let depth = 0
  const { cache, got } = heard(t, {}, NAMES, ({ cache: from, key }) => {
    if (depth > 0 || from !== cache) return
    depth++
    cache.set(`of ${String(key)}`, 'another value of another length')
    t.equal(cache.get(`of ${String(key)}`), 'another value of another length')
    t.equal(cache.incr('count', 1, { initial: 1_000_000 })! >= 1_000_000, true)
    cache.getView('count', () => {})
    depth--
  })
  cache.set('a', 'value', { flags: 5 })
  t.equal(cache.get('a'), 'value')
  t.match(cache.gets('a'), { value: 'value', flags: 5 })
  t.equal(cache.getView('a', view => String(Buffer.from(view))), 'value')
  cache.set('large', 'x'.repeat(100_000))
  t.equal(cache.get('large'), 'x'.repeat(100_000))
  cache.set('n', '41')
  t.equal(cache.incr('n', 1), 42)
  t.equal(cache.get('n'), '42')
  t.equal(cache.delete('n'), true)
  t.equal(cache.get('n'), undefined)
  t.ok(got.length > 10)
})

t.test('a message has the context of its call', async t => {
  const context = new AsyncLocalStorage<string>()
  const seen: unknown[] = []
  const { cache } = heard(t, {}, ['miss'], () => { seen.push(context.getStore()) })
  context.run('one', () => cache.get('a'))
  context.run('two', () => cache.get('a'))
  t.same(seen, ['one', 'two'])
})

t.test('without subscribers, nothing is kept', async t => {
  const { cache, clock, got } = heard(t, {}, [])
  cache.set('a', 'v', { ttl: 1000 })
  clock.advance(1)
  t.equal(cache.get('a'), undefined)
  const listener = (message: unknown) => { got.push(message as object) }
  subscribe('memslab:expire', listener)
  cache.set('b', 'v')
  cache.get('b')
  unsubscribe('memslab:expire', listener)
  t.same(got, [])
})
