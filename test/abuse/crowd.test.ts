// Very many connections, and more than are allowed.

import { execFileSync } from 'node:child_process'
import type { Socket } from 'node:net'
import t from 'tap'
import type { Client } from '../support/client.js'
import { isForeign, spawnServer, type SpawnedServer } from '../clients/server.js'
import { until } from '../support/patience.js'
import { ENGINE_MIB, endures, memoryMiB, readStat, skipOffLinux } from './endures.js'
import { openSockets } from './sockets.js'

const CROWD = 10_000
const OPEN_FILES = 12_100

// Node's handle of a socket and memslab's link, connection and session are 1 KiB in seven objects. An idle connection has no
// buffer. While thousands of them are made, the young objects among them take twice their place. A stream takes more.
const CONNECTION_KIB = process.env['MEMSLAB_STREAMS'] === '1' ? 10 : 4

// memcached counts more than connections against -c: files, and some for each thread.
const LIMIT = isForeign ? 50 : 10

t.test('10,000 connections', { skip: skipOffLinux || skipWithFewFiles() }, async t => {
  const server = await spawnServer(t, ['-c', '12000'], { openFiles: OPEN_FILES })
  const client = await server.client()
  await client.says('set key 0 0 5\r\nvalue\r\n', 'STORED\r\n')
  await endures(t, server, { growthMiB: ENGINE_MIB + CROWD * CONNECTION_KIB / 1024 }, async () => {
    const before = await memoryMiB(server.pid, 'VmRSS')
    const sockets = await openSockets(server, CROWD)
    await until('all are accepted', async () => await readStat(client, 'curr_connections') >= CROWD)
    const idleKiB = (await memoryMiB(server.pid, 'VmRSS') - before) * 1024 / CROWD
    if (!isForeign) {
      t.ok(idleKiB <= CONNECTION_KIB, `an idle connection costs no more than ${CONNECTION_KIB} KiB (${idleKiB.toFixed(1)})`)
    }
    const answers = await Promise.all(sockets.map(ask))
    t.equal(answers.filter(answer => answer === 'VALUE key 0 5\r\nvalue\r\nEND\r\n').length, CROWD, 'every one gets its answer')
    for (const socket of sockets) socket.destroy()
  })
  await client.hangUp()
})

t.test('connections beyond -c are told so and closed', async t => {
  const server = await spawnServer(t, ['-c', String(LIMIT)])
  const clients = await Promise.all(Array.from({ length: LIMIT + 5 }, () => server.client()))
  const { served, refused } = await sort(clients)
  if (!isForeign) t.equal(served.length, LIMIT, `${LIMIT} connections are served`)
  for (const client of refused) await client.expectClosed()
  t.equal(refused.length, clients.length - served.length, 'all others get the error and are closed')
  const [first, second] = served
  t.equal(await readStat(first!, 'rejected_connections'), refused.length, 'they are counted')

  await second!.hangUp()
  await until('there is room again', async () => await isServed(server))
  t.pass('when one leaves, another is served')
  for (const client of served) await client.hangUp()
})

t.test('with no_maxconns_fast, connections beyond -c wait until another leaves', async t => {
  const server = await spawnServer(t, ['-c', String(LIMIT), '-o', 'no_maxconns_fast'])
  const observer = await server.client()
  const askers = Array.from({ length: LIMIT + 4 }, () => new Asker(server.socket()))
  t.teardown(() => { for (const asker of askers) asker.socket.destroy() })
  const waiting = (): number => askers.filter(asker => !asker.isAnswered).length

  await until('the server stops accepting', async () => await readStat(observer, 'accepting_conns') === 0)
  t.ok(await readStat(observer, 'listen_disabled_num') > 0, 'the server stopped accepting')
  if (!isForeign) await until('all but five are served', () => waiting() === 5)
  const tooMany = waiting()
  t.ok(askers.every(asker => !asker.socket.destroyed), 'nobody is sent away')
  askers.find(asker => asker.isAnswered)!.socket.destroy()
  await until('one that waited is served', () => waiting() === tooMany - 1)
  t.pass('when one leaves, another is served')
  await observer.hangUp()
})

/** A client that asks for the version at once, whether it is accepted yet or not. */
class Asker {
  isAnswered = false

  constructor(readonly socket: Socket) {
    socket.on('error', () => {})
    socket.once('data', () => { this.isAnswered = true })
    socket.write('version\r\n')
  }
}

/** Which clients get an answer, and which the error. Whoever is refused learns it without having asked. */
async function sort(clients: readonly Client[]): Promise<{ served: Client[], refused: Client[] }> {
  const served: Client[] = []
  const refused: Client[] = []
  for (const client of clients) {
    await client.send('version\r\n')
    const answer = await client.expect(/^(VERSION .*|ERROR Too many open connections)\r\n$/)
    if (answer.toString('latin1').startsWith('VERSION')) served.push(client)
    else refused.push(client)
  }
  return { served, refused }
}

async function isServed(server: SpawnedServer): Promise<boolean> {
  const { served } = await sort([await server.client()])
  for (const client of served) await client.hangUp()
  return served.length === 1
}

function ask(socket: Socket): Promise<string> {
  return new Promise(resolve => {
    let answer = ''
    socket.setEncoding('latin1').on('data', (text: string) => {
      answer += text
      if (answer.endsWith('END\r\n')) resolve(answer)
    })
    socket.once('close', () => resolve(answer))
    socket.write('get key\r\n')
  })
}

/** This process needs as many files as the server. Node raises its own soft limit to the hard one. */
function skipWithFewFiles(): string | false {
  const hard = execFileSync('bash', ['-c', 'ulimit -Hn'], { encoding: 'utf8' }).trim()
  return hard === 'unlimited' || Number(hard) >= OPEN_FILES ? false
    : `the hard limit of open files is ${hard}, less than ${OPEN_FILES}`
}
