// The work beside the requests: how often it wakes up, and that it gets done all the same.
import t, { type Test } from 'tap'
import { type Clock } from '../../src/index.js'
import { ServerCore } from '../../src/server/core.js'
import { Counter } from '../../src/stats/counters.js'
import { Client } from '../support/client.js'
import { ManualClock } from '../support/clock.js'

/** A clock that counts how often it wakes anybody up. */
class CountingClock implements Clock {
  readonly manual = new ManualClock()
  wakes = 0

  milliseconds(): number { return this.manual.milliseconds() }

  every(intervalMs: number, task: () => void): () => void {
    return this.manual.every(intervalMs, () => {
      this.wakes++
      task()
    })
  }
}

async function start(t: Test): Promise<{ server: ServerCore, clock: CountingClock, client: Client }> {
  const clock = new CountingClock()
  const server = new ServerCore({ port: -1, listen: ['127.0.0.1'] }, { clock })
  t.teardown(() => server.close())
  await server.listen()
  return { server, clock, client: await Client.connect({ host: '127.0.0.1', port: server.port }) }
}

t.test('an idle server wakes up once a second, one with clients at work ten times', async t => {
  const { clock, client } = await start(t)
  clock.manual.advance(2)
  clock.wakes = 0
  clock.manual.advance(60)
  t.equal(clock.wakes, 60)
  const ask = async (): Promise<void> => {
    await client.says('get nothing\r\n', 'END\r\n')
    clock.manual.advance(0.1)
  }
  for (let count = 0; count < 10; count++) await ask()
  clock.wakes = 0
  for (let count = 0; count < 10; count++) await ask()
  t.equal(clock.wakes, 10)
})

t.test('dead items are reclaimed though nobody asks for anything', async t => {
  const { server, clock, client } = await start(t)
  for (let count = 0; count < 1000; count++) void client.send(`set k${count} 0 5 1\r\nv\r\n`)
  await client.expect('STORED\r\n'.repeat(1000))
  clock.manual.advance(70)
  t.equal(server.store.itemCount, 0)
  server.verify()
})

t.test('lists that a new mode leaves out of order are put in order soon, though nobody asks for anything', async t => {
  const { server, clock, client } = await start(t)
  for (let count = 0; count < 5000; count++) void client.send(`set k${count} 0 0 1\r\nv\r\n`)
  await client.expect('STORED\r\n'.repeat(5000))
  clock.manual.advance(3)
  await client.says('lru mode flat\r\n', 'OK\r\n')
  clock.manual.advance(2)
  await client.says('stats items\r\n',
    /[^]*number_hot 0\r\nSTAT items:1:number_warm 0\r\nSTAT items:1:number_cold 5000\r\n[^]*END\r\n/)
  server.verify()
})

t.test('lru_crawler disable keeps dead items that are not at the tail where they are until enable', async t => {
  const { server, clock, client } = await start(t)
  await client.says('lru_crawler disable\r\nset first 0 0 1\r\nv\r\nset k 0 5 1\r\nv\r\n', 'OK\r\nSTORED\r\nSTORED\r\n')
  clock.manual.advance(70)
  t.equal(server.store.itemCount, 2)
  await client.says('lru_crawler enable\r\n', 'OK\r\n')
  clock.manual.advance(70)
  t.equal(server.store.itemCount, 1)
  t.match(await look(client), { crawler_reclaimed: 1, reclaimed: 0, expired_unfetched: 1 })
})

t.test('what has ended at the tail of a list is reclaimed within three seconds, also with the crawler disabled', async t => {
  for (const crawler of ['enable', 'disable']) {
    const { clock, client } = await start(t)
    if (crawler === 'disable') await client.says('lru_crawler disable\r\n', 'OK\r\n')
    for (let count = 0; count < 10; count++) await client.says(`set k${count} 0 1 1\r\nv\r\n`, 'STORED\r\n')
    await client.says('set last 0 0 1\r\nv\r\n', 'STORED\r\n')
    clock.manual.advance(3)
    t.match(await look(client), { curr_items: 1, reclaimed: 10, expired_unfetched: 10, crawler_reclaimed: 0, get_expired: 0 })
  }
})

