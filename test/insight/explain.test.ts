// What `stats explain` says of a key, against what has happened to it.
import t, { type Test } from 'tap'
import { explain } from '../../src/insight/explain.js'
import { Insight } from '../../src/insight/insight.js'
import { defaultOptions } from '../../src/options/options.js'
import { ClassCounter } from '../../src/stats/counters.js'
import { Mode, Want } from '../../src/store/request.js'
import { Outcome } from '../../src/store/outcome.js'
import { type StoreOptions } from '../../src/store/store.js'
import { Prng } from '../support/prng.js'
import { startServer } from '../support/server.js'
import { StoreUnderTest, bytesOf } from '../support/store.js'
import { runThreads } from '../support/threads.js'
import { startThreads } from '../support/workers.js'
import { type RemoverData } from './remover.js'

const MIB = 1024 * 1024
const VALUE = bytesOf(1, 100)

type Facts = Readonly<Record<string, string | number>>

/** A store of one thread, and what it says of a key. */
class Explained extends StoreUnderTest {
  readonly insight: Insight

  constructor(options: Partial<StoreOptions> | StoreUnderTest = {}, memory?: SharedArrayBuffer) {
    if (options instanceof StoreUnderTest) super(options.store, options.clock)
    else super(options)
    const { threads } = this.store.options
    this.insight = new Insight(memory ?? new ArrayBuffer(Insight.bytesFor(defaultOptions(), threads)), defaultOptions(), this.store)
  }

  ask(key: string): Facts {
    const parts = [...explain(this.store, this.insight, Buffer.from(key, 'latin1'))]
    return Object.fromEntries(parts.flat())
  }
}

t.test('a key that is there: its value, its age, when it was used, and when it ends', async t => {
  const subject = new Explained()
  subject.put(Mode.Set, 'k', VALUE, 0, 100)
  subject.clock.advance(30)
  t.same(subject.ask('k'), { key: 'k', state: 'there', bytes: 100, class: 4, ttl: 70, last_access: 30, fetched: 'no', age: 30,
    answer: 'It is there: 100 bytes, stored 30 s ago and not read since, expires in 70 s.' })
  subject.get('k')
  subject.clock.advance(5)
  t.same(subject.ask('k'), { key: 'k', state: 'there', bytes: 100, class: 4, ttl: 65, last_access: 35, fetched: 'yes',
    answer: 'It is there: 100 bytes, last used at most 35 s ago, expires in 65 s.' })
  subject.put(Mode.Set, 'k', bytesOf(1, 2000))
  subject.delete('k', Want.Invalidate)
  t.match(subject.ask('k'), { state: 'there', stale: 'yes', ttl: -1,
    answer: 'It is there: 2 kB, stored just now and not read since, without an expiration time. It is marked as stale.' })
  const { cmd_get: gets } = { cmd_get: subject.store.counters.sumClasses(ClassCounter.HitsToHot) }
  subject.ask('k')
  t.equal(subject.store.counters.sumClasses(ClassCounter.HitsToHot), gets, 'that is no get')
})

t.test('a key that was read: its age is that of its value, exact to about a second', async t => {
  const subject = new Explained()
  const { ages } = subject.insight
  /** Lets seconds pass, in each of which the background looks. */
  const pass = (seconds: number): void => {
    for (let second = 0; second < seconds; second++) {
      subject.clock.advance(1)
      subject.store.refreshTime()
      ages.note()
    }
  }
  pass(1)
  subject.put(Mode.Set, 'k', VALUE)
  ages.note()
  pass(3600)
  subject.get('k')
  subject.get('k')
  pass(5)
  t.match(subject.ask('k'), { age: 3605, last_access: 5, fetched: 'yes', age_error: undefined,
    answer: 'It is there: 100 bytes, stored 60 min ago, last used at most 5 s ago, without an expiration time.' })
  subject.put(Mode.Append, 'k', VALUE)
  subject.get('k')
  t.match(subject.ask('k'), { age: 0, answer: /stored just now, last used/ }, 'before the next look')
  ages.note()
  pass(90)
  subject.get('k')
  subject.store.touch(subject.for('k'))
  t.match(subject.ask('k'), { age: 90, last_access: 0, answer: /, stored 90 s ago, last used at most just now/ },
    'neither a read nor a touch stores a value')
  subject.put(Mode.Set, 'n', bytesOf(1, 1))
  subject.get('n')
  pass(10)
  subject.delete('n', Want.Invalidate)
  t.equal(subject.ask('n').age, undefined, 'a stale item has a new cas number')
  subject.verify()
})

