// TestServer: how it starts, where it is, and how it ends.
import { spawnSync } from 'node:child_process'
import { connect } from 'node:net'
import t, { type Test } from 'tap'
import { MemslabError, TestServer, type RestartOptions, type TestServerOptions } from '../../dist/testing/index.js'
import { Client } from '../support/client.js'
import { inProject } from '../support/places.js'

async function create(t: Test, options: TestServerOptions = {}): Promise<TestServer> {
  const cache = await TestServer.create(options)
  t.teardown(() => cache.stop())
  return cache
}

function clientOf({ port, host }: TestServer): Promise<Client> { return Client.connect({ port, host }) }

for (const threads of [1, 2]) {
  t.test(`a server of ${threads} threads on a free port, which says where it is`, async t => {
    const cache = await create(t, { threads })
    const { host, port, url, address } = cache
    t.equal(host, '127.0.0.1')
    t.ok(port > 0 && port !== 11211)
    t.equal(url, `memcache://127.0.0.1:${port}`)
    t.equal(cache.getUri(), url)
    t.equal(address, `127.0.0.1:${port}`)
    t.equal(cache.socketPath, undefined)
    const client = await clientOf(cache)
    await client.says('set k 0 0 1\r\nv\r\nget k\r\n', 'STORED\r\nVALUE k 0 1\r\nv\r\nEND\r\n')
    cache.flush()
    await client.says('get k\r\n', 'END\r\n')
    await Promise.all([cache.stop(), cache.stop()])
    await client.expectClosed()
    t.equal(cache.port, port, 'it keeps its port')
    await t.rejects(clientOf(cache), { code: 'ECONNREFUSED' })
    t.throws(() => cache.flush(), { code: 'ESTOPPED' })
  })

  t.test(`a server of ${threads} threads that restarts is an empty one on the same port`, async t => {
    const cache = await create(t, { threads })
    const { port } = cache
    const before = await clientOf(cache)
    await before.says('set k 0 0 1\r\nv\r\n', 'STORED\r\n')
    cache.clock.freeze()
    cache.clock.tick('1h')
    await cache.restart()
    await before.expectClosed()
    t.equal(cache.port, port)
    const client = await clientOf(cache)
    await client.says('get k\r\n', 'END\r\n')
    await client.says('stats\r\n', /[^]*STAT uptime 0\r\n[^]*STAT curr_connections 1\r\nSTAT total_connections 1\r\n[^]*STAT cmd_get 1\r\n[^]*END\r\n/)
  })
}

for (const threads of [1, 3]) {
  t.test(`a server of ${threads} threads that restarts with its items`, async t => {
    const cache = await create(t, { threads, idleTimeout: 60 })
    const { port } = cache
    const before = await clientOf(cache)
    const watcher = await clientOf(cache)
    await watcher.says('watch mutations\r\n', 'OK\r\n')
    await before.says('verbosity 2\r\nlru tune 25 35 0.5 1\r\nslabs automove 0\r\n', 'OK\r\nOK\r\nOK\r\n')
    for (let n = 0; n < 50; n++) await before.says(`set k${n} 7 100 1\r\nv\r\nget x\r\n`, 'STORED\r\nEND\r\n')
    void before.send('set half 0 0 100\r\nabc')
    cache.clock.freeze()
    cache.clock.tick(40_000)
    await cache.restart({ keepItems: true })
    await before.expectClosed()
    t.equal(cache.port, port)
    const clients = await Promise.all(Array.from({ length: 6 }, () => clientOf(cache)))
    for (const each of clients) await each.says('mn\r\n', 'MN\r\n')
    const [client] = clients
    const stats = String(await client!.says('stats\r\n', /[^]*END\r\n/))
    for (const line of ['uptime 0', 'curr_connections 6', 'total_connections 6', 'cmd_get 0', 'cmd_set 0', 'get_misses 0',
      'curr_items 50', 'total_items 0', `time ${Math.floor(cache.clock.now() / 1000)}`]) {
      t.ok(stats.includes(`STAT ${line}\r\n`), line)
    }
    await client!.says('stats settings\r\n',
      /[^]*STAT verbosity 0\r\n[^]*STAT slab_automove 1\r\n[^]*STAT hot_lru_pct 20\r\n[^]*END\r\n/)
    for (const each of clients) await each.says('get k0 k49 half\r\n', 'VALUE k0 7 1\r\nv\r\nVALUE k49 7 1\r\nv\r\nEND\r\n')
    await clients[1]!.says('watch mutations\r\n', 'OK\r\n')
    await client!.says('set k0 0 0 1\r\nw\r\n', 'STORED\r\n')
    await clients[1]!.expect(/[^\n]*key=k0[^\n]*\n/)
    cache.clock.tick('61s')
    await client!.expectClosed()
    const last = await clientOf(cache)
    await last.says('get k1\r\n', 'END\r\n')
  })
}

