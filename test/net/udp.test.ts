// UDP: what is served and what is not, that nothing is left behind, and that nobody can be flooded without end.
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import t from 'tap'
import { writePortFile } from '../../src/process/files.js'
import { createServer } from '../../src/index.js'
import { Answer } from '../../src/net/frame.js'
import { toBuffer } from '../support/bytes.js'
import { frame, startUdpServer } from '../support/datagram.js'
import { header, packet } from '../support/packet.js'
import { until } from '../support/patience.js'
import { Prng } from '../support/prng.js'

const TOO_LONG = 'SERVER_ERROR out of memory writing get response\r\n'
const VERSION = 'VERSION 1.6.45\r\n'
const BINARY_GETQ = 0x09
const BINARY_NOOP = 0x0a

t.test('a socket of :: leaves the same port of IPv4 to others', async t => {
  const server = createServer({ port: 0, udpport: -1, listen: ['::'] })
  t.teardown(() => server.close())
  const problem: unknown = await server.listen().catch((error: unknown) => error)
  if (problem !== undefined) return void t.pass(`skipped, there is no IPv6: ${String(problem)}`)
  const other = createSocket('udp4')
  t.teardown(() => other.close())
  other.bind(server.udpPort, '0.0.0.0')
  await once(other, 'listening')
})

// Answers

t.test('an answer has the id of its request', async t => {
  const { client } = await startUdpServer(t)
  await client.sendDatagram(frame('version\r\n', { id: 0x1234 }))
  await client.expect(VERSION)
  t.same(client.received[0], frame(VERSION, { id: 0x1234 }))
})

t.test('requests in one datagram are answered each for itself', async t => {
  const { client, server } = await startUdpServer(t)
  await client.sendDatagram(frame('set k 5 0 3\r\nabc\r\nget k k\r\nnonsense\r\nmg k v\r\nmg missing q\r\ndelete k\r\n',
    { id: 9 }))
  const answers = ['STORED\r\n', 'VALUE k 5 3\r\nabc\r\nVALUE k 5 3\r\nabc\r\nEND\r\n', 'ERROR\r\n', 'VA 3\r\nabc\r\n',
    'DELETED\r\n']
  await client.expect(answers.join(''))
  t.same(client.received, answers.map(answer => frame(answer, { id: 9 })))
  t.equal(Number(new Map(server.host.report('')).get('conn_yields')), 0, 'nobody had to wait')
})

t.test('so are packets, quiet ones that have an answer too', async t => {
  const { client } = await startUdpServer(t)
  const { client: other } = await startUdpServer(t)
  const packets = [packet(BINARY_GETQ, { key: 'missing' }), packet(0, { key: 'missing', opaque: 1 }),
    packet(BINARY_NOOP, { opaque: 2 })] as const
  await client.send(Buffer.concat(packets))
  await other.send(packets[1])
  await client.expect(Buffer.concat([await other.anything(), header({ magic: 0x81, opcode: BINARY_NOOP, opaque: 2 })]))
  t.equal(client.received.length, 2)
})

t.test('a long answer between short ones has numbers of its own', async t => {
  const { client } = await startUdpServer(t)
  const value = 'v'.repeat(3000)
  await client.says(`set k 0 0 3000\r\n${value}\r\nget k k\r\nversion\r\n`,
    `STORED\r\nVALUE k 0 3000\r\n${value}\r\nVALUE k 0 3000\r\n${value}\r\nEND\r\n${VERSION}`)
  t.same(client.received.map(datagram => [datagram.readUInt16BE(2), datagram.readUInt16BE(4)]),
    [[0, 1], [0, 5], [1, 5], [2, 5], [3, 5], [4, 5], [0, 1]])
})

t.test('a long answer comes in datagrams of 1400 bytes', async t => {
  const { client } = await startUdpServer(t)
  const value = 'v'.repeat(5000)
  await client.says(`set k 0 0 5000\r\n${value}\r\n`, 'STORED\r\n')
  await client.says('get k\r\n', `VALUE k 0 5000\r\n${value}\r\nEND\r\n`)
  t.same(client.received.slice(1).map(({ length }) => length), [1400, 1400, 1400, 855])
})

