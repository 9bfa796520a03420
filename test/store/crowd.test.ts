// Several threads on one store, over tables and stripes so small that every lock is waited for: whatever they do to each
// other, no value is torn or foreign, and at the end every chunk, list and counter agrees with every other.
import t, { type Test } from 'tap'
import { Prng } from '../support/prng.js'
import { runThreads } from '../support/threads.js'
import { bytesOf, StoreUnderTest } from '../support/store.js'
import { Counter } from '../../src/stats/counters.js'
import { Outcome } from '../../src/store/outcome.js'
import { Mode } from '../../src/store/request.js'
import { type StoreOptions } from '../../src/store/store.js'
import { Gate, type MemberData } from './crowd.js'
import { Tally, type FlusherData } from './flusher.js'
import { type ReaderData } from './reader.js'

const MIB = 1024 * 1024
const THREADS = 3
const SEED = Number(process.env['MEMSLAB_SEED'] ?? 20261122)
/** More for a longer trial. */
const OPERATIONS = Number(process.env['MEMSLAB_CROWD_OPERATIONS'] ?? 5000)

type Work = Pick<MemberData, 'keys' | 'sizes' | 'flushes'> & { readonly share?: number, readonly moves?: true }

/** @returns how many increments the threads were told of */
async function crowd(t: Test, options: Partial<StoreOptions>, work: Work): Promise<{ subject: StoreUnderTest, added: number }> {
  t.comment(`MEMSLAB_SEED=${SEED}`)
  const subject = new StoreUnderTest({ maxbytes: 8 * MIB, shared: true, threads: THREADS + 1, trackPrefixes: true,
    ...options })
  const gate = new Int32Array(new SharedArrayBuffer(Gate.Count * 4))
  const shared = subject.store.share()
  const members = Array.from({ length: THREADS }, (_, index): MemberData =>
    ({ shared, gate, threads: THREADS, thread: index + 1, seed: SEED, operations: OPERATIONS * (work.share ?? 1), ...work }))
  const prng = new Prng(SEED)
  const classes = subject.store.classes.largest
  await runThreads(new URL('crowd.js', import.meta.url), members, () => {
    if (work.moves === true) subject.store.rebalance.reassign(prng.below(classes + 2) - 1, prng.below(classes + 1))
    // however the threads get their turns, they are there when items are moved
    if (work.moves !== true || subject.store.counters.sum(Counter.Rescues) > 0) Atomics.store(gate, Gate.MayEnd, 1)
    subject.movePages(5)
    subject.store.sweepStep(100)
  })
  subject.verify()
  return { subject, added: Atomics.load(gate, Gate.Added) }
}

t.test('few keys, two stripes: no value is torn, no increment is lost', async t => {
  const { subject, added } = await crowd(t, { stripes: 2 }, { keys: 6, sizes: [40, 300, 9000], flushes: 0 })
  let sum = 0n
  for (let key = 0; key < 6; key++) {
    const count = subject.get(`key-${key}-count`)?.value.toString()
    if (count !== undefined) sum += BigInt(count.trim())
  }
  t.equal(sum, BigInt(added), 'nothing was evicted, so all increments are there')
})

t.test('small items in a full memory: everybody evicts what the others read', async t => {
  const { subject } = await crowd(t, { stripes: 2, maxbytes: 2 * MIB }, { keys: 250, sizes: [200, 8000, 60_000], flushes: 1 })
  t.ok(subject.store.itemCount > 0)
})

t.test('prefixes with quotas: each thread evicts items that the others store and read, and the counts are exact', async t => {
  const prefixQuotas = { 'key-': 10, 'key-2': 1 }
  const { subject } = await crowd(t, { stripes: 4, maxbytes: 4 * MIB, prefixDelimiter: '1', prefixQuotas },
    { keys: 250, sizes: [200, 8000, 60_000], flushes: 1 })
  const { prefixes } = subject.store.context
  const evicted = prefixes!.rowsByBytes().map(row => prefixes!.factsOf(row)!).filter(({ evictions }) => evictions > 0)
  t.ok(evicted.length >= 2, 'each of them was above its quota')
})

t.test('items of many pieces are replaced, evicted and read at once', async t => {
  await crowd(t, { stripes: 4, maxbytes: 8 * MIB, itemSizeMax: 4 * MIB },
    { keys: 12, sizes: [100, 1_500_000, 700_000], flushes: 1, share: 1 / 50 })
})

t.test('pages go from class to class while everybody stores', async t => {
  await crowd(t, { stripes: 2, maxbytes: 3 * MIB, slabAutomove: 1 },
    { keys: 200, sizes: [100, 1000, 4000, 16_000, 40_000, 120_000], flushes: 2 })
})

