// The hash table grows where the memory limit is raised: bit by bit, beside the requests, so that nobody waits for it and
// keys are found as quickly as if the limit had been there from the start.
import t from 'tap'
import { Mode } from '../../src/store/request.js'
import { runThreads } from '../support/threads.js'
import { StoreUnderTest } from '../support/store.js'
import { Gate, type MemberData } from './crowd.js'

const MIB = 1024 * 1024
const VALUE = Buffer.from('v')
/** The buckets of such a small store. */
const BUCKETS = buckets(new StoreUnderTest({ maxbytes: MIB }))

function buckets({ store }: StoreUnderTest): number { return store.shards[0]!.table.bucketCount }

function fill(subject: StoreUnderTest, from: number, to: number): void {
  for (let key = from; key < to; key++) subject.put(Mode.Set, `one-${key}`, VALUE)
}

function found(subject: StoreUnderTest, to: number): number {
  let count = 0
  for (let key = 0; key < to; key++) if (subject.get(`one-${key}`) !== undefined) count++
  return count
}

t.test('a table does not grow while the limit is what it was', async t => {
  const subject = new StoreUnderTest({ maxbytes: MIB })
  fill(subject, 0, 3 * BUCKETS)
  subject.store.growStep()
  t.equal(buckets(subject), BUCKETS)
  t.notOk(subject.store.isGrowing)
})

t.test('with a higher limit it has a bucket for each item, and each key is found all the time', async t => {
  const subject = new StoreUnderTest({ maxbytes: MIB })
  const keys = 5 * BUCKETS
  t.ok(subject.store.setMemoryLimit(16 * MIB))
  subject.store.growStep()
  t.equal(buckets(subject), BUCKETS, 'nothing is stored yet')
  fill(subject, 0, keys)
  t.ok(subject.store.isGrowing)
  let steps = 0
  for (; subject.store.isGrowing; steps++) {
    subject.store.growStep()
    // some go and come back meanwhile, in buckets that are split and in others
    for (let key = steps; key < keys; key += 97) subject.delete(`one-${key}`)
    if (steps % 8 === 0) subject.verify()
    for (let key = steps; key < keys; key += 97) subject.put(Mode.Set, `one-${key}`, VALUE)
  }
  t.ok(steps > 30, 'no step does it all')
  t.ok(buckets(subject) >= keys, 'a bucket for each item')
  t.equal(found(subject, keys), keys)
  subject.verify()
})

t.test('it has no more buckets than the limit asks for, nor fewer than it had', async t => {
  const subject = new StoreUnderTest({ maxbytes: MIB })
  subject.store.setMemoryLimit(4 * MIB)
  fill(subject, 0, 3 * BUCKETS)
  while (subject.store.isGrowing) subject.store.growStep()
  t.equal(buckets(subject), 2 * BUCKETS)
  subject.store.setMemoryLimit(MIB)
  subject.store.growStep()
  t.equal(buckets(subject), 2 * BUCKETS)
  subject.verify()
})

t.test('a step moves so many items and no more, however many more have come than there are buckets', async t => {
  const subject = new StoreUnderTest({ maxbytes: MIB })
  const { allocator: space } = subject.store.shards[0]!
  subject.store.setMemoryLimit(64 * MIB)
  fill(subject, 0, 8 * BUCKETS)
  const hashOf = space.hashOf.bind(space)
  let moved = 0
  space.hashOf = item => {
    moved++
    return hashOf(item)
  }
  let most = 0
  for (let steps = 0; steps < 10; steps++) {
    moved = 0
    subject.store.growStep()
    most = Math.max(most, moved)
  }
  t.ok(most > 500 && most < 1500, `${most} items in one step`)
  subject.verify()
})

t.test('it grows while other threads read and write', async t => {
  const threads = 3
  const subject = new StoreUnderTest({ maxbytes: MIB, shared: true, threads: threads + 1 })
  subject.store.setMemoryLimit(64 * MIB)
  fill(subject, 0, 6 * BUCKETS)
  const gate = new Int32Array(new SharedArrayBuffer(Gate.Count * 4))
  gate[Gate.MayEnd] = 1
  const members = Array.from({ length: threads }, (_, index): MemberData => ({
    shared: subject.store.share(), gate, threads, thread: index + 1, seed: 1, operations: 5000, keys: 250, sizes: [40, 300],
      flushes: 0,
  }))
  let steps = 0
  await runThreads(new URL('crowd.js', import.meta.url), members, () => {
    if (subject.store.isGrowing) steps++
    subject.store.growStep()
  })
  t.ok(steps > 0)
  while (subject.store.isGrowing) subject.store.growStep()
  subject.verify()
  for (let key = 250; key < 6 * BUCKETS; key++) if (subject.get(`one-${key}`) === undefined) t.fail(`one-${key} is lost`)
})
