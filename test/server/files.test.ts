// What one thread reads from files and all go by: certificates, the keys of TLS sessions, users. So many connections are
// held open at once that each thread has some of them.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type ConnectionOptions, type TLSSocket } from 'node:tls'
import t, { type Test } from 'tap'
import { type Options } from '../../src/index.js'
import { client as known, renewed, writeCertificates } from '../support/certificates.js'
import { Client } from '../support/client.js'
import { connectSecurely } from '../support/server.js'
import { until as eventually } from '../support/patience.js'
import { startThreads, type ThreadedServer } from '../support/workers.js'

const HOST = '127.0.0.1'
const VERSION = 'VERSION 1.6.45\r\n'
const MANY = 16

interface Secured extends ThreadedServer {
  readonly files: ReturnType<typeof writeCertificates>
  secure(options?: ConnectionOptions): Promise<Client>
  secureMany(options?: ConnectionOptions): Promise<Client[]>
}

async function startSecured(t: Test, options: Partial<Options> = {}): Promise<Secured> {
  const files = writeCertificates(t)
  const threaded = await startThreads(t, { ...files.options, ...options })
  const secure = async (options: ConnectionOptions = {}): Promise<Client> =>
    await connectSecurely({ host: HOST, port: threaded.server.port, ...options })
  const secureMany = async (options?: ConnectionOptions): Promise<Client[]> =>
    await Promise.all(Array.from({ length: MANY }, () => secure(options)))
  return { ...threaded, files, secure, secureMany }
}

function subjects(clients: readonly Client[]): Set<string | undefined> {
  return new Set(clients.map(({ stream }) => (stream as TLSSocket).getPeerX509Certificate()?.subject))
}

/** Whether every client of many that come at once sees the same certificate, this one. */
async function allSee(secured: Secured, subject: string): Promise<boolean> {
  const clients = await secured.secureMany()
  const seen = subjects(clients)
  for (const client of clients) client.stream.destroy()
  return seen.size === 1 && seen.has(subject)
}

t.test('certificates that one client has read again are those of all threads', async t => {
  const secured = await startSecured(t)
  const clients = await secured.secureMany()
  t.same([...subjects(clients)], ['CN=first.memslab.test'])
  secured.files.renew(renewed)
  await clients[0]!.says('refresh_certs\r\n', 'OK\r\n')
  await eventually('all have them', () => allSee(secured, 'CN=second.memslab.test'))
  for (const client of clients) await client.says('version\r\n', VERSION)
})

t.test('the same for the one who made the server', async t => {
  const secured = await startSecured(t)
  secured.files.renew(renewed)
  t.same(secured.server.reload(), [])
  await eventually('all have them', () => allSee(secured, 'CN=second.memslab.test'))
})

t.test('how long ago that was is the same everywhere', async t => {
  const secured = await startSecured(t)
  const clients = await secured.secureMany()
  // a client is done with the handshake before the server is, which has no such time for it
  for (const client of clients) await client.says('version\r\n', VERSION)
  secured.clock.advance(50)
  await clients[0]!.says('refresh_certs\r\n', 'OK\r\n')
  secured.clock.advance(7)
  for (const client of clients) {
    const answer = await client.says('stats\r\n', /^(STAT .*\r\n)*END\r\n$/)
    t.match(answer.toString(), /STAT time_since_server_cert_refresh 7\r\n/)
  }
})

/** A session that a client was given, and the client, which has gone. */
async function sessionOf(secured: Secured, options: ConnectionOptions): Promise<Buffer> {
  let session: Buffer | undefined
  const client = await secured.secure(options)
  client.stream.on('session', (given: Buffer) => { session = given })
  await client.says('version\r\n', VERSION)
  session ??= (client.stream as TLSSocket).getSession()
  await client.hangUp()
  if (session === undefined) throw new Error('there is no session')
  return session
}

t.test('a session goes on in whichever thread its client comes back to', async t => {
  const secured = await startSecured(t, { sslSessionCache: true })
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    const session = await sessionOf(secured, { maxVersion })
    const clients = await secured.secureMany({ session, maxVersion })
    for (const client of clients) await client.says('version\r\n', VERSION)
    t.same(clients.map(({ stream }) => (stream as TLSSocket).isSessionReused()), clients.map(() => true), maxVersion)
    for (const client of clients) await client.hangUp()
  }
})

t.test('a session goes on neither where clients are treated otherwise, nor with other certificates', async t => {
  const { files, ...secured } = await startSecured(t, { sslSessionCache: true, listen: [`btls:${HOST}`, `mtls:${HOST}:0`] })
  const [basic = 0, mutual = 0] = secured.server.addresses.map(address => 'port' in address ? address.port : 0)
  const session = await sessionOf({ ...secured, files }, { port: basic })
  const clients = await secured.secureMany({ port: mutual, session, cert: known.cert, key: known.key })
  for (const client of clients) await client.says('version\r\n', VERSION)
  t.same(clients.map(({ stream }) => (stream as TLSSocket).isSessionReused()), clients.map(() => false))
  files.renew(renewed)
  t.same(secured.server.reload(), [])
  await eventually('all have them', () => allSee({ ...secured, files }, 'CN=second.memslab.test'))
  const later = await secured.secureMany({ port: basic, session })
  for (const client of later) await client.says('version\r\n', VERSION)
  t.same(later.map(({ stream }) => (stream as TLSSocket).isSessionReused()), later.map(() => false))
})

t.test('who does not finish to agree on TLS is dropped, in all threads', async t => {
  const { server, clock, connect } = await startSecured(t, { idleTimeout: 1 })
  const silent = await Promise.all(Array.from({ length: 6 }, connect))
  await eventually('they are accepted', () => Promise.resolve(new Map(server.host.report('')).get('curr_connections') === 6))
  let areClosed = false
  void Promise.all(silent.map(client => client.closed())).then(() => { areClosed = true })
  await eventually('they are dropped', () => {
    // one that is accepted just now counts from then on
    clock.advance(1)
    return Promise.resolve(areClosed)
  })
})

/** Whether all of many clients that come at once are let in with this. */
async function allKnown({ connect }: ThreadedServer, token: string): Promise<boolean[]> {
  const clients = await Promise.all(Array.from({ length: MANY }, connect))
  const answers = await Promise.all(clients.map(client =>
    client.says(`set auth 0 0 ${token.length}\r\n${token}\r\n`, /^(STORED|CLIENT_ERROR authentication failure)\r\n$/)))
  for (const client of clients) client.stream.destroy()
  return [...new Set(answers.map(answer => answer.toString() === 'STORED\r\n'))]
}

t.test('users that have been read again are those of all threads', async t => {
  const authFile = join(t.testdir(), 'users')
  writeFileSync(authFile, 'anna:secret\n')
  const threaded = await startThreads(t, { authFile })
  t.same(await allKnown(threaded, 'anna secret'), [true])
  t.same(await allKnown(threaded, 'anna changed'), [false])
  writeFileSync(authFile, 'anna:changed\n')
  t.same(threaded.server.reload(), [])
  await eventually('all know', async () => (await allKnown(threaded, 'anna changed')).join() === 'true')
  t.same(await allKnown(threaded, 'anna secret'), [false])
})
