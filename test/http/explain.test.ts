// `/explain` says what became of a key, and `/refused` which writes were refused.
import t from 'tap'
import { startServer } from '../support/server.js'
import { ask, askJson } from './ask.js'

t.test('a key is explained, whatever its bytes are', async t => {
  const { server, client, clock } = await startServer(t, { http: true })
  await client.says('ms AP8gPA== 1 b\r\nv\r\nset gone 0 10 1\r\nv\r\n', 'HD\r\nSTORED\r\n')
  t.match(await askJson(server.port, '/explain?key=%00%FF+%3C'), { key: '%00%FF%20%3C', state: 'there', bytes: 1, ttl: -1 })
  clock.advance(30)
  t.same(await askJson(server.port, '/explain?key=gone'), { key: 'gone', state: 'expired', answer: 'It expired 20 s ago.',
    seconds_ago: 20, class: 1 })
  t.match(await askJson(server.port, `/explain?key=${'k'.repeat(250)}`), { state: 'unknown', remembered: 0 })
})

t.test('what is no key is refused in words', async t => {
  const { server } = await startServer(t, { http: true })
  for (const query of ['', '?', '?key', '?key=', '?other=k', `?key=${'k'.repeat(251)}`]) {
    const { status, body } = await ask(server.port, `/explain${query}`)
    t.equal(status, 400, query)
    t.match(body, /key/)
  }
  t.equal((await ask(server.port, '/stats/explain')).status, 404)
})

t.test('refused writes are listed, and -X forbids both', async t => {
  const { server, client } = await startServer(t, { http: true, itemSizeMax: 1024 })
  await client.says(`set k 0 0 2000 noreply\r\n${'v'.repeat(2000)}\r\nmn\r\n`, 'MN\r\n')
  const refused = { total: 1, too_large: 1, remembered: 1, '1:key': 'k', '1:bytes': 2000 }
  t.match(await askJson(server.port, '/refused'), refused)
  t.match(await askJson(server.port, '/stats'), { own: { refused } })
  t.notOk('explain' in (await askJson(server.port, '/stats') as { own: object }).own)
  const hidden = await startServer(t, { http: true, dumpEnabled: false })
  for (const path of ['/explain?key=k', '/refused', '/stats/refused']) {
    t.equal((await ask(hidden.server.port, path)).status, 403, path)
  }
  const { forbidden } = await askJson(hidden.server.port, '/stats') as { forbidden: string[] }
  for (const name of ['explain', 'refused']) t.ok(forbidden.includes(name), name)
})