t.test('pages are emptied all the time while everybody reads and writes what is in them', async t => {
  const { subject } = await crowd(t, { stripes: 4, maxbytes: 12 * MIB, itemSizeMax: 2 * MIB, factor: 3, slabAutomove: 2 },
    { keys: 300, sizes: [300, 4000, 16_000, 60_000, 600_000], flushes: 1, share: 1 / 10, moves: true })
  t.ok(subject.store.counters.sum(Counter.Rescues) > 0, `${subject.store.counters.sum(Counter.Rescues)} items and ` +
    `${subject.store.counters.sum(Counter.ChunkRescues)} pieces of ` +
    `${subject.store.counters.sum(Counter.SlabsMoved)} pages were moved`)
})

t.test('a page is taken from a class while others read what is in it', async t => {
  const subject = new StoreUnderTest({ maxbytes: 8 * MIB, shared: true, threads: THREADS + 1 })
  for (let key = 0; key < 40_000; key++) subject.put(Mode.Set, `key-${key}`, bytesOf(key, 200))
  const gate = new Int32Array(new SharedArrayBuffer(8))
  const readers = Array.from({ length: THREADS }, (_, index): ReaderData =>
    ({ shared: subject.store.share(), gate, threads: THREADS, thread: index + 1, keys: 40_000 }))
  const failed: number[] = []
  const held: (() => void)[] = []
  let large = 0
  await runThreads(new URL('reader.js', import.meta.url), readers, () => {
    if (Atomics.load(gate, 0) < THREADS) return
    // some are held, so that they cannot make room for the next ones
    if (subject.put(Mode.Set, `large-${large}`, bytesOf(large, 400_000)) !== Outcome.Stored) failed.push(large)
    else held.push(subject.pin(`large-${large}`))
    if (held.length > 6) held.shift()!()
    if (++large === 20) Atomics.store(gate, 1, 1)
  })
  for (const end of held) end()
  t.same(failed, [], 'there was always memory')
  t.ok(subject.store.counters.sum(Counter.SlabsMoved) >= 2, 'pages were moved')
  subject.verify()
})

t.test('flushes, sweeps and stores cross each other, and nothing flushed comes back', async t => {
  const { subject } = await crowd(t, { stripes: 2 }, { keys: 60, sizes: [500], flushes: 300 })
  subject.store.flush(0)
  t.same(Array.from({ length: 60 }, (_, key) => subject.get(`key-${key}`)).filter(found => found !== undefined), [])
  subject.verify()
})

for (const groups of [1, 7]) {
  const what = groups === 1 ? 'everything' : `one of ${groups} prefixes`
  t.test(`what is stored before a flush of ${what} is dead after it and the rest alive, wherever pages move`,
    t => crossFlushes(t, groups))
}

async function crossFlushes(t: Test, groups: number): Promise<void> {
  // more than a flush clears at once, in several pages of three classes
  const subject = new StoreUnderTest({ maxbytes: 32 * MIB, shared: true, threads: THREADS + 1, stripes: 4 })
  for (let i = 0; i < 6000; i++) subject.put(Mode.Set, `old-${i}`, bytesOf(i, [10, 200, 1500][i % 3]!))
  const gate = new Int32Array(new SharedArrayBuffer(4))
  const words = (count: number): Int32Array => new Int32Array(new SharedArrayBuffer(count * 4))
  const tally = words(Tally.Count)
  const common = {
    shared: subject.store.share(), gate, threads: THREADS, operations: OPERATIONS, words: tally,
    begun: words(groups), ended: words(groups), stored: words(THREADS * 30), flushed: words(THREADS * 30),
  }
  const flushers = Array.from({ length: THREADS }, (_, index): FlusherData => ({ ...common, thread: index + 1 }))
  const prng = new Prng(SEED)
  const { largest } = subject.store.classes
  await runThreads(new URL('flusher.js', import.meta.url), flushers, () => {
    subject.store.rebalance.reassign(prng.below(largest + 2) - 1, prng.below(largest + 1))
    subject.movePages(5)
    subject.store.sweepStep(100)
  })
  t.equal(tally[Tally.Undead], 0, 'nothing that was flushed was found')
  t.equal(tally[Tally.Lost], 0, 'nothing that was not flushed was lost')
  const flushes = common.begun.reduce((sum, count) => sum + count, 0)
  t.ok(tally[Tally.Found]! > 0 && flushes > 30, `${tally[Tally.Found]} found, ${flushes} flushes`)
  if (groups > 1) t.ok(tally[Tally.Outlived]! > 30, `${tally[Tally.Outlived]} have outlived flushes of others`)
  subject.verify()
  for (let step = 0; subject.store.context.mayHoldDead && step < 1000; step++) subject.store.sweepStep(100)
  t.equal(subject.store.context.flushedPrefixes.count, 0)
  subject.verify()
}

t.test('the list of old, where every hit moves its item, bears many readers', async t => {
  await crowd(t, { stripes: 2, maxbytes: 2 * MIB, lruSegmented: false }, { keys: 100, sizes: [200, 9000, 50_000], flushes: 0 })
})
