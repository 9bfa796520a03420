// TLS listeners: who is let in, what they are shown, and what becomes of those who do not behave.
import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls'
import { Worker } from 'node:worker_threads'
import t, { type Test } from 'tap'
import { spawnServer } from '../clients/server.js'
import { until as eventually } from '../support/patience.js'
import { MemslabError, type Options } from '../../src/index.js'
import { ServerCore } from '../../src/server/core.js'
import {
  authority, client as known, renewed, server as first, stranger, writeCertificates, type CertificateFiles,
} from '../support/certificates.js'
import { Client } from '../support/client.js'
import { ManualClock } from '../support/clock.js'
import { connectSecurely } from '../support/server.js'

const HOST = '127.0.0.1'
const VERSION = 'VERSION 1.6.45\r\n'
const TOO_MANY = 'ERROR Too many open connections\r\n'
/** OpenSSL takes them for too weak otherwise. */
const OLD_CIPHERS = 'DEFAULT@SECLEVEL=0'

interface TlsServer {
  readonly server: ServerCore
  readonly clock: ManualClock
  readonly files: CertificateFiles
  readonly lines: string[]
  secure(options?: ConnectionOptions): Promise<Client>
}

/** @param isDoubtful whether the options are a command line's, which a program could not have */
async function start(t: Test, options: Partial<Options> = {}, files = writeCertificates(t),
  isDoubtful = false): Promise<TlsServer> {
  const clock = new ManualClock()
  const lines: string[] = []
  const given = { port: -1, listen: [HOST], ...files.options, ...options }
  const server = new ServerCore(given, { clock, log: line => lines.push(line) }, { isChecked: isDoubtful })
  t.teardown(async () => {
    server.verify()
    await server.close()
  })
  await server.listen()
  return { server, clock, files, lines,
    secure: async options => await connectSecurely({ host: HOST, port: server.port, ...options }) }
}

/** Whether a client is let in. With TLS 1.3 a client does not hear of it before its first answer. */
async function isServed(server: TlsServer, options: ConnectionOptions, port = server.server.port): Promise<boolean> {
  try {
    const client = await server.secure({ ...options, port })
    await client.says('version\r\n', VERSION)
    await client.hangUp()
    return true
  } catch { return false }
}

function plain(port: number): Socket {
  return connect({ host: HOST, port }).on('error', () => {})
}

/** Resolves when the server has closed the connection. */
function gone(socket: Socket): Promise<unknown> { return new Promise(resolve => socket.resume().once('close', resolve)) }

function statistics(server: ServerCore): Map<string, string | number> { return new Map(server.host.report('')) }

function handshakeErrors(server: ServerCore): unknown { return statistics(server).get('ssl_handshake_errors') }

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise(setImmediate)
}

/** What the client was shown. */
function subjectOf(client: Client): string {
  return new X509Certificate((client.stream as TLSSocket).getPeerCertificate().raw).subject
}

t.test('large values go both ways, and many requests in one write', async t => {
  const { secure } = await start(t)
  const client = await secure()
  const big = Array.from({ length: 150_000 }, (_, i) => String(i % 7919)).join(',')
  await client.says(`set big 0 0 ${big.length}\r\n${big}\r\n`, 'STORED\r\n')
  await client.says('get big\r\n'.repeat(10), `VALUE big 0 ${big.length}\r\n${big}\r\nEND\r\n`.repeat(10))
  await client.says('set k 0 0 1\r\nv\r\n'.repeat(5000), 'STORED\r\n'.repeat(5000))
  await client.says('get k\r\n'.repeat(5000), 'VALUE k 0 1\r\nv\r\nEND\r\n'.repeat(5000))
  await client.hangUp()
})

