// What a test puts into a TestServer by itself, and what it finds in there.
import { runInNewContext } from 'node:vm'
import t, { type Test } from 'tap'
import { faults, TestServer, type TestServerOptions } from '../../dist/testing/index.js'
import { Client } from '../support/client.js'

async function begin(t: Test, options: TestServerOptions = {}): Promise<{ cache: TestServer, client: Client }> {
  const cache = await TestServer.create(options)
  t.teardown(() => cache.stop())
  cache.clock.freeze()
  cache.clock.setTime('2030-01-01T00:00:00Z')
  return { cache, client: await Client.connect({ host: cache.host, port: cache.port }) }
}

for (const threads of [1, 2]) {
  t.test(`what a test stores, clients get, and the other way round, in ${threads} threads`, async t => {
    const { cache, client } = await begin(t, { threads })
    cache.set('k', 'zwölf', { flags: 7, ttl: '90s' })
    cache.set('bytes', Buffer.from([0, 255]))
    await client.says('get k\r\n', Buffer.from('VALUE k 7 6\r\nzwölf\r\nEND\r\n'))
    await client.says('mg bytes v t\r\n', Buffer.from('VA 2 t-1\r\n\0\xff\r\n', 'latin1'))
    await client.says('set from 5 10 3\r\nbox\r\n', 'STORED\r\n')
    t.equal(cache.get('from'), 'box')
    t.match(cache.item('from'), { key: 'from', value: 'box', bytes: Buffer.from('box'), flags: 5, ttl: 10_000, isFetched: false })
    t.match(cache.item('k'), { ttl: 90_000, isFetched: true })
    t.match(cache.item('bytes'), { bytes: Buffer.from([0, 255]), ttl: Infinity })
    const { cas } = cache.item('from')!
    await client.says(`cas from 0 0 3 ${cas}\r\nfax\r\n`, 'STORED\r\n')
    t.not(cache.item('from')!.cas, cas)
    cache.clock.tick('90s')
    t.same(cache.items().map(({ key, value }) => [key, value]), [['bytes', '\0\ufffd'], ['from', 'fax']])
    t.equal(cache.delete('from'), true)
    t.equal(cache.delete('from'), false)
    await client.says('get from\r\n', 'END\r\n')
  })
}

t.test('a look at items leaves no traces', async t => {
  const { cache, client } = await begin(t)
  await client.says('set a 0 0 1\r\nv\r\nset b 0 0 1\r\nv\r\n', 'STORED\r\nSTORED\r\n')
  cache.clock.tick('5s')
  t.equal(cache.items().length, 2)
  t.equal(cache.get('a'), 'v')
  t.equal(cache.get('nothing'), undefined)
  await client.says('mg a l h\r\n', 'HD l5 h0\r\n')
  await client.says('stats\r\n', /[^]*STAT cmd_get 1\r\n[^]*STAT get_misses 0\r\n[^]*END\r\n/)
})

t.test('items by the beginning of their keys, in order, of any number and size', async t => {
  const { cache, client } = await begin(t)
  for (let n = 0; n < 700; n++) cache.set(`user:${String(n).padStart(3, '0')}`, `${n}`)
  cache.set('page:1', 'x'.repeat(900_000))
  t.same(cache.items('user:').map(({ value }) => Number(value)), Array.from({ length: 700 }, (_, n) => n))
  t.equal(cache.get('page:1')?.length, 900_000)
  await client.says('ms AP8g 1 b\r\nv\r\n', 'HD\r\n')
  t.same(cache.items(Buffer.from([0])).map(({ key }) => key), ['\0\xff '])
  cache.set('straße', 'v')
  t.equal(cache.item(Buffer.from('straße'))?.key, 'straße')
  t.equal(cache.item(Buffer.from([0, 0xff, 0x20]))?.key, '\0\xff ')
})

t.test('bytes of another realm, as tests in jsdom have them', async t => {
  const { cache, client } = await begin(t)
  const bytes = runInNewContext('new Uint8Array([107])') as Uint8Array
  cache.set(bytes, bytes)
  t.equal(cache.get(bytes), 'k')
  cache.use(faults.reply(bytes), { verb: 'mn' })
  await client.says('mn\r\n', 'k')
})

t.test('wrong arguments, and a server that does not run', async t => {
  const { cache } = await begin(t)
  t.throws(() => cache.set('', 'v'), { code: 'EKEY' })
  t.throws(() => cache.set('k', 5 as unknown as string), { code: 'EVALUE', message: 'the value must be a text or bytes, not a number' })
  t.throws(() => cache.set('k', 'v', { ttl: -1 }), { code: 'EUSAGE' })
  t.throws(() => cache.set('k', 'v'.repeat(2 ** 20)), { code: 'ETOOLARGE' })
  await cache.stop()
  for (const action of [() => cache.get('k'), () => cache.set('k', 'v'), () => cache.items(), () => cache.delete('k')]) {
    t.throws(action, { code: 'ESTOPPED' })
  }
})

t.test('items are there after a restart that keeps them, and not after any other', async t => {
  const { cache } = await begin(t)
  cache.set('k', 'v')
  await cache.restart({ keepItems: true })
  t.equal(cache.get('k'), 'v')
  await cache.restart()
  t.equal(cache.get('k'), undefined)
})
