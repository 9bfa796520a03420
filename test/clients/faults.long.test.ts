// How clients take faults of a TestServer: pymemcache, pylibmc and memjs, the last of which tries again by itself.
import { Client, type ClientOptions } from 'memjs'
import t, { type Test } from 'tap'
import { faults, TestServer, type FaultOptions } from '../../dist/testing/index.js'
import { interpreterWith, pathOf, PYTHON } from './programs.js'

const SILENT = { log(): void {} }

async function start(t: Test): Promise<TestServer> {
  const cache = await TestServer.create()
  t.teardown(() => cache.stop())
  return cache
}

/** What happens to which key, for the Python programs. Each key begins with `first:` where it is stored before. */
function useAll(cache: TestServer): void {
  const reads = { verb: ['get', 'gets', 'add'] } as const
  const once = (key: string): FaultOptions => ({ ...reads, key, once: true })
  cache.use(faults.reply('SERVER_ERROR out of memory storing object'), { verb: 'set', key: 'refused' })
  cache.use(faults.miss(), { ...reads, key: 'first:missed' })
  cache.use(faults.evict(), once('first:evicted'))
  cache.use(faults.tear(), { key: 'first:torn', times: 1 })
  cache.use(faults.late('30s'), once('first:slow'))
  cache.use(faults.drop(), once('first:dropped'))
  cache.use(faults.reply('SERVER_ERROR temporary failure'), { ...reads, key: 'first:twice', times: 2 })
}

const PROGRAMS = [
  { file: 'faults_pymemcache.py', library: 'pymemcache', args: [] },
  { file: 'faults_pylibmc.py', library: 'pylibmc', args: ['text'] },
  { file: 'faults_pylibmc.py', library: 'pylibmc', args: ['binary'] },
]

for (const { file, library, args } of PROGRAMS) {
  const interpreter = interpreterWith({ language: PYTHON, libraries: [library] })
  const name = [library, ...args].join(', ')
  if (interpreter === undefined) t.pass(name, { skip: `no python3 with ${library} is installed` })
  else await t.test(name, async t => {
    const cache = await start(t)
    useAll(cache)
    // a connection on which this key is asked for is reset
    cache.on('call', ({ key, connection: { id } }) => { if (key === 'ask-for-reset') cache.use(faults.resetPeer(), { connection: id }) })
    await t.spawn(interpreter, [pathOf(file), cache.address, ...args], 'every check')
    if (library !== 'pymemcache') return
    t.same(cache.calls({ key: 'first:twice', verb: 'get' }).map(({ answer }) => answer.split('\r\n')[0]),
      ['SERVER_ERROR temporary failure', 'SERVER_ERROR temporary failure', 'VALUE first:twice 0 5'])
    t.same(cache.pendingFaults(), [])
  })
}

function connect(t: Test, { address }: TestServer, options: ClientOptions = {}): Client {
  const client = Client.create(address, { timeout: 0.2, retries: 2, retry_delay: 0.01, logger: SILENT, ...options })
  t.teardown(() => client.quit())
  return client
}

t.test('memjs tells of an error that the server answers', async t => {
  const cache = await start(t)
  const client = connect(t, cache)
  cache.use(faults.reply('SERVER_ERROR out of memory storing object'), { verb: 'set', times: 1 })
  await t.rejects(client.set('k', 'v', {}))
  t.match(cache.calls({ verb: 'set' }), [{ status: 0x82, faults: ['reply'] }])
  t.equal(await client.set('k', 'v', {}), true)
})

t.test('memjs tries again when an answer does not come', async t => {
  const cache = await start(t)
  const client = connect(t, cache)
  await client.set('k', 'v', {})
  const fault = cache.use(faults.drop(), { verb: 'get', once: true })
  t.equal((await client.get('k')).value?.toString(), 'v')
  t.equal(fault.used, 1)
  t.equal(cache.calls({ verb: 'get' }).length, 2)
})

t.test('memjs tries again after a reset', async t => {
  const cache = await start(t)
  const client = connect(t, cache)
  await client.set('k', 'v', {})
  const fault = cache.use(faults.resetPeer({}, { stream: 'upstream' }), { once: true })
  t.equal((await client.get('k')).value?.toString(), 'v')
  t.equal(fault.used, 1)
})

t.test('memjs finds a miss', async t => {
  const cache = await start(t)
  const client = connect(t, cache)
  await client.set('k', 'v', {})
  cache.use(faults.miss(), { verb: 'get', once: true })
  t.equal((await client.get('k')).value, null)
  t.equal((await client.get('k')).value?.toString(), 'v')
})

t.test('memjs tells that a server is down', async t => {
  const cache = await start(t)
  const fault = cache.use(faults.down())
  await fault.ready
  await t.rejects(connect(t, cache).get('k'), /ECONNREFUSED/)
  await fault.remove()
  t.equal(await connect(t, cache).set('k', 'v', {}), true)
})