t.test('what has just ended is left for a second to whoever asks for it, and counts as expired', async t => {
  const { clock, client } = await start(t)
  await client.says('set k 0 1 1\r\nv\r\nset other 0 1 1\r\nv\r\n', 'STORED\r\nSTORED\r\n')
  clock.manual.advance(1.9)
  await client.says('set k 0 0 1\r\nv\r\nget other\r\n', 'STORED\r\nEND\r\n')
  t.match(await look(client), { get_expired: 2, reclaimed: 0, crawler_reclaimed: 0, expired_unfetched: 0 })
})

t.test('a set finds what ended some time ago among others, and counts it as expired', async t => {
  const { clock, client } = await start(t)
  await client.says('set first 0 0 1\r\nv\r\nset k 0 1 1\r\nv\r\nset last 0 0 1\r\nv\r\n', 'STORED\r\n'.repeat(3))
  clock.manual.advance(30)
  await client.says('set k 0 0 1\r\nv\r\n', 'STORED\r\n')
  t.match(await look(client), { get_expired: 1, reclaimed: 0, crawler_reclaimed: 0 })
})

t.test('the crawler comes again after a minute, where it finds much after a few seconds', async t => {
  const { clock, client } = await start(t)
  await client.says('set first 0 0 1\r\nv\r\n', 'STORED\r\n')
  const begin = async (): Promise<void> => {
    for (let count = 0; count < 100; count++) void client.send(`set k${count} 0 1 1\r\nv\r\n`)
    await client.expect('STORED\r\n'.repeat(100))
  }
  await begin()
  clock.manual.advance(60)
  t.match(await look(client), { lru_crawler_starts: 1, crawler_reclaimed: 0, curr_items: 101 })
  clock.manual.advance(7)
  t.match(await look(client), { lru_crawler_starts: 2, crawler_reclaimed: 100, curr_items: 1 })
  await begin()
  clock.manual.advance(5)
  t.match(await look(client), { lru_crawler_starts: 3, curr_items: 1 })
  clock.manual.advance(60)
  t.match(await look(client), { lru_crawler_starts: 4 }, 'it found much, and then nothing')
})

t.test('each pass of the maintainer is counted, also of a server that nobody asks for anything', async t => {
  const { clock, client } = await start(t)
  clock.manual.advance(2)
  const { lru_maintainer_juggles: before } = await look(client)
  clock.manual.advance(60)
  const { lru_maintainer_juggles: after } = await look(client)
  t.ok(after! - before! >= 59 && after! - before! <= 70, `${after! - before!} in a minute`)
})

t.test('slabs reassign begins within 100 ms on an idle server, and answers BUSY only meanwhile', async t => {
  const { server, clock, client } = await start(t)
  for (let count = 0; count < 3000; count++) void client.send(`set k${count} 0 0 900\r\n${'v'.repeat(900)}\r\n`)
  await client.expect('STORED\r\n'.repeat(3000))
  await client.says('slabs automove 0\r\n', 'OK\r\n')
  // just after a step, of those that come once a second
  clock.manual.advance(10)
  for (let moves = 1; moves <= 2; moves++) {
    await client.says('slabs reassign 12 2\r\nslabs reassign 12 2\r\n', /OK\r\nBUSY [^\r]*\r\n/)
    clock.manual.advance(0.1)
    t.equal((await look(client))['slabs_moved'], moves)
  }
  clock.manual.advance(2)
  clock.wakes = 0
  clock.manual.advance(10)
  t.equal(clock.wakes, 10, 'and then it is as idle as before')
  server.verify()
})

/** 3000 items that live for 5 seconds, 1000 that stay. */
async function fill(client: Client): Promise<void> {
  for (let count = 0; count < 4000; count++) void client.send(`set k${count} 0 ${count % 4 === 0 ? 0 : 5} 1\r\nv\r\n`)
  await client.expect('STORED\r\n'.repeat(4000))
}