t.test('the keys of one get are one answer', async t => {
  const { client } = await startUdpServer(t)
  let request = 'get'
  let answer = ''
  for (let number = 0; number < 500; number++) {
    await client.says(`set key${number} 0 0 20\r\n${'v'.repeat(20)}\r\n`, 'STORED\r\n')
    request += ` key${number} missing`
    answer += `VALUE key${number} 0 20\r\n${'v'.repeat(20)}\r\n`
  }
  await client.says(`${request}\r\n`, `${answer}END\r\n`)
})

t.test('an answer of a megabyte is numbered through', async t => {
  const answer = new Answer(frame('get k\r\n', { id: 65535 }), 0, { address: '127.0.0.1', port: 1 })
  const bytes = Buffer.alloc(1_000_033, 'a value')
  t.ok(answer.write(bytes.subarray(0, 700_000)) && answer.writeMany([bytes.subarray(700_000, 700_001), bytes.subarray(700_001)]))
  const datagrams = answer.finish()
  t.equal(datagrams.length, 719, 'as memcached sends it')
  t.same(Buffer.concat(datagrams.map(datagram => datagram.subarray(8))), bytes)
  for (const [sequence, datagram] of datagrams.entries()) {
    if (!datagram.subarray(0, 8).equals(frame('', { id: 65535, sequence, total: 719 }))) t.fail(`header of ${sequence}`)
  }
})

t.test('an answer that is too long is an error, whatever it holds on to', async t => {
  const { client, open, server, connect } = await startUdpServer(t)
  const tcp = await connect()
  await tcp.says(`set big 0 0 1000000\r\n${'v'.repeat(1_000_000)}\r\nset small 0 0 30000\r\n${'v'.repeat(30_000)}\r\n`,
    'STORED\r\nSTORED\r\n')
  await client.says('get big big big\r\n', TOO_LONG)
  await client.says(`get${' big'.repeat(10_000)}\r\n`, TOO_LONG)
  await client.says(`get${' small'.repeat(10_000)}\r\n`, TOO_LONG)
  await client.says('version\r\nget big big big\r\nversion\r\n', VERSION + TOO_LONG)
  const other = await open()
  await other.send(Buffer.concat(Array.from({ length: 100 }, () => packet(0, { key: 'small' }))))
  await other.anything()
  await client.heardNothing()
  t.equal(server.store.refCount, 0, 'nothing is held')
  await tcp.says('version\r\n', VERSION)
  await tcp.hangUp()
})

t.test('what has no answer gets no datagram', async t => {
  const { client } = await startUdpServer(t)
  await client.send('set k 0 0 1 noreply\r\n1\r\n')
  await client.send('quit\r\n')
  await client.send('mg missing v q\r\n')
  await client.send(packet(BINARY_GETQ, { key: 'missing' }))
  await client.heardNothing()
  await client.says('get k\r\n', 'VALUE k 0 1\r\n1\r\nEND\r\n')
})

t.test('quit ends its datagram, not the next', async t => {
  const { client } = await startUdpServer(t)
  await client.says('version\r\nquit\r\nversion\r\n', VERSION)
  await client.says('version\r\n', VERSION)
})

t.test('each datagram says by its first byte what it speaks', async t => {
  const { client } = await startUdpServer(t)
  const noop = header({ magic: 0x81, opcode: BINARY_NOOP, opaque: 7 })
  for (let round = 0; round < 2; round++) {
    await client.says(packet(BINARY_NOOP, { opaque: 7 }), noop)
    await client.says('version\r\n', VERSION)
  }
})

t.test('with -B one protocol is spoken', async t => {
  const { client } = await startUdpServer(t, { protocol: 'binary' })
  await client.send('version\r\n')
  await client.says(packet(BINARY_NOOP), header({ magic: 0x81, opcode: BINARY_NOOP }))
})

t.test('with -R all of a datagram is answered', async t => {
  const { client } = await startUdpServer(t, { reqsPerEvent: 1 })
  await client.says('set k 0 0 1\r\n1\r\nincr k 1\r\n' + 'get k\r\n'.repeat(20), 'STORED\r\n2\r\n' +
    'VALUE k 0 1\r\n2\r\nEND\r\n'.repeat(20))
})

// What is not served

t.test('what is no whole request is not served', async t => {
  const { client } = await startUdpServer(t)
  const set = 'set k 0 0 1\r\n1\r\n'
  for (const datagram of [
    '', 'a', 'version', frame(''), frame('', { total: 0 }),
    frame(set, { total: 0 }), frame(set, { total: 2 }), frame(set, { total: 2, sequence: 1 }), frame(set, { total: 257 }),
  ]) await client.sendDatagram(datagram)
  await client.heardNothing()
  await client.says('get k\r\n', 'END\r\n')
})

