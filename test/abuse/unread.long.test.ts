// Clients that ask for much more than they read. What is rendered for them and not taken by the kernel must not grow:
// the server stops answering such a client, in the middle of a batch or of one command, until it reads again.

import type { Socket } from 'node:net'
import t, { type Test } from 'tap'
import { spawnServer, type SpawnedServer } from '../clients/server.js'
import { until } from '../support/patience.js'
import { Prng } from '../support/prng.js'
import { ENGINE_MIB, endures, readStat, skipOffLinux } from './endures.js'
import { openSocket, openSockets, pour, reset } from './sockets.js'

const VALUE = new Prng(1).bytes(1_000_000)
const ANSWER = Buffer.concat([Buffer.from('VALUE big 0 1000000\r\n'), VALUE, Buffer.from('\r\nEND\r\n')])

async function serverWithBigValue(t: Test): Promise<SpawnedServer> {
  const server = await spawnServer(t)
  const client = await server.client()
  await client.says(Buffer.concat([Buffer.from('set big 0 0 1000000\r\n'), VALUE, Buffer.from('\r\n')]), 'STORED\r\n')
  await client.hangUp()
  return server
}

/** Resolves when the server has done all it will for clients that do not read: it finds nothing for them any more. */
async function standstill(server: SpawnedServer): Promise<void> {
  const observer = await server.client()
  let hits = 0
  let looks = 0
  await until('the server stops answering a client that does not read', async () => {
    const hitsNow = await readStat(observer, 'get_hits')
    looks = hitsNow > 0 && hitsNow === hits ? looks + 1 : 0
    hits = hitsNow
    return looks === 10
  })
  await observer.hangUp()
}

// What waits for a client is a buffer of 64 KiB of rendered replies, the requests it had sent with the one that is stuck,
// and the stream around them. Values are not copied.
const WAITING_MIB = 0.25

t.test('a client that asks for a gigabyte and never reads', { skip: skipOffLinux }, async t => {
  const server = await serverWithBigValue(t)
  await endures(t, server, { growthMiB: ENGINE_MIB + WAITING_MIB }, async () => {
    const socket = await openSocket(server)
    socket.write('get big\r\n'.repeat(1100))
    await standstill(server)
    reset(socket)
  })
})

t.test('a client that asks for a gigabyte with one command and never reads', { skip: skipOffLinux }, async t => {
  const server = await serverWithBigValue(t)
  await endures(t, server, { growthMiB: ENGINE_MIB + WAITING_MIB }, async () => {
    const socket = await openSocket(server)
    socket.write('get' + ' big'.repeat(1100) + '\r\n')
    await standstill(server)
    reset(socket)
  })
})

t.test('a hundred clients that ask for a gigabyte each and never read', { skip: skipOffLinux }, async t => {
  const server = await serverWithBigValue(t)
  await endures(t, server, { growthMiB: ENGINE_MIB + 100 * WAITING_MIB }, async () => {
    const sockets = await openSockets(server, 100)
    for (const socket of sockets) socket.write('get big\r\n'.repeat(1100))
    await standstill(server)
    for (const socket of sockets) reset(socket)
  })
})

t.test('a client that asks for statistics without end and never reads', { skip: skipOffLinux }, async t => {
  const server = await serverWithBigValue(t)
  await endures(t, server, { growthMiB: ENGINE_MIB + WAITING_MIB }, async () => {
    const socket = await openSocket(server)
    socket.write('stats\r\nstats settings\r\nget big\r\n'.repeat(50_000))
    await standstill(server)
    reset(socket)
  })
})

t.test('a client that asks for small values without end and never reads', { skip: skipOffLinux }, async t => {
  const server = await serverWithBigValue(t)
  const client = await server.client()
  await client.says('set small 0 0 100\r\n' + 'v'.repeat(100) + '\r\n', 'STORED\r\n')
  await client.hangUp()
  await endures(t, server, { growthMiB: ENGINE_MIB + WAITING_MIB }, async () => {
    const socket = await openSocket(server)
    void pour(socket, Buffer.from('get small\r\n'.repeat(6000)), 100_000_000)
    await standstill(server)
    t.ok(socket.writableLength > 0, 'the server reads no more requests')
    reset(socket)
  })
})

t.test('a client that reads late gets everything, in order', { skip: skipOffLinux }, async t => {
  const server = await serverWithBigValue(t)
  await endures(t, server, { growthMiB: ENGINE_MIB + WAITING_MIB }, async () => {
    const socket = await openSocket(server)
    socket.write('get big\r\n'.repeat(100))
    await standstill(server)
    await receives(t, socket, 100)
    socket.destroy()
  })
})

t.test('a client that asks and ends its side gets everything before the server ends too', { skip: skipOffLinux }, async t => {
  const server = await serverWithBigValue(t)
  await endures(t, server, { growthMiB: ENGINE_MIB + WAITING_MIB }, async () => {
    const socket = await openSocket(server)
    socket.end('get big\r\n'.repeat(30))
    await standstill(server)
    await receives(t, socket, 30)
    await until('the server ends the connection', () => socket.destroyed)
  })
})

/** Reads so many answers and checks every byte of them. */
async function receives(t: Test, socket: Socket, answers: number): Promise<void> {
  let received = 0
  let areRight = true
  await new Promise<void>(resolve => {
    socket.once('close', resolve)
    socket.on('data', (chunk: Buffer) => {
      areRight &&= isPartOfAnswers(chunk, received)
      received += chunk.length
      if (received >= answers * ANSWER.length) resolve()
    })
  })
  t.equal(received, answers * ANSWER.length, 'every answer came')
  t.ok(areRight, 'and every byte is right')
}

/** True when a chunk is what stands at this place in a row of answers. */
function isPartOfAnswers(chunk: Buffer, at: number): boolean {
  for (let done = 0; done < chunk.length;) {
    const from = (at + done) % ANSWER.length
    const length = Math.min(chunk.length - done, ANSWER.length - from)
    if (chunk.compare(ANSWER, from, from + length, done, done + length) !== 0) return false
    done += length
  }
  return true
}