t.test('an age is an estimate if nothing has looked meanwhile, and left out if nothing is known', async t => {
  const subject = new Explained()
  const { ages } = subject.insight
  const ask = (): Facts => {
    // the second read notes the time
    subject.get('k')
    subject.get('k')
    return subject.ask('k')
  }
  subject.put(Mode.Set, 'k', VALUE)
  t.equal(ask().age, undefined, 'nothing has looked')
  ages.note()
  t.equal(ask().age, undefined, 'the first look was later')
  subject.put(Mode.Set, 'k', VALUE)
  subject.clock.advance(100)
  t.match(ask(), { age: 50, age_error: 50, answer: /, stored about 50 s ago, last used/ })
  ages.note()
  subject.clock.advance(100)
  t.match(ask(), { age: 150, age_error: 50, answer: /, stored about 2 min ago, last used/ })
  const choose = (cas: number): void => {
    const { items, item } = subject.find('k')
    items.setCas(item, cas / 2 ** 32, cas % 2 ** 32)
  }
  choose(2 ** 32)
  t.equal(ask().age, undefined, 'a client chose a cas number that the store has not reached')
  // as with -C
  choose(0)
  t.equal(ask().age, undefined)
})

t.test('an expired key, whether its item is still in memory or not', async t => {
  const subject = new Explained()
  subject.put(Mode.Set, 'k', VALUE, 0, 10)
  subject.clock.advance(200)
  const expected = { key: 'k', state: 'expired', answer: 'It expired 3 min ago.', seconds_ago: 190, class: 4 }
  t.same(subject.ask('k'), expected)
  t.equal(subject.store.context.departures.remembered, 0, 'the question changes nothing')
  subject.reclaimDead()
  t.same(subject.ask('k'), expected)
})

t.test('an evicted key, with how long it was not read', async t => {
  const subject = new Explained()
  subject.put(Mode.Set, 'k', VALUE)
  subject.clock.advance(2400)
  subject.store.evict(subject.for('k'))
  subject.clock.advance(3)
  t.same(subject.ask('k'), { key: 'k', state: 'evicted', seconds_ago: 3, unread: 2400, class: 4,
    answer: 'It was evicted 3 s ago, as memory was needed, after 40 min unread.' })
})

t.test('where the clock has been set back, nothing happened in the future', async t => {
  const subject = new Explained()
  subject.clock.advance(1000)
  subject.store.refreshTime()
  for (const key of ['there', 'evicted', 'deleted']) subject.put(Mode.Set, key, VALUE)
  subject.clock.jump(-100)
  subject.store.refreshTime()
  subject.store.evict(subject.for('evicted'))
  t.match(subject.ask('evicted'), { seconds_ago: 0, unread: 0 })
  subject.clock.jump(200)
  subject.store.refreshTime()
  subject.delete('deleted')
  subject.clock.jump(-300)
  t.match(subject.ask('there'), { last_access: 0, age: 0, answer: /stored just now/ })
  t.match(subject.ask('deleted'), { seconds_ago: 0, answer: /^It was deleted just now/ })
})

t.test('a deleted key, with who deleted it', async t => {
  const subject = new Explained()
  const { context } = subject.store
  const deleteAs = (key: string, id: number, address: string): void => {
    subject.put(Mode.Set, key, VALUE)
    context.client = { id, address, clientNumber: 0 }
    subject.delete(key)
    context.client = context.program
  }
  deleteAs('k', 31, 'tcp:10.0.0.3:4711')
  subject.clock.advance(8)
  t.same(subject.ask('k'), { key: 'k', state: 'deleted', seconds_ago: 8, class: 4, connection: 31, client: 'tcp:10.0.0.3:4711',
    answer: 'It was deleted 8 s ago by connection 31 from tcp:10.0.0.3:4711.' })
  subject.put(Mode.Set, 'k', VALUE)
  subject.delete('k')
  t.match(subject.ask('k'), { answer: 'It was deleted just now by the program itself.', client: 'program' })
  // the table of clients is bounded
  for (let i = 0; i < 5000; i++) deleteAs(`k${i}`, i, `tcp:10.0.0.3:${i}`)
  t.match(subject.ask('k0'), { state: 'deleted', answer: 'It was deleted just now by a client that is not known any more.' })
  t.match(subject.ask('k4999'), { connection: 4999 })
  subject.verify()
})

