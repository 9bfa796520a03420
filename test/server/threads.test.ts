// What the main thread does beside the requests, where workers serve: it hears at once of what a client has asked for.
import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { startThreads } from '../support/workers.js'

/** Turns of this event loop after which a worker's message, sent before its answer, has been heard. */
const TURNS = 20

t.test('slabs reassign begins within 100 ms on an idle server, whichever thread is asked', async t => {
  const { server, clock, connect } = await startThreads(t)
  const client = await connect()
  for (let count = 0; count < 3000; count++) void client.send(`set k${count} 0 0 900\r\n${'v'.repeat(900)}\r\n`)
  await client.expect('STORED\r\n'.repeat(3000))
  await client.says('slabs automove 0\r\n', 'OK\r\n')
  // just after a step, of those that come once a second
  clock.advance(10)
  await client.says('slabs reassign 12 2\r\n', 'OK\r\n')
  for (let count = 0; count < TURNS; count++) await turn()
  clock.advance(0.1)
  t.equal(new Map(server.host.report('')).get('slabs_moved'), 1)
})
