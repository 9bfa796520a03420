// A broken invariant in a server with one thread: the server ends, and says why; the process that it runs in goes on.
import { spawnSync } from 'node:child_process'
import { duplexPair } from 'node:stream'
import t, { type Test } from 'tap'
import { type Options } from '../../src/index.js'
import { type Slots } from '../../src/net/slots.js'
import { ServerCore } from '../../src/server/core.js'
import { InvariantError } from '../../src/errors.js'
import { writeCertificates } from '../support/certificates.js'
import { Client } from '../support/client.js'
import { ManualClock } from '../support/clock.js'
import { DatagramClient } from '../support/datagram.js'
import { until } from '../support/patience.js'
import { connectSecurely } from '../support/server.js'

const HOST = '127.0.0.1'

interface Fragile {
  readonly server: ServerCore
  readonly clock: ManualClock
  readonly lines: string[]
  readonly failures: Error[]
  /** From now on whatever asks for the time finds the store broken. */
  breakIt(): void
}

async function start(t: Test, options: Partial<Options> = {}): Promise<Fragile> {
  const clock = new ManualClock()
  const lines: string[] = []
  const failures: Error[] = []
  const server = new ServerCore({ port: -1, listen: [HOST], ...options },
    { clock, log: line => lines.push(line), failed: error => failures.push(error) })
  t.teardown(() => server.close())
  await server.listen()
  const breakIt = (): void => {
    server.store.refreshTime = () => { throw new InvariantError('broken for a test') }
  }
  return { server, clock, lines, failures, breakIt }
}

function checkEnd(t: Test, { lines, failures }: Fragile): void {
  t.match(failures, [new InvariantError('broken for a test')])
  t.equal(failures.length, 1)
  t.equal(lines[0], 'the server has died: broken invariant: broken for a test')
  t.match(lines[1], /^ +at /)
}

t.test('in a request', async t => {
  const fragile = await start(t)
  const clients = await Promise.all([1, 2, 3].map(() => Client.connect({ host: HOST, port: fragile.server.port })))
  await clients[0]!.says('set k 0 0 1\r\nv\r\n', 'STORED\r\n')
  fragile.breakIt()
  void clients[0]!.send('get k\r\n')
  for (const client of clients) await client.expectClosed()
  checkEnd(t, fragile)
  await fragile.server.close()
  t.same(fragile.server.addresses, [])
})

t.test('in a request on a stream that was handed in', async t => {
  const fragile = await start(t)
  const [here, there] = duplexPair()
  fragile.server.handle(there)
  fragile.breakIt()
  here.write('version\r\n')
  await new Promise(resolve => there.once('close', resolve))
  checkEnd(t, fragile)
})

t.test('in the background', async t => {
  const fragile = await start(t)
  const client = await Client.connect({ host: HOST, port: fragile.server.port })
  fragile.breakIt()
  fragile.clock.advance(1)
  await client.expectClosed()
  checkEnd(t, fragile)
})

t.test('in a datagram', async t => {
  const fragile = await start(t, { udpport: -1 })
  const client = await DatagramClient.open(fragile.server.udpPort)
  const neighbour = await Client.connect({ host: HOST, port: fragile.server.port })
  fragile.breakIt()
  await client.send('get k\r\n')
  await neighbour.expectClosed()
  checkEnd(t, fragile)
  await client.hangUp()
})

/** The slots of a server, whose asserts fail when one is released twice. */
function slotsOf(server: ServerCore): Slots {
  const connections: unknown = Reflect.get(Reflect.get(server, 'thread') as object, 'connections')
  return Reflect.get(connections as object, 'slots') as Slots
}

function checkReleasedTwice(t: Test, { failures, lines }: Fragile): void {
  t.match(failures, [{ name: 'InvariantError', message: /a slot is released twice/ }])
  t.equal(failures.length, 1)
  t.match(lines[0], /^the server has died: broken invariant: /)
}

t.test('when a connection has closed', async t => {
  const fragile = await start(t)
  const { server } = fragile
  const [client, neighbour] = await Promise.all([1, 2].map(() => Client.connect({ host: HOST, port: server.port })))
  for (const each of [client!, neighbour!]) await each.says('mn\r\n', 'MN\r\n')
  slotsOf(server).release(0)
  slotsOf(server).release(1)
  await client!.hangUp()
  await neighbour!.expectClosed()
  checkReleasedTwice(t, fragile)
  await server.close()
})

