// The events of a cache: on bare stores, which items are reported, what of them, to whom and when; and on caches.
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import t from 'tap'
import { Cache } from '../../src/embed/cache.js'
import { CacheEvents } from '../../src/embed/events.js'
import { type CacheEvent, type CacheEventName } from '../../src/embed/interface.js'
import { attachThread } from '../../src/embed/make.js'
import { cacheOver } from '../../src/embed/over.js'
import { Mode } from '../../src/store/request.js'
import { until } from '../support/patience.js'
import { startServer } from '../support/server.js'
import { StoreUnderTest } from '../support/store.js'
import { ManualClock } from '../support/clock.js'

const MIB = 1024 * 1024
const INDEX = fileURLToPath(new URL('../../../dist/index.js', import.meta.url))
const ALL = ['evict', 'expire', 'delete'] as const

/** A store, its events, and those that a listener for each name has got so far. */
function listening(names: readonly CacheEventName[] = ALL, made = new StoreUnderTest()) {
  const events = new CacheEvents(made.store.departed, made.clock)
  const got: (readonly [CacheEventName, CacheEvent])[] = []
  for (const name of names) events.on(name, event => got.push([name, event]))
  return { made, store: made.store, clock: made.clock, events, got, keys: () => got.map(([name, { key }]) => `${name} ${key}`) }
}

/** Stores so many items of 1000 bytes, `k0` and so on, from a number on. */
function fill(made: StoreUnderTest, count: number, from = 0): void {
  for (let index = from; index < from + count; index++) made.putWhole(Mode.Set, `k${index}`, Buffer.alloc(1000))
}

t.test('an item that is deleted is reported with its facts, and not in the middle of the operation', async t => {
  const { made, clock, got } = listening()
  made.putWhole(Mode.Set, 'a', Buffer.from('value'), 0xfedcba98, 100)
  made.get('a')
  clock.advance(10)
  made.delete('a')
  t.same(got, [])
  const time = clock.milliseconds()
  clock.advance(0.1)
  t.same(got, [['delete', {
    key: 'a', reason: 'deleted', bytes: 5, flags: 0xfedcba98, age: 10_000, ttl: 90_000, fetched: true, thread: 0, time,
  }]])
})

t.test('an item that has expired is reported when a look-up meets it, or the background walk', async t => {
  const { made, clock, got, keys } = listening()
  made.putWhole(Mode.Set, 'met', Buffer.from('v'), 0, 10)
  made.putWhole(Mode.Set, 'reclaimed', Buffer.from('v'), 0, 10)
  made.putWhole(Mode.Set, 'kept', Buffer.from('v'))
  clock.advance(20)
  t.same(keys(), [], 'nothing has looked at them')
  made.get('met')
  clock.advance(0.1)
  t.same(keys(), ['expire met'])
  t.match(got[0]![1], { reason: 'expired', ttl: 0, fetched: false, bytes: 1 })
  made.reclaimDead()
  clock.advance(0.1)
  t.same(keys(), ['expire met', 'expire reclaimed'])
})

t.test('an item that makes room is reported as evicted, each once', async t => {
  const { made, clock, got, keys } = listening(ALL, new StoreUnderTest({ maxbytes: 2 * MIB, itemSizeMax: MIB }))
  let stored = 0
  for (; stored < 4000; stored += 100) {
    fill(made, 100, stored)
    clock.advance(0.1)
  }
  const left = keys().filter(key => key.startsWith('evict k'))
  t.equal(left.length, got.length)
  t.equal(new Set(left).size, left.length)
  t.equal(left.length, stored - made.store.itemCount, 'what is not there any more')
  for (const key of left) t.notOk(made.get(key.slice(6)))
  t.match(got[0]![1], { reason: 'evicted', ttl: undefined, fetched: false, bytes: 1000, flags: 0 })
})

t.test('an old value that a refused one takes with it is reported as deleted', async t => {
  const { made, clock, got } = listening()
  made.putWhole(Mode.Set, 'a', Buffer.from('old'))
  made.putWhole(Mode.Set, 'a', Buffer.alloc(2 * MIB))
  clock.advance(0.1)
  t.match(got, [['delete', { key: 'a', reason: 'too large', bytes: 3 }]])
})

t.test('a value that is replaced, and a flush, are no events', async t => {
  const { made, clock, keys } = listening()
  made.putWhole(Mode.Set, 'a', Buffer.from('one'))
  made.putWhole(Mode.Set, 'a', Buffer.from('two'))
  made.putWhole(Mode.Set, 'a', Buffer.from('longer than the chunk of the first ones'.repeat(10)))
  made.store.flush(0)
  made.get('a')
  clock.advance(0.1)
  t.same(keys(), [])
})

