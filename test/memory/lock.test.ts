import t from 'tap'
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { allocateWasm, bufferOf, instructionsOf, type WasmMemory } from '../../src/memory/wasm.js'
import { InvariantError } from '../../src/errors.js'
import { Lives } from '../../src/memory/lives.js'
import { Locks } from '../../src/memory/lock.js'
import { Counter, Counters } from '../../src/stats/counters.js'
import { until } from '../support/patience.js'
import { runThreads } from '../support/threads.js'
import { LOOKS_WORD, LookingLives } from './looking.js'

/** As `taker.ts` says them, which is a thread of its own. */
type TakerData = import('./taker.js').TakerData
const COUNT_WORD = 2

/** So often a thread looks whether the others live before the one that it waits for is done. */
const LOOKS = 50
const TAKER = new URL('taker.js', import.meta.url)

/** Shared memory of WebAssembly, and of JavaScript alone; and that of a store of one thread. */
const MEMORIES = {
  'an arena': () => allocateWasm(64 * 1024, true),
  'a table': () => new SharedArrayBuffer(64),
  'a store of one thread': () => new ArrayBuffer(64),
}

function livesFor(threads: number): Int32Array { return new Int32Array(new SharedArrayBuffer(Lives.bytesFor(threads))) }

/** The locks as a thread sees them. */
function locksOf(memory: WasmMemory, thread = 0): Locks {
  const buffer = bufferOf(memory)
  const isShared = buffer instanceof SharedArrayBuffer
  return new Locks(new Int32Array(buffer), isShared, new Lives(livesFor(3), thread), instructionsOf(memory))
}

for (const [name, allocate] of Object.entries(MEMORIES)) {
  t.test(`in ${name} a held lock cannot be taken, a released one can`, async t => {
    const locks = locksOf(allocate())
    locks.take(3)
    t.notOk(locks.tryTake(3))
    t.ok(locks.tryTake(4))
    locks.release(3)
    t.ok(locks.tryTake(3))
    locks.release(4)
    t.ok(locks.tryTake(4))
  })

  t.test(`in ${name} a lock is released by the thread that holds it alone, and once`, async t => {
    const memory = allocate()
    const [own, other] = [locksOf(memory, 1), locksOf(memory, 2)]
    t.throws(() => own.release(3), { name: 'InvariantError', message: /a lock that no thread holds/ })
    own.take(3)
    t.throws(() => other.release(3), { name: 'InvariantError', message: /a lock that thread 1 holds/ })
    t.notOk(other.tryTake(3), 'it is still held')
    own.release(3)
    t.throws(() => own.release(3), InvariantError)
    t.ok(other.tryTake(3), 'and free again')
  })

  t.test(`in ${name} a thread that takes a lock which it holds is not left waiting`, async t => {
    const locks = locksOf(allocate(), 1)
    locks.take(3)
    t.throws(() => locks.take(3), InvariantError)
    t.notOk(locks.tryTake(3))
  })
}

for (const name of ['an arena', 'a table'] as const) {
  t.test(`in ${name} a thread that waits sleeps until the holder releases`, async t => {
    const memory = MEMORIES[name]()
    const words = new Int32Array(bufferOf(memory))
    const locks = locksOf(memory, 0)
    locks.take(0)
    const held = Atomics.load(words, 0)
    const counted = new SharedArrayBuffer(Counters.bytesFor(2))
    const worker = new Worker(TAKER,
      { workerData: { memory, lives: livesFor(2), thread: 1, times: 5, counted } satisfies TakerData })
    await until('it has said that it sleeps', () => Atomics.load(words, 0) !== held)
    t.equal(Atomics.load(words, COUNT_WORD), 0, 'it waits')
    locks.release(0)
    await once(worker, 'exit')
    t.equal(Atomics.load(words, COUNT_WORD), 5, 'it has had the lock')
    t.ok(locks.tryTake(0), 'and has released it')
    const counters = new Counters(counted, 0, 2, 0)
    t.same([counters.sum(Counter.LockWaits), counters.sum(Counter.LockSleeps)], [1, 1], 'the other four times it was free')
    t.ok(counters.sum(Counter.LockSleepUs) > 0 && counters.sum(Counter.LockSleepUs) < 60e6)
  })

  t.test(`in ${name} one thread at a time has a lock, and each gets it`, async t => {
    const memory = MEMORIES[name]()
    const [lives, times, threads] = [livesFor(4), 20_000, [1, 2, 3]]
    await runThreads(TAKER, threads.map(thread => ({ memory, lives, thread, times } satisfies TakerData)))
    t.equal(new Int32Array(bufferOf(memory))[COUNT_WORD], threads.length * times)
    t.ok(locksOf(memory).tryTake(0), 'it is free at the end')
  })
}

