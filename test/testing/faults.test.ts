// Faults and calls of a TestServer. What each fault does is tested in test/faults.
import t, { type Test } from 'tap'
import { faults, TestServer, type Call, type TestServerOptions } from '../../dist/testing/index.js'
import { Client } from '../support/client.js'

async function create(t: Test, options: TestServerOptions = {}): Promise<TestServer> {
  const cache = await TestServer.create(options)
  t.teardown(() => cache.stop())
  return cache
}

function clientOf({ port, host }: TestServer): Promise<Client> { return Client.connect({ port, host }) }

for (const threads of [1, 2]) {
  t.test(`faults and calls of a server of ${threads} threads`, async t => {
    const cache = await create(t, { threads })
    const client = await clientOf(cache)
    const fault = cache.use(faults.reply('SERVER_ERROR out of memory storing object'), { verb: 'set', once: true })
    t.same(cache.pendingFaults(), [fault])
    await client.says('set k 0 0 1\r\nv\r\n', 'SERVER_ERROR out of memory storing object\r\n')
    t.same(cache.pendingFaults(), [])
    const heard: Call[] = []
    const listener = (call: Call): void => { heard.push(call) }
    cache.on('call', listener)
    await client.says('set k 0 0 1\r\nv\r\n', 'STORED\r\n')
    t.match(cache.calls({ verb: 'set' }).map(({ answer, bytes }) => [answer, bytes]),
      [['SERVER_ERROR out of memory storing object', 1], ['STORED', 1]])
    t.equal((await cache.waitForCall({ verb: 'set', key: 'k' }, { count: 2 })).answer, 'STORED')
    cache.off('call', listener)
    cache.clearCalls()
    await client.says('get k\r\n', 'VALUE k 0 1\r\nv\r\nEND\r\n')
    t.equal(cache.calls().length, 1)
    t.match(heard, [{ verb: 'set', answer: 'STORED' }])
  })

  t.test(`a server of ${threads} threads is down, and comes up again with its items`, async t => {
    const cache = await create(t, { threads })
    const { port } = cache
    const client = await clientOf(cache)
    await client.says('set k 0 0 1\r\nv\r\n', 'STORED\r\n')
    const fault = cache.use(faults.down())
    await fault.ready
    await client.expectClosed()
    await t.rejects(clientOf(cache), { code: 'ECONNREFUSED' })
    await fault.remove()
    t.equal(cache.port, port)
    await (await clientOf(cache)).says('get k\r\n', 'VALUE k 0 1\r\nv\r\nEND\r\n')
    // twice down is up when both are gone, in whatever order
    const first = cache.use(faults.down())
    const second = cache.use(faults.down())
    await first.remove()
    await second.ready
    await t.rejects(clientOf(cache), { code: 'ECONNREFUSED' })
    await second.remove()
    await (await clientOf(cache)).says('get k\r\n', 'VALUE k 0 1\r\nv\r\nEND\r\n')
    cache.use(faults.down())
    cache.use(faults.drop())
    await cache.resetFaults()
    await (await clientOf(cache)).says('get k\r\n', 'VALUE k 0 1\r\nv\r\nEND\r\n')
  })

  t.test(`faults of a server of ${threads} threads outlast a restart, but for down`, async t => {
    const cache = await create(t, { threads })
    cache.use(faults.reply('SERVER_ERROR still'), { verb: 'get' })
    await cache.use(faults.down()).ready
    await cache.restart()
    await (await clientOf(cache)).says('get k\r\nversion\r\n', 'SERVER_ERROR still\r\nVERSION 1.6.45\r\n')
    await cache.restart({ keepItems: true })
    await (await clientOf(cache)).says('get k\r\n', 'SERVER_ERROR still\r\n')
    t.equal(cache.calls({ verb: 'get' }).length, 2)
    await cache.stop()
    await cache.start()
    await (await clientOf(cache)).says('get k\r\n', 'SERVER_ERROR still\r\n')
  })
}

t.test('down and restarts, each called for before the other has ended', async t => {
  const cache = await create(t)
  const restarting = cache.restart()
  const fault = cache.use(faults.down())
  await restarting
  await fault.ready
  await t.rejects(clientOf(cache), { code: 'ECONNREFUSED' })
  await fault.remove()
  await (await clientOf(cache)).says('mn\r\n', 'MN\r\n')
  const ended = cache.use(faults.down())
  const again = cache.restart({ keepItems: true })
  await ended.remove()
  await again
  await (await clientOf(cache)).says('mn\r\n', 'MN\r\n')
})

t.test('wrong options, faults, matches and events', async t => {
  t.throws(() => new TestServer({ seed: 0.5, callsMax: -1 }),
    { code: 'EUSAGE', problems: ['callsMax: must be a whole number from 0', 'seed: must be a whole number from 0'] })
  const cache = new TestServer({ callsMax: 2, seed: 3 })
  t.throws(() => Reflect.apply(cache.use, cache, [{ type: 'delay' }]), { code: 'EUSAGE', problems: ["type: there is no fault 'delay'"] })
  t.throws(() => cache.calls({ verb: 'gett' }), { code: 'EUSAGE' })
  t.throws(() => Reflect.apply(cache.on, cache, ['calls', () => {}]), { code: 'EUSAGE', problems: ["there is no event 'calls', only 'call'"] })
  t.equal(cache.use(faults.drop(), { toxicity: 0.5 }).seed, 3)
})

t.test('faults that are used before the start', async t => {
  const cache = new TestServer({ threads: 2 })
  t.teardown(() => cache.stop())
  cache.use(faults.reply('SERVER_ERROR early'), { verb: 'get' })
  await cache.start()
  await (await clientOf(cache)).says('get k\r\n', 'SERVER_ERROR early\r\n')
})

t.test('a stop ends what is late', async t => {
  const cache = await create(t)
  const client = await clientOf(cache)
  cache.use(faults.late('1h'))
  void client.send('get k\r\n')
  await cache.waitForCall()
  await cache.stop()
  await client.expectClosed()
})