t.test('certificates of clients are asked for as ssl_verify_mode says', async t => {
  const CLIENTS = { none: {}, known, stranger }
  const SERVED: readonly (readonly (keyof typeof CLIENTS)[])[] =
    [['none', 'known', 'stranger'], ['none', 'known'], ['known'], ['known']]
  for (const [sslVerifyMode, served] of SERVED.entries()) {
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const tls = await start(t, { sslVerifyMode })
      for (const [name, identity] of Object.entries(CLIENTS)) {
        t.equal(await isServed(tls, { ...identity, maxVersion }), (served as readonly string[]).includes(name),
          `mode ${sslVerifyMode}, ${maxVersion}: ${name}`)
      }
      t.equal(handshakeErrors(tls.server), 3 - served.length)
      t.equal(statistics(tls.server).get('curr_connections'), 0)
    }
  }
})

t.test('without ssl_ca_cert no certificate of a client is trusted', async t => {
  for (const [options, isOpen] of [
    [{ sslVerifyMode: 1 }, true], [{ sslVerifyMode: 2 }, false], [{ listen: [`mtls:${HOST}`] }, false],
  ] as const) {
    const tls = await start(t, { ...options, sslCaCert: undefined }, writeCertificates(t), true)
    t.equal(await isServed(tls, {}), isOpen, JSON.stringify(options))
    t.equal(await isServed(tls, known), false, JSON.stringify(options))
  }
})

t.test('UDP beside TLS is not encrypted', async t => {
  const { server, secure } = await start(t, { udpport: -1 }, writeCertificates(t), true)
  await (await secure()).says('version\r\n', VERSION)
  const socket = createSocket('udp4')
  t.teardown(() => socket.close())
  const answer = once(socket, 'message')
  socket.send('\0\x01\0\0\0\x01\0\0version\r\n', server.udpPort, HOST)
  t.equal(String((await answer)[0]), `\0\x01\0\0\0\x01\0\0${VERSION}`)
})

t.test('a listener may ask more of its clients than another, or nothing, or not encrypt', async t => {
  const tls = await start(t, { listen: [`btls:${HOST}`, `mtls:${HOST}:0`, `notls:${HOST}:0`], sslVerifyMode: 2 })
  const [basic = 0, mutual = 0, none = 0] = tls.server.addresses.map(address => 'port' in address ? address.port : 0)
  t.equal(await isServed(tls, {}, basic), true)
  t.equal(await isServed(tls, {}, mutual), false)
  t.equal(await isServed(tls, known, mutual), true)
  t.equal(await isServed(tls, known, none), false)
  const client = await Client.connect({ host: HOST, port: none })
  await client.says('version\r\n', VERSION)
  await client.hangUp()
})

t.test('a session begun where no certificate is asked for opens no door where one is', async t => {
  const tls = await start(t, { listen: [`btls:${HOST}`, `mtls:${HOST}:0`], sslSessionCache: true })
  const [basic = 0, mutual = 0] = tls.server.addresses.map(address => 'port' in address ? address.port : 0)
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    const session = await sessionOf(tls, { port: basic, maxVersion })
    t.equal(await isServed(tls, { session, maxVersion }, mutual), false, maxVersion)
  }
})

t.test('sessions are resumed if ssl_session_cache says so', async t => {
  for (const sslSessionCache of [true, false]) {
    const tls = await start(t, { sslSessionCache })
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const session = await sessionOf(tls, { maxVersion })
      const client = await tls.secure({ session, maxVersion })
      await client.says('version\r\n', VERSION)
      t.equal((client.stream as TLSSocket).isSessionReused(), sslSessionCache, maxVersion)
      await client.hangUp()
    }
    t.equal(statistics(tls.server).get('ssl_new_sessions'), sslSessionCache ? 2 : undefined)
  }
})

/** The session that a client was given. */
async function sessionOf(tls: TlsServer, options: ConnectionOptions): Promise<Buffer | undefined> {
  let session: Buffer | undefined
  const client = await tls.secure(options)
  client.stream.on('session', (given: Buffer) => { session = given })
  await client.says('version\r\n', VERSION)
  session ??= (client.stream as TLSSocket).getSession()
  await client.hangUp()
  return session
}