t.test('sequence number and reserved field are not looked at, as in memcached', async t => {
  const { client } = await startUdpServer(t)
  await client.sendDatagram(frame('version\r\n', { sequence: 3, reserved: 7 }))
  await client.expect(VERSION)
})

t.test('a request in several datagrams is not put together', async t => {
  const { client } = await startUdpServer(t)
  await client.sendDatagram(frame('set k 0 0 3\r\n', { total: 2 }))
  await client.sendDatagram(frame('abc\r\n', { total: 2, sequence: 1 }))
  await client.heardNothing()
  await client.says('get k\r\n', 'END\r\n')
})

t.test('an unfinished request is dropped with its datagram', async t => {
  const { client, open, server } = await startUdpServer(t)
  const other = await open()
  for (const half of ['get', 'get k', 'set k 0 0 3\r\n', 'set k 0 0 3\r\nab', 'set k 0 0 3\r\nabc\r', 'set k 0 0 9999999\r\nabc',
    'set k 0 0 500000\r\nabc', 'ms k 5 T0\r\nab', `set ${'k'.repeat(251)} 0 0 50\r\nabc`, 'x'.repeat(3000),
      `get ${'k '.repeat(30_000)}`]) {
    await client.send(half)
    await other.says('version\r\n', VERSION)
    await client.says('get k\r\n', 'END\r\n')
    t.equal(server.store.refCount, 0, half.slice(0, 20))
  }
  for (const half of [packet(0, { key: 'k' }).subarray(0, 20), packet(0, { key: 'k' }).subarray(0, 24),
    packet(1, { key: 'k', extras: Buffer.alloc(8), value: 'value' }).subarray(0, 35)]) {
    await client.send(half)
    await other.says('version\r\n', VERSION)
    t.equal(server.store.refCount, 0)
  }
})

t.test('what is whole before an unfinished line or value is answered', async t => {
  const { client } = await startUdpServer(t)
  await client.says('version\r\nget k', VERSION)
  await client.says('version\r\nset k 0 0 3\r\nab', VERSION)
})

t.test('there is a bound to how many answers a datagram has', async t => {
  const answer = new Answer(frame('mn\r\n', { id: 3 }), 0, { address: '127.0.0.1', port: 1 })
  for (let count = 0; count < 1500; count++) {
    t.ok(answer.write(toBuffer('MN\r\n')))
    answer.endMessage()
  }
  t.notOk(answer.write(toBuffer('MN\r\n')))
  t.ok(answer.isTooLong)
  answer.replace(toBuffer(TOO_LONG))
  const datagrams = answer.finish()
  t.same([datagrams.length, datagrams[1499], datagrams[1500]], [1501, frame('MN\r\n', { id: 3 }), frame(TOO_LONG, { id: 3 })])
})

t.test('what comes in one turn is answered up to a bound, and the rest is dropped', async t => {
  const { client, server, open } = await startUdpServer(t)
  const value = 'v'.repeat(60_000)
  await client.says(`set k 0 0 ${value.length}\r\n${value}\r\n`, 'STORED\r\n')
  const hits = (): number => Number(new Map(server.host.report('')).get('get_hits'))
  // the kernel has them all before the server, which is in this process, has its turn
  const sent = Array.from({ length: 20 }, (_, index) => client.sendDatagram(frame('get k\r\n', { id: index })))
  await Promise.all(sent)
  await until('they are served', () => hits() > 0)
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate)
  // 60 KB each, and the last of them is begun below 256 KiB
  t.equal(hits(), 5)
  // the first one may have been sent more than there is room for
  const other = await open()
  await other.says('get k\r\n', `VALUE k 0 60000\r\n${value}\r\nEND\r\n`)
  t.equal(hits(), 6, 'the next turn has a bound of its own')
})

// Floods

