// The hooks of test runners, called as the runners call them: vitest, jest and node:test.
import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import jestSetup, * as jest from '../../dist/testing/hooks/jest.mjs'
import jestTeardown from '../../dist/testing/hooks/teardown.mjs'
import * as nodeTest from '../../dist/testing/hooks/node.mjs'
import vitestSetup, * as vitest from '../../dist/testing/hooks/vitest.mjs'
import { Client } from '../support/client.js'
import { inProject } from '../support/places.js'

const { MEMCACHED_URL, MEMCACHE_SERVERS } = process.env

/** The server that the environment names. */
async function connect(): Promise<Client> {
  const { hostname, port } = new URL(process.env['MEMCACHED_URL']!)
  t.equal(process.env['MEMCACHE_SERVERS'], `${hostname}:${port}`)
  return await Client.connect({ host: hostname, port: Number(port) })
}

function isAsBefore(): void {
  t.equal(process.env['MEMCACHED_URL'], MEMCACHED_URL)
  t.equal(process.env['MEMCACHE_SERVERS'], MEMCACHE_SERVERS)
}

t.test('vitest: a global setup that provides the url, and returns its end', async t => {
  const provided: Record<string, string> = {}
  const teardown = await vitestSetup({ provide: (key: string, value: string) => { provided[key] = value } })
  t.same(provided, { memcachedUrl: process.env['MEMCACHED_URL'] })
  const client = await connect()
  await client.says('version\r\n', /VERSION .*\r\n/)
  await teardown()
  await client.expectClosed()
  isAsBefore()
})

t.test('vitest: with options, and without a project', async t => {
  const teardown = await vitest.memcached({ useCas: false })()
  await (await connect()).says('set k 0 0 1\r\nv\r\ngets k\r\n', 'STORED\r\nVALUE k 0 1 0\r\nv\r\nEND\r\n')
  await teardown()
  t.same(Object.keys(vitest).sort(), ['default', 'globalSetup', 'memcached'], 'vitest takes setup and teardown for hooks of their own')
})

t.test('jest: a global setup and teardown, as import and require give them', async t => {
  const config = [{ watch: false }, { displayName: undefined }] as unknown as []
  await jestSetup(...config)
  const client = await connect()
  await client.says('version\r\n', /VERSION .*\r\n/)
  await jestSetup(...config)
  await client.expectClosed()
  await jestTeardown()
  isAsBefore()
  const load = createRequire(import.meta.url)
  const required = load(inProject('dist/testing/hooks/jest.js')) as { default: () => Promise<void> }
  t.equal(required.default, jestSetup, 'the server is the same for both')
  await jest.memcached({ flushEnabled: false })()
  await (await connect()).says('flush_all\r\n', 'CLIENT_ERROR flush_all not allowed\r\n')
  const { default: teardown } = load(inProject('dist/testing/hooks/teardown.js')) as { default: () => Promise<void> }
  await teardown()
  await teardown()
  isAsBefore()
})

t.test('node:test: a global setup and teardown', async () => {
  process.env['MEMCACHE_SERVERS'] = 'before:1'
  await nodeTest.globalSetup()
  const client = await connect()
  await nodeTest.globalTeardown()
  await client.expectClosed()
  t.equal(process.env['MEMCACHE_SERVERS'], 'before:1')
  delete process.env['MEMCACHE_SERVERS']
})

t.test('node:test: a server for the tests of a file', async t => {
  const file = join(t.testdir(), 'some.test.cjs')
  writeFileSync(file, `
    const { test, after } = require('node:test')
    const assert = require('node:assert')
    const { connect } = require('node:net')
    const { memcached } = require(${JSON.stringify(inProject('dist/testing/hooks/node.js'))})
    const cache = memcached({ memory: '8m' })
    test('it runs', (t, done) => {
      assert.equal(process.env.MEMCACHED_URL, cache.url)
      cache.set('k', 'v')
      connect(cache.port, cache.host).end('get k\\r\\n').on('data', answer => {
        assert.equal(String(answer), 'VALUE k 0 1\\r\\nv\\r\\nEND\\r\\n')
        done()
      })
    })
    after(() => assert.equal(process.env.MEMCACHED_URL, undefined))`)
  const env = { ...process.env }
  for (const name of Object.keys(env)) if (name.startsWith('NODE_TEST') || name.startsWith('TAP')) delete env[name]
  const { stdout, status } = spawnSync(process.execPath, ['--test', file], { encoding: 'utf8', timeout: 60_000, env })
  t.equal(status, 0, stdout)
  t.match(stdout, /pass 1\n/)
})