/** Numbers of `stats` and of the one class of `stats slabs`. */
async function look(client: Client): Promise<Record<string, number>> {
  const answers = [await client.says('stats\r\n', /(STAT .*\r\n)*END\r\n/),
    await client.says('stats slabs\r\n', /(STAT .*\r\n)*END\r\n/)]
  const rows = Buffer.concat(answers).toString('latin1').matchAll(/^STAT (?:1:)?(\S+) (\d+)\r$/gm)
  return Object.fromEntries([...rows].map(([, name, value]) => [name, Number(value)]))
}

t.test('lru_crawler crawl reclaims what has expired at once, and stats show it', async t => {
  const { server, clock, client } = await start(t)
  await fill(client)
  await client.says('lru_crawler disable\r\n', 'OK\r\n')
  clock.manual.advance(6)
  await client.says('lru_crawler enable\r\n', 'OK\r\n')
  const before = await look(client)
  t.match(before, { curr_items: 4000, used_chunks: 4000, lru_crawler_running: 0, crawler_reclaimed: 0 })
  await client.says('lru_crawler crawl 1\r\nlru_crawler crawl 1\r\n', 'OK\r\nBUSY currently processing crawler request\r\n')
  t.match(await look(client), { lru_crawler_running: 1, lru_crawler_starts: before['lru_crawler_starts']! + 1 })
  clock.manual.advance(0.09)
  t.match(await look(client), {
    curr_items: 1000, used_chunks: 1000, lru_crawler_running: 0, crawler_reclaimed: 3000,
    crawler_items_checked: before['crawler_items_checked']! + 4000,
  })
  server.verify()
})

t.test('a crawl of other classes leaves this one alone', async t => {
  const { clock, client } = await start(t)
  await fill(client)
  await client.says('lru_crawler disable\r\n', 'OK\r\n')
  clock.manual.advance(6)
  await client.says('lru_crawler enable\r\nlru_crawler crawl 2,3\r\n', 'OK\r\nOK\r\n')
  clock.manual.advance(0.09)
  t.match(await look(client), { curr_items: 4000, lru_crawler_running: 0, crawler_reclaimed: 0 })
})

t.test('lru_crawler tocrawl bounds what a run looks at, and the next goes on from there', async t => {
  const { clock, client } = await start(t)
  await fill(client)
  await client.says('lru_crawler disable\r\n', 'OK\r\n')
  clock.manual.advance(6)
  await client.says('lru_crawler enable\r\nlru_crawler tocrawl 1000\r\n', 'OK\r\nOK\r\n')
  for (const left of [3250, 2500, 1750, 1000]) {
    await client.says('lru_crawler crawl all\r\n', 'OK\r\n')
    clock.manual.advance(0.03)
    t.match(await look(client), { curr_items: left, lru_crawler_running: 0 })
  }
})

t.test('lru_crawler sleep sets the pace: so long for 1000 items', async t => {
  const { clock, client } = await start(t)
  await fill(client)
  await client.says('lru_crawler disable\r\nlru_crawler sleep 1000000\r\n', 'OK\r\nOK\r\n')
  clock.manual.advance(6)
  await client.says('lru_crawler enable\r\nlru_crawler crawl 1\r\nlru_crawler disable\r\n', 'OK\r\nOK\r\nOK\r\n')
  const { crawler_items_checked: before } = await look(client)
  clock.manual.advance(1)
  const { crawler_items_checked: after } = await look(client)
  // what is reclaimed counts for some that are looked at
  t.ok(after! - before! <= 1000 && after! - before! >= 200, `${after! - before!} in a second`)
})

t.test('a move that a client asks for begins at once, however long nobody has asked for anything', async t => {
  const { server, clock, client } = await start(t)
  for (let count = 0; count < 12_000; count++) void client.send(`set k${count} 0 0 1\r\nv\r\n`)
  await client.expect('STORED\r\n'.repeat(12_000))
  clock.manual.advance(5)
  await client.says('slabs reassign 1 2\r\n', 'OK\r\n')
  clock.manual.advance(0.05)
  t.ok(server.store.counters.sum(Counter.Rescues) > 0, 'items have moved')
  server.verify()
})
