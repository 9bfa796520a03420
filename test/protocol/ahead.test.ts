// Requests that come together are answered as if each had come alone, though the keys of some are scanned before others are
// served.
import t, { type Test } from 'tap'
import { Prng } from '../support/prng.js'
import { startSessions, type BareSession } from '../support/session.js'

const BATCHES = 300
const REQUESTS_MAX = 40
const KEYS = ['a', 'b', 'key', 'k'.repeat(250), 'absent']
const TOO_LONG = 'k'.repeat(251)

type Client = (...requests: readonly string[]) => Promise<string>

/** A client of a server of its own. */
async function start(t: Test): Promise<Client> {
  const { connect } = await startSessions(t)
  const session = await connect()
  return async (...requests) => await sendTo(session, requests.join(''))
}

async function sendTo(session: BareSession, request: string): Promise<string> {
  await session.send(Buffer.from(request, 'latin1'))
  return (await session.answer()).toString('latin1')
}

/** A request with a key of any form; `value` is what a value may have in it. */
function requestOf(random: Prng): string {
  const key = () => KEYS[random.below(KEYS.length)]!
  const value = ['', '17', 'get a\r\nset b 0 0 1\r\n', 'v'.repeat(random.below(300))][random.below(4)]!
  const end = random.below(5) === 0 ? '\n' : '\r\n'
  const some = [
    () => `get ${key()}${end}`, () => `gets  ${key()}${end}`, () => `get ${key()} ${key()} ${key()}${end}`,
    () => `gat 0 ${key()}${end}`, () => `get${end}`, () => `get ${TOO_LONG}${end}`, () => `get ${key()} ${TOO_LONG} ${key()}${end}`,
    () => `set ${key()} 1 0 ${value.length}\r\n${value}\r\n`, () => `set ${key()} 0 0 ${value.length} noreply\r\n${value}\r\n`,
    () => `add ${key()} 0 0 ${value.length}\r\n${value}\r\n`, () => `set ${key()} 0 0 x${end}`,
    () => `incr ${key()} ${random.below(1e6)}${end}`, () => `decr ${key()} 1 noreply${end}`, () => `incr ${key()} 12345678901${end}`,
    () => `incr ${key()} x${end}`, () => `incr ${key()}${end}`, () => `delete ${key()}${end}`, () => `touch ${key()} 0${end}`,
    () => `mg ${key()} v k${end}`, () => `ms ${key()} ${value.length} T0\r\n${value}\r\n`, () => `ma ${key()}${end}`,
    () => `md ${TOO_LONG}${end}`, () => `mn${end}`, () => `version${end}`, () => `nonsense ${key()}${end}`,
  ]
  return some[random.below(some.length)]!()
}

t.test('requests that come together are answered as one by one', async t => {
  const [together, alone] = [await start(t), await start(t)]
  const random = new Prng(14)
  for (let batch = 0; batch < BATCHES; batch++) {
    const requests = Array.from({ length: random.below(REQUESTS_MAX) }, () => requestOf(random))
    let expected = ''
    for (const request of requests) expected += await alone(request)
    const answer = await together(...requests)
    if (answer !== expected) return t.equal(answer, expected, JSON.stringify(requests))
  }
  t.pass(`${BATCHES} batches`)
})

t.test('a line that is only the name of a command takes nothing from the line behind it', async t => {
  const says = await start(t)
  for (const name of ['set', 'add', 'replace', 'append', 'prepend', 'cas', 'incr', 'decr']) {
    for (const end of ['\r\n', '\n']) {
      const answer = await says('set a 0 0 1\r\n5\r\n', `${name}${end}`, 'a 0 0 1\r\n', `${name}${end}`, 'a 1\r\n', 'get a\r\n')
      const error = 'CLIENT_ERROR bad command line format\r\nERROR\r\n'
      t.equal(answer, `STORED\r\n${error.repeat(2)}VALUE a 0 1\r\n5\r\nEND\r\n`, JSON.stringify(name + end))
    }
  }
})

t.test('what was scanned ahead of a client that has to wait is nothing to the next client', async t => {
  const { connect } = await startSessions(t)
  const [slow, quick] = [await connect(), await connect()]
  // more than is lent to a client at once
  const large = 'v'.repeat(600 * 1024)
  await sendTo(quick, `set large 0 0 ${large.length}\r\n${large}\r\nset a 0 0 1\r\n1\r\nset b 0 0 1\r\n2\r\n`)
  slow.pause()
  await slow.send(Buffer.from('get large\r\nget a\r\nincr a 1\r\n'))
  // this key lies where that of the second get was
  const spaces = ' '.repeat('get large\r\n'.length + 1)
  t.equal(await sendTo(quick, `get${spaces}b\r\nincr b 1\r\n`), 'VALUE b 0 1\r\n2\r\nEND\r\n3\r\n')
  slow.resume()
  t.ok((await slow.answer()).toString('latin1').endsWith('\r\nEND\r\nVALUE a 0 1\r\n1\r\nEND\r\n2\r\n'))
})

t.test('the items of keys that come together are fetched together', async t => {
  const { connect, server: { host: { store } } } = await startSessions(t)
  const fetched: number[][] = []
  store.prefetch = (hashes, count) => { fetched.push([...hashes.subarray(0, count)]) }
  const hashOf = (key: string) => store.context.hash.of(Buffer.from(key), 0, key.length)
  const session = await connect()
  const gets = (keys: string) => [...keys].map(key => `get ${key}\r\n`).join('')
  for (const [requests, ...groups] of [
    ['get a\r\n'],
    [gets('ab'), 'ab'],
    [gets('abcdefghijklmnopqrst'), 'abcdefghijklmnop', 'pqrst'],
    ['get a b c\r\n', 'abc'],
    [`get a\r\nget b c\r\n${gets('de')}`, 'ab', 'bc', 'de'],
    [`get a\r\nset b 0 0 9\r\nget x\r\nxy\r\n${gets('c')}`, 'abc'],
    [`set a 1 2 3 noreply\r\nxyz\r\nset b 1 2 3\nxyz\r\n${gets('c')}`, 'abc'],
    [`ms a 4 T0\r\nabcd\r\nms b 2\r\nzz\r\nmg c v\r\nmd d\r\nma e\r\n${gets('f')}`, 'abcdef'],
    [`incr a 1\r\ndecr b 1\r\ndelete c\r\ntouch d 0\r\n${gets('e')}`, 'abcde'],
    [`get a\r\nadd b 0 0 1\r\n1\r\n${gets('cd')}`, 'ab', 'bcd'],
    [`get a\r\nset b x 0 1\r\n1\r\n${gets('cd')}`, 'ab', 'cd'],
    [`get a\r\nset b\n1 2 3\nxyz\r\n${gets('cd')}`, 'ab', 'cd'],
    [`get a\r\nversion\r\n${gets('bc')}`, 'bc'],
    [`get a\r\nget ${TOO_LONG}\r\n${gets('bc')}`, 'bc'],
  ] as const) {
    fetched.length = 0
    await sendTo(session, requests)
    t.same(fetched, groups.map(group => [...group].map(hashOf)), JSON.stringify(requests))
  }
})
