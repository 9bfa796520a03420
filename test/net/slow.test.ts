// Readers that do not keep up: their answers wait, whole and their own.
import t from 'tap'
import { Counter } from '../../src/stats/counters.js'
import { until } from '../support/patience.js'
import { Client } from '../support/client.js'
import { startServer } from '../support/server.js'

t.test('answers held back while a value arrives are the client\'s own, whoever else is slow', async t => {
  const { server, client } = await startServer(t)
  const big = 'x'.repeat(900_000)
  await client.says(`set big 0 0 ${big.length}\r\n${big}\r\nset mine 0 0 4\r\nMINE\r\nset secret 0 0 6\r\nSECRET\r\n`,
    'STORED\r\nSTORED\r\nSTORED\r\n')
  // more readers that do not read than there are buffers beside the items
  const slow = await Promise.all(Array.from({ length: 12 }, () => Client.connect({ port: server.port, host: '127.0.0.1' })))
  for (const reader of slow) {
    reader.pause()
    void reader.send('get big\r\n'.repeat(40))
  }
  await until('none of them takes more', () => server.store.counters.current(Counter.OutputsHeld) >= slow.length)
  const [victim, other] = await Promise.all([0, 1].map(() => Client.connect({ port: server.port, host: '127.0.0.1' })))
  await victim!.send('get mine\r\nset half 0 0 10\r\n01234')
  await other!.says('get secret\r\n', 'VALUE secret 0 6\r\nSECRET\r\nEND\r\n')
  await victim!.says('56789\r\n', 'VALUE mine 0 4\r\nMINE\r\nEND\r\nSTORED\r\n')
  for (const reader of [...slow, victim!, other!]) reader.stream.destroy()
})

t.test('one large item and many readers, each of whom gets all of it', async t => {
  const { server, client } = await startServer(t)
  const big = Array.from({ length: 100_000 }, (_, i) => String(i % 7919)).join(',')
  await client.says(`set big 0 0 ${big.length}\r\n${big}\r\n`, 'STORED\r\n')
  const readers = await Promise.all(Array.from({ length: 30 }, () => Client.connect({ port: server.port, host: '127.0.0.1' })))
  const answer = `VALUE big 0 ${big.length}\r\n${big}\r\nEND\r\n`
  await Promise.all(readers.map(async (reader, index) => {
    if (index % 2 === 0) reader.pause()
    void reader.send('get big\r\n'.repeat(5))
    await new Promise(setImmediate)
    reader.resume()
    await reader.expect(answer.repeat(5))
  }))
  // the kernel may tell of the last write after the reader has read it
  await until('nothing is held any more', () => server.store.refCount === 0)
  for (const reader of readers) reader.stream.destroy()
})

t.test('a line that is refused late is the whole answer', async t => {
  const { client } = await startServer(t)
  const big = 'x'.repeat(100_000)
  await client.says(`set big 0 0 ${big.length}\r\n${big}\r\n`, 'STORED\r\n')
  await client.says(`get big ${'k'.repeat(251)}\r\n`, 'CLIENT_ERROR bad command line format\r\n')
  await client.says(`get ${'big '.repeat(20)}${'k'.repeat(251)}\r\nversion\r\n`,
    'CLIENT_ERROR bad command line format\r\nVERSION 1.6.45\r\n')
})

t.test('what follows a large value is served, however much of it there is', async t => {
  const { client } = await startServer(t)
  // 395,000 bytes leave a quarter of their chunk empty, room in which more could be read than the input holds
  const value = 'x'.repeat(395_000)
  const follow = Array.from({ length: 3000 }, (_, i) => `set k${i} 0 0 40\r\n${'y'.repeat(40)}\r\n`).join('')
  for (let round = 0; round < 5; round++) {
    await client.says(`set big 0 0 ${value.length}\r\n${value}\r\n${follow}`, 'STORED\r\n'.repeat(3001))
  }
})

t.test('a value that is being sent is not written over when its key is set anew', async t => {
  const { client, connect, server, settle } = await startServer(t)
  // large enough to be lent to the socket, and small enough to come in one read and be stored in place
  const answers = ['a', 'b'].map(letter => `VALUE k 0 40000\r\n${letter.repeat(40_000)}\r\nEND\r\n`) as [string, string]
  const set = (letter: string): string => `set k 0 0 40000\r\n${letter.repeat(40_000)}\r\n`
  const count = 500
  const reader = await connect()
  await client.says(set('a'), 'STORED\r\n')
  reader.pause()
  void reader.send('get k\r\n'.repeat(count))
  await until('values are on their way', () => server.store.refCount > 0)
  await settle()
  // of a client whose last value was large less is read at first
  const other = await connect()
  await other.says(set('b'), 'STORED\r\n')
  reader.resume()
  await until('everything has come', () => reader.waiting().length >= count * answers[0].length)
  const got = reader.waiting().toString('latin1')
  // how many had been written when the value changed is the kernel's affair
  const old = Math.ceil((got.lastIndexOf('a') + 1) / answers[0].length)
  t.ok(got === answers[0].repeat(old) + answers[1].repeat(count - old), 'each answer is the old value or the new one')
  t.ok(old > 0, `${old} of ${count} are the old one`)
  for (const each of [client, other, reader]) each.stream.destroy()
})