t.test('when a stream that was handed in has closed', async t => {
  const fragile = await start(t)
  const [here, there] = duplexPair()
  fragile.server.handle(there)
  const neighbour = await Client.connect({ host: HOST, port: fragile.server.port })
  await neighbour.says('mn\r\n', 'MN\r\n')
  slotsOf(fragile.server).release(0)
  here.destroy()
  there.destroy()
  await neighbour.expectClosed()
  checkReleasedTwice(t, fragile)
})

t.test('when a handshake of TLS has failed', async t => {
  const fragile = await start(t, writeCertificates(t).options)
  const client = await Client.connect({ host: HOST, port: fragile.server.port })
  await until('its handshake has begun', () => slotsOf(fragile.server).taken === 1)
  slotsOf(fragile.server).release(0)
  await client.hangUp()
  await until('the server has failed', () => fragile.failures.length > 0)
  checkReleasedTwice(t, fragile)
})

t.test('when a handshake of TLS is complete', async t => {
  const fragile = await start(t, writeCertificates(t).options)
  const connections: unknown = Reflect.get(Reflect.get(fragile.server, 'thread') as object, 'connections')
  // the connection begins with it
  Reflect.set(connections as object, 'protocolFor', () => { throw new InvariantError('broken for a test') })
  const client = await connectSecurely({ host: HOST, port: fragile.server.port })
  await client.expectClosed()
  checkEnd(t, fragile)
})

t.test('when a stream is handed in', async t => {
  const fragile = await start(t)
  const neighbour = await Client.connect({ host: HOST, port: fragile.server.port })
  await neighbour.says('mn\r\n', 'MN\r\n')
  fragile.breakIt()
  const [, there] = duplexPair()
  t.doesNotThrow(() => fragile.server.handle(there))
  t.ok(there.destroyed)
  await neighbour.expectClosed()
  checkEnd(t, fragile)
})

t.test('when connections are described for a watcher, in a turn of its own', async t => {
  const fragile = await start(t)
  const clients = await Promise.all(Array.from({ length: 40 }, () => Client.connect({ host: HOST, port: fragile.server.port })))
  for (const client of clients) await client.says('mn\r\n', 'MN\r\n')
  const slots = slotsOf(fragile.server)
  const { describe } = slots
  let count = 0
  slots.describe = (...facts) => {
    if (++count > 35) throw new InvariantError('broken for a test')
    describe.apply(slots, facts)
  }
  await clients[0]!.send('watch connevents\r\n')
  await clients[1]!.expectClosed()
  t.equal(count, 36)
  checkEnd(t, fragile)
})

/** What a program prints on stderr that makes a server, with these parts in JavaScript, and breaks it. */
function stderrOf(t: Test, options: Partial<Options>, parts: string): string {
  const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', `
    const { ServerCore } = await import('${new URL('../../dist/server/core.js', import.meta.url).href}')
    const { connect } = await import('node:net')
    const server = new ServerCore(${JSON.stringify(options)}, ${parts})
    await server.listen()
    const socket = connect(server.port, '127.0.0.1').on('error', () => {}).resume()
    if (server.pool === undefined) server.store.refreshTime = () => { throw new Error('broken for a test') }
    else server.pool.workers[1].post({ signal: 'what nobody knows' })
    socket.write('version\\r\\n')
    await new Promise(resolve => socket.once('close', resolve))
    await server.close()
    console.error('the program goes on')`], { encoding: 'utf8' })
  t.equal(status, 0)
  return stderr
}

t.test('whatever a program asks for, stderr is told, once', async t => {
  const options = { port: -1, listen: [HOST] }
  for (const parts of ['{}', '{ log: () => {}, failed: () => {} }']) {
    const told = stderrOf(t, options, parts)
    t.match(told, /^the server has died: broken for a test\n +at [^]*\nthe program goes on\n$/, parts)
    t.notMatch(told, /has died[^]*has died/)
  }
  t.match(stderrOf(t, { ...options, threads: 2 }, '{}'),
    /^thread 2 has died: broken invariant: no such signal: what nobody knows[^]*\nthe program goes on\n$/)
})
