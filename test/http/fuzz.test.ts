// Clients that send what comes to mind, in pieces, and leave when they like: the server goes on, and no place is lost.
import t from 'tap'
import { Prng } from '../support/prng.js'
import { startServer } from '../support/server.js'
import { ask } from './ask.js'
import { Hand } from './hand.js'

const CLIENTS = 400
const REQUESTS = 8
const STREAMS = 16

const PARTS = [
  'GET / HTTP/1.1\r\n', 'GET /stats HTTP/1.1\r\n', 'HEAD /stats HTTP/1.1\r\n', 'GET /events HTTP/1.1\r\n', 'GET /keys?prefix=%00 HTTP/1.0\r\n',
  'GET /stats/conns HTTP/1.1\r\n', 'GET /metrics HTTP/1.1\r\n', 'POST /stats HTTP/1.1\r\n', 'CONNECT a:1 HTTP/1.1\r\n', 'GET /explain?key=k HTTP/1.1\r\n',
  'Host: localhost\r\n', 'Host: localhost\r\n\r\n', 'Host: localhost\r\n\r\n', 'Host: evil\r\n\r\n', 'Connection: close\r\n', 'Content-Length: 5\r\n\r\n',
  'Transfer-Encoding: chunked\r\n\r\n', '5\r\nhello\r\n0\r\n\r\n', 'Upgrade: websocket\r\nConnection: Upgrade\r\n', 'Expect: 100-continue\r\n',
  '\r\n', '\r\n\r\n', '\0\xff', ': \r\n', 'X: '.padEnd(9000, 'x'), 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'get k\r\n',
]

t.test('the server outlives clients of any kind', async t => {
  const seed = Math.floor(Math.random() * 2 ** 31)
  const prng = new Prng(seed)
  const { server, settle, pass, client } = await startServer(t, { http: true })
  for (let i = 0; i < CLIENTS; i++) {
    const hand = new Hand(server, prng.below(4) > 0)
    if (prng.below(8) > 0) hand.send('GET /stats HTTP/1.1\r\nHost: localhost\r\n')
    for (let count = prng.below(8); count >= 0 && !hand.isClosed; count--) {
      const part = PARTS[prng.below(PARTS.length)]!
      const cut = prng.below(part.length + 1)
      hand.send(part.slice(0, cut))
      if (prng.below(3) === 0) await settle()
      if (!hand.isClosed) hand.send(part.slice(cut))
      hand.take()
    }
    if (prng.below(50) === 0) await pass(1000)
    if (prng.below(10) > 0) hand.hangUp()
    else for (let second = 0; second < 80 && !hand.isClosed; second++) await pass(1000)
    hand.hangUp()
  }
  await settle()
  await client.says('version\r\n', 'VERSION 1.6.45\r\n')
  t.equal((await ask(server.port, '/healthz')).status, 200, `seed ${seed}`)
  const slow = Array.from({ length: REQUESTS + STREAMS }, () => new Hand(server, false))
  for (const [index, hand] of slow.entries()) hand.get(index < REQUESTS ? '/stats' : '/events')
  await settle()
  for (const hand of slow) hand.take(true)
  await settle()
  t.same(slow.map(({ status }) => status), slow.map(() => 200), `all places are free, seed ${seed}`)
})
