// Clients that have to say who they are and do not: how long they hold a place, see -o auth_timeout.
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type Options } from '../../src/options/options.js'
import { header, packet } from '../support/packet.js'
import { startLonelyServer, type LonelyServer, type StartOptions } from '../support/server.js'

const LOGIN = 'set auth 0 0 11\r\nanna secret\r\n'
const SASL_AUTH = 0x21
const SASL_MECHANISMS = 0x20
const NOOP = 0x0a
const SASL_LOGIN = packet(SASL_AUTH, { key: 'PLAIN', value: '\0anna\0secret' })

async function start(t: Test, options: StartOptions = {}): Promise<LonelyServer> {
  return await startLonelyServer(t, { authFile: join(t.testdir({ users: 'anna:secret\n' }), 'users'), ...options })
}

function statistic({ server }: LonelyServer, name: string): unknown { return new Map(server.host.report('')).get(name) }

t.test('a client of the text protocol has 30 s to say who it is, whatever else it says', async t => {
  const host = await start(t, { protocol: 'ascii' })
  const [silent, busy, known] = [await host.connect(), await host.connect(), await host.connect()]
  await known.says(LOGIN, 'STORED\r\n')
  await host.pass(20_000)
  await busy.says('get k\r\n', 'CLIENT_ERROR unauthenticated\r\n')
  await host.pass(9000)
  await busy.says('set auth 0 0 10\r\nanna wrong\r\n', 'CLIENT_ERROR authentication failure\r\n')
  t.equal(statistic(host, 'curr_connections'), 3)
  await busy.send('set auth 0 0 11\r\nanna sec')
  await host.pass(1000)
  for (const client of [silent, busy]) await client.expectClosed()
  t.equal(statistic(host, 'auth_kicks'), 2)
  t.equal(statistic(host, 'curr_connections'), 1)
  await known.says('get k\r\n', 'END\r\n')
  await known.hangUp()
})

t.test('so has one of the binary protocol, and again when it has to say so anew', async t => {
  const host = await start(t, { protocol: 'binary', sasl: true })
  const [silent, known] = [await host.connect(), await host.connect()]
  await known.says(SASL_LOGIN, /[^]*Authenticated/)
  await host.pass(30_000)
  await silent.expectClosed()
  await known.says(packet(NOOP), header({ magic: 0x81, opcode: NOOP }))
  await known.says(packet(SASL_MECHANISMS), /[^]*PLAIN/)
  await host.pass(20_000)
  await known.says(packet(SASL_MECHANISMS), /[^]*PLAIN/)
  await host.pass(9000)
  t.equal(statistic(host, 'curr_connections'), 1)
  await host.pass(1000)
  await known.expectClosed()
  t.equal(statistic(host, 'auth_kicks'), 2)
})

t.test('the time of the TLS handshake is part of it', async t => {
  const host = await start(t, { protocol: 'ascii', over: 'tls' })
  const client = await host.connect()
  await host.pass(29_000)
  await client.says('get k\r\n', 'CLIENT_ERROR unauthenticated\r\n')
  await host.pass(1000)
  await client.expectClosed()
  t.equal(statistic(host, 'auth_kicks'), 1)
})

t.test('with -v it is told whom that has ended', async t => {
  for (const verbosity of [0, 1]) {
    const host = await start(t, { protocol: 'ascii', verbosity })
    const lines: string[] = []
    Object.assign(host.server.host, { log: (line: string) => { lines.push(line.replace(/\d+/, 'N')) } })
    const client = await host.connect()
    await host.pass(30_000)
    await client.expectClosed()
    t.same(lines, verbosity === 0 ? [] : ['<N closed, as the client has not said who it is in 30 s'])
  }
})

t.test('who need not say anything has any time', async t => {
  const all: readonly Partial<Options>[] = [{ authFile: undefined }, { authTimeout: 0, protocol: 'ascii' }]
  for (const options of all) {
    const host = await start(t, options)
    const client = await host.connect()
    await host.pass(100_000)
    await client.says('version\r\n', options.authTimeout === 0 ? 'CLIENT_ERROR unauthenticated\r\n' : 'VERSION 1.6.45\r\n')
    t.notOk(statistic(host, 'auth_kicks'))
    await client.hangUp()
  }
})

t.test('it is as long as auth_timeout says', async t => {
  const host = await start(t, { protocol: 'ascii', authTimeout: 5 })
  const client = await host.connect()
  await host.pass(4000)
  await client.says('get k\r\n', 'CLIENT_ERROR unauthenticated\r\n')
  await host.pass(1000)
  await client.expectClosed()
})
