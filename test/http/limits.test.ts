// What one client, or many, may take of a server by HTTP: places, time, bytes.
import t from 'tap'
import { turn } from '../../src/timers.js'
import { startServer } from '../support/server.js'
import { ask } from './ask.js'
import { Hand } from './hand.js'

/** The most requests and event streams at a time. */
const REQUESTS = 8
const STREAMS = 16

t.test('eight requests are answered at a time, and what watches the server is never refused', async t => {
  const { server, settle } = await startServer(t, { http: true })
  const slow = Array.from({ length: REQUESTS }, () => new Hand(server, false))
  for (const hand of slow) hand.get('/stats')
  await settle()
  const refused = await ask(server.port, '/stats')
  t.equal(refused.status, 503)
  t.equal(refused.headers['retry-after'], '1')
  for (const path of ['/healthz', '/readyz']) t.equal((await ask(server.port, path)).status, 200, path)
  const stream = new Hand(server)
  stream.get('/events')
  await settle()
  t.equal(stream.status, 200, 'event streams have places of their own')
  // one that has taken its answer, and one that has left
  slow[0]!.take(true)
  await settle()
  t.equal((await ask(server.port, '/stats')).status, 200)
  slow[0]!.get('/stats/settings')
  await settle()
  slow[1]!.hangUp()
  await settle()
  t.equal((await ask(server.port, '/stats')).status, 200)
})

t.test('pipelined requests each need a place', async t => {
  const { server, settle } = await startServer(t, { http: true })
  const slow = new Hand(server, false)
  for (let i = 0; i < REQUESTS + 4; i++) slow.get('/stats/general')
  await settle()
  slow.take(true)
  await settle()
  const statuses = [...slow.received.matchAll(/HTTP\/1\.1 (\d+)/g)].map(match => match[1])
  t.equal(statuses.length, REQUESTS + 4)
  t.equal(statuses[0], '200')
})

t.test('a client that pipelines many requests has some of them answered in each turn, and all of them', async t => {
  const { server, settle } = await startServer(t, { http: true })
  const COUNT = 300
  const client = new Hand(server)
  client.send('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(COUNT))
  const answered = (): number => client.received.match(/200 OK/g)?.length ?? 0
  const each: number[] = []
  while (answered() < COUNT && each.length < COUNT) {
    const before = answered()
    await turn()
    each.push(answered() - before)
  }
  t.equal(answered(), COUNT)
  t.ok(Math.max(...each) <= 25, `${String(each)} in a turn`)
  await settle()
  client.get('/healthz')
  await settle()
  t.equal(answered(), COUNT + 1)
})

t.test('there are sixteen event streams', async t => {
  const { server, settle, pass } = await startServer(t, { http: true })
  const streams = Array.from({ length: STREAMS }, () => new Hand(server))
  for (const stream of streams) stream.get('/events')
  await settle()
  t.ok(streams.every(({ status }) => status === 200))
  t.equal((await ask(server.port, '/events')).status, 503)
  t.equal((await ask(server.port, '/stats')).status, 200)
  streams[3]!.hangUp()
  await settle()
  const next = new Hand(server)
  next.get('/events')
  await pass(1000)
  t.equal(next.status, 200)
  t.equal(next.received.match(/event: stats/g)?.length, 2)
})

t.test('a server that closes and listens again has all places', async t => {
  const { server, settle } = await startServer(t, { http: true })
  const { port } = server
  for (let round = 0; round < 2; round++) {
    const streams = Array.from({ length: STREAMS }, () => new Hand(server))
    for (const stream of streams) stream.get('/events')
    await settle()
    t.same(streams.map(({ status }) => status), streams.map(() => 200))
    await server.suspend()
    for (const stream of streams) stream.hangUp()
    await server.listen()
    t.equal((await ask(port, '/events', { method: 'HEAD' })).status, 200)
  }
})

t.test('the places are those of all threads', async t => {
  const { server, settle } = await startServer(t, { http: true, threads: 2 })
  // streams of the program are served by the first thread, the others by the workers
  const streams = Array.from({ length: STREAMS }, () => new Hand(server))
  for (const stream of streams) stream.get('/events')
  await settle()
  t.equal((await ask(server.port, '/events')).status, 503)
})

t.test('a stream that its client does not take gets fewer events, and none is kept for it', async t => {
  const { server, pass } = await startServer(t, { http: true })
  const stream = new Hand(server, false)
  stream.get('/events')
  for (let second = 0; second < 20; second++) await pass(1000)
  stream.take(true)
  await pass(1000)
  const count = stream.received.match(/event: stats/g)?.length ?? 0
  t.ok(count <= 4, `${count} events`)
  t.notOk(stream.isClosed)
})

t.test('a client that takes nothing for thirty seconds is ended', async t => {
  const { server, pass } = await startServer(t, { http: true })
  const [stuck, slow] = [new Hand(server, false), new Hand(server, false)]
  for (const hand of [stuck, slow]) hand.get('/events')
  for (let second = 0; second < 33; second++) {
    if (second % 10 === 0) slow.take()
    await pass(1000)
  }
  t.ok(stuck.isClosed)
  t.notOk(slow.isClosed, 'one that takes something now and then is not')
})

t.test('a head has ten seconds from its first byte on', async t => {
  const { server, pass } = await startServer(t, { http: true })
  const slow = new Hand(server)
  slow.send('GET /healthz HTTP/1.1\r\nHost: local')
  const later = new Hand(server)
  later.get('/healthz')
  await pass(9_000)
  t.notOk(slow.isClosed)
  // what trickles in gives it no more time
  slow.send('host\r\nX: y\r\n')
  later.send('GET /heal')
  for (let second = 0; second < 3; second++) await pass(1000)
  t.ok(slow.isClosed)
  t.notOk(later.isClosed)
  later.send('thz HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await pass(20_000)
  t.notOk(later.isClosed)
  t.equal(later.received.match(/200 OK/g)?.length, 2)
})

t.test('a client may ask nothing for a little over a minute', async t => {
  const { server, pass } = await startServer(t, { http: true })
  const browser = new Hand(server)
  browser.get('/healthz')
  for (let second = 0; second < 70; second++) await pass(1000)
  t.notOk(browser.isClosed)
  browser.get('/healthz')
  for (let second = 0; second < 74; second++) await pass(1000)
  t.notOk(browser.isClosed)
  for (let second = 0; second < 3; second++) await pass(1000)
  t.ok(browser.isClosed)
  t.equal(browser.received.match(/200 OK/g)?.length, 2)
})

t.test('a head has a bound, and so have its headers', async t => {
  const { server } = await startServer(t, { http: true })
  t.equal((await ask(server.port, '/healthz', { headers: { x: 'y'.repeat(20_000) } })).status, 431)
  t.equal((await ask(server.port, `/stats/${'x'.repeat(1500)}`)).status, 404)
})

t.test('a body is not read', async t => {
  const { server, settle } = await startServer(t, { http: true })
  const client = new Hand(server)
  client.get('/healthz', 'Content-Length: 1000000000')
  await settle()
  t.match(client.received, /200 OK[^]*Connection: close/)
  t.ok(client.isClosed)
  const chunked = new Hand(server)
  chunked.get('/healthz', 'Transfer-Encoding: chunked')
  await settle()
  t.ok(chunked.isClosed)
})