t.test('a refused key: its size, the limit, and the client', async t => {
  const subject = new Explained()
  subject.put(Mode.Set, 'k', VALUE)
  const large = bytesOf(1, 1_400_000)
  for (const key of ['k', 'never there']) {
    t.equal(subject.put(Mode.Set, key, large), Outcome.TooLarge)
    t.same(subject.ask(key), { key: encodeURIComponent(key), state: 'refused', reason: 'too_large', bytes: 1_400_000,
      limit: MIB, seconds_ago: 0, client: 'program',
      answer: 'A write of 1.4 MB from program was refused just now: too large, the limit is 1 MB.' })
  }
  // an add leaves the old value
  subject.put(Mode.Set, 'k', VALUE)
  subject.clock.advance(2)
  t.equal(subject.put(Mode.Add, 'k', large), Outcome.TooLarge)
  t.match(subject.ask('k'), { state: 'there', refused_seconds_ago: 0,
    answer: /^It is there: .* A write of 1\.4 MB was refused just now\.$/ })
  subject.delete('k')
  t.match(subject.ask('k'), { state: 'deleted' })
  subject.put(Mode.Append, 'k', large)
  t.match(subject.ask('k'), { state: 'refused' })
  // when the list has forgotten it, the record of what it took along is left
  subject.put(Mode.Set, 'old', VALUE)
  subject.put(Mode.Set, 'old', large)
  for (let i = 0; i < 300; i++) subject.put(Mode.Set, `other${i}`, large)
  t.match(subject.ask('old'), { state: 'refused', reason: 'too_large', client: 'program',
    answer: 'A write was refused just now as too large, and the old value went with it.' })
})

t.test('a flushed key, of everything or of its prefix, in memory or not', async t => {
  const subject = new Explained()
  for (const key of ['app:a', 'app:b', 'plain']) subject.put(Mode.Set, key, VALUE)
  subject.clock.advance(10)
  t.ok(subject.store.flushPrefix(Buffer.from('app')))
  subject.clock.advance(5)
  const time = Math.floor(subject.clock.milliseconds() / 1000) - 5
  const at = new Date(time * 1000).toISOString().slice(11, 19)
  const expected = { key: 'app%3Aa', state: 'flushed', prefix: 'app', time, seconds_ago: 5,
    answer: `The prefix app was flushed at ${at} UTC, 5 s ago, and the key was not stored since.` }
  t.same(subject.ask('app:a'), expected)
  subject.reclaimDead()
  t.same(subject.ask('app:a'), expected)
  t.match(subject.ask('plain'), { state: 'there' })
  t.match(subject.ask('other:x'), { state: 'unknown' })
  subject.put(Mode.Set, 'app:b', VALUE)
  subject.delete('app:b')
  t.match(subject.ask('app:b'), { state: 'deleted' }, 'in the same second or not')
  subject.store.flush(0)
  t.match(subject.ask('plain'), { state: 'flushed', seconds_ago: 0, answer: /^Everything was flushed at \S+ UTC, just now/ })
  t.match(subject.ask('app:b'), { state: 'flushed', answer: / Before that: It was deleted just now by the program itself\.$/ })
  subject.put(Mode.Set, 'plain', VALUE)
  subject.delete('plain')
  t.match(subject.ask('plain'), { state: 'deleted' })
  subject.verify()
})

t.test('what is not known is said so, with how many are remembered', async t => {
  const subject = new Explained({ explainEntries: 4 })
  t.same(subject.ask('k'), { key: 'k', state: 'unknown', remembered: 0,
    answer: 'It is not there, and not among the last 0 that left: it was never stored, or it left before those.' })
  subject.store.flush(0)
  t.match(subject.ask('k'), { state: 'flushed' }, 'nothing is forgotten since then')
  for (let i = 0; i < 20; i++) {
    subject.put(Mode.Set, `k${i}`, VALUE)
    subject.delete(`k${i}`)
  }
  t.match(subject.ask('k'), { state: 'unknown', remembered: 3 })
  t.match(subject.ask('k19'), { state: 'deleted' })
  t.match(subject.ask('k3'), { state: 'unknown' })
  const none = new Explained({ explainEntries: 0 })
  none.put(Mode.Set, 'k', VALUE)
  none.delete('k')
  t.match(none.ask('k'), { state: 'unknown', answer: /nothing is remembered of items that left: see -o explain\.$/ })
  t.equal(none.put(Mode.Set, 'k', bytesOf(1, 2 * MIB)), Outcome.TooLarge)
  t.match(none.ask('k'), { state: 'refused' })
})

t.test('clients ask by stats, text and binary, and any thread answers', async t => {
  const { connect } = await startThreads(t)
  const [first, second] = [await connect(), await connect()]
  await first.says('set k 0 0 1\r\nv\r\ndelete k\r\n', 'STORED\r\nDELETED\r\n')
  const { localPort } = first.stream as unknown as { localPort: number }
  const answer = new RegExp(`^STAT key k\\r\\nSTAT state deleted\\r\\nSTAT answer It was deleted just now by connection \\d+ from ` +
    `tcp:127\\.0\\.0\\.1:${localPort}\\.\\r\\n(STAT \\S+ \\S+\\r\\n)+END\\r\\n$`)
  for (const client of [first, second]) {
    await client.send('stats explain k\r\n')
    await client.expect(answer)
  }
  const { client: binary } = await startServer(t, { protocol: 'binary' })
  const key = Buffer.from('explain a key')
  const header = Buffer.alloc(24)
  header[0] = 0x80
  header[1] = 0x10
  header.writeUInt16BE(key.length, 2)
  header.writeUInt32BE(key.length, 8)
  await binary.send(Buffer.concat([header, key]))
  await binary.expect(/[^]*keya%20key[^]*stateunknown[^]*remembered0[^]*$/)
})

