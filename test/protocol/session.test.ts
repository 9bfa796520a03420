// What a session is doing, as its connection and the log see it, and that it alone decides so.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type Held } from '../../src/protocol/output.js'
import { type Peer } from '../../src/protocol/peer.js'
import { Protocols } from '../../src/protocol/protocols.js'
import { Session } from '../../src/protocol/session.js'
import { STATE_NAMES } from '../../src/protocol/work/state.js'
import { inProject } from '../support/places.js'
import { startSessions } from '../support/session.js'

/** The other end of a session that takes what it is given, or as much as fits. */
class Client implements Peer {
  readonly lentBytesMax = 512 * 1024
  readonly id = 9
  readonly address = 'test'
  clientNumber = 0
  readonly isLasting = true
  readonly held: Held[] = []
  text = ''
  isSlow = false

  write(bytes: Uint8Array): boolean {
    this.text += Buffer.from(bytes).toString('latin1')
    return !this.isSlow
  }

  writeMany(parts: readonly Uint8Array[]): boolean {
    for (const part of parts) this.write(part)
    return !this.isSlow
  }

  hold(held: Held): void { this.held.push(held) }
  pause(): void {}
  yield(): void {}
  end(): void {}
  drop(): void {}
}

async function begin(t: Test): Promise<{
  client: Client, session: Session, send: (text: string) => string, takeAll: () => string,
}> {
  const { server: { host } } = await startSessions(t)
  const client = new Client()
  const session = new Session(host, new Protocols(host).for('auto'), client)
  const stateName = () => STATE_NAMES[session.state]
  const send = (text: string) => {
    host.input.bytes.set(Buffer.from(text, 'latin1'), host.input.batchStart)
    session.receive(text.length)
    return stateName()
  }
  const takeAll = () => {
    client.isSlow = false
    for (const held of client.held.splice(0)) held.settle()
    session.resume()
    return stateName()
  }
  t.teardown(() => {
    for (const held of client.held.splice(0)) held.settle()
    session.close()
  })
  return { client, session, send, takeAll }
}

t.test('a value that comes in parts, or is refused', async t => {
  const { client, session, send } = await begin(t)
  t.equal(STATE_NAMES[session.state], 'conn_read')
  t.equal(send('set k 0 0 5\r\nab'), 'conn_nread')
  t.notOk(session.isIdle, 'it would be lost')
  t.equal(send('cde\r\n'), 'conn_read')
  t.equal(send('set k x 0 5\r\nab'), 'conn_swallow')
  t.equal(send('cde\r\nget k'), 'conn_read')
  t.ok(session.isIdle, 'an unfinished line is nothing begun')
  t.equal(client.text, 'STORED\r\nCLIENT_ERROR bad command line format\r\n')
})

t.test('a large value, and a get behind it, for a client that reads later', async t => {
  const { client, session, send, takeAll } = await begin(t)
  const value = 'v'.repeat(60_000)
  send(`set small 0 0 2\r\nhi\r\nset large 0 0 60000\r\n${value}\r\n`)
  client.text = ''
  client.isSlow = true
  t.equal(send(`get small large large large large large large large large large large small\r\nversion\r\n`), 'conn_mwrite')
  t.notOk(session.isIdle)
  t.equal(takeAll(), 'conn_read')
  const block = `VALUE large 0 60000\r\n${value}\r\n`
  t.ok(client.text === `VALUE small 0 2\r\nhi\r\n${block.repeat(10)}VALUE small 0 2\r\nhi\r\nEND\r\nVERSION 1.6.45\r\n`,
    'all of it, in order')
})

t.test('a large value with nothing behind it, for a client that takes it piece by piece', async t => {
  const { client, send, takeAll } = await begin(t)
  const value = 'v'.repeat(1_000_000)
  send('set large 0 0 1000000\r\n')
  for (let at = 0; at < value.length; at += 50_000) send(value.slice(at, at + 50_000))
  send('\r\n')
  for (const [request, answer] of [
    ['get large\r\n', `VALUE large 0 1000000\r\n${value}\r\nEND\r\n`], ['mg large v\r\n', `VA 1000000\r\n${value}\r\n`],
  ] as const) {
    client.text = ''
    client.isSlow = true
    t.equal(send(request), 'conn_mwrite')
    t.ok(client.text.length < value.length, 'a piece of it')
    t.equal(takeAll(), 'conn_read')
    t.ok(client.text === answer, request)
  }
})

