// What a start opens before the server is loaded: whoever comes then waits, and is answered once there is one.
import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { prepare } from '../dist/process/prepare.js'
import { ServerCore } from '../dist/server/core.js'
import { completeOptions, type Options } from '../src/options/options.js'
import { Client } from './support/client.js'
import { until } from './support/patience.js'

const VERSION = 'VERSION 1.6.45\r\n'

function folder(t: Test): string {
  const path = mkdtempSync(join(tmpdir(), 'memslab-'))
  t.teardown(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = new ServerCore({ port: -1, listen: ['127.0.0.1'] })
  await server.listen()
  const { port } = server
  await server.close()
  return port
}

async function begin(given: Partial<Options>) {
  const [made] = await prepare(completeOptions(given), () => {})
  return made!
}

async function connects(to: { port: number, host: string } | { path: string }): Promise<boolean> {
  return await new Promise(resolve => {
    const socket = connect(to).on('connect', () => {
      socket.destroy()
      resolve(true)
    }).on('error', () => resolve(false))
  })
}

for (const threads of [1, 3]) {
  t.test(`TCP listens before there is a server, with ${threads} threads`, async t => {
    const to = { host: '127.0.0.1', port: await freePort() }
    const { options, ...made } = await begin({ port: to.port, listen: [to.host], threads })
    await until('somebody listens', () => connects(to))
    const early = await Client.connect(to)
    void early.send('version\r\n')
    const opened: number[] = []
    const server = new ServerCore(options, {}, { ...made, opened: () => opened.push(server.addresses.length) })
    t.teardown(() => server.close())
    await server.listen()
    await early.expect(VERSION)
    t.same(opened, [1], 'the files that tell of it are written when it can be asked where it listens')
    await (await Client.connect(to)).says('version\r\n', VERSION)
  })

  t.test(`a Unix socket has no name before there is a server, with ${threads} threads`, async t => {
    const to = { path: join(folder(t), 'socket') }
    const { options, ...made } = await begin({ socketPath: to.path, threads })
    t.notOk(await connects(to))
    let couldConnect: Promise<boolean> | undefined
    const server = new ServerCore(options, {}, { ...made, opened: () => { couldConnect = connects(to) } })
    t.teardown(() => server.close())
    await server.listen()
    t.equal(await couldConnect, true)
    await (await Client.connect(to)).says('version\r\n', VERSION)
  })

  t.test(`what cannot be opened is told, and nothing is left open, with ${threads} threads`, async t => {
    const other = new ServerCore({ port: -1, listen: ['127.0.0.1'] })
    t.teardown(() => other.close())
    await other.listen()
    const free = await freePort()
    const start = async (): Promise<void> => {
      const { options, ...made } = await begin({ port: free, listen: ['127.0.0.1', `127.0.0.1:${other.port}`], threads })
      await new ServerCore(options, {}, made).listen()
    }
    await t.rejects(start(),
      { code: 'EADDRINUSE', message: `failed to listen on TCP port ${other.port} of 127.0.0.1: Address already in use` })
    t.notOk(await connects({ host: '127.0.0.1', port: free }))
  })
}

t.test('a crowd that comes before there is a server is served', async t => {
  const to = { host: '127.0.0.1', port: await freePort() }
  const { options, ...made } = await begin({ port: to.port, listen: [to.host], threads: 3 })
  await until('somebody listens', () => connects(to))
  const clients = await Promise.all(Array.from({ length: 30 }, () => Client.connect(to)))
  for (const client of clients) void client.send('version\r\n')
  const server = new ServerCore(options, {}, made)
  t.teardown(() => server.close())
  await server.listen()
  for (const client of clients) await client.expect(VERSION)
  const counts = new Int32Array(made.first!.balance).subarray(1, 4)
  // who only looked whether somebody listens has been taken in as well, and is gone when that has been noticed
  await until('all 30 are served, and nobody else', () => counts.reduce((sum, count) => sum + count) === 30)
  t.ok(counts[0]! > 0, `the first thread has not left them waiting: ${counts.join(', ')}`)
})