t.test('nothing that a server answers is answered', async t => {
  const { client: one } = await startUdpServer(t, { shutdownCommand: false })
  const { client: two } = await startUdpServer(t)
  await one.says('set k 0 0 7\r\nversion\r\n', 'STORED\r\n')
  for (const request of ['version\r\n', 'get k\r\n', 'get missing\r\n', 'nonsense\r\n', 'set k\r\n', 'mg k v\r\n',
    'mg missing\r\n',
    'ms k 1\r\n1\r\n', 'incr k 1\r\n', 'me k\r\n', 'mn\r\n', 'stats\r\n', 'stats settings\r\n', 'stats items\r\n',
      'stats detail dump\r\n',
    'delete k\r\n', 'flush_all\r\n', 'touch k 0\r\n', packet(BINARY_NOOP), packet(0, { key: 'k' }), packet(0x55), packet(0x10)]) {
    one.received.length = 0
    await one.send(request)
    await one.anything()
    for (const answer of one.received) await two.sendDatagram(answer)
    await two.heardNothing()
  }
})

t.test('a value that is a request is not served when it comes back', async t => {
  const { client } = await startUdpServer(t)
  await client.says('set k 0 0 5\r\nget k\r\n', 'STORED\r\n')
  await client.says('get k\r\n', 'VALUE k 0 5\r\nget k\r\nEND\r\n')
  await client.send('VALUE k 0 5\r\nget k\r\nEND\r\n')
  await client.heardNothing()
})

t.test('garbage', async t => {
  const seed = Number(process.env['MEMSLAB_SEED'] ?? 20261122)
  t.comment(`MEMSLAB_SEED=${seed}`)
  const random = new Prng(seed)
  const { client, open, server } = await startUdpServer(t, { maxbytes: 8 * 1024 * 1024 })
  for (let round = 0; round < 100; round++) {
    const other = await open()
    for (let count = 0; count < 20; count++) await other.sendDatagram(garbage(random))
    await client.heardNothing()
    other.close()
  }
  t.equal(server.store.refCount, 0)
  server.verify()
})

const WORDS = ['get', 'gat', 'set', 'add', 'append', 'cas', 'delete', 'incr', 'touch', 'mg', 'ms', 'md', 'ma', 'mn', 'quit',
  'stats', 'verbosity',
  'k', 'k', 'other', '0', '1', '5', '-1', '100', '9999999', 'noreply', 'v', 't', 'q', 'T5', '\r\n', '\r\n', '\r\n', '\n', 'value',
    '\0', '\xff', ' ']

function garbage(random: Prng): Buffer {
  const wrongHeader = { id: random.below(65536), sequence: random.below(3), total: random.below(3), reserved: random.below(2) }
  const datagram = frame(random.pick([randomBytes, randomWords, randomPackets])(random), random.oneIn(5) ? wrongHeader : {})
  if (random.oneIn(3)) datagram[random.below(datagram.length)] = random.below(256)
  return random.oneIn(5) ? datagram.subarray(0, random.below(datagram.length)) : datagram
}

function randomBytes(random: Prng): Buffer {
  return Buffer.from(Array.from({ length: random.below(1000) }, () => random.below(256)))
}

function randomWords(random: Prng): Buffer {
  return toBuffer(Array.from({ length: random.between(1, 40) }, () => random.pick(WORDS)).join(' '))
}

function randomPackets(random: Prng): Buffer {
  return Buffer.concat(Array.from({ length: random.between(1, 5) }, () => packet(random.below(0x26), {
    key: random.pick(['', 'k', 'other']), extras: Buffer.alloc(random.pick([0, 0, 4, 8, 20])),
      value: random.pick(['', '', 'value', '12']),
  })))
}

// Where it listens, and what is told about it

t.test('on both loopback addresses, at one free port, unless -l says otherwise', async t => {
  const server = createServer({ port: 0, udpport: -1 })
  t.teardown(() => server.close())
  await server.listen()
  t.ok(server.udpPort > 0)
  t.equal(server.port, 0)
  t.match(server.addresses[0], { transport: 'UDP', family: 'IPv4', address: '127.0.0.1', port: server.udpPort })
  if (server.addresses.length < 2) return t.comment('no IPv6 here')
  t.match(server.addresses[1], { transport: 'UDP', family: 'IPv6', address: '::1', port: server.udpPort })
  const socket = createSocket('udp6')
  t.teardown(() => { socket.close() })
  socket.send(frame('version\r\n'), server.udpPort, '::1')
  const [answer] = await once(socket, 'message') as [Buffer]
  t.same(answer, frame(VERSION))
})

