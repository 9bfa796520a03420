// When values were stored, by their cas numbers.
import t from 'tap'
import { Ages } from '../../src/insight/ages.js'
import { type StoreContext } from '../../src/store/context.js'
import { Mode } from '../../src/store/request.js'
import { Prng } from '../support/prng.js'
import { startServer } from '../support/server.js'
import { bytesOf } from '../support/store.js'
import { StoreUnderTest } from '../support/store.js'

/** The ages of a store whose cas numbers are given by hand. */
class Noted {
  readonly context = { now: 2, casGiven: 0 }
  readonly memory = new SharedArrayBuffer(Ages.BYTES)
  readonly ages = this.attach()
  /** The second at which each cas number was given. */
  readonly truth = [0]

  /** The same in another thread. */
  attach(): Ages { return new Ages(this.memory, 0, this.context as StoreContext) }

  give(count = 1): void {
    for (; count > 0; count--) this.truth[++this.context.casGiven] = this.context.now
  }

  pass(seconds = 1): void {
    this.context.now += seconds
    this.ages.note()
  }
}

t.test('each number is known to a second, in every thread', async t => {
  const noted = new Noted()
  const { ages, context, truth } = noted
  const prng = new Prng(1)
  ages.note()
  for (let look = 0; look < 5000; look++) {
    noted.give(prng.below(3))
    // ten looks in a second
    noted.pass(look % 10 === 0 ? 1 : 0)
  }
  t.ok(ages.count <= 501, 'a record for a second')
  const other = noted.attach()
  let isRight = true
  for (let cas = 1; cas <= context.casGiven; cas++) {
    const { from, until } = other.find(cas) ?? { from: 0, until: 0 }
    isRight &&= from <= truth[cas]! && until >= truth[cas]! && until - from <= 1
  }
  t.ok(isRight)
  t.equal(ages.find(0), undefined)
  t.equal(ages.find(context.casGiven + 1), undefined)
})

t.test('seconds in which nothing is stored take no records, and leave others exact', async t => {
  const noted = new Noted()
  const { ages } = noted
  ages.note()
  for (let hour = 0; hour < 3; hour++) {
    for (let second = 0; second < 3600; second++) noted.pass()
    noted.give()
    noted.pass(0)
  }
  t.equal(ages.count, 3)
  t.same([1, 2, 3].map(cas => ages.find(cas)), [3602, 7202, 10802].map(second => ({ from: second, until: second })))
})

t.test('however many seconds: the newest are exact, and the others to a part of their age', async t => {
  const noted = new Noted()
  const { ages, context, truth } = noted
  const prng = new Prng(2)
  ages.note()
  for (let second = 0; second < 200_000; second++) {
    noted.give()
    noted.pass()
    // now and then nothing is stored for a while
    if (prng.below(5000) === 0) for (let quiet = prng.below(100_000); quiet > 0; quiet--) noted.pass()
    if (ages.count > 8192) t.fail('the table has a bound')
  }
  for (let cas = 1; cas <= context.casGiven; cas++) {
    const { from, until } = ages.find(cas) ?? { from: 0, until: 0 }
    const age = context.now - until
    const isExact = until - from <= 1
    const isClose = (until - from) * 32 <= age
    if (from <= truth[cas]! && until >= truth[cas]! && (isExact || cas <= context.casGiven - 4096 && isClose)) continue
    t.fail(`cas ${cas} of second ${truth[cas]} is known from ${from} to ${until} at ${context.now}`)
    return
  }
})

t.test('after the clock has gone back, nothing is known of what was stored before', async t => {
  const noted = new Noted()
  const { ages, context } = noted
  ages.note()
  noted.give()
  noted.pass(5)
  t.ok(ages.find(1))
  context.now = 4
  t.equal(ages.find(1)?.until, 4, 'before the next look it is not in the future')
  context.now = 1
  t.equal(ages.find(1), undefined)
  ages.note()
  noted.give()
  noted.pass()
  context.now = 100
  t.equal(ages.find(1), undefined)
  t.same(ages.find(2), { from: 1, until: 2 })
})

t.test('a reader does not use what is being written', async t => {
  const noted = new Noted()
  const { ages, memory } = noted
  ages.note()
  noted.give()
  noted.pass()
  const version = new Int32Array(memory, 0, 1)
  Atomics.add(version, 0, 1)
  t.equal(ages.find(1), undefined)
  Atomics.add(version, 0, 1)
  t.ok(ages.find(1))
})

t.test('the store says which cas number it gave last', async t => {
  for (const useCas of [true, false]) {
    const subject = new StoreUnderTest({ useCas })
    t.equal(subject.store.context.casGiven, 0)
    subject.put(Mode.Set, 'k', bytesOf(1, 10))
    subject.put(Mode.Set, 'k', bytesOf(1, 10))
    t.equal(subject.store.context.casGiven, useCas ? 2 : 0)
  }
})

t.test('the background of a server looks', async t => {
  const { client, clock } = await startServer(t)
  await client.says('set k 0 0 1\r\nv\r\n', 'STORED\r\n')
  clock.advance(1000)
  // the second read notes the time
  for (let read = 0; read < 2; read++) await client.says('get k\r\n', 'VALUE k 0 1\r\nv\r\nEND\r\n')
  await client.send('stats explain k\r\n')
  await client.expect(/^[^]*, stored 16 min ago, last used at most just now[^]*STAT age 1000\r\nEND\r\n$/)
})
