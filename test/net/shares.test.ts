// Which thread leaves the next connection to another, and that it does not wait for long.
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import t from 'tap'
import { Shares } from '../../src/net/shares.js'

/** How often this process has given up a processor by itself. */
function pauses(): number {
  return process.resourceUsage().voluntaryContextSwitches
}

t.test('who is not ahead waits for nobody', t => {
  const memory = new SharedArrayBuffer(Shares.bytesFor(3))
  const [first, second, third] = [1, 2, 3].map(thread => new Shares(memory, thread))
  for (const [shares, count] of [[first, 40], [second, 42], [third, 47]] as const) {
    shares?.join()
    shares?.add(count)
  }
  const before = pauses()
  for (let count = 0; count < 10_000; count++) {
    first?.leaveSome()
    second?.leaveSome()
    third?.leaveSome()
  }
  t.ok(pauses() - before < 15_000, 'where each waited there were 30,000')
  t.end()
})

t.test('who is ahead goes on when nobody comes, and when somebody has', async t => {
  const memory = new SharedArrayBuffer(Shares.bytesFor(2))
  const shares = new Shares(memory, 1)
  shares.join()
  new Shares(memory, 2).join()
  shares.add(10)
  shares.leaveSome()
  // the other thread accepts as many, as fast as it can
  const other = new Worker(`
    const { workerData, parentPort } = require('node:worker_threads')
    const words = new Int32Array(workerData)
    for (let count = 0; count < 10; count++) {
      words[2]++
      Atomics.add(words, 0, 1)
      Atomics.notify(words, 0)
    }
    parentPort.postMessage('done')`, { eval: true, execArgv: [], workerData: memory })
  const done = once(other, 'message')
  shares.leaveSome()
  await done
  shares.leaveSome()
  t.equal(new Int32Array(memory)[2], 10)
  await other.terminate()
})

t.test('the first thread waits for those who still start, once it may be waited for', async t => {
  const memory = new SharedArrayBuffer(Shares.bytesFor(2))
  const shares = new Shares(memory, 1)
  shares.add(10)
  const waits = Array.from({ length: 100 }, () => {
    const before = performance.now()
    shares.leaveSome()
    return performance.now() - before
  })
  // the shortest, as others may keep the machine busy
  t.ok(Math.min(...waits) < 1000, 'as long as nobody knows of it, it must go on')
  shares.join()
  // the other begins to listen when this one waits for it
  const gate = new SharedArrayBuffer(4)
  const other = new Worker(`
    const { workerData: { gate, words }, parentPort } = require('node:worker_threads')
    parentPort.postMessage('here')
    Atomics.wait(gate, 0, 0)
    Atomics.store(words, 4, 1)
    Atomics.add(words, 0, 1)
    Atomics.notify(words, 0)`, { eval: true, execArgv: [], workerData: { gate: new Int32Array(gate), words: new Int32Array(memory) } })
  await once(other, 'message')
  Atomics.store(new Int32Array(gate), 0, 1)
  Atomics.notify(new Int32Array(gate), 0)
  shares.leaveSome()
  t.equal(new Int32Array(memory)[4], 1)
  await other.terminate()
})