t.test('an address with a port of its own has it for UDP too', async t => {
  const first = createServer({ port: 0, udpport: -1, listen: ['127.0.0.1'] })
  await first.listen()
  const { udpPort } = first
  await first.close()
  const second = createServer({ port: 0, udpport: udpPort === 1 ? 2 : 1, listen: [`127.0.0.1:${udpPort}`] })
  t.teardown(() => second.close())
  await second.listen()
  t.equal(second.udpPort, udpPort)
})

t.test('a port in use is one clear line, and leaves nothing open', async t => {
  const { server: { udpPort } } = await startUdpServer(t)
  const second = createServer({ port: -1, udpport: udpPort, listen: ['127.0.0.1'] })
  await t.rejects(second.listen(),
    { code: 'EADDRINUSE', message: `failed to listen on UDP port ${udpPort} of 127.0.0.1: Address already in use` })
  t.same(second.addresses, [])
})

t.test('what could not be opened holds no descriptor', { skip: process.platform !== 'linux' && 'there is no /proc' }, async t => {
  const { server: { udpPort } } = await startUdpServer(t)
  const attempt = async (): Promise<void> => {
    await t.rejects(createServer({ port: 0, udpport: udpPort, listen: ['127.0.0.1'] }).listen(), { code: 'EADDRINUSE' })
  }
  await attempt()
  const before = readdirSync('/proc/self/fd').length
  for (let count = 0; count < 5; count++) await attempt()
  t.equal(readdirSync('/proc/self/fd').length, before)
})

t.test('beside a Unix socket no port is opened', async t => {
  const socketPath = join(mkdtempSync(join(tmpdir(), 'memslab-')), 'socket')
  t.teardown(() => { rmSync(dirname(socketPath), { recursive: true, force: true }) })
  const server = createServer({ socketPath, udpport: -1 })
  t.teardown(() => server.close())
  await server.listen()
  t.equal(server.udpPort, 0)
})

t.test('close frees the port', async () => {
  const first = createServer({ udpport: -1, port: 0, listen: ['127.0.0.1'] })
  await first.listen()
  const { udpPort } = first
  await first.close()
  const second = createServer({ udpport: udpPort, port: 0, listen: ['127.0.0.1'] })
  await second.listen()
  await second.close()
})

t.test('the port file tells of both', async t => {
  const { server } = await startUdpServer(t)
  const file = join(t.testdir(), 'ports')
  writePortFile(file, server.addresses, line => t.fail(line))
  t.equal(readFileSync(file, 'utf8'), `TCP INET: ${server.port}\nUDP INET: ${server.udpPort}\n`)
})

t.test('bytes are counted with their headers', async t => {
  const { client, server } = await startUdpServer(t)
  const count = (name: string): number => Number([...server.host.report('')].find(row => row[0] === name)?.[1])
  await client.says('version\r\n', VERSION)
  t.equal(count('bytes_read'), 17)
  t.equal(count('bytes_written'), 24)
  await client.sendDatagram(frame('version\r\n', { total: 2 }))
  await client.sendDatagram('short')
  await client.heardNothing()
  t.equal(count('bytes_read'), 17 + 17 + 5 + 12, 'what is refused has been read')
  t.equal(count('bytes_written'), 24 + 12)
})

t.test('a UDP socket counts as a connection', async t => {
  const { client, server } = await startUdpServer(t)
  const rows = new Map(server.host.report(''))
  t.equal(rows.get('curr_connections'), 1)
  t.equal(rows.get('total_connections'), 1)
  const conns = [...server.host.reportConnections()].flatMap(rows => [...rows])
    .filter(([name]) => !name.endsWith('secs_since_last_cmd')).map(row => row.join(' ').replace(/^\d+:/, ''))
  t.same(conns, [
    `addr tcp:127.0.0.1:${server.port}`, 'state conn_listening',
    'UDP UDP', `addr udp:127.0.0.1:${server.udpPort}`, `listen_addr udp:127.0.0.1:${server.udpPort}`, 'state conn_read',
  ])
  await client.send('stats conns\r\n')
  const answer = (await client.anything()).toString()
  t.match(answer, /^STAT \d+:state conn_parse_cmd\r$/m)
  t.match(answer, new RegExp(`^STAT \\d+:addr udp:127.0.0.1:(?!${server.udpPort})\\d+\r$`, 'm'))
  t.equal(new Map(server.host.report('settings')).get('udpport'), String(server.udpPort))
})
