// A scrape, as Prometheus makes it.
import { join } from 'node:path'
import t from 'tap'
import { Place } from '../../src/insight/places.js'
import { ServerCore } from '../../src/server/core.js'
import { scrapeOf } from '../support/metrics.js'
import { until } from '../support/patience.js'
import { startLonelyServer, startServer } from '../support/server.js'
import { ask } from './ask.js'

t.test('a scrape has the present numbers, and the type of the text format', async t => {
  const { client, port } = await startServer(t, { http: true })
  for (let items = 0; items < 3; items++) {
    await client.says(`set k${items} 0 0 1\r\nv\r\n`, 'STORED\r\n')
    const { status, headers, body } = await ask(port, '/metrics')
    t.equal(status, 200)
    t.equal(headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8')
    const { samples } = scrapeOf(Buffer.from(body))
    t.equal(samples.get('memcached_current_items'), items + 1)
    t.equal(samples.get('memcached_commands_total{command="set",status="hit"}'), items + 1)
    t.equal(samples.get('memcached_current_connections'), 2, 'the scraper is one of them')
  }
  t.equal((await ask(port, '/metrics', { method: 'HEAD' })).body, '')
})

t.test('a scrape is answered also while no other request is', async t => {
  const { server, port } = await startServer(t, { http: true })
  while (server.host.insight.places.take(Place.Request));
  t.equal((await ask(port, '/stats')).status, 503)
  t.equal((await ask(port, '/metrics')).status, 200)
})

t.test('a client that scrapes has to be known where clients have to be', async t => {
  const { port } = await startLonelyServer(t, { http: true, authFile: join(t.testdir({ users: 'anna:secret\n' }), 'users') })
  t.equal((await ask(port, '/metrics')).status, 401)
  const headers = { Authorization: `Basic ${Buffer.from('anna:secret').toString('base64')}` }
  t.equal((await ask(port, '/metrics', { headers })).status, 200)
})

t.test('each thread says how late its event loop is', async t => {
  const server = new ServerCore({ http: true, port: -1, listen: ['127.0.0.1'], threads: 2 }, { log: () => {} })
  t.teardown(() => server.close())
  await server.listen()
  const counts = async (): Promise<number[]> => {
    const { samples } = scrapeOf(Buffer.from((await ask(server.port, '/metrics')).body))
    return [0, 1, 2].map(thread => samples.get(`memslab_event_loop_delay_seconds_count{thread="${thread}"}`) ?? 0)
  }
  await until('the loops of all threads have been looked at', async () => (await counts()).every(count => count > 0))
  t.pass()
})

t.test('a server that does not speak HTTP does not look at its loop', async t => {
  const { server, pass } = await startServer(t)
  await pass(5000)
  t.same([...server.host.insight.loops.histograms()], [])
})
