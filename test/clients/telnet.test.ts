// A person at a terminal: every key arrives by itself, lines end in CR LF, and there are typing mistakes.

import t, { type Test } from 'tap'
import type { Client } from '../support/client.js'
import { spawnServer } from './server.js'

async function typed(t: Test): Promise<(line: string, answer: string | RegExp) => Promise<void>> {
  const server = await spawnServer(t)
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

t.test('quit ends the session', async t => {
  const server = await spawnServer(t)
  const client = await server.client()
  await type(client, 'quit\r\n')
  await client.expectClosed()
  t.pass('the server closed the connection')
})