t.test('starts, stops and restarts come one after the other', async t => {
  const cache = new TestServer({ threads: 2 })
  await Promise.all([cache.start(), cache.start(), cache.restart(), cache.stop(), cache.start(), cache.restart({ keepItems: true })])
  await (await clientOf(cache)).says('version\r\n', /VERSION .*\r\n/)
  await Promise.all([cache.restart(), cache.stop()])
  t.equal(cache.isRunning, false)
  const other = await create(t, { port: cache.port })
  await t.rejects(cache.start(), { code: 'EADDRINUSE' })
  t.equal(cache.isRunning, false)
  await other.stop()
  await Promise.all([cache.start(), cache.stop()])
})

for (const threads of [1, 2]) {
  t.test(`everything it listens on is the same after any restart, in ${threads} threads`, async t => {
    const cache = await create(t, { threads, udpport: -1, listen: ['127.0.0.1', '127.0.0.2'] })
    const { port, udpPort } = cache
    for (const options of [{ keepItems: true }, {}, { keepItems: true }]) {
      await cache.restart(options)
      t.same([cache.port, cache.udpPort], [port, udpPort])
      await (await Client.connect({ port, host: '127.0.0.2' })).says('version\r\n', /VERSION .*\r\n/)
    }
    const local = await create(t, { threads, socketPath: true })
    local.set('k', 'v')
    await local.restart({ keepItems: true })
    await (await Client.connect({ path: local.socketPath! })).says('get k\r\n', 'VALUE k 0 1\r\nv\r\nEND\r\n')
  })
}

t.test('a server that is made does not run until it is started', async t => {
  const cache = new TestServer()
  t.teardown(() => cache.stop())
  t.equal(cache.isRunning, false)
  t.equal(cache.port, 0)
  t.throws(() => cache.flush(), { code: 'ESTOPPED' })
  await cache.stop()
  await cache.start()
  await cache.start()
  t.equal(cache.isRunning, true)
  await (await clientOf(cache)).says('version\r\n', /VERSION .*\r\n/)
})

t.test('the port of the options, any free one, and one that is in use', async t => {
  const first = await create(t, { port: 0 })
  const { port } = first
  await t.rejects(TestServer.create({ port }), { name: 'MemslabError', code: 'EADDRINUSE' })
  await first.stop()
  t.equal((await create(t, { port })).port, port)
  t.not((await create(t, { port: -1 })).port, port)
})

t.test('all wrong options are one error', async t => {
  const wrong = { thread: 2, maxconns: 0, log: 'no', port: 'x', memory: '2q' } as unknown as TestServerOptions
  const error = t.throws(() => new TestServer(wrong), MemslabError) as unknown as MemslabError
  t.equal(error.code, 'EUSAGE')
  t.same(error.problems, [
    "memory: must be a number of megabytes or a text such as '256m' or '2g', not '2q'", 'unknown option "thread"; is it threads?',
    'port: must be a number, not a string', 'maxconns: must be from 1 to 2147483647, not 0',
    'log: must be a function, not a string',
  ])
  t.equal(error.message, error.problems.join('\n'))
  await t.rejects(TestServer.create('no' as unknown as TestServerOptions), { code: 'EUSAGE' })
})

t.test('wrong options of restart', async t => {
  const cache = await create(t)
  const wrong: readonly (readonly [unknown, string])[] = [
    [{ keepItem: true }, 'unknown option "keepItem"; is it keepItems?'], [{ keepItems: 1 }, 'keepItems: must be a boolean, not a number'],
    [null, 'the options must be an object, not null'],
  ]
  for (const [options, problem] of wrong) {
    await t.rejects(cache.restart(options as RestartOptions), { code: 'EUSAGE', problems: [problem] })
  }
  t.equal(cache.isRunning, true)
})

t.test('a server keeps no process alive, nor do its clients that are idle', async t => {
  for (const options of ['{}', '{ threads: 2 }', '{ udpport: -1 }']) {
    const program = `
      const { TestServer } = require(${JSON.stringify(inProject('dist/testing/index.js'))})
      const { connect } = require('node:net')
      TestServer.create(${options}).then(cache => {
        const client = connect(cache.port, cache.host, () => client.write('version\\r\\n'))
        client.on('data', answer => {
          client.unref()
          process.stdout.write(answer)
        })
      })`
    const { stdout, status, signal } = spawnSync(process.execPath, ['-e', program], { encoding: 'utf8', timeout: 20_000 })
    t.match({ stdout, status, signal }, { stdout: /^VERSION /, status: 0, signal: null }, options)
  }
})

t.test('it may be disposed of', async t => {
  const cache = await TestServer.create()
  await cache[Symbol.asyncDispose]()
  t.equal(cache.isRunning, false)
  await new Promise(resolve => connect(cache.port, cache.host).on('error', resolve))
})
