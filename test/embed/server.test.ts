// The cache of a server: the items of its clients, in the thread that made the server.
import t from 'tap'
import { createServer, MemslabError, type ServerParts } from '../../src/index.js'
import { Client } from '../support/client.js'
import { type Ends } from '../support/real.js'

async function start(t: Ends, threads: number, parts: ServerParts = {}) {
  const server = createServer({ port: -1, listen: ['127.0.0.1'], threads }, parts)
  t.teardown(() => server.close())
  await server.listen()
  return { server, client: await Client.connect({ host: '127.0.0.1', port: server.port }) }
}

for (const threads of [1, 2]) {
  t.test(`clients and the program share the items of a server of ${threads} threads`, async t => {
    const { server, client } = await start(t, threads)
    const { cache } = server
    t.equal(server.cache, cache)
    await client.says('set k 5 0 5\r\nvalue\r\n', 'STORED\r\n')
    t.match(cache.as('string').gets('k'), { value: 'value', flags: 5 })
    cache.as('json').set('j', { a: 1 }, { flags: 9 })
    await client.says('get j\r\n', 'VALUE j 9 7\r\n{"a":1}\r\nEND\r\n')
    cache.as('string').set('n', '1')
    await client.says('incr n 2\r\n', '3\r\n')
    t.equal(cache.incr('n'), 4)
    cache.as('string').set('two words', 'v')
    await client.says(`mg ${Buffer.from('two words').toString('base64')} b k v\r\n`,
      `VA 1 k${Buffer.from('two words').toString('base64')} b\r\nv\r\n`)
    t.equal(cache.stats().total_connections, 1)
    await client.says('flush_all\r\n', 'OK\r\n')
    t.notOk(cache.has('k'))
    t.throws(() => cache.handle, { code: 'ENOPLACE' })
    await server.close()
    t.throws(() => cache.get('k'), { code: 'ECLOSED' })
    t.throws(() => server.cache.set('k', Buffer.alloc(1)), MemslabError)
  })
}

t.test('a server that was closed has a cache that refuses everything', async t => {
  const server = createServer()
  await server.close()
  t.throws(() => server.cache.get('k'), { code: 'ECLOSED' })
})

t.test('a server that does not listen has a cache too', async t => {
  const server = createServer()
  t.teardown(() => server.close())
  server.cache.set('k', Buffer.from('v'))
  t.ok(server.cache.has('k'))
  t.throws(() => createServer({}, { attachable: 1000 }), { code: 'EUSAGE', problems: [/^attachable: must be a whole number/] })
})
