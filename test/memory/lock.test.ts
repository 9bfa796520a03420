import t from 'tap'
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { allocateWasm, bufferOf, instructionsOf } from '../../src/memory/wasm.js'
import { InvariantError } from '../../src/errors.js'
import { Lives } from '../../src/memory/lives.js'
import { Locks } from '../../src/memory/lock.js'

/** Longer than any thread that lives holds a lock, were it not that the whole process was stopped meanwhile. */
const SLOW_MS = 11_000
/** So long that whoever waits looks whether all are alive. */
const LOOKS_MS = 1200

/** Shared memory of WebAssembly, and of JavaScript alone. */
const LINEARS = { 'an arena': allocateWasm(64 * 1024, true), 'a table': new SharedArrayBuffer(64) }

for (const [name, linear] of Object.entries(LINEARS)) {
  t.test(`in ${name} a held lock cannot be taken, a released one can`, async t => {
    const words = new Int32Array(bufferOf(linear))
    const locks = new Locks(words, true, undefined, instructionsOf(linear))
    locks.take(3)
    t.notOk(locks.tryTake(3))
    t.ok(locks.tryTake(4))
    locks.release(3)
    t.ok(locks.tryTake(3))
    t.same([...words.subarray(0, 6)], [0, 0, 0, 1, 1, 0])
  })

  t.test(`in ${name} a thread that waits sleeps until the holder releases`, async t => {
    const words = new Int32Array(bufferOf(linear))
    const locks = new Locks(words, true, undefined, instructionsOf(linear))
    locks.take(0)
    // the other thread does what Locks.wait does, and says in word 2 when it has the lock
    const worker = new Worker(`
      const { workerData: words } = require('node:worker_threads')
      while (Atomics.exchange(words, 0, 2) !== 0) { Atomics.store(words, 1, 1); Atomics.notify(words, 1); Atomics.wait(words, 0, 2) }
      Atomics.store(words, 2, 1)
    `, { eval: true, workerData: words })
    while (Atomics.load(words, 1) === 0) await new Promise(setImmediate)
    t.equal(Atomics.load(words, 2), 0, 'it waits')
    locks.release(0)
    await new Promise(resolve => worker.once('exit', resolve))
    t.equal(Atomics.load(words, 2), 1, 'it has the lock')
  })
}

t.test('a store of one thread takes no locks', async t => {
  const words = new Int32Array(16)
  const locks = new Locks(words, false)
  locks.take(3)
  t.ok(locks.tryTake(3))
  t.equal(words[3], 0)
})

/** A thread that takes lock 0, keeps it for so long, and tells when it has it; then it ends, with or without giving it back. */
function holder(words: Int32Array, lives: Int32Array, keepMs: number): Worker {
  return new Worker(new URL('holder.js', import.meta.url), { workerData: { words, lives, keepMs } })
}

t.test('whoever waits for a slow thread waits, however long it takes', async t => {
  const words = new Int32Array(new SharedArrayBuffer(64))
  const lives = new Int32Array(new SharedArrayBuffer(Lives.bytesFor(2)))
  const worker = holder(words, lives, SLOW_MS)
  await once(worker, 'message')
  const before = performance.now()
  new Locks(words, true, new Lives(lives)).take(0)
  t.ok(performance.now() - before > SLOW_MS / 2, 'it was given back late')
  await once(worker, 'exit')
})

t.test('whoever waits for a thread that has ended without a word is told so', { skip: process.platform !== 'linux' }, async t => {
  const words = new Int32Array(new SharedArrayBuffer(64))
  const lives = new Int32Array(new SharedArrayBuffer(Lives.bytesFor(2)))
  const worker = holder(words, lives, Infinity)
  await once(worker, 'message')
  await worker.terminate()
  t.throws(() => new Locks(words, true, new Lives(lives)).take(0), InvariantError)
})

t.test('a thread that left may end, and whoever waits for another goes on waiting', async t => {
  const words = new Int32Array(new SharedArrayBuffer(64))
  const lives = new Int32Array(new SharedArrayBuffer(Lives.bytesFor(3)))
  // thread 2 is one that worked and left before it ended
  const left = new Worker(new URL('leaver.js', import.meta.url), { workerData: lives })
  await once(left, 'exit')
  const worker = holder(words, lives, LOOKS_MS)
  await once(worker, 'message')
  t.doesNotThrow(() => new Locks(words, true, new Lives(lives)).take(0))
  await once(worker, 'exit')
})
