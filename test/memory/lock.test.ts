import t from 'tap'
import { Worker } from 'node:worker_threads'
import { allocateLinear, bufferOf, instructionsOf } from '../../src/memory/linear.js'
import { Locks } from '../../src/memory/lock.js'

/** Shared memory of WebAssembly, and of JavaScript alone. */
const LINEARS = { 'an arena': allocateLinear(64 * 1024, true), 'a table': new SharedArrayBuffer(64) }

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
