// A server under a test's control that answers HTTP, too: faults of memcached's requests do not meet it, toxics of its connection
// do.
import t from 'tap'
import { faults, TestServer } from '../../src/testing/index.js'
import { Client } from '../support/client.js'
import { ask, askJson } from './ask.js'

for (const threads of [1, 2]) {
  t.test(`HTTP beside memcached, with faults and -t ${threads}`, async t => {
    const cache = await TestServer.create({ http: true, threads })
    t.teardown(() => cache.stop())
    cache.use(faults.reply('SERVER_ERROR out of memory'))
    cache.use(faults.drop())
    t.equal((await ask(cache.httpPort, '/healthz')).body, 'ok\n')
    t.equal(((await askJson(cache.httpPort, '/stats'))['stats'] as { curr_items: number }).curr_items, 0)
    await cache.resetFaults()
    const client = await Client.connect({ host: '127.0.0.1', port: cache.port })
    await client.says('set k 0 0 1\r\nv\r\n', 'STORED\r\n')
    t.same(cache.calls().map(({ verb }) => verb), ['set'], 'what was asked by HTTP is no call')
    await client.hangUp()
    cache.use({ type: 'slicer', attributes: { average_size: 10, size_variation: 0, delay: 0 } })
    const { stats } = await askJson(cache.httpPort, '/stats') as { stats: { curr_items: number } }
    t.equal(stats.curr_items, 1)
    cache.use({ type: 'slicer', stream: 'upstream', attributes: { average_size: 3, size_variation: 0, delay: 0 } })
    t.equal((await ask(cache.httpPort, '/healthz')).body, 'ok\n')
    await cache.resetFaults()
    cache.use({ type: 'reset_peer', attributes: { timeout: 0 } })
    await t.rejects(ask(cache.httpPort, '/healthz'))
  })
}