t.test('events are those of all threads, in order, and each thread gets its own copy', async t => {
  const one = listening(ALL, new StoreUnderTest({ shared: true, threads: 3 }))
  const two = listening(['delete'], StoreUnderTest.attach(one.store.share(), 2))
  const quiet = StoreUnderTest.attach(one.store.share(), 1)
  const expected: string[] = []
  for (let index = 0; index < 30; index++) {
    const thread = [one.made, quiet, two.made][index % 3]!
    thread.putWhole(Mode.Set, `k${index}`, Buffer.from('v'))
    thread.delete(`k${index}`)
    expected.push(`delete k${index}`)
  }
  one.clock.advance(0.1)
  t.same(one.keys(), expected)
  t.same(one.got.map(([, { thread }]) => thread), expected.map((_, index) => [0, 1, 2][index % 3]))
  t.same(two.keys(), [])
  two.clock.advance(0.1)
  t.same(two.keys(), expected)
  one.store.verify()
})

t.test('nothing is logged without a listener, and what others listen to costs a thread no event', async t => {
  const one = listening([], new StoreUnderTest({ shared: true, threads: 2 }))
  const two = listening([], StoreUnderTest.attach(one.store.share(), 1))
  const { departed } = one.store
  const remove = () => {
    one.made.putWhole(Mode.Set, 'a', Buffer.from('v'))
    one.made.delete('a')
  }
  remove()
  t.equal(departed.lastGid, 0)
  const listener = (event: CacheEvent) => one.got.push(['delete', event])
  one.events.on('delete', listener)
  two.events.on('evict', () => t.fail('nothing is evicted'))
  remove()
  t.equal(departed.lastGid, 1)
  two.clock.advance(0.1)
  one.events.off('delete', listener)
  remove()
  t.equal(departed.lastGid, 1)
  one.clock.advance(0.1)
  t.same(one.keys(), [], 'it was removed before its event was delivered')
  two.events.close()
  t.equal(departed.kinds, 0)
  remove()
  t.equal(departed.lastGid, 1)
  one.store.verify()
})

t.test('a thread that is slow to listen loses events, which are counted', async t => {
  const { made, clock, events, got } = listening()
  const count = 10_000
  for (let index = 0; index < count; index++) {
    made.putWhole(Mode.Set, `k${index}`, Buffer.from('v'))
    made.delete(`k${index}`)
  }
  const { dropped } = events
  t.ok(dropped > 0 && dropped < count, `${dropped} were dropped`)
  clock.advance(0.1)
  t.equal(got.length, count - dropped)
  t.equal(got.at(-1)![1].key, `k${got.length - 1}`, 'the oldest are kept')
  fill(made, 1)
  made.delete('k0')
  events.close()
  t.equal(got.at(-1)![1].key, 'k0', 'it goes on')
  t.equal(events.dropped, dropped)
})

t.test('a step delivers a bounded number of events, and the rest follows soon', async t => {
  const { made, clock, got } = listening()
  for (let index = 0; index < 2500; index++) {
    made.putWhole(Mode.Set, `k${index}`, Buffer.from('v'))
    made.delete(`k${index}`)
  }
  clock.advance(0.020)
  t.equal(got.length, 1000)
  clock.advance(0.001)
  t.equal(got.length, 2000)
  clock.advance(0.001)
  t.equal(got.length, 2500)
})

t.test('close delivers what is due, and then no more', async t => {
  const { made, clock, events, keys, store } = listening()
  fill(made, 2)
  made.delete('k0')
  events.close()
  t.same(keys(), ['delete k0'])
  made.delete('k1')
  clock.advance(1)
  t.same(keys(), ['delete k0'])
  t.equal(store.departed.kinds, 0)
  store.verify()
})

t.test('a listener may use the cache, remove itself, and close it', async t => {
  const { made, clock, events, got } = listening([])
  const again = ({ key }: CacheEvent) => {
    got.push(['delete', { key } as CacheEvent])
    fill(made, 1)
    made.delete('k0')
    if (got.length === 5) events.close()
  }
  events.on('delete', again)
  let once = 0
  events.once('delete', () => once++)
  fill(made, 1)
  made.delete('k0')
  clock.advance(1)
  t.equal(got.length, 6, 'close delivers what was due by then')
  t.equal(once, 1)
  t.equal(made.store.departed.kinds, 0)
})

t.test('a thread that was terminated is forgotten, so that it is in no way of events', async t => {
  const one = listening(ALL, new StoreUnderTest({ shared: true, threads: 2 }))
  listening(['delete', 'evict'], StoreUnderTest.attach(one.store.share(), 1))
  one.events.close()
  const { departed } = one.store
  t.not(departed.kinds, 0)
  departed.forget(1)
  t.equal(departed.kinds, 0)
  t.notOk(departed.isReading(1))
  one.store.verify()
})