/** A table of locks that threads share, with their lives. */
function table() {
  const words = new Int32Array(new SharedArrayBuffer(64))
  const lives = livesFor(3)
  return { words, lives, locks: new Locks(words, true, new LookingLives(lives, 0, words)) }
}

/** Thread 1, which takes lock 0, and releases it when it has been looked for so often; resolves when it has it. */
async function hold({ words, lives }: { words: Int32Array, lives: Int32Array }, looks: number): Promise<Worker> {
  const worker = new Worker(new URL('holder.js', import.meta.url), { workerData: { words, lives, looks } })
  await once(worker, 'message')
  return worker
}

t.test('a thread that waits for a slow one waits, however long it takes', async t => {
  const shared = table()
  const worker = await hold(shared, LOOKS)
  shared.locks.take(0)
  t.ok(Atomics.load(shared.words, LOOKS_WORD) >= LOOKS, 'it has looked again and again')
  await once(worker, 'exit')
  t.throws(() => locksOf(shared.words.buffer as SharedArrayBuffer, 1).release(0), InvariantError, 'the lock is its own')
})

const isLinux = process.platform === 'linux'

t.test('a thread that waits for one that has ended without a word gets an error', { skip: !isLinux }, async t => {
  const shared = table()
  const worker = await hold(shared, Infinity)
  await worker.terminate()
  t.throws(() => shared.locks.take(0), { name: 'InvariantError', message: /has died, and thread 1 holds/ })
  t.notOk(shared.locks.tryTake(0), 'nobody has the lock of a dead thread')
})

t.test('a thread that waits gets an error when one says that it dies, though the holder lives', async t => {
  const shared = table()
  const worker = await hold(shared, Infinity)
  new Lives(shared.lives, 2).fail()
  t.throws(() => shared.locks.take(0), InvariantError)
  t.notOk(shared.locks.tryTake(0))
  await worker.terminate()
})

t.test('without thread ids, the holder counts as dead that a waiting thread has looked at again and again', async t => {
  const shared = table()
  const lives = new Lives(shared.lives, 0)
  lives.firstPlace = 1
  const worker = await hold(shared, LOOKS)
  // as on a system that has no ids of threads
  Atomics.store(shared.lives, shared.lives.length - 2, -1)
  t.throws(() => shared.locks.take(0), { name: 'InvariantError' })
  const looks = Atomics.load(shared.words, LOOKS_WORD)
  t.ok(looks >= 20 && looks < LOOKS, `${looks} looks`)
  await worker.terminate()
})

t.test('a thread of a place that has ended harms nobody who waits for another', { skip: !isLinux }, async t => {
  const shared = table()
  new Lives(shared.lives, 0).firstPlace = 1
  const place = await hold({ words: new Int32Array(new SharedArrayBuffer(64)), lives: shared.lives }, Infinity)
  await place.terminate()
  Atomics.store(shared.lives, shared.lives.length - 1, Atomics.load(shared.lives, shared.lives.length - 2))
  const worker = await hold(shared, LOOKS)
  t.doesNotThrow(() => shared.locks.take(0))
  await once(worker, 'exit')
})

t.test('a thread that left may end, and one that waits for another goes on waiting', async t => {
  const shared = table()
  await once(new Worker(new URL('leaver.js', import.meta.url), { workerData: shared.lives }), 'exit')
  const worker = await hold(shared, LOOKS)
  t.doesNotThrow(() => shared.locks.take(0))
  await once(worker, 'exit')
})
