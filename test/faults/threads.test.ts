// Faults and calls with several threads: at once, and counted exactly.
import t from 'tap'
import type { Call } from '../../dist/faults/calls.js'
import { FaultControl } from '../../dist/faults/control.js'
import * as faults from '../../dist/faults/faults.js'
import { startThreads } from '../support/workers.js'

const THREADS = 3
const CLIENTS = 12

t.test('a fault is in force when `use` returns, and gone when it is removed, in all threads', async t => {
  const control = new FaultControl()
  const { connect } = await startThreads(t, { threads: THREADS }, control)
  const clients = await Promise.all(Array.from({ length: CLIENTS }, connect))
  for (let round = 0; round < 10; round++) {
    const fault = control.use(faults.reply('SERVER_ERROR now'), { verb: 'get' })
    await Promise.all(clients.map(client => client.says('get k\r\n', 'SERVER_ERROR now\r\n')))
    t.equal(fault.used, CLIENTS)
    await fault.remove()
    await Promise.all(clients.map(client => client.says('get k\r\n', 'END\r\n')))
  }
})

t.test('a connection that comes behind `use` is refused, in whichever thread', async t => {
  const control = new FaultControl()
  const { connect } = await startThreads(t, { threads: THREADS }, control)
  for (let round = 0; round < 10; round++) {
    control.use(faults.refuse(), { once: true })
    await (await connect()).expectClosed()
    await (await connect()).says('get k\r\n', 'END\r\n')
  }
})

t.test('times and nth count over all threads', async t => {
  const control = new FaultControl()
  const { connect } = await startThreads(t, { threads: THREADS }, control)
  const clients = await Promise.all(Array.from({ length: CLIENTS }, connect))
  const fault = control.use(faults.reply('SERVER_ERROR x'), { verb: 'get', nth: 10, times: 25 })
  const answers = await Promise.all(clients.map(async client => {
    let errors = 0
    for (let count = 0; count < 10; count++) {
      const answer = await client.says('get k\r\n', /(END|SERVER_ERROR x)\r\n/)
      if (answer.toString() !== 'END\r\n') errors++
    }
    return errors
  }))
  t.equal(answers.reduce((sum, errors) => sum + errors, 0), 25)
  t.equal(fault.used, 25)
  t.same(control.pending, [])
})

t.test('a call is there as soon as its answer has come', async t => {
  const control = new FaultControl()
  const { connect } = await startThreads(t, { threads: THREADS }, control)
  const clients = await Promise.all(Array.from({ length: CLIENTS }, connect))
  const waiting = control.waitForCall({ key: 'key:11' })
  const missing: string[] = []
  const ROUNDS = 20
  for (let round = 0; round < ROUNDS; round++) {
    // answers that may have a fate go another way
    if (round === ROUNDS / 2) control.use(faults.tear(), { verb: 'get' })
    await Promise.all(clients.map(async (client, index) => {
      await client.says(`get key:${index}\r\n`, 'END\r\n')
      if (control.calls({ key: `key:${index}` }).length !== round + 1) missing.push(`key:${index} in round ${round}`)
    }))
  }
  t.same(missing, [])
  t.equal((await waiting).answer, 'END')
  const calls = control.calls()
  t.same(calls.map(({ number }) => number), Array.from({ length: CLIENTS * ROUNDS }, (_, index) => index + 1))
  t.equal(new Set(calls.map(({ connection }) => connection.id)).size, CLIENTS)
})

t.test('a listener hears of the calls between `on` and `off`', async t => {
  const control = new FaultControl()
  const { connect } = await startThreads(t, { threads: 2 }, control)
  const client = await connect()
  for (let round = 0; round < 20; round++) {
    const heard: (string | undefined)[] = []
    const listener = ({ key }: Call): void => { heard.push(key) }
    await client.says('get before\r\n', 'END\r\n')
    control.on(listener)
    await client.says('get between\r\n', 'END\r\n')
    control.off(listener)
    await client.says('get behind\r\n', 'END\r\n')
    t.same(heard, ['between'])
  }
})

t.test('silent connections of all threads have toxics, too', async t => {
  const control = new FaultControl()
  const { connect } = await startThreads(t, { threads: THREADS }, control)
  const clients = await Promise.all(Array.from({ length: CLIENTS }, connect))
  await Promise.all(clients.map(client => client.says('get k\r\n', 'END\r\n')))
  control.use(faults.timeout({ timeout: 5 }))
  await Promise.all(clients.map(client => client.expectClosed()))
})

t.test('a reset in a worker', async t => {
  const control = new FaultControl()
  const { connect } = await startThreads(t, { threads: 2 }, control)
  const client = await connect()
  let code: string | undefined
  client.stream.on('error', (error: NodeJS.ErrnoException) => { code = error.code })
  control.use(faults.resetPeer())
  void client.send('version\r\n')
  await client.expectClosed()
  t.equal(code, 'ECONNRESET')
})

t.test('evictions, misses and large values in workers', async t => {
  const control = new FaultControl()
  const { connect } = await startThreads(t, { threads: 2 }, control)
  const client = await connect()
  const value = 'v'.repeat(300_000)
  await client.says(`set k 0 0 300000\r\n${value}\r\nset l 0 0 1\r\nl\r\n`, 'STORED\r\nSTORED\r\n')
  control.use(faults.late(5), { key: 'k' })
  await client.says('get k\r\n', `VALUE k 0 300000\r\n${value}\r\nEND\r\n`)
  control.use(faults.miss(), { key: 'k', once: true })
  await client.says('get k l\r\n', 'VALUE l 0 1\r\nl\r\nEND\r\n')
  control.use(faults.evict(), { key: 'k', once: true })
  await client.says('get k l\r\n', 'VALUE l 0 1\r\nl\r\nEND\r\n')
  await client.says('stats\r\n', /[^]*STAT evictions 1\r\n[^]*END\r\n/)
  t.match(control.calls({ verb: 'set' }).map(({ answer }) => answer), ['STORED', 'STORED'])
})