t.test('a cache has listeners, and gives keys as it takes them', async t => {
  const clock = new ManualClock()
  const cache = new Cache({ memory: '4m', clock })
  const got: unknown[] = []
  const listener = ({ key, reason }: CacheEvent) => got.push([key, reason])
  t.equal(cache.on('delete', listener).once('expire', listener), cache)
  const bytes = Buffer.from([0xff, 0x00])
  for (const key of ['a', 'é b', bytes]) cache.set(key, Buffer.from('v'))
  for (const ttl of [1000, 2000]) cache.set(`of ${ttl}`, Buffer.from('v'), { ttl })
  for (const key of ['a', 'é b', bytes]) cache.delete(key)
  clock.advance(5)
  t.same([cache.get('of 1000'), cache.get('of 2000')], [undefined, undefined])
  clock.advance(0.1)
  t.same(got, [['a', 'deleted'], ['é b', 'deleted'], [bytes, 'deleted'], ['of 1000', 'expired']], 'the second is not asked for')
  t.equal(cache.dropped, 0)
  cache.off('delete', listener)
  cache.set('a', Buffer.from('v'))
  cache.delete('a')
  cache.on('delete', listener)
  cache.set('last', Buffer.from('v'))
  cache.delete('last')
  cache.close()
  t.same(got.at(-1), ['last', 'deleted'], 'close delivers what is due')
  t.equal(got.length, 5)
  t.throws(() => cache.on('delete', listener), { code: 'ECLOSED' })
})

t.test('listeners that get the last events from close may use the cache, and close it again', async t => {
  const cache = new Cache({ memory: '4m' })
  const got: unknown[] = []
  cache.on('delete', ({ key }) => {
    cache.set('seen', Buffer.from('v'))
    got.push([key, cache.has('seen')])
    if (key === 'b') cache.close()
  })
  for (const key of ['a', 'b', 'c']) {
    cache.set(key, Buffer.from('v'))
    cache.delete(key)
  }
  cache.close()
  t.same(got.slice(0, 2), [['a', true], ['b', true]])
  t.throws(() => cache.get('a'), { code: 'ECLOSED' })
})

t.test('a thread hears no more events of a cache that another thread has closed', async t => {
  const clock = new ManualClock()
  const cache = new Cache({ memory: '4m', clock })
  const attached = attachThread(cache.handle)
  t.teardown(() => attached.close())
  const got: unknown[] = []
  attached.events.on('delete', ({ key }) => {
    attached.check()
    got.push(key)
    cache.close()
  })
  for (const key of ['a', 'b']) {
    cache.set(key, Buffer.from('v'))
    cache.delete(key)
  }
  // its listener would throw ECLOSED
  await until('the first event', () => got.length > 0)
  attached.close()
  t.same(got, ['a'])
})

t.test('a cache reports what other threads remove, and the clients of its server', async t => {
  const { server, client, clock } = await startServer(t)
  const got: unknown[] = []
  cacheOver(server.cache).on('delete', ({ key, bytes }) => got.push([key, bytes]))
  await client.says('set a 0 0 5\r\nvalue\r\ndelete a\r\n', 'STORED\r\nDELETED\r\n')
  clock.advance(0.1)
  t.same(got, [['a', 5]])

  const cache = new Cache({ memory: '4m' })
  t.teardown(() => cache.close())
  const worker = new Worker(`
    const { parentPort, workerData } = require('node:worker_threads')
    const cache = require(workerData.index).Cache.attach(workerData.handle)
    cache.set('of the worker', Buffer.from('v'))
    cache.delete('of the worker')
    parentPort.once('message', () => cache.close())
  `, { eval: true, workerData: { index: INDEX, handle: cache.handle } })
  const event = await new Promise<CacheEvent>(resolve => { cache.on('delete', resolve) })
  t.match(event, { key: 'of the worker', bytes: 1, thread: 1 })
  worker.postMessage('end')
  await once(worker, 'exit')
})

t.test('a thread that listens and is terminated is in no way of the events of others', async t => {
  const clock = new ManualClock()
  const cache = new Cache({ memory: '4m', clock })
  t.teardown(() => cache.close())
  const worker = new Worker(`
    const { parentPort, workerData } = require('node:worker_threads')
    require(workerData.index).Cache.attach(workerData.handle).on('delete', () => {})
    parentPort.postMessage('listens')
    setInterval(() => {}, 1000)
  `, { eval: true, workerData: { index: INDEX, handle: cache.handle } })
  await once(worker, 'message')
  await worker.terminate()
  clock.advance(2)   // in which the cache looks for threads that have ended
  let count = 0
  cache.on('delete', () => count++)
  for (let index = 0; index < 20_000; index++) {
    cache.set('a', Buffer.from('v'))
    cache.delete('a')
    if (index % 1000 === 0) clock.advance(0.1)
  }
  clock.advance(0.1)
  t.equal(count, 20_000)
  t.equal(cache.dropped, 0)
})

t.test('an error of a listener is uncaught, and the other events are delivered', async t => {
  const { stdout, status } = spawnSync(process.execPath, ['-e', `
    const { Cache } = require(${JSON.stringify(INDEX)})
    const cache = new Cache({ memory: '4m' })
    process.on('uncaughtException', error => console.log('uncaught', error.message))
    cache.on('delete', ({ key }) => {
      if (key === 'a') throw new Error('of a')
      console.log(key)
    })
    for (const key of ['a', 'b']) {
      cache.set(key, Buffer.from('v'))
      cache.delete(key)
    }
    setTimeout(() => console.log(String(cache.get('c')), cache.dropped), 100)
    cache.set('c', Buffer.from('still there'))
  `], { encoding: 'utf8' })
  t.same(stdout.trim().split('\n').sort(), ['b', 'still there 0', 'uncaught of a'])
  t.equal(status, 0, 'listeners do not keep the process alive')
})
