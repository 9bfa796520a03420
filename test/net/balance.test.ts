// Which thread leaves the next connection to another, and that it does not wait for long.
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import t from 'tap'
import { Listeners } from '../../src/net/listeners.js'
import { Balance } from '../../src/net/balance.js'
import { completeOptions } from '../../src/options/options.js'
import { until } from '../support/patience.js'

/** How often this process has given up a processor by itself. */
function pauses(): number {
  return process.resourceUsage().voluntaryContextSwitches
}

t.test('who is not ahead waits for nobody', t => {
  const memory = new SharedArrayBuffer(Balance.bytesFor(3))
  const [first, second, third] = [1, 2, 3].map(thread => new Balance(memory, thread))
  for (const [balance, count] of [[first, 40], [second, 42], [third, 47]] as const) {
    balance?.join()
    balance?.add(count)
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
  const memory = new SharedArrayBuffer(Balance.bytesFor(2))
  const balance = new Balance(memory, 1)
  balance.join()
  new Balance(memory, 2).join()
  balance.add(10)
  balance.leaveSome()
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
  balance.leaveSome()
  await done
  balance.leaveSome()
  t.equal(new Int32Array(memory)[2], 10)
  await other.terminate()
})

t.test('nobody waits for threads that still start, however many have come', t => {
  const memory = new SharedArrayBuffer(Balance.bytesFor(3))
  const [first, second] = [1, 2].map(thread => new Balance(memory, thread))
  first!.join()
  first!.add(1000)
  const before = pauses()
  for (let count = 0; count < 10_000; count++) first!.leaveSome()
  t.ok(pauses() - before < 5000, 'where each waited there were 10,000')
  second!.join()
  const since = pauses()
  for (let count = 0; count < 20; count++) first!.leaveSome()
  t.ok(pauses() - since >= 20, 'once one is there, it is left some')
  t.end()
})

t.test('where the kernel shares out whoever comes nobody waits, once all listen', t => {
  const memory = new SharedArrayBuffer(Balance.bytesFor(2))
  const [first, second] = [1, 2].map(thread => new Balance(memory, thread, true))
  first!.join()
  second!.join()
  first!.add(1000)
  const before = pauses()
  for (let count = 0; count < 10_000; count++) first!.leaveSome()
  t.ok(pauses() - before < 5000, 'where each waited there were 10,000')
  t.end()
})

t.test('a thread keeps the eight who come first while it starts, and leaves some of all others', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'memslab-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const socketPath = join(folder, 'socket')
  const memory = new SharedArrayBuffer(Balance.bytesFor(2))
  const balance = new Balance(memory, 1)
  const told = { leaves: 0, crowded: 0 }
  balance.leaveSome = () => { told.leaves++ }
  const listeners = new Listeners(completeOptions({ threads: 2, socketPath }), balance, () => { told.crowded++ })
  t.teardown(() => listeners.close())
  await listeners.open()
  await listeners.publish()
  let count = 0
  const come = async (more: number): Promise<void> => {
    for (let left = more; left > 0; left--) {
      const client = connect(socketPath).on('error', () => {})
      t.teardown(() => client.destroy())
    }
    count += more
    await until('they are accepted', () => new Int32Array(memory)[1] === count)
  }
  await come(8)
  t.same(told, { leaves: 0, crowded: 0 })
  await come(1)
  t.same(told, { leaves: 1, crowded: 1 })
  const served: (() => void)[] = []
  listeners.serve(socket => served.push(() => socket.destroy()) > 0)
  await come(2)
  t.same(told, { leaves: 3, crowded: 1 })
  for (const end of served) end()
})