t.test('who has ended his side gets all that he asked for', async t => {
  const big = 'x'.repeat(100_000)
  const count = 200
  for (const over of ['tcp', 'tls', 'unix'] as const) {
    const { client, connect, settle } = await startServer(t, { over })
    await client.says(`set big 0 0 ${big.length}\r\n${big}\r\n`, 'STORED\r\n')
    const reader = await connect()
    reader.pause()
    void reader.send('get big\r\n'.repeat(count))
    reader.stream.end()
    await settle()
    reader.resume()
    await reader.expect(`VALUE big 0 ${big.length}\r\n${big}\r\nEND\r\n`.repeat(count))
    await reader.expectClosed()
    await client.hangUp()
  }
})

t.test('who goes away in the middle of a large item leaves nothing of it held', async t => {
  const { client, connect, server } = await startServer(t)
  const big = 'x'.repeat(900_000)
  await client.says(`set big 0 0 ${big.length}\r\n${big}\r\n`, 'STORED\r\n')
  const reader = await connect()
  reader.pause()
  void reader.send('get big\r\n'.repeat(40))
  await until('it is being sent', () => server.store.refCount > 0)
  reader.stream.destroy()
  await until('nothing is held any more', () => server.store.refCount === 0)
  await client.says('delete big\r\n', 'DELETED\r\n')
  server.verify()
  await client.hangUp()
})

t.test('what still comes of a value that was given up is written over no other', async t => {
  const mib = 1024 * 1024
  const { client: victim, connect, settle } = await startServer(t, { requestMemLimit: mib })
  const [greedy, other] = [await connect(), await connect()]
  const valueBytes = 400_000
  const set = (key: string, letter: string): string => `set ${key} 0 0 ${valueBytes}\r\n${letter.repeat(valueBytes)}\r\n`
  await victim.send('get none\r\n' + set('given-up', 'v').slice(0, 20_000))
  await greedy.send(`get ${'some-key '.repeat(0.99 * mib / 9)}`)
  await settle()
  // all three are there when the server looks, in this order
  void greedy.send('some-key '.repeat(5000))
  void other.send(set('mine', 'm'))
  void victim.send('v'.repeat(300_000))
  await other.expect('STORED\r\n')
  await victim.expect('END\r\nSERVER_ERROR out of memory reading request\r\n')
  await other.says('get mine\r\n', `VALUE mine 0 ${valueBytes}\r\n${'m'.repeat(valueBytes)}\r\nEND\r\n`)
  for (const client of [victim, greedy, other]) client.stream.destroy()
})

t.test('each of very many who do not read gets his own answers in the end, and what they took is given back', async t => {
  // more than there are buffers, so that some are written from copies; what the system keeps of a Unix socket is little
  const count = 150
  const { client, connect, server } = await startServer(t, { over: 'unix' })
  const added = (): number => server.store.counters.current(Counter.OutputsAdded)
  const lent = 'x'.repeat(40_000)
  await client.says(`set lent 0 0 ${lent.length}\r\n${lent}\r\n`, 'STORED\r\n')
  const readers = await Promise.all(Array.from({ length: count }, async () => await connect()))
  const valueOf = (index: number): string => String(index).padStart(3, '0').repeat(5000)
  for (const [index, reader] of readers.entries()) {
    reader.pause()
    await client.says(`set k${index} 0 0 15000\r\n${valueOf(index)}\r\n`, 'STORED\r\n')
    void reader.send(`get k${index} lent k${index}\r\n`.repeat(20))
  }
  await until('all of them are slow', () => added() > 100)
  for (const [index, reader] of readers.entries()) {
    const own = `VALUE k${index} 0 15000\r\n${valueOf(index)}\r\n`
    reader.resume()
    await reader.expect(`${own}VALUE lent 0 ${lent.length}\r\n${lent}\r\n${own}END\r\n`.repeat(20))
  }
  await until('there are only the buffers that a thread keeps', () => added() === 64)
  for (const each of [client, ...readers]) each.stream.destroy()
})
