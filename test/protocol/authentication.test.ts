// The door before the text protocol. What memcached answered there is in options.auth.wire; here are its bounds, and
// requests that arrive in pieces.
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { Counter } from '../../src/stats/counters.js'
import { startSessions, type BareSession, type SessionHost } from '../support/session.js'

const UNAUTHENTICATED = 'CLIENT_ERROR unauthenticated\r\n'
const FAILURE = 'CLIENT_ERROR authentication failure\r\n'
const BAD_FORMAT = 'CLIENT_ERROR bad authentication token format\r\n'
const TOO_LONG = 'CLIENT_ERROR auth token too long\r\n'
const BAD_END = 'CLIENT_ERROR bad command line termination\r\n'
const ANNA = 'set auth 0 0 11\r\nanna secret\r\n'
/** Name, password and line end together. */
const TOKEN_BYTES_MAX = 16 * 1024

function start(t: Test): Promise<SessionHost> {
  const folder = t.testdir({ users: 'anna:secret\nbob:two words\n' })
  return startSessions(t, { authFile: join(folder, 'users'), protocol: 'ascii' })
}

async function said(session: BareSession, text: string): Promise<string> {
  await session.send(Buffer.from(text, 'latin1'))
  const answer = (await session.answer()).toString('latin1')
  return await session.closed() ? `${answer}closed` : answer
}

t.test('whatever arrives in two pieces is answered as in one', async t => {
  const { connect } = await start(t)
  const steps = [
    ['get k\r\n', UNAUTHENTICATED], ['set x 0 0 3\r\na b\r\n', FAILURE], ['set x 0 0 2\r\nab\r\n', BAD_FORMAT],
      ['set x 0 0 3\r\na bXX', BAD_END],
    [ANNA, 'STORED\r\n'], ['get k\r\n', 'END\r\n'], ['set k 0 0 1\r\nv\r\n', 'STORED\r\n'],
    ['get k\r\nflush_all\r\nquit\r\n', 'VALUE k 0 1\r\nv\r\nEND\r\nOK\r\nclosed'],
  ] as const
  for (const [index, [text, answer]] of steps.entries()) {
    for (let cut = 0; cut < text.length; cut++) {
      const session = await connect()
      for (const [before] of steps.slice(0, index)) await said(session, before)
      const whole = await said(session, text.slice(0, cut)) + await said(session, text.slice(cut))
      if (whole !== answer) t.equal(whole, answer, `${JSON.stringify(text)} cut at ${cut}`)
      await said(session, 'flush_all\r\n')
    }
  }
})

t.test('what one read brings is answered in one place, the last of it', async t => {
  const { connect } = await start(t)
  t.equal(await said(await connect(), 'get k\r\nset x 0 0 3\r\na b\r\n'), FAILURE)
  t.equal(await said(await connect(), `get k\r\nget k\r\n${ANNA}get k\r\nget k\r\n`), 'STORED\r\nEND\r\nEND\r\n')
  t.equal(await said(await connect(), 'get k\r\nset x 0 0 3\r\n'), UNAUTHENTICATED, 'what waits for its data has no answer yet')
  t.equal(await said(await connect(), `get k\r\nset x 0 0 ${TOKEN_BYTES_MAX}\r\n`), `${TOO_LONG}closed`)
  t.equal(await said(await connect(), 'get k\r\nquit\r\n'), 'closed')
})

t.test('lines too short to be anything end the conversation', async t => {
  const { connect } = await start(t)
  for (const line of ['\n', '\r\n', 'mn\r\n', 'quit\r\n', 'quits\n', 'set a']) {
    t.equal(await said(await connect(), line), line.endsWith('\n') ? 'closed' : '', JSON.stringify(line))
  }
  t.equal(await said(await connect(), 'stats\r\n'), UNAUTHENTICATED)
})

t.test('a line has 2048 bytes to end', async t => {
  const { connect } = await start(t)
  const session = await connect()
  t.equal(await said(session, 'a'.repeat(2048)), '')
  t.equal(await said(session, '\r\n'), UNAUTHENTICATED)
  t.equal(await said(session, 'a'.repeat(2048)), '')
  t.equal(await said(session, 'a'), 'closed')
  t.equal(await said(await connect(), 'a'.repeat(5000) + '\n'), UNAUTHENTICATED, 'one that has its end may be longer')
  t.equal(await said(await connect(), `set ${'k'.repeat(5000)} 0 0 11\r\nanna secret\r\n`), 'STORED\r\n', 'so may its key')
})

t.test('name and password have a bound', async t => {
  const { connect } = await start(t)
  const most = TOKEN_BYTES_MAX - 2
  t.equal(await said(await connect(), `set auth 0 0 ${most}\r\nanna ${'x'.repeat(most - 5)}\r\n`), FAILURE)
  t.equal(await said(await connect(), `set auth 0 0 ${most + 1}\r\n`), `${TOO_LONG}closed`)
  t.equal(await said(await connect(), 'set auth 0 0 4294967295\r\n'), `${TOO_LONG}closed`)
})

t.test('only a set with a length is a set', async t => {
  const { connect } = await start(t)
  const session = await connect()
  for (const line of ['set auth 0 0 -1', 'set auth 0 0 +1', 'set auth 0 0 1x', 'set auth 0 0 ', 'set auth 0 1',
    'set auth 0 0 123456789012', 'set auth 0 0 4294967296', ' set auth 0 0 1',
    'SET auth 0 0 1', 'add auth 0 0 1', 'cas auth 0 0 1 1', 'ms auth 1', 'version', 'stats', 'flush_all', 'shutdown']) {
    t.equal(await said(session, `${line}\r\n`), UNAUTHENTICATED, line)
  }
  for (const line of ['set auth 0 0 11 noreply', 'set auth x y 11', 'set   auth  0  0   11   ', 'set auth 0 0 00000000011']) {
    t.equal(await said(await connect(), `${line}\r\nanna secret\r\n`), 'STORED\r\n', line)
    t.equal(await said(await connect(), `${line}\nanna secret\r\n`), 'STORED\r\n', `${line}, without a carriage return`)
  }
})

t.test('the name ends at the first space, and all the rest is the password', async t => {
  const { connect } = await start(t)
  const login = async (token: string): Promise<string> => said(await connect(), `set auth 0 0 ${token.length}\r\n${token}\r\n`)
  t.equal(await login('bob two words'), 'STORED\r\n')
  t.equal(await login('bob two'), FAILURE)
  t.equal(await login('anna  secret'), FAILURE)
  t.equal(await login(' anna secret'), FAILURE)
  t.equal(await login('anna secret '), FAILURE)
  t.equal(await login('anna:secret'), BAD_FORMAT)
  t.equal(await login(''), BAD_FORMAT)
})

t.test('a failure may be tried again, and a success is for one connection only', async t => {
  const { connect, server } = await start(t)
  const [anna, other] = [await connect(), await connect()]
  t.equal(await said(anna, 'set auth 0 0 10\r\nanna wrong\r\n'), FAILURE)
  t.equal(await said(anna, ANNA), 'STORED\r\n')
  t.equal(await said(anna, ANNA), 'STORED\r\n', 'the next set is one')
  t.equal(await said(anna, 'get auth\r\n'), 'VALUE auth 0 11\r\nanna secret\r\nEND\r\n')
  t.equal(await said(other, 'get auth\r\n'), UNAUTHENTICATED)
  t.same([server.store.counters.sum(Counter.AuthCmds), server.store.counters.sum(Counter.AuthErrors)], [2, 1])
})
