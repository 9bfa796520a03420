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

t.test('an item is due for renewal when less of its life is left than R says', async t => {
  const { connect, clock } = await startSessions(t)
  const session = await connect()
  const says = async (request: string): Promise<string> => {
    await session.send(Buffer.from(`${request}\r\n`))
    return (await session.answer()).toString()
  }
  await says('set k 0 30 1\r\nv')
  t.equal(await says('mg k R30 t'), 'HD t30\r\n', 'as much is left')
  clock.advance(1)
  t.equal(await says('mg k R29 t'), 'HD t29\r\n')
  t.equal(await says('mg k R30 t'), 'HD t29 W\r\n', 'a second less')
  t.equal(await says('mg k R30 t'), 'HD t29 Z\r\n', 'and one client renews it')
  await says('set forever 0 0 1\r\nv')
  t.equal(await says('mg forever R30 t'), 'HD t-1\r\n', 'what has no end is never due')
})

t.test('md that is to leave a key without a value says so where there is no memory for that', async t => {
  const { connect } = await startSessions(t, { maxbytes: 2 * 1024 * 1024, evictions: false })
  const session = await connect()
  const says = async (request: string): Promise<string> => {
    await session.send(Buffer.from(`${request}\r\n`))
    return (await session.answer()).toString()
  }
  const value = 'v'.repeat(5000)
  await says(`set large 0 0 5000\r\n${value}`)
  // all of the class that items without a value are in
  for (let key = 0; key < 25_000; key++) await says(`set ${key} 0 0 1 noreply\r\nv`)
  t.equal(await says('set another 0 0 1\r\nv'), 'SERVER_ERROR out of memory storing object\r\n')
  t.equal(await says('md large x'), 'SERVER_ERROR out of memory\r\n')
  t.equal(await says('get large'), `VALUE large 0 5000\r\n${value}\r\nEND\r\n`)
})

t.test('ma that may begin a number says whether there was no memory for a new one or for one that has become longer', async t => {
  const { connect } = await startSessions(t, { maxbytes: 2 * 1024 * 1024, evictions: false })
  const session = await connect()
  const says = async (request: string): Promise<string> => {
    await session.send(Buffer.from(`${request}\r\n`))
    return (await session.answer()).toString()
  }
  await says('set n 0 0 1\r\n9')
  for (let key = 0; key < 25_000; key++) await says(`set ${key} 0 0 1 noreply\r\nv`)
  t.equal(await says('ma none N0 J5 v'), 'SERVER_ERROR Out of memory allocating new item\r\n')
  t.equal(await says('ma n N0 J5 v'), 'SERVER_ERROR out of memory\r\n')
  t.equal(await says('mg n v'), 'VA 1\r\n9\r\n')
})
