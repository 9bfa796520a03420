// `debugtime`, the command by which a test moves the time of a server, and what lists are like in several threads when
// they are tuned.
import t from 'tap'
import { MovableClock } from '../src/clock.js'
import { ManualClock } from './support/clock.js'
import { startServer } from './support/server.js'
import { startThreads } from './support/workers.js'

t.test('the time moves by so many seconds, and stands still when told to', async t => {
  const { client, clock } = await startServer(t, { debugCommands: true })
  await client.says('set k 0 100 1\r\nv\r\n', 'STORED\r\n')
  await client.says('debugtime 60\r\nmg k t\r\n', 'OK\r\nHD t40\r\n')
  clock.advance(10)
  await client.says('mg k t\r\n', 'HD t30\r\n')
  await client.says('debugtime p\r\ndebugtime 5\r\n', 'OK\r\nOK\r\n')
  clock.advance(1000)
  await client.says('mg k t\r\n', 'HD t25\r\n')
  await client.says('debugtime r\r\nmg k t\r\n', 'OK\r\nEN\r\n')
})

t.test('the time never falls behind the clock', async t => {
  const { client } = await startServer(t, { debugCommands: true })
  await client.says('debugtime 50\r\ndebugtime -20\r\nset k 0 100 1\r\nv\r\n', 'OK\r\nOK\r\nSTORED\r\n')
  await client.says('debugtime -2147483648\r\nmg k t\r\n', 'OK\r\nHD t130\r\n')
})

t.test('what is no number of seconds is an error', async t => {
  const { client } = await startServer(t, { debugCommands: true })
  for (const wrong of ['', ' x', ' 1.5', ' 99999999999']) await client.says(`debugtime${wrong}\r\n`, 'ERROR\r\n')
})

t.test('without the option there is no such command', async t => {
  const { client } = await startServer(t)
  await client.says('set k 0 1 1\r\nv\r\ndebugtime 60\r\nget k\r\n', 'STORED\r\nERROR\r\nVALUE k 0 1\r\nv\r\nEND\r\n')
})

t.test('it can be moved far, but not out of what can be counted', async t => {
  const clock = new MovableClock(new ManualClock(0), new ArrayBuffer(MovableClock.BYTES))
  for (let times = 0; times < 3; times++) clock.move(2 ** 31 - 1)
  t.equal(clock.milliseconds(), 2 ** 30 * 1000)
})

t.test('time moves in all threads at once', async t => {
  const { connect, server } = await startThreads(t, { threads: 3, debugCommands: true })
  const clients = await Promise.all(Array.from({ length: 12 }, () => connect()))
  const [first] = clients
  await first!.says('set k 0 100 1\r\nv\r\n', 'STORED\r\n')
  await first!.says('debugtime 70\r\n', 'OK\r\n')
  for (const client of clients) await client.says('mg k t\r\n', 'HD t30\r\n')
  await clients.at(-1)!.says('debugtime 31\r\n', 'OK\r\n')
  for (const client of clients) await client.says('mg k t\r\n', 'EN\r\n')
  server.store.refreshTime()
  t.equal(server.store.context.now, 103, 'in the main thread too')
})

t.test('lists are tuned in all threads at once', async t => {
  const { connect } = await startThreads(t, { threads: 3 })
  const clients = await Promise.all(Array.from({ length: 12 }, () => connect()))
  const numbers = async (word: string): Promise<string> => {
    const stats = String(await clients[0]!.says('stats items\r\n', /[^]*END\r\n/))
    return new RegExp(`:number_${word} (\\d+)`).exec(stats)?.[1] ?? ''
  }
  await clients[0]!.says('lru mode flat\r\nlru temp_ttl 10\r\n', 'OK\r\nOK\r\n')
  for (const [n, client] of clients.entries()) {
    await client.says(`set flat${n} 0 0 1\r\nv\r\nset short${n} 0 10 1\r\nv\r\n`, 'STORED\r\nSTORED\r\n')
  }
  t.equal(await numbers('cold'), '12')
  t.equal(await numbers('temp'), '12')
  await clients.at(-1)!.says('lru mode segmented\r\nlru temp_ttl -1\r\n', 'OK\r\nOK\r\n')
  for (const [n, client] of clients.entries()) await client.says(`set hot${n} 0 10 1\r\nv\r\n`, 'STORED\r\n')
  t.equal(await numbers('hot'), '12')
  for (const client of clients) {
    await client.says('stats settings\r\n', /[^]*lru_segmented yes\r\n[^]*temp_lru no\r\nSTAT temporary_ttl 10\r\n[^]*END\r\n/)
  }
})
