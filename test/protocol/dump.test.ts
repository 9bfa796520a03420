// What lists keys is fed to other programs and back to servers, as by who copies a cache. So whatever keys there are, each line
// is one about one key, and as a command it is one that reads that key and nothing else.
import t from 'tap'
import { Opcode, packet, readAnswers, uint32s } from '../support/packet.js'
import { startSessions, type BareSession, type SessionHost } from '../support/session.js'

const PLAIN_KEYS = ['plain', 'with%percent', 'a=b&c', '\x80\xfe\xff', 'k'.repeat(250)]
const FORGED = [
  '\r\nset forged 0 0 1\r\nx\r\n', 'x\r\nset forged 0 0 1\r\nx\r\n', 'x\nms forged 1\r\nx\r\n', 'x b\r\nset forged 0 0 1\r\nx',
  'ITEM forged [1 b; 0 s]\r\nEND\r\n', 'x\r\nEN\r\n', ' key=forged ',
]
const CONTROLS = [...Array.from({ length: 33 }, (_, byte) => byte), 127].map(byte => `c${String.fromCharCode(byte)}d`)
/** All that it takes in base64 still fits a line. */
const HOSTILE_KEYS = [...FORGED, ...CONTROLS, '\n'.repeat(186)]

/** A server that has the plain keys, by a text command, and the hostile ones, by either way there is. */
async function startWith(way: 'binary' | 'meta', host: SessionHost): Promise<BareSession> {
  const session = await host.connect()
  for (const key of PLAIN_KEYS) await ask(session, `set ${key} 0 0 1\r\nv\r\n`)
  const binary = await host.connect()
  for (const key of HOSTILE_KEYS) {
    if (way === 'meta') await ask(session, `ms ${base64(key)} 1 b\r\nv\r\n`)
    else {
      await binary.send(packet(Opcode.Set, { key, value: 'v', extras: uint32s(0, 0) }))
      for (const { status } of readAnswers(await binary.answer())) if (status !== 0) throw new Error(`${key} was refused`)
    }
  }
  return session
}

async function ask(session: BareSession, text: string): Promise<string> {
  await session.send(Buffer.from(text, 'latin1'))
  return (await session.answer()).toString('latin1')
}

function base64(key: string): string { return Buffer.from(key, 'latin1').toString('base64') }

for (const way of ['binary', 'meta'] as const) {
  t.test(`lines of mgdump read the keys that they list, which came by ${way}`, async t => {
    const host = await startSessions(t)
    const session = await startWith(way, host)
    const dump = await ask(session, 'lru_crawler mgdump all\r\n')
    t.ok(dump.startsWith('OK\r\n') && dump.endsWith('\r\nEN\r\n'))
    const lines = dump.slice('OK\r\n'.length, -'EN\r\n'.length).split('\n').slice(0, -1)
    const keys: string[] = []
    for (const line of lines) {
      const [, key = '', flag] = /^mg ([\x21-\x7e\x80-\xff]+)( b)?\r$/.exec(line)
        ?? t.fail(`not a line: ${JSON.stringify(line)}`) as never
      keys.push(flag === undefined ? key : Buffer.from(key, 'base64').toString('latin1'))
      t.equal(await ask(session, `${line}\n`), 'HD\r\n', JSON.stringify(line))
    }
    t.same(keys.sort(), [...PLAIN_KEYS, ...HOSTILE_KEYS].sort())
    t.equal(await ask(session, 'mg forged v\r\nmn\r\n'), 'EN\r\nMN\r\n', 'nothing was stored')
  })

  t.test(`lines of metadump do nothing, and name the keys that came by ${way}`, async t => {
    const host = await startSessions(t)
    const session = await startWith(way, host)
    const dump = await ask(session, 'lru_crawler metadump all\r\n')
    const lines = dump.slice('OK\r\n'.length, -'END\r\n'.length).split('\n').slice(0, -1)
    const keys: string[] = []
    for (const line of lines) {
      const [, key = ''] = /^key=([\w.~%-]+) exp=-1 [\x20-\x7e]*$/.exec(line)
        ?? t.fail(`not a line: ${JSON.stringify(line)}`) as never
      keys.push(key.replace(/%([0-9A-F]{2})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 16))))
      t.equal(await ask(session, `${line}\r\n`), 'ERROR\r\n', JSON.stringify(line))
    }
    t.same(keys.sort(), [...PLAIN_KEYS, ...HOSTILE_KEYS].sort())
    t.equal(await ask(session, 'mg forged v\r\n'), 'EN\r\n')
  })

  t.test(`stats cachedump leaves out what no line can show, which came by ${way}`, async t => {
    const host = await startSessions(t)
    const session = await startWith(way, host)
    const keys: string[] = []
    for (let slabClass = 1; slabClass < 64; slabClass++) {
      const dump = await ask(session, `stats cachedump ${slabClass} 0\r\n`)
      t.ok(dump.endsWith('END\r\n'))
      for (const line of dump.slice(0, -'END\r\n'.length).split('\n').slice(0, -1)) {
        const [, key = ''] = /^ITEM ([\x21-\x7e\x80-\xff]+) \[1 b; 0 s\]\r$/.exec(line)
          ?? t.fail(`not a line: ${JSON.stringify(line)}`) as never
        keys.push(key)
        t.equal(await ask(session, `get ${key}\r\n`), `VALUE ${key} 0 1\r\nv\r\nEND\r\n`)
      }
    }
    t.same(keys.sort(), [...PLAIN_KEYS].sort())
  })
}
