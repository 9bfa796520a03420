// Numbers by which several threads listen: who gets them, and who begins to listen by one that another closes as it dies.
import { closeSync, openSync } from 'node:fs'
import { devNull } from 'node:os'
import { Worker } from 'node:worker_threads'
import t from 'tap'
import { Beginners, withHighNumbers } from '../../dist/net/descriptor.js'
import '../support/fresh.js'

const BEGINNERS = new URL('../../dist/net/descriptor.js', import.meta.url)

t.test('who dies waits for those who begin, and nobody begins after that', async t => {
  const memory = new SharedArrayBuffer(Beginners.BYTES)
  const steps = new Int32Array(new SharedArrayBuffer(8))
  // it does not end what it has begun before somebody dies
  const worker = new Worker(`
    const { workerData: { memory, steps, module } } = require('node:worker_threads')
    void import(module).then(({ Beginners }) => new Beginners(memory).begin(async () => {
      Atomics.store(steps, 0, 1)
      Atomics.notify(steps, 0)
      Atomics.wait(new Int32Array(memory), 0, 1, 60_000)
      Atomics.store(steps, 1, 1)
    }))`, { eval: true, execArgv: [], workerData: { memory, steps, module: BEGINNERS.href } })
  const ended = new Promise(resolve => worker.once('exit', resolve))
  const dying = new Beginners(memory)
  Atomics.wait(steps, 0, 0, 60_000)
  dying.die()
  t.equal(Atomics.load(steps, 1), 1, 'it has waited')
  await t.rejects(dying.begin(async () => { t.fail('it begins') }), { code: 'EDIED' })
  t.equal(await ended, 0)
})

t.test('who dies while it begins does not wait for itself, and others begin and end as they like', async t => {
  const memory = new SharedArrayBuffer(Beginners.BYTES)
  const [one, other] = [new Beginners(memory), new Beginners(memory)]
  await other.begin(async () => {})
  await t.rejects(one.begin(async () => {
    one.die()
    throw new Error('a defect')
  }), { message: 'a defect' })
  t.equal(new Int32Array(memory)[0]! % 2 ** 16, 0, 'and is counted once')
})

t.test('a shared number that is closed is not given to the next files', async t => {
  const open = (): number => openSync(devNull, 'r')
  const shared = await withHighNumbers(2, () => Promise.resolve(open()))
  closeSync(shared)
  const next = Array.from({ length: 20 }, open)
  for (const number of next) closeSync(number)
  t.notOk(next.includes(shared), `${shared} is not among ${next.join()}`)
})

t.test('a shared number is high even if files with lower numbers are closed while it is opened', async t => {
  const open = (): number => openSync(devNull, 'r')
  const others = Array.from({ length: 5 }, open)
  const opened: number[] = []
  const shared = await withHighNumbers(2, high => high.open({
    open: async () => {
      // as another thread might, just before
      const other = others.pop()
      if (other !== undefined) closeSync(other)
      opened.push(open())
      return opened.at(-1)!
    },
    numberOf: number => number,
    close: async number => closeSync(number),
  }))
  closeSync(shared)
  t.equal(opened.length, 6, `${opened.join()}: it was opened again for each of them`)
  const next = Array.from({ length: 20 }, open)
  for (const number of next) closeSync(number)
  t.notOk(next.includes(shared), `${shared} is not among ${next.join()}`)
})
