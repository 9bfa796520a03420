// What is spoken at which address of a server: -l proto[...] and tags, and who is asked for a password there. Some of it
// only a command line can ask for.
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type Options } from '../../src/index.js'
import { ServerCore } from '../../src/server/core.js'
import { Client } from '../support/client.js'

const UNAUTHENTICATED = 'CLIENT_ERROR unauthenticated\r\n'
const VERSION = 'VERSION 1.6.45\r\n'
const NOOP = Buffer.from('800a00000000000000000000000000000000000000000000', 'hex')
/** Success; and `Auth failure.`, status 0x20. */
const NOOP_DONE = Buffer.from('810a00000000000000000000000000000000000000000000', 'hex')
const NOOP_REFUSED =
  Buffer.from(`810a0000000000200000000d000000000000000000000000${Buffer.from('Auth failure.').toString('hex')}`, 'hex')

async function start(t: Test, options: Partial<Options>): Promise<ServerCore> {
  const server = new ServerCore({ port: -1, ...options }, {}, { isChecked: true })
  t.teardown(() => server.close())
  await server.listen()
  return server
}

/** A client at each address, in their order. */
async function clientsOf(t: Test, server: ServerCore): Promise<Client[]> {
  return await Promise.all(server.addresses.map(async address => {
    const client = await Client.connect({ host: '127.0.0.1', port: 'port' in address ? address.port : 0 })
    t.teardown(() => client.stream.destroy())
    return client
  }))
}

function usersFile(t: Test): string { return join(t.testdir({ users: 'anna:secret\n' }), 'users') }

t.test('a listener speaks what its prefix says, and where that is nothing what -B says', async t => {
  const listen = [
    'proto[asc]:127.0.0.1', 'proto[b]:tag[one]:127.0.0.1:0', 'proto[n]:127.0.0.1:0', 'tag_two_:127.0.0.1:0',
      'proto[auto]:127.0.0.1:-1',
  ]
  const server = await start(t, { listen, protocol: 'ascii' })
  const [ascii, binary, either, tagged, unknown] = await clientsOf(t, server)
  await ascii!.says('version\r\n', VERSION)
  await binary!.says(NOOP, NOOP_DONE)
  await either!.says(NOOP, NOOP_DONE)
  await tagged!.says('version\r\n', VERSION)
  await unknown!.says('version\r\n', VERSION)
})

t.test('with -S clients of the text protocol are asked too where there is a file of -Y', async t => {
  const listen = ['127.0.0.1', 'proto[ascii]:127.0.0.1:0', 'proto[negotiating]:127.0.0.1:0']
  const [binary, ascii, either] = await clientsOf(t, await start(t, { sasl: true, authFile: usersFile(t), listen }))
  await binary!.says(NOOP, NOOP_REFUSED)
  await either!.says('version\r\n', UNAUTHENTICATED)
  await ascii!.says('version\r\n', UNAUTHENTICATED)
  await ascii!.says('set auth 0 0 11\r\nanna secret\r\n', 'STORED\r\n')
  await ascii!.says('version\r\n', VERSION)
})

t.test('with -S alone nobody can log in, and a listener for text asks nobody', async t => {
  const [binary, ascii] = await clientsOf(t, await start(t, { sasl: true, listen: ['127.0.0.1', 'proto[ascii]:127.0.0.1:0'] }))
  await binary!.says(NOOP, NOOP_REFUSED)
  await ascii!.says('version\r\n', VERSION)
})

t.test('with -Y alone a listener for the binary protocol asks nobody', async t => {
  const listen = ['127.0.0.1', 'proto[binary]:127.0.0.1:0']
  const [ascii, binary] = await clientsOf(t, await start(t, { authFile: usersFile(t), listen }))
  await ascii!.says('version\r\n', UNAUTHENTICATED)
  await binary!.says(NOOP, NOOP_DONE)
})
