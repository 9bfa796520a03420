// A person at a terminal: every key arrives by itself, lines end in CR LF, and there are typing mistakes.

import t, { type Test } from 'tap'
import type { Client } from '../support/client.js'
import { spawnServer } from './server.js'
import { passwordOptions } from './users.js'

async function typed(t: Test, options: readonly string[] = []): Promise<(line: string, answer: string |
  RegExp) => Promise<void>> {
  const server = await spawnServer(t, options)
  const client = await server.client()
  t.teardown(() => client.hangUp())
  return async (line, answer) => {
    await type(client, line + '\r\n')
    await client.expect(answer, line)
    t.pass(line === '' ? 'an empty line' : line)
  }
}

/** One write a character, the next only when the kernel has taken the one before. */
async function type(client: Client, text: string): Promise<void> {
  for (const character of text) await client.send(character)
}

t.test('a first session, typed a key at a time', async t => {
  const type = await typed(t)
  await type('version', /^VERSION 1\.6\.\d+\r\n$/)
  await type('set greeting 0 0 5', '')
  await type('hello', 'STORED\r\n')
  await type('get greeting', 'VALUE greeting 0 5\r\nhello\r\nEND\r\n')
  await type('append greeting 0 0 7', '')
  await type(', world', 'STORED\r\n')
  await type('get greeting', 'VALUE greeting 0 12\r\nhello, world\r\nEND\r\n')
  await type('set visits 0 0 1', '')
  await type('9', 'STORED\r\n')
  await type('incr visits 3', '12\r\n')
  await type('get greeting visits', 'VALUE greeting 0 12\r\nhello, world\r\nVALUE visits 0 2\r\n12\r\nEND\r\n')
  await type('touch visits 100', 'TOUCHED\r\n')
  await type('delete greeting', 'DELETED\r\n')
  await type('delete greeting', 'NOT_FOUND\r\n')
  await type('stats', /^STAT pid \d+\r\n[^]*STAT curr_items 1\r\n[^]*END\r\n$/)
  await type('flush_all', 'OK\r\n')
  await type('get visits', 'END\r\n')
})

t.test('typing mistakes are answered and forgotten', async t => {
  const type = await typed(t)
  await type('hello', 'ERROR\r\n')
  await type('GET key', 'ERROR\r\n')
  await type('set key 0 0 3', '')
  await type('too long', 'CLIENT_ERROR bad data chunk\r\n' + 'ERROR\r\n')
  await type('get key', 'END\r\n')
})

t.test('meta commands', async t => {
  const type = await typed(t)
  await type('mn', 'MN\r\n')
  await type('mg greeting v', 'EN\r\n')
  await type('ms greeting 5 T0 F42', '')
  await type('hello', 'HD\r\n')
  await type('mg greeting f s t v', 'VA 5 f42 s5 t-1\r\nhello\r\n')
  await type('mg greeting k s Oabc', 'HD kgreeting s5 Oabc\r\n')
  await type('ms greeting 7 MA', '')
  await type(', world', 'HD\r\n')
  await type('get greeting', 'VALUE greeting 42 12\r\nhello, world\r\nEND\r\n')
  await type('ms greeting 1 ME', '')
  await type('x', 'NS\r\n')
  await type('ma visits N0 J9', 'HD\r\n')
  await type('ma visits D3 v', 'VA 2\r\n12\r\n')
  await type('ma visits MD D100 v', 'VA 1\r\n0\r\n')
  await type('ms a2V5IHdpdGggc3BhY2Vz 1 b', '')
  await type('v', 'HD\r\n')
  await type('mg a2V5IHdpdGggc3BhY2Vz b k v', 'VA 1 ka2V5IHdpdGggc3BhY2Vz b\r\nv\r\n')
  await type('md greeting I T30', 'HD\r\n')
  await type('mg greeting s v', 'VA 12 s12 X W\r\nhello, world\r\n')
  await type('md greeting q', '')
  await type('md greeting', 'NF\r\n')
  await type('me greeting', 'EN\r\n')
  await type('ms greeting five', 'CLIENT_ERROR bad command line format\r\n')
})

t.test('a server that asks for a name and a password', async t => {
  const type = await typed(t, passwordOptions(t))
  await type('get greeting', 'CLIENT_ERROR unauthenticated\r\n')
  await type('set login 0 0 10', '')
  await type('anna wrong', 'CLIENT_ERROR authentication failure\r\n')
  await type('set login 0 0 11', '')
  await type('anna secret', 'STORED\r\n')
  await type('get login', 'END\r\n')
  await type('mn', 'MN\r\n')
})

t.test('quit ends the session', async t => {
  const server = await spawnServer(t)
  const client = await server.client()
  await type(client, 'quit\r\n')
  await client.expectClosed()
  t.pass('the server closed the connection')
})