t.test('after any operations, in any of several threads, it says what came last', async t => {
  for (let seed = 1; seed <= 60; seed++) compareWithModel(t, seed)
})

/** Does operations on a few keys in three threads, often several in a second, and asks after each. */
function compareWithModel(t: Test, seed: number): void {
  const prng = new Prng(seed)
  const THREADS = 3
  const memory = new SharedArrayBuffer(Insight.bytesFor(defaultOptions(), THREADS))
  const first = new Explained({ shared: true, threads: THREADS, stripes: 4, useCas: seed % 2 === 0 }, memory)
  const others = [1, 2].map(thread => new Explained(StoreUnderTest.attach(first.store.share(), thread), memory))
  const subjects = [first, ...others]
  const expected = new Map<string, string>()
  const expires = new Map<string, number>()
  const large = bytesOf(1, 1_200_000)
  const forget = (isFlushed: (key: string) => boolean): void => {
    for (const key of KEYS) if (isFlushed(key)) expected.set(key, 'flushed')
  }
  for (let count = 0; count < 300; count++) {
    const subject = subjects[prng.below(THREADS)]!
    const key = KEYS[prng.below(KEYS.length)]!
    const isThere = expected.get(key) === 'there'
    switch (prng.below(9)) {
      case 0: case 1: case 2: {
        const exptime = prng.below(3) === 0 ? 2 : 0
        subject.put(Mode.Set, key, VALUE, 0, exptime)
        expected.set(key, 'there')
        expires.set(key, exptime === 0 ? Infinity : first.store.context.now + exptime)
        break
      }
      case 3:
        if (subject.delete(key) === Outcome.Deleted) expected.set(key, 'deleted')
        break
      case 4:
        if (subject.store.evict(subject.for(key))) expected.set(key, 'evicted')
        break
      case 5: {
        const mode = prng.below(2) === 0 ? Mode.Set : Mode.Add
        if (subject.put(mode, key, large) === Outcome.TooLarge && !(mode === Mode.Add && isThere)) expected.set(key, 'refused')
        break
      }
      case 6:
        if (prng.below(4) !== 0) break
        subject.store.flush(0)
        forget(() => true)
        break
      case 7:
        if (prng.below(3) !== 0) break
        subject.store.flushPrefix(Buffer.from('p'))
        forget(key => key.startsWith('p:'))
        break
      default: {
        for (const { clock } of subjects) clock.advance(1)
        for (const { store } of subjects) store.refreshTime()
        const { now } = first.store.context
        for (const [key, at] of expires) if (expected.get(key) === 'there' && at <= now) expected.set(key, 'expired')
        if (prng.below(2) === 0) subject.reclaimDead()
      }
    }
    for (const key of KEYS) {
      const { state } = subjects[count % THREADS]!.ask(key)
      const wanted = expected.get(key) ?? 'unknown'
      if (state === wanted) continue
      t.fail(`seed ${seed}, operation ${count}: ${key} is ${state}, not ${wanted}`)
      return
    }
  }
  first.verify()
  t.pass(`seed ${seed}`)
}

const KEYS = ['a', 'b', 'p:a', 'p:b', 'q:c']

t.test('threads that remove the same keys beside each other leave one order for each key', async t => {
  const THREADS = 3
  const KEYS = 40
  const first = new Explained({ shared: true, threads: THREADS + 1, stripes: 8, explainEntries: 200_000 },
    new SharedArrayBuffer(Insight.bytesFor(defaultOptions(), THREADS + 1)))
  const words = (count: number) => new Int32Array(new SharedArrayBuffer(count * 4))
  const common = { shared: first.store.share(), gate: words(1), threads: THREADS, keys: KEYS, rounds: 20_000, deleted: words(KEYS) }
  await runThreads(new URL('remover.js', import.meta.url),
    Array.from({ length: THREADS }, (_, index): RemoverData => ({ ...common, thread: index + 1 })))
  const { departures, hash } = first.store.context
  for (let key = 0; key < KEYS; key++) {
    const bytes = Buffer.from(`key-${key}`)
    const orders = departures.ordersOf(hash.of(bytes, 0, bytes.length))
    t.equal(orders.length, common.deleted[key], 'each removal is recorded once')
    t.equal(new Set(orders).size, orders.length, 'and no two in one place')
    const { state, connection } = first.ask(`key-${key}`)
    if (first.get(`key-${key}`) !== undefined) t.equal(state, 'there')
    else t.same([state, Number(connection) >= 1 && Number(connection) <= THREADS], ['deleted', true])
  }
  first.verify()
})
