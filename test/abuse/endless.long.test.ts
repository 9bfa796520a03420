// Requests that never end, and requests that take their time.

import t from 'tap'
import { isForeign, spawnServer } from '../clients/server.js'
import { ENGINE_MIB, endures, memoryMiB, readStat, skipOffLinux } from './endures.js'
import { openSocket, pour, reset } from './sockets.js'

const HUNDRED_MB = 100_000_000

// A line is copied aside until it is whole; a buffer that grows is for a moment there twice.
const LINE_MIB = 1
// A get or gets may be as long as this, and all of them together.
const LONG_LINE_MIB = 64

const floods = [
  { what: 'a letter', chunk: 'x'.repeat(65_536) },
  { what: 'NUL bytes', chunk: '\0'.repeat(65_536) },
  { what: 'spaces', chunk: ' '.repeat(65_536) },
  { what: 'carriage returns', chunk: '\r'.repeat(65_536) }
]

for (const { what, chunk } of floods) {
  t.test(`100 MB without a line end: ${what}`, { skip: skipOffLinux }, async t => {
    const server = await spawnServer(t)
    await endures(t, server, { growthMiB: ENGINE_MIB + LINE_MIB }, async () => {
      const socket = await openSocket(server)
      await pour(socket, Buffer.from(chunk), HUNDRED_MB)
      t.ok(socket.destroyed, 'the server closed the connection')
    })
  })
}

for (const [command, lineMiB] of [['get', LONG_LINE_MIB], ['gets', LONG_LINE_MIB], ['gat 0', LINE_MIB]] as const) {
  t.test(`100 MB of keys for one ${command}`, { skip: skipOffLinux }, async t => {
    const server = await spawnServer(t)
    await endures(t, server, { growthMiB: ENGINE_MIB + lineMiB }, async () => {
      const socket = await openSocket(server)
      socket.write(command)
      await pour(socket, Buffer.from(' some-key'.repeat(7000)), HUNDRED_MB)
      t.ok(socket.destroyed, 'the server closed the connection')
      reset(socket)
    })
  })
}

t.test('a value announced as 2 GB', { skip: skipOffLinux }, async t => {
  const server = await spawnServer(t)
  // It is thrown away as it comes.
  await endures(t, server, { growthMiB: ENGINE_MIB }, async () => {
    const socket = await openSocket(server)
    socket.write('set huge 0 0 2000000000\r\n')
    await pour(socket, Buffer.alloc(65_536, 'h'), HUNDRED_MB)
    t.notOk(socket.destroyed, 'the server goes on taking it')
    reset(socket)
  })
})

t.test('empty lines without end', { skip: skipOffLinux }, async t => {
  const server = await spawnServer(t)
  // Every line of two bytes is answered with 45, and nobody reads.
  await endures(t, server, { growthMiB: ENGINE_MIB + LINE_MIB }, async () => {
    const socket = await openSocket(server)
    for (let kib = 0; kib < 4096 && socket.writableLength < 65_536; kib++) {
      socket.write('\r\n'.repeat(512))
      await new Promise(resolve => setImmediate(resolve))
    }
    reset(socket)
  })
})

t.test('a line of keys that comes byte by byte, from many clients', { skip: skipOffLinux }, async t => {
  const server = await spawnServer(t)
  // What is kept of each is little more than what came.
  await endures(t, server, { growthMiB: ENGINE_MIB + 100 * 80 / 1024 + LINE_MIB }, async () => {
    const sockets = await Promise.all(Array.from({ length: 100 }, () => openSocket(server)))
    for (const socket of sockets) socket.write('get' + ' some-key'.repeat(7500))
    for (let round = 0; round < 200; round++) {
      for (const socket of sockets) socket.write('k')
      await new Promise(resolve => setImmediate(resolve))
    }
    for (const socket of sockets) reset(socket)
  })
})

t.test('a client that sends one byte at a time', { skip: skipOffLinux }, async t => {
  const server = await spawnServer(t)
  const conversation = 'set key 5 0 2000\r\n' + 'v'.repeat(2000) + '\r\nget ' + 'missing '.repeat(300) + 'key\r\ndelete key\r\n'
  await endures(t, server, { growthMiB: ENGINE_MIB }, async () => {
    const client = await server.client()
    for (const character of conversation) await client.send(character)
    await client.expect('STORED\r\nVALUE key 5 2000\r\n' + 'v'.repeat(2000) + '\r\nEND\r\nDELETED\r\n')
    t.pass('every answer is right')
    await client.hangUp()
  })
})

t.test('many gets that never end take no more than one, and give it back',
  { skip: skipOffLinux || isForeign && 'it has another bound' }, async t => {
  const server = await spawnServer(t)
  let before = 0
  await endures(t, server, { growthMiB: ENGINE_MIB + LONG_LINE_MIB }, async () => {
    before = await memoryMiB(server.pid, 'VmRSS')
    const sockets = await Promise.all(Array.from({ length: 40 }, () => openSocket(server)))
    for (const socket of sockets) socket.write('get')
    await Promise.all(sockets.map(async socket => await pour(socket, Buffer.from(' some-key'.repeat(7000)), HUNDRED_MB / 20)))
    const client = await server.client()
    const lost = await readStat(client, 'read_buf_oom')
    await client.hangUp()
    t.ok(lost > 0 && lost < sockets.length, `some have lost their connection (${lost})`)
    for (const socket of sockets) reset(socket)
  })
  const kept = await memoryMiB(server.pid, 'VmRSS') - before
  t.ok(kept < LONG_LINE_MIB / 2, `what they took has gone back (${kept.toFixed(1)} MiB more than before)`)
})
