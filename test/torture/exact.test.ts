// What must be exact however many threads serve it: counts, what is appended, who is the one that wins, every byte of a
// value. This process and another ask for it, with several connections each. MEMSLAB_SEED chooses the requests,
// MEMSLAB_TORTURE_SECONDS how long each test is repeated, instead of done once.

import t from 'tap'
import type { Test } from 'tap'

import { Client } from '../support/client.js'
import { countedTo, Crew } from './crew.js'
import { startVictim } from './host.js'
import type { Game } from './task.js'
import { SECONDS, SEED } from './torture.js'
import { readPieces } from './values.js'

const OTHER_PROCESSES = 1
const CONNECTIONS = 6
const COUNTS = 400
const KEYS = 60
const PIECES = 40
const MIXED = 500
const MIB = 2 ** 20

/** Each game, and how its keys are made ready. */
const GAMES: readonly (readonly [Game, (key: string) => string])[] = [
  ['add', () => 'mn\r\n'],
  ['cas', key => `set ${key} 0 0 3\r\nold\r\n`],
  ['delete', key => `set ${key} 0 0 3\r\nold\r\n`],
  ['delete of a cas number', key => `set ${key} 0 0 3\r\nold\r\n`],
  ['begin a number', () => 'mn\r\n'],
  ['fill a miss', () => 'mn\r\n'],
  ['renew what is stale', key => `ms ${key} 3\r\nold\r\nmd ${key} I\r\n`],
]

t.comment(`MEMSLAB_SEED=${SEED}`)
const crew = await Crew.start(t, OTHER_PROCESSES, CONNECTIONS)

const victim = await startVictim(t)

/** Once or for some seconds. @param round gets a number that is part of the keys' names */
function test(title: string, round: (t: Test, number: number) => Promise<void>): void {
  t.test(title, async t => {
    const end = performance.now() + SECONDS * 1000
    let number = 0
    do {
      await round(t, number++)
    } while (performance.now() < end)
    t.comment(`${number} rounds`)
  })
}

test('a number is counted up by many', async (t, number) => {
  const client = await Client.connect({ host: '127.0.0.1', port: victim.port })
  const total = COUNTS * crew.connectionCount
  for (const isQuiet of [false, true]) {
    const key = `number${number}${isQuiet ? 'q' : ''}`
    await client.says(`set ${key} 0 0 1\r\n0\r\n`, 'STORED\r\n')
    const { sum, digests } = await crew.perform(victim.port, SEED + number, { does: 'count', key, times: COUNTS, isQuiet })
    if (!isQuiet) t.same({ sum, digests }, countedTo(total), 'each number was told once')
    await client.says(`get ${key}\r\n`, `VALUE ${key} 0 ${String(total).length}\r\n${total}\r\nEND\r\n`)
  }
  await client.hangUp()
})

test('a value is appended to by many', async (t, number) => {
  const client = await Client.connect({ host: '127.0.0.1', port: victim.port })
  const key = `pieces${number}`
  await client.says(`set ${key} 0 0 0\r\n\r\n`, 'STORED\r\n')
  await crew.perform(victim.port, SEED + number, { does: 'append', key, times: PIECES })
  const answer = await client.says(`get ${key}\r\n`, /^VALUE [^]*\r\nEND\r\n$/)
  const pieces = readPieces(key, answer.subarray(answer.indexOf('\n') + 1, answer.length - '\r\nEND\r\n'.length))
  for (let writer = 0; writer < crew.connectionCount; writer++) {
    const own = pieces.filter(piece => piece.writer === writer).map(({ id }) => id)
    t.same(own, Array.from({ length: PIECES }, (_, index) => index), `all pieces of client ${writer} are there, in order`)
  }
  await client.hangUp()
})

for (const [game, prepare] of GAMES) {
  test(`one of many wins: ${game}`, async (t, number) => {
    const client = await Client.connect({ host: '127.0.0.1', port: victim.port })
    const keys = Array.from({ length: KEYS }, (_, index) => `${game.replaceAll(' ', '-')}${number}-${index}`)
    const tokens: string[] = []
    for (const key of keys) {
      await client.says(prepare(key), /^(STORED|MN|HD\r\nHD)\r\n$/)
      const answer = await client.says(`gets ${key}\r\n`, /^(VALUE .*\r\nold\r\n)?END\r\n$/)
      tokens.push(/^VALUE \S+ 0 3 (\d+)/.exec(answer.toString('latin1'))?.[1] ?? '')
    }
    const { wins } = await crew.perform(victim.port, SEED + number, { does: 'win', game, keys, tokens })
    t.same(wins, keys.map(() => 1), 'each key was won once')
    await client.hangUp()
  })
}

t.test('a store that has been asked for all this is whole', () => victim.verify())

t.test('values are whole while they are replaced, moved and evicted', async t => {
  const small = await startVictim(t, { maxbytes: 2 * MIB })
  const keys = Array.from({ length: 1000 }, (_, index) => `mixed${index}`)
  const end = performance.now() + SECONDS * 1000
  let reads = 0
  do {
    for (const bytesMax of [2000, 40_000]) {
      reads += (await crew.perform(small.port, SEED + reads, { does: 'mix', keys, times: MIXED, bytesMax })).reads
    }
  } while (performance.now() < end)
  t.ok(reads > 0, `${reads} values were read`)
  t.ok(await small.stat('evictions') > 0, 'items were evicted')
  await small.verify()
})
