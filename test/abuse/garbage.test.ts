// Bytes that make no sense, and bytes that nearly make sense. The seed is printed; with it a run can be repeated.

import t, { type Test } from 'tap'
import { Prng } from '../support/prng.js'
import { spawnServer, type SpawnedServer } from '../clients/server.js'
import { ENGINE_MIB, endures, readStat, skipOffLinux } from './endures.js'
import { openSockets, write } from './sockets.js'

const WORDS = [
  'get', 'gets', 'gat', 'gats', 'set', 'add', 'replace', 'append', 'prepend', 'cas', 'delete', 'incr', 'decr', 'touch',
  'version', 'verbosity', 'stats', 'settings', 'items', 'slabs', 'sizes', 'reset', 'detail', 'on', 'dump', 'off', 'noreply',
  'a', 'b', 'key', 'k'.repeat(250), 'k'.repeat(251), '0', '1', '-1', '5', '100', '4294967295', '18446744073709551615',
  '2147483648', '1048576', '99999999999999999999', 'x', '\0', '\xff', '', ' ', '\t', 'mg', 'ms', 'me', 'mn', 'quit', 'shutdown',
    'misbehave'
]
const ENDS = ['\r\n', '\r\n', '\r\n', '\r\n', '\n', '\r', '', '\r\r\n', '\n\r']

const seed = Number(process.env['MEMSLAB_SEED'] ?? 20261122)

t.test('random bytes', { skip: skipOffLinux }, t => survive(t, randomText))
t.test('random words of the protocol, with line ends and data', { skip: skipOffLinux }, t => survive(t, randomWords))

async function survive(t: Test, text: (random: Prng) => string): Promise<void> {
  t.comment(`MEMSLAB_SEED=${seed}`)
  const random = new Prng(seed)
  const server = await spawnServer(t, ['-m', '64'])
  // Lines that wait for their end, ten at a time, and the values that happened to be stored.
  await endures(t, server, { growthMiB: ENGINE_MIB + 64 }, async () => {
    for (let round = 0; round < 60; round++) await oneRound(server, random, text)
  })
  const client = await server.client()
  t.ok(await readStat(client, 'curr_items') >= 0, 'statistics still answer')
  await client.says('set after 0 0 2\r\nok\r\n', 'STORED\r\n')
  await client.says('get after\r\n', 'VALUE after 0 2\r\nok\r\nEND\r\n')
  t.pass('what is stored afterwards can be read')
  await client.hangUp()
}

async function oneRound(server: SpawnedServer, random: Prng, text: (random: Prng) => string): Promise<void> {
  const sockets = await openSockets(server, 10)
  for (const socket of sockets) socket.resume()
  for (let turn = 0; turn < 20; turn++) {
    for (const socket of sockets) await write(socket, Buffer.from(text(random), 'latin1'))
  }
  for (const socket of sockets) socket.destroy()
}

function randomText(random: Prng): string {
  return String.fromCharCode(...Array.from({ length: random.between(1, 2000) }, () => random.below(256)))
}

function randomWords(random: Prng): string {
  let text = ''
  for (let lines = random.between(1, 20); lines > 0; lines--) {
    const words = Array.from({ length: random.between(1, 7) }, () => random.pick(WORDS))
    text += words.join(' ') + random.pick(ENDS)
    if (random.oneIn(3)) text += 'v'.repeat(random.pick([0, 1, 5, 100, 5000])) + random.pick(ENDS)
  }
  return text
}
