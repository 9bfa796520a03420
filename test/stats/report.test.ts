// Values of `stats` that come and go with what clients do. What they count for ever is in the recorded conversations and
// in test/differential/stats.test.ts.
import t, { type Test } from 'tap'
import { OUTPUT_BUFFERS, OUTPUT_BYTES } from '../../src/protocol/output.js'
import { startSessions, type BareSession, type SessionHost } from '../support/session.js'

async function statsOf(host: SessionHost, name: '' | 'items' | 'slabs' = ''): Promise<(stat: string) => number> {
  const observer = await host.connect()
  await observer.send(Buffer.from(`stats ${name}\r\n`))
  const lines = String(await observer.answer()).split('\r\n').map(line => line.split(' '))
  return stat => Number(lines.find(words => words[1] === stat)?.[2])
}

async function start(t: Test): Promise<SessionHost> {
  return await startSessions(t, { lruCrawler: false })
}

t.test('a request that is not complete has a buffer, until it is or its client has gone', async t => {
  const host = await start(t)
  const before = await statsOf(host)
  const [one, other] = [await host.connect(), await host.connect()]
  await one.send(Buffer.from('get a'))
  await other.send(Buffer.from('get ' + 'key '.repeat(1000)))
  const during = await statsOf(host)
  t.equal(during('read_buf_count') - before('read_buf_count'), 2)
  t.ok(during('read_buf_bytes') - before('read_buf_bytes') >= 4000)
  t.equal(during('read_buf_bytes_free'), before('read_buf_bytes_free'), 'they are in use')
  await one.send(Buffer.from(' b\r\n'))
  await other.hangUp()
  const after = await statsOf(host)
  t.equal(after('read_buf_count'), before('read_buf_count'))
  t.equal(after('read_buf_bytes'), before('read_buf_bytes'))
})

t.test('answers that a client does not read have a buffer until it does, whatever is reset', async t => {
  const host = await start(t)
  const slow = await host.connect()
  const before = await statsOf(host)
  t.equal(before('response_obj_count'), 1, 'that of the answer itself')
  slow.pause()
  await slow.send(Buffer.from('version\r\nstats reset\r\n'))
  const during = await statsOf(host)
  t.equal(during('response_obj_count'), 2)
  t.equal(during('response_obj_bytes'), 2 * before('response_obj_bytes'))
  t.equal(during('read_buf_bytes_free'), before('read_buf_bytes_free') - before('response_obj_bytes'))
  slow.resume()
  t.equal((await statsOf(host))('response_obj_count'), 1)
})

t.test('clients that do not read get memory of their own where there are no more buffers', async t => {
  const host = await start(t)
  const clients = 3 * OUTPUT_BUFFERS
  const valueOf = (client: number): string => String(client).repeat(20_000).slice(0, 20_000)
  const slow: BareSession[] = []
  const before = await statsOf(host)
  for (let client = 0; client < clients; client++) {
    const session = await host.connect()
    session.pause()
    await session.send(Buffer.from(`set k${client} 0 0 20000\r\n${valueOf(client)}\r\nget k${client} k${client}\r\n`))
    slow.push(session)
  }
  const during = await statsOf(host)
  t.equal(during('response_obj_count') - before('response_obj_count'), clients)
  // one more is written to while all these wait
  t.equal(during('read_buf_bytes') - before('read_buf_bytes'), (clients + 1 - OUTPUT_BUFFERS) * OUTPUT_BYTES)
  for (const [client, session] of slow.entries()) {
    session.resume()
    const value = `VALUE k${client} 0 20000\r\n${valueOf(client)}\r\n`
    t.ok(String(await session.answer()) === `STORED\r\n${value}${value}END\r\n`, `the answers of client ${client}`)
  }
})

t.test('a get that is too long for its buffer is counted', async t => {
  const host = await start(t)
  const client = await host.connect()
  await client.send(Buffer.from('get ' + 'key '.repeat(17_000_000)))
  t.match(String(await client.answer()), /^SERVER_ERROR out of memory reading request/)
  t.equal((await statsOf(host))('read_buf_oom'), 1)
})

t.test('hits are counted by the list they were in', async t => {
  const host = await startSessions(t, { tempLru: true, temporaryTtl: 10 })
  const client = await host.connect()
  await client.send(Buffer.from('set hot 0 0 1\r\nv\r\nset short 0 10 1\r\nv\r\nget hot\r\nget hot\r\nget short\r\nget none\r\n'))
  const during = await statsOf(host, 'items')
  t.same(['hot', 'warm', 'cold', 'temp'].map(list => during(`items:1:hits_to_${list}`)), [2, 0, 0, 1])
  t.same(['hot', 'warm', 'cold', 'temp'].map(list => during(`items:1:number_${list}`)), [1, 0, 0, 1])
})

