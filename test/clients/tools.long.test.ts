// The command-line tools that come with libmemcached and memcached: what people use to look into a running cache, and a
// load generator.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import root, { type Test } from 'tap'
import { Client } from '../support/client.js'
import { Prng } from '../support/prng.js'
import { realVersion, startReal } from '../support/real.js'
import { runTool as run, skipWithout, type Finished } from './programs.js'
import { spawnServer, type SpawnedServer } from './server.js'
import { saslOptions, skipWithoutUsers } from './users.js'

const MEMCACHED_TOOL = '/usr/share/memcached/scripts/memcached-tool'

/** The servers of the tools, by how they are spoken to. */
const servers = new Map<string, Promise<SpawnedServer>>()

/**
 * A test of one tool against an empty server, over TCP and over a Unix socket, in text and in binary; `tool` runs it with
 * `-s SERVER ARGS`.
 */
function testTool(name: string,
  body: (t: Test, tool: (command: string, ...args: string[]) => Promise<Finished>) => Promise<void>): void {
  for (const unix of [false, true]) {
    for (const binary of [false, true]) {
      const how = `${binary ? 'binary' : 'text'} protocol over ${unix ? 'a Unix socket' : 'TCP'}`
      root.test(`${name}, ${how}`, { skip: skipWithout('memccp') }, async t => {
        const starting = servers.get(how) ?? spawnServer(root, ['-B', binary ? 'binary' : 'ascii'], { unix })
        servers.set(how, starting)
        const server = await starting
        const tool = (command: string, ...args: string[]): Promise<Finished> =>
          run(command, ['-s', server.address, ...(binary ? ['--binary'] : []), ...args])
        await tool('memcflush')
        await body(t, tool)
      })
    }
  }
}

testTool('memccp, memccat and memcrm copy files into the cache, out of it and remove them', async (t, tool) => {
  const content = new Prng(1).bytes(200_000)
  const folder = t.testdir({ 'one.txt': 'hello', 'two.bin': content })
  t.equal((await tool('memccp', join(folder, 'one.txt'), join(folder, 'two.bin'))).code, 0, 'memccp stores two files')
  t.same(await tool('memccat', 'one.txt'), { code: 0, output: 'hello\n' }, 'memccat prints the text')
  const { output } = await tool('memccat', 'two.bin')
  t.ok(output === content.toString('latin1') + '\n', 'memccat prints the bytes')
  t.equal((await tool('memccp', '--add', join(folder, 'one.txt'))).code, 1, 'memccp --add refuses what is there')
  t.equal((await tool('memccp', '--replace', join(folder, 'one.txt'))).code, 0, 'memccp --replace stores over it')
  t.equal((await tool('memcrm', 'one.txt')).code, 0, 'memcrm removes a key')
  t.equal((await tool('memcrm', 'one.txt')).code, 1, 'memcrm of a missing key fails')
  t.equal((await tool('memccat', 'one.txt')).code, 1, 'memccat of a missing key fails')
})

testTool('memcexist, memctouch and memcflush ask and answer', async (t, tool) => {
  const folder = t.testdir({ key: 'value' })
  await tool('memccp', join(folder, 'key'))
  t.equal((await tool('memcexist', 'key')).code, 0, 'memcexist finds a key')
  t.equal((await tool('memcexist', 'missing')).code, 1, 'memcexist does not find a missing key')
  t.equal((await tool('memctouch', '-e', '100', 'key')).code, 0, 'memctouch finds a key')
  t.equal((await tool('memctouch', '-e', '100', 'missing')).code, 1, 'memctouch does not find a missing key')
  t.equal((await tool('memcflush')).code, 0, 'memcflush is obeyed')
  t.equal((await tool('memcexist', 'key')).code, 1, 'nothing is left')
})

testTool('memcstat prints the statistics', async (t, tool) => {
  const general = await tool('memcstat')
  t.equal(general.code, 0)
  t.match(general.output, /\tpid: [1-9]\d*\n\tuptime: \d+\n\ttime: \d{10}\n\tversion: 1\.6\.\d+\n/,
    'general ones, in memcached\'s order')
  t.match((await tool('memcstat', 'settings')).output, /\tmaxbytes: 67108864\n\tmaxconns: 1024\n/, 'settings')
  t.equal((await tool('memcstat', 'slabs')).code, 0, 'slabs')
  t.equal((await tool('memcstat', 'items')).code, 0, 'items')
})

testTool('memcslap runs each of its loads', async (t, tool) => {
  for (const load of ['get', 'mget', 'set']) {
    t.equal((await tool('memcslap', '-t', load, '-c', '4', '-e', '2000')).code, 0, load)
  }
  t.equal((await tool('memcslap', '-t', 'set', '-c', '4', '-e', '2000', '--noreply')).code, 0, 'set with noreply')
  t.equal((await tool('memcslap', '-t', 'get', '-c', '4', '-e', '2000', '--non-blocking')).code, 0, 'get without blocking')
})

