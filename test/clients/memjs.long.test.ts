// memjs, which speaks the binary protocol only: every operation but prepend, which it sends as an append; SASL; and a
// server that is started anew.

import { Client, type ClientOptions } from 'memjs'
import t, { type Test } from 'tap'
import { spawnServer, type SpawnedServer } from './server.js'
import { until } from '../support/patience.js'
import { Prng } from '../support/prng.js'
import { saslOptions, skipWithoutUsers } from './users.js'

const SILENT = { log(): void {} }
/** More than 30 days are a date, here in 1970. */
const ALREADY_DEAD = 2_592_001

function connect(t: Test, { address }: SpawnedServer, options: ClientOptions = {}): Client {
  const client = Client.create(address, { timeout: 20, retries: 0, logger: SILENT, ...options })
  t.teardown(() => client.quit())
  return client
}

async function start(t: Test): Promise<Client> {
  return connect(t, await spawnServer(t))
}

async function valueOf(client: Client, key: string): Promise<string | undefined> {
  return (await client.get(key)).value?.toString()
}

t.test('values are stored and found', async t => {
  const client = await start(t)
  t.equal(await client.set('key', 'value', {}), true, 'set')
  t.equal(await valueOf(client, 'key'), 'value', 'get')
  t.equal(await valueOf(client, 'missing'), undefined, 'get of a missing key')
  t.equal(await client.add('key', 'second', {}), false, 'add refuses a key that exists')
  t.equal(await client.add('new', 'first', {}), true, 'add stores a new key')
  t.equal(await client.replace('missing', 'x', {}), false, 'replace refuses a missing key')
  t.equal(await client.replace('key', 'replaced', {}), true, 'replace stores over a key that exists')
  t.equal(await client.append('key', '-end'), true, 'append')
  t.equal(await valueOf(client, 'key'), 'replaced-end', 'the parts lie together')
  await t.rejects(client.append('missing', 'x'), /not stored/, 'append refuses a missing key')
  t.equal(await client.delete('key'), true, 'delete')
  t.equal(await client.delete('key'), false, 'delete of a missing key')
  t.equal(await valueOf(client, 'key'), undefined, 'a deleted key is gone')
})

t.test('large values come back whole', async t => {
  const client = await start(t)
  for (const bytes of [0, 1, 16 * 1024, 512 * 1024, 1_000_000]) {
    const value = new Prng(bytes).bytes(bytes)
    await client.set('large', value, {})
    t.ok((await client.get('large')).value?.equals(value), `${bytes} bytes`)
  }
  await t.rejects(client.set('large', Buffer.alloc(1024 * 1024), {}), 'a value of 1 MiB is refused')
  t.equal((await client.get('large')).value, null, 'and takes the old one away')
})

t.test('keys are bytes', async t => {
  const client = await start(t)
  for (const key of ['two words', 'a\r\nb\n', 'a\0b', '\t', 'ключ', '🙂', 'k'.repeat(250), '%s%n', 'get x']) {
    await client.set(key, `of ${key}`, {})
    t.equal(await valueOf(client, key), `of ${key}`, JSON.stringify(key).slice(0, 20))
  }
})

t.test('numbers', async t => {
  const client = await start(t)
  t.same(await client.increment('number', 5, { initial: 10 }), { success: true, value: 10 },
    'increment begins with the initial value')
  t.same(await client.increment('number', 5, {}), { success: true, value: 15 }, 'increment')
  t.same(await client.decrement('number', 6, {}), { success: true, value: 9 }, 'decrement')
  t.same(await client.decrement('number', 100, {}), { success: true, value: 0 }, 'decrement stops at zero')
  await client.set('word', 'word', {})
  await t.rejects(client.increment('word', 1, {}), /non-numeric/, 'increment of a word is refused')
  t.equal(await valueOf(client, 'word'), 'word', 'and leaves it alone')
})

t.test('expiry', async t => {
  const client = await start(t)
  await client.set('soon', 'v', { expires: 100 })
  t.equal(await valueOf(client, 'soon'), 'v', 'there before its time')
  await client.set('dead', 'v', { expires: ALREADY_DEAD })
  t.equal(await valueOf(client, 'dead'), undefined, 'gone after it')
  t.equal(await client.touch('soon', 200), true, 'touch')
  t.equal(await client.touch('missing', 200), false, 'touch of a missing key')
  t.equal(await client.touch('soon', ALREADY_DEAD), true, 'touch with a time in the past')
  t.equal(await valueOf(client, 'soon'), undefined, 'ends the value')
  await client.set('second', 'v', { expires: 1 })
  await until('a value with a second to live is gone', async () => await valueOf(client, 'second') === undefined)
})

t.test('statistics and flush', async t => {
  const client = await start(t)
  await client.set('key', 'value', {})
  const stats = await new Promise<Record<string, string> |
    null>(resolve => client.stats((_error, _server, stats) => resolve(stats)))
  t.match(stats?.['version'], /^1\.6\.\d+$/, 'version')
  t.match(stats, { curr_items: '1', cmd_set: '1', limit_maxbytes: '67108864' }, 'counters')
  t.same(Object.values(await client.flush()), [true], 'flush')
  t.equal(await valueOf(client, 'key'), undefined, 'takes everything away')
})

t.test('a thousand requests at once', async t => {
  const client = await start(t)
  const numbers = Array.from({ length: 1000 }, (_, number) => number)
  const stored = await Promise.all(numbers.map(number => client.set(`key-${number}`, `value ${number}`, {})))
  t.ok(stored.every(isStored => isStored), 'set')
  const found = await Promise.all(numbers.map(number => valueOf(client, `key-${number}`)))
  t.same(found, numbers.map(number => `value ${number}`), 'get')
})

t.test('a server that is started anew on its port is found again', async t => {
  const first = await spawnServer(t)
  const client = connect(t, first, { retries: 2 })
  await client.set('key', 'value', {})
  await first.stop()
  await t.rejects(client.get('key'), 'nobody is there')
  await spawnServer(t, ['-p', String(first.port)])
  await until('the client is served again', () => client.set('key', 'again', {}).catch(() => false))
  t.equal(await valueOf(client, 'key'), 'again')
})

t.test('SASL', { skip: skipWithoutUsers }, async t => {
  const server = await spawnServer(t, saslOptions(t))
  const anna = connect(t, server, { username: 'anna', password: 'secret' })
  t.equal(await anna.set('key', 'value', {}), true, 'the right password')
  await t.rejects(connect(t, server, { username: 'anna', password: 'wrong' }).get('key'), 'a wrong password')
  await t.rejects(connect(t, server, { username: 'nobody', password: 'secret' }).get('key'), 'an unknown name')
  await t.rejects(connect(t, server).get('key'), 'no password')
  t.equal(await valueOf(anna, 'key'), 'value', 'the first client goes on')
})
