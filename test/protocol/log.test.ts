// What -vv says of a conversation on stderr, line by line: memcached's own words, as whoever debugs with telnet knows them.

import t, { type Test } from 'tap'

import { ServerCore } from '../../src/server/core.js'
import { Client } from '../support/client.js'
import { ManualClock } from '../support/clock.js'
import { header, uint32s } from '../support/packet.js'
import { until } from '../support/patience.js'

/** A server with -vv, or other than that, and what it says of its one client; the connection's number reads N. */
async function start(t: Test, verbosity = 2): Promise<{ lines: string[], client: Client, port: number }> {
  const lines: string[] = []
  const log = (line: string): void => { lines.push(line.replace(/^([<>]?)\d+/, '$1N')) }
  const server = new ServerCore({ port: -1, listen: ['127.0.0.1'], verbosity }, { clock: new ManualClock(), log })
  t.teardown(() => server.close())
  await server.listen()
  const client = await Client.connect({ host: '127.0.0.1', port: server.port })
  await client.says('version\r\n', /^VERSION .*\r\n$/)
  return { lines, client, port: server.port }
}

t.test('the start: the classes that stats slabs will tell of, listeners, clients, what they speak', async t => {
  const { lines, client } = await start(t)
  t.equal(lines[0], 'slab class   1: chunk size        96 perslab   10922')
  t.equal(lines[38], 'slab class  39: chunk size    524288 perslab       2')
  t.match(lines.slice(39), [
    '<N server listening (auto-negotiate)', '<N new auto-negotiating client connection', 'N: Client using the ascii protocol',
    '<N version', /^>N VERSION /,
  ])
  await client.says('set key 0 0 5\r\nvalue\r\n', 'STORED\r\n')
  await client.says('stats slabs\r\n', /STAT 1:chunk_size 96\r\nSTAT 1:chunks_per_page 10922\r\n[^]*END\r\n/)
})

/** What a client sends, what is answered, and the lines of the log. */
const CLASSIC: readonly (readonly [send: string, answer: string, ...lines: string[]])[] = [
  ['get a\r\n', 'END\r\n', '<N get a', '>N END'],
  ['set a 0 0 1\r\nx\r\n', 'STORED\r\n', '<N set a 0 0 1', '>N STORED'],
  ['get a b a\r\n', 'VALUE a 0 1\r\nx\r\nVALUE a 0 1\r\nx\r\nEND\r\n', '<N get a b a', '>N sending key a', '>N sending key a',
    '>N END'],
  ['set a 0 0 1 noreply\r\n7\r\nincr a 1 noreply\r\nincr a 1\r\n', '9\r\n',
    '<N set a 0 0 1 noreply', '>N NOREPLY STORED', '<N incr a 1 noreply', '>N NOREPLY 8', '<N incr a 1', '>N 9'],
  ['decr b 1\r\n', 'NOT_FOUND\r\n', '<N decr b 1', '>N NOT_FOUND'],
  ['set big 0 0 2000000\r\n' + 'x'.repeat(2_000_000) + '\r\n', 'SERVER_ERROR object too large for cache\r\n',
    '<N set big 0 0 2000000', '>N SERVER_ERROR object too large for cache'],
  ['set a x 0 1\r\nx\r\n', 'CLIENT_ERROR bad command line format\r\n', '<N set a x 0 1',
    '>N CLIENT_ERROR bad command line format'],
  ['touch a\x01\xff 0\r\nnonsense\r\n', 'NOT_FOUND\r\nERROR\r\n', '<N touch a.. 0', '>N NOT_FOUND', '<N nonsense', '>N ERROR'],
  ['cache_memlimit 64\r\n', 'OK\r\n', '<N cache_memlimit 64', 'maxbytes adjusted to 64m', '>N OK'],
]

t.test('classic commands and their answers', async t => {
  const { lines, client } = await start(t)
  for (const [send, answer, ...expected] of CLASSIC) {
    lines.length = 0
    await client.says(send, answer)
    t.same(lines, expected, JSON.stringify(send.slice(0, 40)))
  }
})

t.test('the end of a connection', async t => {
  const { lines, client } = await start(t)
  lines.length = 0
  await client.hangUp()
  await until('it is told', () => lines.length > 0)
  t.same(lines, ['<N connection closed.'])
})