for (const unix of [false, true]) {
  root.test(`memcping gets an answer over ${unix ? 'a Unix socket' : 'TCP'}`, { skip: skipWithout('memcping') }, async t => {
    const server = await spawnServer(t, [], { unix })
    t.equal((await run('memcping', ['-s', server.address])).code, 0)
  })
}

root.test('memccp and memccat show a name and a password', { skip: skipWithout('memccp') || skipWithoutUsers }, async t => {
  const server = await spawnServer(t, saslOptions(t))
  const tool = (command: string, password: string, ...args: string[]): Promise<Finished> =>
    run(command, ['-s', server.address, '--binary', '--username', 'anna', '--password', password, ...args])
  const folder = t.testdir({ key: 'value' })
  t.equal((await tool('memccp', 'secret', join(folder, 'key'))).code, 0)
  t.same(await tool('memccat', 'secret', 'key'), { code: 0, output: 'value\n' })
  t.not((await tool('memccat', 'wrong', 'key')).code, 0)
})

root.test('memcached-tool understands every table',
  { skip: existsSync(MEMCACHED_TOOL) ? false : 'memcached-tool is not installed' }, async t => {
  const server = await spawnServer(t)
  await fill(server)
  const tool = (mode: string): Promise<Finished> => run('perl', [MEMCACHED_TOOL, server.address, mode])
  const display = await tool('display')
  t.match(display.output, /^ +# +Item_Size +Max_age +Pages +Count +Full\? +Evicted +Evict_Time +OOM\n/, 'display has its heading')
  t.match(display.output, /^ +\d+ +[\d.]+[BKM] +\d+s +1 +1 +no +0 +0 +0$/m, 'and a class with one page and the item')
  t.match((await tool('stats')).output, /^ +curr_items +1$/m, 'stats')
  t.match((await tool('settings')).output, /^ +maxbytes +67108864$/m, 'settings')
  t.match((await tool('sizes')).output, /^ +sizes_status +disabled$/m, 'sizes')
})

root.test('memcached-tool shows the same table of slabs as for memcached itself', {
  skip: existsSync(MEMCACHED_TOOL) ? realVersion === undefined && 'memcached is not installed'
    : 'memcached-tool is not installed',
}, async t => {
  const real = await startReal(t)
  const tables: string[] = []
  for (const { client, port } of [await connectTo(real.port), await connectTo((await spawnServer(t)).port)]) {
    for (const [key, bytes] of [['a', 10], ['b', 20], ['c', 150], ['d', 5000], ['e', 100_000]] as const) {
      await client.says(`set ${key} 0 0 ${bytes}\r\n${'x'.repeat(bytes)}\r\n`, 'STORED\r\n')
    }
    await client.hangUp()
    const { output } = await run('perl', [MEMCACHED_TOOL, `127.0.0.1:${port}`, 'display'])
    tables.push(output.replace(/ \d+s /g, ' 0s '))
  }
  t.equal(tables[1], tables[0])
  t.equal(tables[0]!.trim().split('\n').length, 5, 'a heading and four classes')
})

async function connectTo(port: number): Promise<{ client: Client, port: number }> {
  return { client: await Client.connect({ host: '127.0.0.1', port }), port }
}
root.test('memcached-tool dump and keys list what is there',
  { skip: existsSync(MEMCACHED_TOOL) ? false : 'memcached-tool is not installed' }, async t => {
  const server = await spawnServer(t)
  const client = await server.client()
  await client.says('set one 3 0 5\r\nvalue\r\nset a/b%c 0 0 2\r\nhi\r\n', 'STORED\r\nSTORED\r\n')
  await client.hangUp()
  const tool = (mode: string): Promise<Finished> => run('perl', [MEMCACHED_TOOL, server.address, mode])
  const { output } = await tool('dump')
  t.match(output, 'add one 3 0 5\r\nvalue\r\n')
  t.match(output, 'add a/b%c 0 0 2\r\nhi\r\n')
  t.match((await tool('keys')).output, /key=one exp=-1 .*\n/)
})

root.test('memcdump lists every key once', { skip: skipWithout('memcdump') }, async t => {
  const server = await spawnServer(t)
  const client = await server.client()
  const keys = Array.from({ length: 3000 }, (_, index) => `key-${index}-${'x'.repeat(index % 100)}`)
  await client.says(keys.map(key => `set ${key} 0 0 1\r\nv\r\n`).join(''), 'STORED\r\n'.repeat(keys.length))
  await client.hangUp()
  const { code, output } = await run('memcdump', ['-s', server.address])
  t.equal(code, 0)
  t.same(output.trim().split('\n').sort(), keys.sort())
})

async function fill(server: SpawnedServer): Promise<void> {
  const client = await server.client()
  await client.says('set key 0 0 5\r\nvalue\r\n', 'STORED\r\n')
  await client.hangUp()
}