t.test('a get of many short values, for a client that reads later', async t => {
  const { client, session, send, takeAll } = await begin(t)
  const value = 'v'.repeat(10_000)
  send(`set k 0 0 10000\r\n${value}\r\n`)
  client.text = ''
  client.isSlow = true
  t.equal(send(`get${' k'.repeat(20)}\r\n`), 'conn_mwrite')
  t.notOk(session.isIdle)
  t.equal(takeAll(), 'conn_read')
  t.ok(client.text === `${`VALUE k 0 10000\r\n${value}\r\n`.repeat(20)}END\r\n`, 'all of it')
})

t.test('a client whose last value was large, so that its next is best read with a short first read', async t => {
  const { session, send } = await begin(t)
  for (const command of ['set k 0 0 ', 'ms k ']) {
    for (const [valueBytes, isLarge] of [[32 * 1024 - 1, false], [32 * 1024, true], [40_000, true], [10, false]] as const) {
      send(`${command}${valueBytes}\r\n${'v'.repeat(valueBytes)}\r\n`)
      t.equal(session.sendsLargeValues, isLarge, `${command}${valueBytes}`)
    }
  }
  send('set k 0 0 40000\r\n')
  t.ok(session.sendsLargeValues, 'before any of it has come')
  send(`${'v'.repeat(40_000)}\r\n`)
  t.ok(session.sendsLargeValues)
  send('get none\r\n')
  t.notOk(session.sendsLargeValues)
})

t.test('a large value is read into its item with its line end and little of what follows, until little is missing', async t => {
  const { session, send } = await begin(t)
  const roomFor = (valueBytes: number) => {
    t.equal(send(`set k 0 0 ${valueBytes}\r\n`), 'conn_nread')
    return session.directTarget?.length ?? 0
  }
  const following: number[] = []
  for (let valueBytes = 15_000; valueBytes < 40_000; valueBytes += 500) {
    following.push(roomFor(valueBytes) - valueBytes - 2)
    t.equal(send(`${'v'.repeat(valueBytes)}\r\n`), 'conn_read')
  }
  t.ok(Math.min(...following) >= 0)
  t.equal(Math.max(...following), 4096)
  roomFor(20_000)
  send('v'.repeat(20_000 - 8192))
  t.ok(session.directTarget, 'as much as is worth it')
  send('v')
  t.equal(session.directTarget, undefined)
  t.equal(send(`${'v'.repeat(8191)}\r\n`), 'conn_read')
})

t.test('a line that is too long for one turn', async t => {
  const { client, session, send, takeAll } = await begin(t)
  const keys = 'a-key '.repeat(10_000)
  t.equal(send(`get ${keys}`), 'conn_read')
  send(keys)
  t.ok(session.isIdle, 'it is gathered')
  t.equal(send('last\r\n'), 'conn_mwrite')
  for (let turn = 0; turn < 3 && client.text === ''; turn++) takeAll()
  t.equal(client.text, 'END\r\n')
  t.equal(STATE_NAMES[session.state], 'conn_read')
})

t.test('a client that watches, lists or quits', async t => {
  const { client, session, send, takeAll } = await begin(t)
  t.equal(send('stats sizes\r\n'), 'conn_parse_cmd')
  t.ok(session.isListing)
  while (session.isListing) takeAll()
  t.match(client.text, /END\r\n$/)
  t.equal(send('lru_crawler metadump all\r\n'), 'conn_watch')
  while (session.isListing) takeAll()
  t.equal(send('watch\r\n'), 'conn_watch')
  t.notOk(session.isListing)
  session.close()
  t.equal(STATE_NAMES[session.state], 'conn_closing')
})

t.test('a client that quits, and one that is none', async t => {
  const leaver = await begin(t)
  t.equal(leaver.send('quit\r\n'), 'conn_closing')
  t.ok(leaver.session.hasQuit)
  const stranger = await begin(t)
  t.equal(stranger.send('GET / HTTP/1.1\r\n'), 'conn_closing')
  t.notOk(stranger.session.hasQuit)
})

t.test('no other file of the source writes or names a phase', async t => {
  const src = inProject('src')
  const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.ts'))
  const code = (file: string) => readFileSync(join(src, file), 'utf8').replace(/^ *(\/\*\*|\*|\/\/).*$/gm, '')
  t.same(files.filter(file => /\bphase\b|\bPhase\b/.test(code(file))), ['protocol/session.ts'])
})
