// What a store of one value costs in lookups and locks, and what becomes of a key whose old item has to make room for the new.
import t from 'tap'

import { Mode } from '../../src/store/request.js'
import { Outcome } from '../../src/store/outcome.js'
import { ClassCounter } from '../../src/stats/counters.js'
import { bytesOf, StoreUnderTest } from '../support/store.js'

const VALUE = Buffer.from('value')
/** A store with room for a few items of one large value each. */
const SMALL = { maxbytes: 4 * 1024 * 1024 }
const LARGE = bytesOf(1, 400_000)
const OTHER = bytesOf(2, 400_000)

/** Counts how often keys are looked up and stripes are taken. */
function count({ store }: StoreUnderTest): { lookups: number, stripes: number } {
  const counts = { lookups: 0, stripes: 0 }
  const { table } = store.shards[0]!
  const { stripes } = store.context
  const find = table.find.bind(table)
  const take = stripes.take.bind(stripes)
  table.find = (...args) => {
    counts.lookups++
    return find(...args)
  }
  stripes.take = hash => {
    counts.stripes++
    take(hash)
  }
  return counts
}

t.test('a value that is there as a whole is stored with one lookup and one stripe', async t => {
  const subject = new StoreUnderTest()
  const counts = count(subject)
  const costs = (name: string, mode: Mode, key: string, outcome: Outcome, value: Uint8Array = VALUE, flags = 0): void => {
    counts.lookups = counts.stripes = 0
    t.equal(subject.putWhole(mode, key, value, flags), outcome, name)
    t.same(counts, { lookups: 1, stripes: 1 }, name)
  }
  costs('set of a new key', Mode.Set, 'a', Outcome.Stored)
  costs('set over the old value', Mode.Set, 'a', Outcome.Stored)
  costs('set into another class', Mode.Set, 'a', Outcome.Stored, bytesOf(1, 1000))
  costs('set with other flags', Mode.Set, 'a', Outcome.Stored, bytesOf(2, 1000), 5)
  costs('add of a new key', Mode.Add, 'b', Outcome.Stored)
  costs('add of a key that is there', Mode.Add, 'b', Outcome.NotStored)
  costs('replace', Mode.Replace, 'b', Outcome.Stored)
  costs('replace of a key that is not there', Mode.Replace, 'c', Outcome.NotStored)
  costs('append', Mode.Append, 'b', Outcome.Stored)
  costs('cas of a key that is not there', Mode.Cas, 'c', Outcome.NotFound)
  t.same(subject.get('b')?.value.toString(), 'valuevalue')
  subject.verify()
})

t.test('a value that fits into the old one\'s chunk needs no memory, and any other does', async t => {
  const subject = new StoreUnderTest({ maxbytes: 2 * 1024 * 1024, evictions: false })
  let count = 0
  while (subject.putWhole(Mode.Set, `k${count}`, bytesOf(count, 100)) === Outcome.Stored) count++
  const last = `k${count - 1}`
  t.equal(subject.putWhole(Mode.Set, last, bytesOf(7, 98)), Outcome.Stored)
  t.same(subject.get(last)?.value, bytesOf(7, 98))
  t.equal(subject.putWhole(Mode.Replace, last, bytesOf(8, 98)), Outcome.NoMemory)
  t.same(subject.get(last)?.value, bytesOf(7, 98), 'one that is not to be stored in any case stays')
  const end = subject.pin(last)
  t.equal(subject.putWhole(Mode.Set, last, bytesOf(9, 98)), Outcome.NoMemory, 'while a client reads the old one')
  end()
  subject.verify()
})

t.test('a value that was sent counts once, whichever way it is stored', async t => {
  const subject = new StoreUnderTest({ slabChunkMax: 4096 })
  const sets = () => {
    const count = subject.store.counters.sumClasses(ClassCounter.CmdSet)
    subject.store.counters.reset()
    return count
  }
  for (const [name, mode, valueBytes] of [
    ['new', Mode.Set, 10], ['written over', Mode.Set, 10], ['in another class', Mode.Set, 1000], ['in pieces', Mode.Set, 9000],
    ['in pieces again', Mode.Set, 9000], ['not stored', Mode.Add, 9000], ['not stored either', Mode.Add, 10],
    ['joined', Mode.Append, 9000],
  ] as const) {
    subject.putWhole(mode, 'k', bytesOf(1, valueBytes))
    t.equal(sets(), 1, name)
  }
  subject.verify()
})

t.test('an item that is written over stays in its list', async t => {
  const subject = new StoreUnderTest({ tempLru: true, temporaryTtl: 10 })
  for (const [exptime, list] of [[0, ClassCounter.HitsToHot], [5, ClassCounter.HitsToTemp]] as const) {
    for (let sets = 0; sets < 3; sets++) subject.putWhole(Mode.Set, `k${exptime}`, VALUE, 0, exptime)
    subject.store.counters.reset()
    subject.get(`k${exptime}`)
    t.equal(subject.store.counters.sumClasses(list), 1)
  }
  subject.verify()
})

t.test('a value with another life than the old one is in the list for its own', async t => {
  const subject = new StoreUnderTest({ tempLru: true, temporaryTtl: 10 })
  const hitsToTemp = () => {
    subject.store.counters.reset()
    subject.get('k')
    return subject.store.counters.sumClasses(ClassCounter.HitsToTemp)
  }
  for (const [exptime, expected] of [[0, 0], [5, 1], [6, 1], [100, 0], [0, 0], [5, 1]] as const) {
    subject.putWhole(Mode.Set, 'k', VALUE, 0, exptime)
    t.equal(hitsToTemp(), expected, `exptime ${exptime}`)
  }
  subject.verify()
})

t.test('an old item that is evicted to make room for the new value of its key is not used any more', async t => {
  const capacity = countFitting()
  for (const [mode, outcome] of [[Mode.Set, Outcome.Stored], [Mode.Add, Outcome.Stored], [Mode.Replace, Outcome.NotStored],
    [Mode.Append, Outcome.NotStored], [Mode.Cas, Outcome.NotFound]] as const) {
    const subject = new StoreUnderTest(SMALL)
    subject.put(Mode.Set, 'old', LARGE)
    for (let n = 1; n < capacity; n++) subject.put(Mode.Set, `other-${n}`, LARGE)
    t.ok(isOldest(subject, 'old'), 'the old item is the next to go')
    // flags, so that it is not written over
    t.equal(subject.putWhole(mode, 'old', OTHER, 7), outcome, `mode ${mode}`)
    subject.verify()
    const isThere = outcome === Outcome.Stored
    t.equal(subject.get('old')?.flags, isThere ? 7 : undefined)
    if (isThere) t.ok(subject.get('old')!.value.equals(OTHER))
  }
})

/** How many items with a large value fit before one is evicted. */
function countFitting(): number {
  const subject = new StoreUnderTest(SMALL)
  let count = 0
  do subject.put(Mode.Set, `k${count++}`, LARGE)
  while (subject.store.counters.sumClasses(ClassCounter.Evicted) === 0)
  return count - 1
}

function isOldest(subject: StoreUnderTest, key: string): boolean {
  const request = subject.for(key)
  const { allocator, lru, table } = subject.store.shards[0]!
  const item = table.find(request.hash, request.bytes, request.keyStart, request.keyEnd)
  return item !== 0 && lru.oldest(allocator.classOf(item)) === item
}
