// `/keys` lists what is in the cache.
import t from 'tap'
import { startServer } from '../support/server.js'
import { ask, askJson } from './ask.js'

interface Piece { keys: { key: string, exp: number, la: number, cas: string, fetch: boolean, size: number, flags: number }[], cursor: number }

t.test('each key is listed once, piece by piece', async t => {
  const { server, client, clock } = await startServer(t, { http: true })
  for (let i = 0; i < 500; i++) await client.says(`set ${i % 2 === 0 ? 'even' : 'odd'}:${i} ${i} 0 1\r\nv\r\n`, 'STORED\r\n')
  const expected = Array.from({ length: 250 }, (_, i) => `even%3A${2 * i}`).sort()
  for (const count of [1000, 250, 249, 100, 7]) {
    const found: string[] = []
    let cursor = 0
    do {
      const piece = await askJson(server.port, `/keys?prefix=even:&cursor=${cursor}&count=${count}`) as unknown as Piece
      t.ok(piece.keys.length <= count)
      found.push(...piece.keys.map(({ key }) => key))
      cursor = piece.cursor
    } while (cursor !== 0)
    t.same(found.sort(), expected, `${count} at a time`)
  }
  const { keys } = await askJson(server.port, '/keys?count=10000') as unknown as Piece
  t.equal(keys.length, 500)
  await client.says('set odd:1 7 100 3\r\nabc\r\nget odd:1\r\n', /STORED\r\nVALUE[^]*END\r\n/)
  const [, exp, la, cas, size] = /key=odd%3A1 exp=(\d+) la=(\d+) cas=(\d+) fetch=yes cls=1 size=(\d+) flags=7/
    .exec(String(await client.says('lru_crawler metadump all\r\n', /[^]*END\r\n/))) ?? []
  const { keys: [odd] } = await askJson(server.port, '/keys?prefix=odd:1&count=1') as unknown as Piece
  const { keys: [exact] } = { keys: (await askJson(server.port, '/keys?prefix=odd:1') as unknown as Piece).keys
    .filter(({ key }) => key === 'odd%3A1') }
  t.ok(odd?.key.startsWith('odd%3A1'))
  t.same(exact, { key: 'odd%3A1', exp: Number(exp), la: Number(la), cas, fetch: true, cls: 1, size: Number(size), flags: 7 })
  clock.advance(200)
  t.same((await askJson(server.port, '/keys?prefix=nothing') as unknown as Piece), { keys: [], cursor: 0 })
})

t.test('a key of any bytes is found and shown', async t => {
  const { server, client } = await startServer(t, { http: true })
  await client.says('ms AP8gPA== 1 b\r\nv\r\n', 'HD\r\n')
  const { keys } = await askJson(server.port, '/keys?prefix=%00%FF') as unknown as Piece
  t.same(keys.map(({ key }) => key), ['%00%FF%20%3C'])
  t.same((await askJson(server.port, '/keys?prefix=%00%fe') as unknown as Piece).keys, [])
})

t.test('what is no number, too much or too long is refused in words', async t => {
  const { server } = await startServer(t, { http: true })
  for (const query of ['cursor=x', 'cursor=-1', 'cursor=99999999999999999999', 'count=0', 'count=10001', 'count=', 'count=1.5',
    `prefix=${'x'.repeat(251)}`]) {
    const { status, body } = await ask(server.port, `/keys?${query}`)
    t.equal(status, 400, query)
    t.match(body, /^[A-Z].*\.\n$/)
  }
  for (const cursor of ['1', '123456789012345', '536870912']) {
    t.equal((await ask(server.port, `/keys?cursor=${cursor}`)).status, 200, 'a cursor that is no server\'s does no harm')
  }
})

t.test('-X forbids it', async t => {
  const { server } = await startServer(t, { http: true, dumpEnabled: false })
  t.equal((await ask(server.port, '/keys')).status, 403)
})