t.test('ages are those of the items longest unused', async t => {
  const host = await start(t)
  const client = await host.connect()
  for (let n = 0; n < 20; n++) {
    if (n === 10) host.clock.advance(5)
    await client.send(Buffer.from(`set key${n} 0 0 1\r\nv\r\n`))
  }
  host.clock.advance(5)
  const during = await statsOf(host, 'items')
  t.equal(during('items:1:age_hot'), 0, 'all of them are too old for HOT')
  t.equal(during('items:1:age'), 10)
  t.equal(during('items:1:age_warm'), 0)
  await client.send(Buffer.from('set new 0 0 1\r\nv\r\n'))
  host.clock.advance(1)
  const later = await statsOf(host, 'items')
  t.equal(later('items:1:age_hot'), 1)
  t.equal(later('items:1:age'), 11)
})

t.test('what items ask for is memcached\'s size of them, and what they take is less', async t => {
  const host = await start(t)
  const client = await host.connect()
  // as ME shows them: 59 bytes and key, flags, value
  await client.send(Buffer.from('set a 0 0 10\r\n0123456789\r\nset bc 5 0 3\r\n012\r\nset large 0 0 600000\r\n' +
    'x'.repeat(600_000) + '\r\n'))
  const items = await statsOf(host, 'items')
  t.equal(items('items:1:mem_requested'), 70 + 68)
  t.equal(items('items:39:mem_requested'), 600_064)
  t.equal((await statsOf(host))('bytes'), 36 + 11 + 36 + 9 + 36 + 600_005)
  await client.send(Buffer.from('append a 0 0 3\r\nabc\r\nset bc 5 0 10\r\n0123456789\r\nincr none 1\r\ndelete large\r\n'))
  const after = await statsOf(host, 'items')
  t.equal(after('items:1:mem_requested'), 73 + 75)
  t.ok(Number.isNaN(after('items:39:mem_requested')))
})

t.test('without cas numbers an item asks for 8 bytes less', async t => {
  const host = await startSessions(t, { lruCrawler: false, useCas: false })
  await (await host.connect()).send(Buffer.from('set a 0 0 10\r\n0123456789\r\n'))
  t.equal((await statsOf(host, 'items'))('items:1:mem_requested'), 62)
})

/** A full server of 16 MiB, with items of two sizes. */
async function startFull(t: Test): Promise<{ host: SessionHost, pass: (seconds: number) => void }> {
  const host = await startSessions(t, { lruCrawler: false, maxbytes: 16 * 1024 * 1024, slabAutomove: 0 })
  const client = await host.connect()
  for (const bytes of [900, 9000]) {
    for (let n = 0; n < 12_000_000 / bytes; n++) {
      await client.send(Buffer.from(`set ${bytes}-${n} 0 0 ${bytes} noreply\r\n${'x'.repeat(bytes)}\r\n`))
    }
  }
  return {
    host,
    pass: seconds => {
      for (let second = 0; second < seconds; second++) {
        host.clock.advance(1)
        host.server.store.balanceStep()
        while (host.server.store.moveStep());
      }
    },
  }
}

t.test('a page that moves is counted before and after, whether it goes to a class or to the pool', async t => {
  const { host, pass } = await startFull(t)
  const client = await host.connect()
  const before = await statsOf(host, 'slabs')
  t.ok(before('total_malloced') > 15_000_000 && before('total_malloced') < 18_000_000)
  await client.send(Buffer.from('slabs reassign 12 22\r\n'))
  pass(1)
  const moved = await statsOf(host, 'slabs')
  t.equal(moved('12:total_pages'), before('12:total_pages') - 1)
  t.equal(moved('22:total_pages'), before('22:total_pages') + 1)
  t.equal(moved('total_malloced'), before('total_malloced'))
  t.equal((await statsOf(host))('slab_global_page_pool'), 0)
  await client.send(Buffer.from('slabs reassign 12 0\r\n'))
  pass(1)
  const pooled = await statsOf(host, 'slabs')
  t.equal(pooled('12:total_pages'), before('12:total_pages') - 2)
  t.equal(pooled('total_malloced'), before('total_malloced'))
  t.equal((await statsOf(host))('slab_global_page_pool'), 1)
})

t.test('what is allocated falls with the memory limit when items went, and rises with it again', async t => {
  const { host, pass } = await startFull(t)
  const client = await host.connect()
  const mebibytes = async (): Promise<number> => (await statsOf(host, 'slabs'))('total_malloced') / 1024 / 1024
  await client.send(Buffer.from('cache_memlimit 8\r\n'))
  pass(10)
  const low = await mebibytes()
  t.ok(low > 6.5 && low <= 8, `${low} MiB`)
  await client.send(Buffer.from('cache_memlimit 32\r\n'))
  t.equal((await statsOf(host))('limit_maxbytes'), 32 * 1024 * 1024)
  for (let n = 0; n < 40_000; n++) await client.send(Buffer.from(`set new-${n} 0 0 900 noreply\r\n${'x'.repeat(900)}\r\n`))
  const high = await mebibytes()
  t.ok(high > 31 && high <= 32, `${high} MiB, more than at the start`)
  await client.send(Buffer.from('cache_memlimit 24\r\n'))
  pass(10)
  const middle = await mebibytes()
  t.ok(middle > 22.5 && middle <= 24, `${middle} MiB, lowered to more than at the start`)
})
