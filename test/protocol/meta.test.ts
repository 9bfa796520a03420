// The meta commands, where answers do not show what they do to the memory around them. What they answer is in conversations.
import t from 'tap'
import { startSessions } from '../support/session.js'

/** The longest key, and the room for one that is decoded. */
const KEY_ROOM = 256

t.test('a key in base64 that is too long is not decoded', async t => {
  const { connect, server } = await startSessions(t)
  const { input } = server.host
  const behind = input.bytes.subarray(input.keyStart + KEY_ROOM, input.keyStart + KEY_ROOM + 1000)
  const session = await connect()
  // the key that was read last ends far behind the one that is too long
  await session.send(Buffer.from(`${'get a\r\n'.repeat(1000)}`))
  await session.answer()
  behind.fill(7)
  await session.send(Buffer.from(`ms ${'YWJj'.repeat(500)} 1 b\r\na\r\n`))
  t.equal((await session.answer()).toString(), 'CLIENT_ERROR bad command line format\r\n')
  t.ok(behind.subarray(100).every(byte => byte === 7), 'nothing but the answer was written')
})