t.test('clients with a TLS that is too old are refused', async t => {
  const VERSIONS = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'] as const
  for (const [sslMinVersion] of VERSIONS.entries()) {
    const tls = await start(t, { sslMinVersion, ...(sslMinVersion < 2 ? { sslCiphers: OLD_CIPHERS } : {}) })
    for (const [number, version] of VERSIONS.entries()) {
      const served = await isServed(tls, { minVersion: version, maxVersion: version, ciphers: OLD_CIPHERS })
      t.equal(served, number >= sslMinVersion, `${version} where the least is ${VERSIONS[sslMinVersion]}`)
    }
  }
})

t.test('ssl_ciphers is about TLS 1.2 and older, as in memcached', async t => {
  const tls = await start(t, { sslCiphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' })
  const maxVersion = 'TLSv1.2'
  t.equal(await isServed(tls, { maxVersion, ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384' }), false)
  t.equal(await isServed(tls, { maxVersion, ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' }), true)
  t.equal(await isServed(tls, {}), true)
})

t.test('nobody renegotiates', async t => {
  const tls = await start(t)
  const { stream } = await tls.secure({ maxVersion: 'TLSv1.2' })
  const refusal = new Promise(resolve => stream.once('error', resolve));
  (stream as TLSSocket).renegotiate({}, () => {})
  t.match(await refusal, { code: 'ERR_SSL_NO_RENEGOTIATION' })
  stream.destroy()
  t.equal(await isServed(tls, {}), true)
})

t.test('new certificates are for new connections', async t => {
  const tls = await start(t)
  const { server, clock, files } = tls
  const before = await tls.secure()
  await before.says('version\r\n', VERSION)
  t.equal(subjectOf(before), 'CN=first.memslab.test')
  clock.advance(100)
  t.equal(statistics(server).get('time_since_server_cert_refresh'), 100)
  files.renew(renewed)
  await before.says('refresh_certs\r\n', 'OK\r\n')
  t.equal(statistics(server).get('time_since_server_cert_refresh'), 0)
  const after = await tls.secure()
  t.equal(subjectOf(after), 'CN=second.memslab.test')
  await before.says('version\r\n', VERSION)
  t.equal(subjectOf(before), 'CN=first.memslab.test')
})

t.test('certificates that are wrong change nothing', async t => {
  const tls = await start(t)
  const { server, clock, files } = tls
  clock.advance(10)
  writeFileSync(files.key, renewed.key)
  const client = await tls.secure()
  await client.says('refresh_certs\r\n', /Error loading the key: .*server\.key : .*it is not the key of the certificate\r\n/)
  t.same(server.reload(), [server.host.refreshCertificates()])
  t.equal(statistics(server).get('time_since_server_cert_refresh'), 10)
  t.equal(subjectOf(await tls.secure()), 'CN=first.memslab.test')
})

t.test('a key of another kind than the certificate is refused, at the start and later', async t => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const rsa = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  const files = writeCertificates(t)
  const tls = await start(t, {}, files)
  writeFileSync(files.key, rsa)
  const client = await tls.secure()
  await client.says('refresh_certs\r\n', /Error loading the key: .* it is not the key of the certificate\r\n/)
  t.equal(await isServed(tls, {}), true)
  t.throws(() => new ServerCore({ port: 0, ...files.options }),
    { code: 'EUSAGE', message: /it is not the key of the certificate/ })
})

t.test('SIGHUP has a server read its certificates again', async t => {
  const { options: { sslChainCert, sslKey }, renew } = writeCertificates(t)
  const server = await spawnServer(t, ['-Z', '-o', `ssl_chain_cert=${sslChainCert},ssl_key=${sslKey}`])
  const subject = async (): Promise<string> => {
    const client = await connectSecurely({ host: HOST, port: server.port })
    const subject = subjectOf(client)
    await client.hangUp()
    return subject
  }
  t.equal(await subject(), 'CN=first.memslab.test')
  renew(renewed)
  process.kill(server.pid, 'SIGHUP')
  await eventually('the new certificate is there', async () => await subject() === 'CN=second.memslab.test')
  renew({ ...first, key: 'nonsense' })
  process.kill(server.pid, 'SIGHUP')
  await eventually('it complains', () => /^Error loading the key: /m.test(server.log))
  t.equal(await subject(), 'CN=second.memslab.test')
})

t.test('where there is no TLS no certificate is read', async t => {
  const server = new ServerCore({ port: 0 })
  t.equal(server.host.refreshCertificates(), 'Error TLS not enabled')
  t.same(server.reload(), [])
  t.equal(statistics(server).has('ssl_handshake_errors'), false)
})

t.test('a key may be DER, or in the file of the certificate', async t => {
  const files = writeCertificates(t)
  for (const type of ['pkcs8', 'sec1'] as const) {
    writeFileSync(files.key, createPrivateKey(first.key).export({ type, format: 'der' }))
    t.equal(await isServed(await start(t, { sslKeyFormat: 2 }, files), {}), true, type)
  }
  writeFileSync(files.chain, first.cert + first.key)
  t.equal(await isServed(await start(t, { sslKey: undefined }, files), {}), true)
})

t.test('what is wrong with a file is said before anything is opened', t => {
  const { options, chain, key, authority: authorityFile, renew } = writeCertificates(t)
  const refused = (changes: Partial<Options>, pattern: RegExp): void => {
    const make = (): unknown => new ServerCore({ ...options, ...changes })
    t.throws(make, { code: 'EUSAGE', message: pattern })
    try { make() } catch (error) { t.notMatch((error as MemslabError).message, /\n/) }
  }
  refused({ sslChainCert: '/nowhere' }, /^Error loading the certificate chain: \/nowhere : .*no such file/)
  refused({ sslKey: '/nowhere' }, /^Error loading the key: \/nowhere : /)
  refused({ sslKey: chain }, /^Error loading the key: .*server\.pem : /)
  refused({ sslKeyFormat: 2 }, /^Error loading the key: /)
  refused({ sslCaCert: key }, /^Error loading the CA certificate: .*server\.key : /)
  refused({ sslCiphers: 'NONSENSE' }, /^Error setting the provided cipher\(s\): NONSENSE : /)
  renew({ ...first, cert: 'nonsense' })
  refused({}, /^Error loading the certificate chain: .*server\.pem : /)
  renew({ ...first, key: renewed.key })
  refused({}, /^Error loading the key: .* it is not the key of the certificate/)
  writeFileSync(authorityFile, '')
  renew(first)
  refused({}, /^Error loading the CA certificate: /)
  t.end()
})

t.test('who does not speak TLS is refused, counted, and named with -v', async t => {
  const { server, lines, secure } = await start(t, { verbosity: 1 })
  for (const bytes of ['version\r\n', '\0'.repeat(70_000), `\x16\x03\x01\xff\xff${'x'.repeat(70_000)}`]) {
    const socket = plain(server.port)
    socket.write(bytes, 'latin1')
    await gone(socket)
  }
  await until(() => statistics(server).get('curr_connections') === 0)
  t.equal(handshakeErrors(server), 3)
  t.equal(lines.length, 3)
  t.equal(lines[0], 'TLS handshake with 127.0.0.1 failed: wrong version number')
  await (await secure()).says('version\r\n', VERSION)
})

t.test('who only looks whether somebody listens, or leaves before anything is agreed, is no error', async t => {
  const { server } = await start(t)
  const HELLO = Buffer.from('16030102000100', 'hex')
  for (const leave of [(socket: Socket) => socket.end(), (socket: Socket) => socket.resetAndDestroy(),
    (socket: Socket) => socket.end(HELLO)]) {
    const socket = plain(server.port)
    await new Promise(resolve => socket.once('connect', resolve))
    await until(() => statistics(server).get('curr_connections') === 1)
    leave(socket.resume())
    await until(() => statistics(server).get('curr_connections') === 0)
  }
  t.equal(handshakeErrors(server), 0)
})

t.test('who is gone before anybody has looked leaves nothing open', async t => {
  const { server } = await start(t)
  const isGone = new Int32Array(new SharedArrayBuffer(4))
  const worker = new Worker(`
    const { workerData: { port, host, isGone } } = require('node:worker_threads')
    const socket = require('node:net').connect({ port, host }, () => socket.resetAndDestroy()).on('close', () => {
      Atomics.store(isGone, 0, 1)
      Atomics.notify(isGone, 0)
    })`, { eval: true, execArgv: [], workerData: { port: server.port, host: HOST, isGone } })
  const ended = once(worker, 'exit')
  Atomics.wait(isGone, 0, 0, 60_000)
  await eventually('it is accepted', () => statistics(server).get('total_connections') === 1)
  t.equal(statistics(server).get('curr_connections'), 0)
  let isClosed = false
  void server.close().then(() => { isClosed = true })
  await eventually('nothing keeps the server', () => isClosed)
  await ended
})

t.test('a client that says nothing is dropped in time', async t => {
  for (const [idleTimeout, authTimeout, seconds] of [[0, 30, 30], [5, 30, 5], [100, 30, 30], [0, 7, 7], [9, 0, 9]] as const) {
    const { server, clock } = await start(t, { idleTimeout, authTimeout })
    const socket = plain(server.port)
    const closed = gone(socket)
    await until(() => statistics(server).get('curr_connections') === 1)
    clock.advance(seconds - 1)
    await new Promise(setImmediate)
    t.equal(statistics(server).get('curr_connections'), 1)
    clock.advance(1)
    await closed
    await until(() => statistics(server).get('curr_connections') === 0)
    t.equal(handshakeErrors(server), 1)
    t.equal(statistics(server).get('auth_kicks'), authTimeout === 0 ? undefined : 1)
  }
})

t.test('with no timeout at all it may take any time', async t => {
  const { server, clock } = await start(t, { authTimeout: 0 })
  const socket = plain(server.port)
  await until(() => statistics(server).get('curr_connections') === 1)
  clock.advance(10_000)
  await new Promise(setImmediate)
  t.equal(statistics(server).get('curr_connections'), 1)
  socket.destroy()
})

t.test('an idle client is dropped as on any connection', async t => {
  const { clock, secure, server } = await start(t, { idleTimeout: 5 })
  const client = await secure()
  await client.says('version\r\n', VERSION)
  clock.advance(6)
  await client.expectClosed()
  t.equal(statistics(server).get('idle_kicks'), 1)
})

t.test('who has not agreed yet counts as a connection', async t => {
  const { server, clock } = await start(t, { maxconns: 1 })
  const silent = plain(server.port)
  await until(() => statistics(server).get('curr_connections') === 1)
  const client = await Client.connect({ host: HOST, port: server.port })
  await client.expect(TOO_MANY)
  await client.expectClosed()
  t.equal(statistics(server).get('rejected_connections'), 1)
  clock.advance(31)
  await gone(silent)
  await until(() => statistics(server).get('curr_connections') === 0)
})

t.test('who waits for a place gets it when another does not agree in time', async t => {
  const tls = await start(t, { maxconns: 1, maxconnsFast: false })
  const silent = plain(tls.server.port)
  await until(() => statistics(tls.server).get('curr_connections') === 1)
  const served = isServed(tls, {})
  await until(() => statistics(tls.server).get('accepting_conns') === 0)
  silent.destroy()
  t.equal(await served, true)
})

t.test('stats conns shows them all', async t => {
  const { server, secure } = await start(t)
  const client = await secure()
  await client.says('version\r\n', VERSION)
  const silent = plain(server.port)
  await until(() => statistics(server).get('curr_connections') === 2)
  const rows = [...server.host.reportConnections()].flatMap(rows => [...rows])
    .map(([name, value]) => `${name.replace(/^\d+/, '')} ${value}`)
  const own = `tcp:${HOST}:${server.port}`
  const ports = [client.stream as TLSSocket, silent].map(socket => `tcp:${HOST}:${socket.localPort}`)
  t.same(rows, [`:addr ${own}`, ':state conn_listening', `:secs_since_last_cmd ${server.store.context.now}`,
    ...ports.flatMap(port => [`:addr ${port}`, `:listen_addr ${own}`, ':state conn_read', ':secs_since_last_cmd 0'])])
  const ids = new Set([...server.host.reportConnections()].flatMap(rows => [...rows]).map(([name]) => name.split(':')[0]))
  t.equal(ids.size, 3)
  t.notOk(ids.has('0'))
  silent.destroy()
})

t.test('a client that does not read costs a bounded amount of memory', async t => {
  const { server, secure } = await start(t)
  const client = await secure()
  const big = 'x'.repeat(1_000_000)
  await client.says(`set big 0 0 ${big.length}\r\n${big}\r\n`, 'STORED\r\n')
  client.pause()
  const before = process.memoryUsage().arrayBuffers
  void client.send('get big\r\n'.repeat(60))
  await until(() => server.store.refCount > 0)
  for (let turn = 0; turn < 200; turn++) await new Promise(setImmediate)
  const grown = process.memoryUsage().arrayBuffers - before
  t.ok(grown < 20_000_000, `${grown} bytes`)
  client.resume()
  await client.expect(`VALUE big 0 ${big.length}\r\n${big}\r\nEND\r\n`.repeat(60))
  // the stream may tell of the last write after the reader has read it
  await until(() => server.store.refCount === 0)
})

t.test('a client that goes away in the middle leaves nothing behind', async t => {
  const { server, secure } = await start(t)
  const [reader, writer] = await Promise.all([secure(), secure()])
  const big = 'x'.repeat(1_000_000)
  await reader.says(`set big 0 0 ${big.length}\r\n${big}\r\n`, 'STORED\r\n')
  reader.pause()
  void reader.send('get big\r\n'.repeat(50))
  await writer.send('set half 0 0 1000000\r\nabc')
  await until(() => server.store.refCount === 2)
  reader.stream.destroy()
  writer.stream.destroy()
  await until(() => statistics(server).get('curr_connections') === 0)
  t.equal(server.store.refCount, 0)
})

t.test('a client that has no more to say hears what it asked for', async t => {
  const { secure } = await start(t)
  const client = await secure()
  client.stream.end('set k 0 0 1\r\nv\r\nget k\r\n')
  await client.expect('STORED\r\nVALUE k 0 1\r\nv\r\nEND\r\n')
  await client.expectClosed()
})

t.test('also when that is more than is sent at once', async t => {
  const { secure } = await start(t)
  const value = 'x'.repeat(20_000)
  const client = await secure()
  await client.says(`set k 0 0 ${value.length}\r\n${value}\r\n`, 'STORED\r\n')
  client.stream.end('get k\r\n'.repeat(50))
  await client.expect(`VALUE k 0 ${value.length}\r\n${value}\r\nEND\r\n`.repeat(50))
  await client.expectClosed()
})

t.test('garbage in an encrypted connection ends it and is counted', async t => {
  const { server } = await start(t)
  const socket = plain(server.port)
  const stream = connectTls({ socket, ca: authority, checkServerIdentity: () => undefined })
  const client = new Client(stream)
  await client.says('version\r\n', VERSION)
  socket.write('x'.repeat(1000))
  await client.closed()
  await eventually('it is counted', () => statistics(server).get('ssl_proto_errors') === 1)
  t.equal(handshakeErrors(server), 0)
})

t.test('a server closes though somebody has not agreed yet', async t => {
  const { server } = await start(t)
  const socket = plain(server.port)
  await until(() => statistics(server).get('curr_connections') === 1)
  await server.close()
  await gone(socket)
  t.equal(statistics(server).get('curr_connections'), 0)
})
