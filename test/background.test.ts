// The work beside the requests: how often it wakes up, and that it gets done all the same.
import t, { type Test } from 'tap'
import { createServer, type Clock, type Server } from '../src/index.js'
import { Client } from './support/client.js'
import { ManualClock } from './support/clock.js'

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

async function start(t: Test): Promise<{ server: Server, clock: CountingClock, client: Client }> {
  const clock = new CountingClock()
  const server = createServer({ port: -1, listen: ['127.0.0.1'] }, { clock })
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
  await client.says('stats items\r\n', /[^]*number_hot 0\r\nSTAT items:1:number_warm 0\r\nSTAT items:1:number_cold 5000\r\n[^]*END\r\n/)
  server.verify()
})