t.test('with -v alone no line of a client is shown', async t => {
  const { lines, client } = await start(t, 1)
  for (const [send, answer] of CLASSIC) await client.says(send, answer)
  t.same(lines.filter(line => /^[<>]/.test(line)), [])
})

const META: typeof CLASSIC = [
  ['mn\r\n', 'MN\r\n', '<N mn', '>N MN'],
  ['mg a v\r\n', 'EN\r\n', '<N mg a v', '>N EN'],
  ['ms a 2\r\nhi\r\n', 'HD\r\n', '<N ms a 2', '>N HD'],
  ['mg a s v\r\n', 'VA 2 s2\r\nhi\r\n', '<N mg a s v', '>N VA 2 s2'],
  ['mg b v q\r\nmd b q\r\nmn\r\n', 'NF\r\nMN\r\n', '<N mg b v q', '<N md b q', '>N NF', '<N mn', '>N MN'],
  ['ms a 2 MX\r\nhi\r\n', 'CLIENT_ERROR invalid mode for ms M token\r\n', '<N ms a 2 MX',
    '>N CLIENT_ERROR invalid mode for ms M token'],
  ['ms a 2000000\r\n' + 'x'.repeat(2_000_000) + '\r\n', 'SERVER_ERROR object too large for cache\r\n',
    '<N ms a 2000000', '>N SERVER_ERROR object too large for cache'],
]

t.test('meta commands and the first line of their answers', async t => {
  const { lines, client } = await start(t)
  for (const [send, answer, ...expected] of META) {
    lines.length = 0
    await client.says(send, answer)
    t.same(lines, expected, JSON.stringify(send.slice(0, 40)))
  }
  lines.length = 0
  await client.send('ms a 2\r\n')
  await client.says('ho\r\n', 'HD\r\n')
  t.same(lines, ['<N ms a 2', '>N HD'], 'a value that comes later, as it is typed')
})

/** Bytes as the log shows them. */
function shown(sign: string, bytes: Buffer): string[] {
  return Array.from({ length: 6 }, (_, row) =>
    sign + Array.from(bytes.subarray(row * 4, row * 4 + 4), byte => ` 0x${byte.toString(16).padStart(2, '0')}`).join(''))
}

t.test('packets, with the key of each, and the headers of the answers', async t => {
  const { lines, client: first, port } = await start(t)
  const client = await Client.connect({ host: '127.0.0.1', port })
  const set = Buffer.concat([header({ opcode: 1, keyBytes: 3, extrasBytes: 8, bodyBytes: 16, opaque: 7 }),
    uint32s(0, 0), Buffer.from('keyvalue')])
  const get = Buffer.concat([header({ opcode: 0, keyBytes: 1, bodyBytes: 1, opaque: 8 }), Buffer.from('x')])
  const exchange = async (...parts: Buffer[]): Promise<Buffer> => {
    lines.length = 0
    for (const part of parts) {
      await client.send(part)
      await first.says('mn\r\n', 'MN\r\n')
    }
    const answer = await client.expect(/^.{24}.*$/s)
    lines.splice(0, lines.length, ...lines.filter(line => !/ (mn|MN)$/.test(line)))
    return answer
  }
  const stored = await exchange(set)
  t.same(lines,
    ['<N new auto-negotiating client connection', 'N: Client using the binary protocol', '<N Read binary protocol data:',
    ...shown('<N   ', set), '<N SET key Value len is 5', '>N Writing bin response:', ...shown('>N  ', stored)].slice(-16))
  const missed = await exchange(get.subarray(0, 24), get.subarray(24))
  t.same(lines, ['<N Read binary protocol data:', ...shown('<N   ', get), '<N GET x', '>N Writing an error: Not found',
    '>N Writing bin response:', ...shown('>N  ', missed)], 'once, though it came in two parts')
  const unknown = Buffer.concat([header({ opcode: 0xee, keyBytes: 1, bodyBytes: 6, opaque: 9 }), Buffer.from('kvalue')])
  const refused = await exchange(unknown)
  t.same(lines.slice(-8), ['>N Writing an error: Unknown command', '>N Writing bin response:', ...shown('>N  ', refused)],
    'what is received only to be thrown away')
})
