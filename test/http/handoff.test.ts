// A connection whose first line asks by HTTP is node:http's; all others are memcached's.
import { Duplex } from 'node:stream'
import t from 'tap'
import { ServerCore } from '../../src/server/core.js'
import { ServerState, type Settings } from '../../src/server/settings.js'
import { startServer } from '../support/server.js'
import { ask, askJson } from './ask.js'

const HEALTHZ = 'GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n'
const OK = /HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\nok\n/

for (const over of ['tcp', 'unix', 'tls'] as const) {
  t.test(`a client may speak HTTP over ${over}, and another one memcached`, async t => {
    const { client, connect } = await startServer(t, { over, http: true })
    await client.says('set k 0 0 1\r\nv\r\n', 'STORED\r\n')
    const browser = await connect()
    await browser.says(HEALTHZ, OK)
    await browser.says(HEALTHZ, OK)
    await client.says('get k\r\n', 'VALUE k 0 1\r\nv\r\nEND\r\n')
  })
}

for (const over of ['tcp', 'tls'] as const) {
  t.test(`a client that sends many requests over ${over} and then ends its side gets all answers`, async t => {
    const { connect } = await startServer(t, { over, http: true })
    const client = await connect()
    await client.send(HEALTHZ.repeat(100))
    const answers = await client.hangUp()
    t.equal(answers.toString().match(/200 OK/g)?.length, 100)
  })
}

t.test('a client may send its first line byte by byte, and its next request with the first', async t => {
  const { connect, settle } = await startServer(t, { http: true })
  const slow = await connect()
  for (const byte of HEALTHZ) {
    await slow.send(byte)
    await settle()
  }
  await slow.expect(OK)
  const quick = await connect()
  await quick.says(HEALTHZ + HEALTHZ, new RegExp(OK.source + OK.source))
})

t.test('any other first line is memcached\'s, whole or in parts', async t => {
  const { connect, settle } = await startServer(t, { http: true })
  for (const [sent, answer] of [
    ['GET un-none\r\n', 'ERROR\r\n'], ['G\r\n', 'CLIENT_ERROR bad command line format\r\n'],
    ['GET\r\n', 'ERROR\r\n'], ['GET /\r\n', 'ERROR\r\n'], ['GETS / HTTP/1.1\r\nversion\r\n', ''], ['HEAD / HTTP/2\r\n', ''],
    ['POST / HTTP/1.1\r\n', ''], ['GET / a HTTP/1.1\r\n', ''], ['get /k HTTP/1.1\r\n', 'END\r\n'],
  ] as const) {
    for (const parts of [[sent], [...sent]]) {
      const client = await connect()
      for (const part of parts) {
        await client.send(part)
        if (parts.length > 1) await settle()
      }
      await client.expect(answer, sent)
      if (answer === '') await client.expectClosed()
      else await client.hangUp()
    }
  }
  const long = await connect()
  await long.send(`GET /${'x'.repeat(3000)}`)
  await long.expectClosed()
})

t.test('only the first line of a connection may be one of HTTP', async t => {
  const { client } = await startServer(t, { http: true })
  await client.says('version\r\n', 'VERSION 1.6.45\r\n')
  await client.send(HEALTHZ)
  await client.expectClosed()
})

t.test('without the option, HTTP has memcached\'s answer', async t => {
  const { client } = await startServer(t)
  await client.send(HEALTHZ)
  await client.expectClosed()
})

t.test('a stream that the program hands in may be one of HTTP', async t => {
  const { server } = await startServer(t, { http: true })
  const chunks: Buffer[] = []
  const stream = new Duplex({
    read: () => {},
    write: (chunk: Buffer, _encoding, done) => {
      chunks.push(chunk)
      done()
    },
  })
  server.handle(stream)
  stream.push(`${HEALTHZ}${'x'.repeat(200_000)}`)
  await new Promise(resolve => stream.once('close', resolve))
  t.match(Buffer.concat(chunks).toString(), OK)
})

t.test('it counts as a connection, and stats conns says that it speaks HTTP', async t => {
  const { client, connect, server } = await startServer(t, { http: true, maxconns: 2 })
  const browser = await connect()
  await browser.says(HEALTHZ, OK)
  t.match(String(await client.says('stats conns\r\n', /[^]*END\r\n/)), /^STAT \d+:state conn_http\r$/m)
  const third = await connect()
  await third.expect('ERROR Too many open connections\r\n')
  await browser.hangUp()
  await client.says('version\r\n', 'VERSION 1.6.45\r\n')
  t.equal((await ask(server.port, '/healthz')).status, 200)
})

t.test('the end of the server is the end of its conversations', async t => {
  const { server, connect } = await startServer(t, { http: true })
  const browser = await connect()
  await browser.says(HEALTHZ, OK)
  const listener = await connect()
  await listener.send('GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await listener.expect(/HTTP\/1\.1 200 OK[^]*event: stats\ndata: \{[^\n]*\}\n\n[^]*/)
  await server.close()
  await browser.expectClosed()
  t.equal(await listener.closed(), true)
})

t.test('each of several threads answers for all', async t => {
  const { server, client } = await startServer(t, { http: true, threads: 2 })
  await client.says('set k 0 0 1\r\nv\r\n', 'STORED\r\n')
  for (let i = 0; i < 8; i++) {
    const { stats, settings } = await askJson(server.port, '/stats') as Record<string, Record<string, unknown>>
    t.equal(stats?.['curr_items'], 1)
    t.equal(settings?.['http'], 'yes')
  }
  t.equal((await ask(server.port, '/readyz')).body, 'ok\n')
})

t.test('a port of its own speaks nothing else', async t => {
  for (const threads of [1, 2]) {
    const { server, client } = await startServer(t, { http: 0, threads })
    t.ok(server.httpPort > 0 && server.httpPort !== server.port)
    t.same(server.addresses.map(address => 'port' in address && address.port), [server.port])
    t.equal((await ask(server.httpPort, '/healthz')).body, 'ok\n')
    t.equal((await ask(server.httpPort, '/', { method: 'POST' })).status, 405)
    await t.rejects(ask(server.port, '/healthz'))
    await client.says('version\r\n', 'VERSION 1.6.45\r\n')
  }
})

t.test('health and readiness follow from the state of the server', async t => {
  const { server } = await startServer(t, { http: true })
  const settings = Reflect.get(server, 'settings') as Settings
  for (const [state, health, readiness] of [
    [ServerState.Starting, 200, 503], [ServerState.Serving, 200, 200], [ServerState.Stopping, 503, 503],
  ] as const) {
    settings.serverState = state
    t.equal((await ask(server.port, '/healthz')).status, health)
    t.equal((await ask(server.port, '/readyz')).status, readiness)
  }
})

t.test('a server is starting until it listens, and stops when it closes', async t => {
  const server = new ServerCore({ port: -1, listen: ['127.0.0.1'], http: true })
  const settings = Reflect.get(server, 'settings') as Settings
  t.equal(settings.serverState, ServerState.Starting)
  await server.listen()
  t.equal(settings.serverState, ServerState.Serving)
  await server.suspend()
  t.equal(settings.serverState, ServerState.Starting)
  const closed = server.close()
  t.equal(settings.serverState, ServerState.Stopping)
  await closed
  t.equal(settings.serverState, ServerState.Stopping)
})
