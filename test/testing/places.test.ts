// Where a TestServer can listen, and who may use it: TLS, Unix sockets, UDP, and users with passwords.
import { createSocket } from 'node:dgram'
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { connect } from 'node:tls'
import t, { type Test } from 'tap'
import { faults, TestServer, type MemslabError, type TestServerOptions } from '../../dist/testing/index.js'
import { Client } from '../support/client.js'
import { inProject } from '../support/places.js'
import { connectSecurely } from '../support/server.js'

async function create(t: Test, options: TestServerOptions = {}): Promise<TestServer> {
  const cache = await TestServer.create(options)
  t.teardown(() => cache.stop())
  return cache
}

for (const threads of [1, 2]) {
  t.test(`TLS with a throw-away certificate, in ${threads} threads`, async t => {
    const cache = await create(t, { tls: true, threads })
    const { port, host, ca } = cache
    t.equal(cache.url, `memcaches://127.0.0.1:${port}`)
    for (const servername of [undefined, 'localhost']) {
      const client = await connectSecurely({ port, host, ca: ca!, ...servername && { servername } })
      await client.says('set k 0 0 1\r\nv\r\nget k\r\n', 'STORED\r\nVALUE k 0 1\r\nv\r\nEND\r\n')
      await client.hangUp()
    }
    const error = await new Promise<Error>(resolve => connect({ port, host }).once('error', resolve))
    t.match(error, { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' })
    const client = await connectSecurely({ port, host, ca: ca! })
    await client.says('refresh_certs\r\n', 'OK\r\n')
    await cache.restart({ keepItems: true })
    await client.expectClosed()
    await (await connectSecurely({ port, host, ca: ca! })).says('get k\r\n', 'VALUE k 0 1\r\nv\r\nEND\r\n')
  })

  t.test(`a reset by a fault ends a connection with TLS, and no other one, in ${threads} threads`, async t => {
    const cache = await create(t, { tls: true, threads })
    const { port, host } = cache
    const ca = cache.ca!
    const before = await connectSecurely({ port, host, ca })
    await before.says('mn\r\n', 'MN\r\n')
    for (const stream of ['upstream', 'downstream'] as const) {
      cache.use(faults.resetPeer({}, { stream }), { once: true })
      const socket = connect({ port, host, ca })
      socket.write('get k\r\n')
      t.match(await new Promise<Error>(resolve => socket.once('error', resolve)), { code: 'ECONNRESET' })
    }
    await before.says('mn\r\n', 'MN\r\n')
  })

  t.test(`clients of the text protocol with a password, in ${threads} threads`, async t => {
    const cache = await create(t, { users: { anna: 'secret', bert: 'x:y' }, authTimeout: 10, threads })
    const to = { host: cache.host, port: cache.port }
    const login = async (text: string, answer: string): Promise<Client> => {
      const client = await Client.connect(to)
      await client.says('get k\r\n', 'CLIENT_ERROR unauthenticated\r\n')
      await client.says(`set auth 0 0 ${text.length}\r\n${text}\r\n`, answer)
      return client
    }
    const anna = await login('anna secret', 'STORED\r\n')
    await anna.says('get k\r\n', 'END\r\n')
    await login('bert x:y', 'STORED\r\n')
    const unknown = await login('anna wrong', 'CLIENT_ERROR authentication failure\r\n')
    cache.clock.tick('11s')
    await unknown.expectClosed()
    await anna.says('get k\r\n', 'END\r\n')
  })
}

t.test('clients of the binary protocol with a password', async t => {
  const cache = await create(t, { users: { anna: 'secret' }, sasl: true })
  const login = async (password: string): Promise<Buffer> => {
    const client = await Client.connect({ host: cache.host, port: cache.port })
    const body = Buffer.from(`PLAIN\0anna\0${password}`)
    const header = Buffer.alloc(24)
    header.writeUInt8(0x80, 0)
    header.writeUInt8(0x21, 1)
    header.writeUInt16BE(5, 2)
    header.writeUInt32BE(body.length, 8)
    return await client.says(Buffer.concat([header, body]), /[^]{24,}/)
  }
  t.equal((await login('secret')).readUInt16BE(6), 0)
  t.equal((await login('wrong')).readUInt16BE(6), 0x20)
})

t.test('on all addresses, clients are given the loopback one', async t => {
  for (const [listen, host, address] of [['0.0.0.0', '127.0.0.1', '127.0.0.1'], ['::', '::1', '[::1]']] as const) {
    const cache = await create(t, { listen: [listen] })
    t.equal(cache.host, host)
    t.equal(cache.url, `memcache://${address}:${cache.port}`)
    await (await Client.connect({ host: cache.host, port: cache.port })).says('mn\r\n', 'MN\r\n')
  }
})

t.test('a Unix socket, at a free path that is free again afterwards', async t => {
  const cache = await create(t, { socketPath: true })
  const { socketPath: path } = cache
  t.equal(cache.url, `unix:${path}`)
  t.equal(cache.address, path)
  t.equal(cache.port, 0)
  const client = await Client.connect({ path: path! })
  await client.says('set k 0 0 1\r\nv\r\n', 'STORED\r\n')
  await cache.restart({ keepItems: true })
  t.equal(cache.socketPath, path)
  await (await Client.connect({ path: path! })).says('get k\r\n', 'VALUE k 0 1\r\nv\r\nEND\r\n')
  cache.use(faults.resetPeer(), { once: true })
  const ended = await Client.connect({ path: path! })
  void ended.send('get k\r\n')
  await ended.expectClosed()
  await (await Client.connect({ path: path! })).says('mn\r\n', 'MN\r\n')
  await cache.stop()
  t.notOk(existsSync(path!))
})

for (const threads of [1, 2]) {
  t.test(`a Unix socket of a process that ends without stopping its server is removed, in ${threads} threads`, async t => {
    const program = `
      const { TestServer } = require(${JSON.stringify(inProject('dist/testing/index.js'))})
      TestServer.create({ socketPath: true, threads: ${threads} }).then(cache => {
        if (!require('node:fs').existsSync(cache.socketPath)) throw new Error('there is no socket')
        process.stdout.write(cache.socketPath)
      })`
    const { stdout, status } = spawnSync(process.execPath, ['-e', program], { encoding: 'utf8', timeout: 20_000 })
    t.equal(status, 0)
    t.match(stdout, /memslab-/)
    t.notOk(existsSync(stdout))
  })
}

t.test('UDP, on any free port', async t => {
  const cache = await create(t, { udpport: -1 })
  t.ok(cache.udpPort > 0)
  const socket = createSocket('udp4')
  t.teardown(() => socket.close())
  const answer = new Promise<Buffer>(resolve => socket.once('message', resolve))
  socket.send(Buffer.concat([Buffer.from([0, 7, 0, 0, 0, 1, 0, 0]), Buffer.from('mn\r\n')]), cache.udpPort, cache.host)
  t.equal((await answer).toString('latin1', 8), 'MN\r\n')
  const { udpPort } = cache
  await cache.restart()
  t.equal(cache.udpPort, udpPort)
})

t.test('wrong secrets are errors', async t => {
  const problemsOf = (options: object): readonly string[] =>
    (t.throws(() => new TestServer(options), { code: 'EUSAGE' }) as unknown as MemslabError).problems
  t.same(problemsOf({ tls: 1, users: { anna: 5 } }),
    ['tls: must be a boolean, not a number', "users: must be an object of names and passwords: { anna: 'secret' }"])
  t.same(problemsOf({ tls: true, sslChainCert: 'x', users: {} }), [
    'tls: makes a certificate; for one of your own, give sslEnabled instead',
    "users: must be an object of names and passwords: { anna: 'secret' }",
  ])
  t.same(problemsOf({ users: { anna: 'secret' }, authFile: '/x' }),
    ['users: is in place of authFile, so only one of them can be given'])
})

t.test('a profile that has only TLS makes a certificate, unless there is one', async t => {
  const cache = await create(t, { profile: 'elasticache-serverless' })
  t.equal(cache.url, `memcaches://127.0.0.1:${cache.port}`)
  const client = await connectSecurely({ port: cache.port, host: cache.host, ca: cache.ca! })
  await client.says('me k\r\nset k 0 0 1\r\nv\r\nflush_all 1\r\n',
    'ERROR\r\nSTORED\r\nCLIENT_ERROR delayed flush_all not allowed\r\n')
  for (const [options, problem] of [
    [{ tls: false }, 'profile: elasticache-serverless has only TLS, so not without sslEnabled'],
    [{ sslEnabled: true }, 'sslEnabled: needs a certificate, sslChainCert'],
    [{ sslChainCert: 'c' }, 'profile: elasticache-serverless has only TLS, so not without sslEnabled'],
  ] as const) {
    const error = await TestServer.create({ profile: 'elasticache-serverless', ...options }).catch((error: unknown) => error)
    t.same((error as MemslabError).problems, [problem])
  }
})
