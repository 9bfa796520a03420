// The faults of the protocol, as clients of all three protocols see them.
import t from 'tap'
import * as faults from '../../src/faults/faults.js'
import { Opcode, counts, packet, uint32s } from '../support/packet.js'
import { exchange, startTapped } from './server.js'

const NO_MEMORY = 'SERVER_ERROR out of memory storing object'
const STORE = uint32s(7, 0)

t.test('reply: a request is answered with a line, and not carried out', async t => {
  const { client, control } = await startTapped(t)
  const fault = control.use(faults.reply(NO_MEMORY), { verb: 'set', times: 2 })
  t.equal(fault.isPending, true)
  await client.says('set k 0 0 1\r\na\r\nget k\r\n', `${NO_MEMORY}\r\nEND\r\n`)
  t.equal(fault.used, 1)
  t.same(control.pending, [fault])
  // a value that comes later is thrown away, too
  void client.send('set k 0 0 10\r\n0123')
  await client.says('456789\r\nversion\r\n', `${NO_MEMORY}\r\nVERSION 1.6.45\r\n`)
  t.same(control.pending, [])
  await client.says('set k 0 0 1\r\nb\r\nget k\r\n', 'STORED\r\nVALUE k 0 1\r\nb\r\nEND\r\n')
  t.equal(fault.used, 2)
})

t.test('reply: other requests of the same batch are carried out, in their order', async t => {
  const { client, control } = await startTapped(t)
  control.use(faults.reply('SERVER_ERROR busy'), { key: 'b' })
  await client.says('set a 0 0 1\r\n1\r\nset b 0 0 1\r\n2\r\nset c 0 0 1\r\n3\r\nget a c\r\nget a b\r\nmg b v\r\nmg c v\r\n',
    'STORED\r\nSERVER_ERROR busy\r\nSTORED\r\nVALUE a 0 1\r\n1\r\nVALUE c 0 1\r\n3\r\nEND\r\nSERVER_ERROR busy\r\nSERVER_ERROR busy\r\nVA 1\r\n3\r\n')
})

t.test('reply: quiet requests are answered as memcached would', async t => {
  const { client, control } = await startTapped(t)
  control.use(faults.reply(NO_MEMORY), { verb: ['set', 'ms'] })
  await client.says('set k 0 0 1 noreply\r\na\r\nms k 1 q\r\na\r\nmn\r\nget k\r\n', `${NO_MEMORY}\r\nMN\r\nEND\r\n`)
  control.use(faults.reply('HD'), { verb: 'ms' })
  await client.says('ms k 1 q\r\na\r\nms k 1\r\na\r\nmn\r\n', 'HD\r\nMN\r\n')
})

t.test('reply: bytes are sent as they are, in any protocol, and a line end is not doubled', async t => {
  const { client, control, connect } = await startTapped(t)
  const fault = control.use(faults.reply(Buffer.from('\0garbage')), { verb: 'get' })
  await client.says('get k\r\n', '\0garbage')
  const binary = await connect()
  await binary.says(packet(Opcode.Get, { key: 'k' }), '\0garbage')
  await fault.remove()
  control.use(faults.reply('VALUE k 1 2\r\nhi\r\nEND\r\n'), { verb: 'get' })
  await client.says('get k\r\n', 'VALUE k 1 2\r\nhi\r\nEND\r\n')
})

t.test('reply: a packet has the status that stands for the line', async t => {
  const { client, control } = await startTapped(t)
  const rows: readonly (readonly [line: string, status: number, text: string])[] = [
    [NO_MEMORY, 0x82, 'out of memory storing object'],
    ['SERVER_ERROR object too large for cache', 0x03, 'object too large for cache'],
    ['SERVER_ERROR temporary failure', 0x86, 'temporary failure'],
    ['SERVER_ERROR busy', 0x85, 'busy'],
    ['SERVER_ERROR it hurts', 0x84, 'it hurts'],
    ['CLIENT_ERROR bad data chunk', 0x04, 'bad data chunk'],
    ['CLIENT_ERROR cannot increment or decrement non-numeric value', 0x06, 'cannot increment or decrement non-numeric value'],
    ['ERROR', 0x81, 'Unknown command'],
    ['NOT_FOUND', 0x01, 'Not found'],
    ['EXISTS', 0x02, 'Data exists for key.'],
    ['NOT_STORED', 0x05, 'Not stored.'],
    ['STORED', 0x00, ''],
  ]
  for (const [line, status, text] of rows) {
    const fault = control.use(faults.reply(line), { verb: 'set' })
    const set = { key: 'k', extras: STORE, value: 'v', opaque: 0xdeadbeef }
    const [answer] = await exchange(client, [packet(Opcode.Set, set)], 1)
    t.match(answer, { opcode: Opcode.Set, status, value: text, opaque: 0xdeadbeef }, line)
    // a quiet opcode hears of failures alone
    const answers = await exchange(client, [packet(Opcode.SetQ, set), packet(Opcode.Noop)], status === 0 ? 1 : 2)
    t.same(answers.map(each => each.opcode), status === 0 ? [Opcode.Noop] : [Opcode.SetQ, Opcode.Noop], `${line}, quiet`)
    await fault.remove()
  }
})

t.test('reply: a packet has the value, the number or the version that the line has', async t => {
  const { client, control } = await startTapped(t)
  control.use(faults.reply('VALUE k 258 2\r\nhi\r\nEND'), { verb: 'get' })
  control.use(faults.reply('18446744073709551615'), { verb: 'incr' })
  control.use(faults.reply('VERSION 9.9.9'), { verb: 'version' })
  t.match(await exchange(client, [
    packet(Opcode.Get, { key: 'k' }), packet(Opcode.GetK, { key: 'k' }),
    packet(Opcode.Increment, { key: 'n', extras: counts(1n) }), packet(Opcode.Version),
  ], 4), [
    { status: 0, extras: '\0\0\x01\x02', key: '', value: 'hi' },
    { status: 0, extras: '\0\0\x01\x02', key: 'k', value: 'hi' },
    { status: 0, value: '\xff'.repeat(8) },
    { status: 0, value: '9.9.9' },
  ])
})

t.test('miss: a key that is there is answered as if it were not', async t => {
  const { client, control } = await startTapped(t)
  await client.says('set k 0 0 1\r\n1\r\nset other 0 0 1\r\n2\r\n', 'STORED\r\nSTORED\r\n')
  const fault = control.use(faults.miss(), { key: 'k' })
  await client.says('get k\r\nget other k other\r\ngets k k\r\ngat 0 k other\r\n',
    'END\r\nVALUE other 0 1\r\n2\r\nVALUE other 0 1\r\n2\r\nEND\r\nEND\r\nVALUE other 0 1\r\n2\r\nEND\r\n')
  await client.says('touch k 0\r\nincr k 1\r\ndecr k 1\r\ndelete k\r\ndelete k noreply\r\ncas k 0 0 1 1\r\nx\r\nreplace k 0 0 1\r\nx\r\nappend k 0 0 1\r\nx\r\n',
    'NOT_FOUND\r\nNOT_FOUND\r\nNOT_FOUND\r\nNOT_FOUND\r\nNOT_FOUND\r\nNOT_STORED\r\nNOT_STORED\r\n')
  await client.says('mg k v k O12\r\nmg k v q\r\nme k\r\nmd k k\r\nma k Oab\r\nms k 1 MA O1\r\nx\r\nms k 1 C1\r\nx\r\nmg aw== b k v\r\nmn\r\n',
    'EN kk O12\r\nEN\r\nNF kk\r\nNF Oab\r\nNS O1\r\nNF\r\nEN kaw== b\r\nMN\r\n')
  await fault.remove()
  await client.says('get k\r\n', 'VALUE k 0 1\r\n1\r\nEND\r\n')
})

t.test('miss: what needs no item is carried out', async t => {
  const { client, control } = await startTapped(t)
  control.use(faults.miss())
  await client.says('set k 0 0 1\r\n1\r\nadd k 0 0 1\r\n2\r\nms k 1\r\n3\r\nversion\r\nget\r\n',
    'STORED\r\nNOT_STORED\r\nHD\r\nVERSION 1.6.45\r\nERROR\r\n'.replace('ERROR', 'CLIENT_ERROR bad command line format'))
})

t.test('miss: the statistics count it', async t => {
  const { client, control } = await startTapped(t)
  control.use(faults.miss())
  await client.says('get a b\r\ntouch a 0\r\nincr a 1\r\nmg a v\r\n', 'END\r\nNOT_FOUND\r\nNOT_FOUND\r\nEN\r\n')
  await client.says('stats\r\n', /[^]*STAT cmd_get 3\r\n[^]*STAT cmd_touch 1\r\n[^]*STAT get_misses 3\r\n[^]*STAT incr_misses 1\r\n[^]*STAT touch_misses 1\r\n[^]*END\r\n/)
})

t.test('miss: a request that creates a missing item creates it', async t => {
  const { client, control } = await startTapped(t)
  await client.says('set k 0 0 1\r\n7\r\nset n 0 0 1\r\n7\r\n', 'STORED\r\nSTORED\r\n')
  control.use(faults.miss(), { once: true })
  await client.says('mg k v N60\r\nmg k v N60\r\n', 'VA 0 W\r\n\r\nVA 0 Z\r\n\r\n')
  control.use(faults.miss(), { once: true })
  await client.says('ma n N0 J5 v\r\n', 'VA 1\r\n5\r\n')
})

t.test('miss: packets', async t => {
  const { client, control } = await startTapped(t)
  const set = packet(Opcode.Set, { key: 'k', extras: STORE, value: '5' })
  await exchange(client, [set], 1)
  control.use(faults.miss(), { key: 'k' })
  t.match(await exchange(client, [
    packet(Opcode.Get, { key: 'k' }), packet(Opcode.GetQ, { key: 'k' }), packet(Opcode.GetK, { key: 'k' }),
    packet(Opcode.GatQ, { key: 'k', extras: uint32s(0) }), packet(Opcode.Touch, { key: 'k', extras: uint32s(0) }),
    packet(Opcode.Delete, { key: 'k' }), packet(Opcode.DeleteQ, { key: 'k' }), packet(Opcode.Append, { key: 'k', value: 'x' }),
    packet(Opcode.Replace, { key: 'k', extras: STORE, value: 'x' }),
    packet(Opcode.Increment, { key: 'k', extras: counts(1n, 0n, 0xffffffff) }), packet(Opcode.Noop),
  ], 9), [
    { opcode: Opcode.Get, status: 1, value: 'Not found' }, { opcode: Opcode.GetK, status: 1, key: 'k', value: '' },
    { opcode: Opcode.Touch, status: 1 }, { opcode: Opcode.Delete, status: 1 }, { opcode: Opcode.DeleteQ, status: 1 },
    { opcode: Opcode.Append, status: 5 }, { opcode: Opcode.Replace, status: 1 }, { opcode: Opcode.Increment, status: 1 },
    { opcode: Opcode.Noop, status: 0 },
  ])
})

t.test('evict: the item is gone before the request is carried out, and counts as evicted', async t => {
  const { client, control } = await startTapped(t)
  await client.says('set a 0 0 1\r\n1\r\nset b 0 0 1\r\n2\r\nset c 0 0 1\r\n3\r\n', 'STORED\r\nSTORED\r\nSTORED\r\n')
  control.use(faults.evict(), { key: /^[ac]$/ })
  await client.says('get a b\r\nadd c 0 0 1\r\n4\r\n', 'VALUE b 0 1\r\n2\r\nEND\r\nSTORED\r\n')
  await control.reset()
  await client.says('get a b c\r\n', 'VALUE b 0 1\r\n2\r\nVALUE c 0 1\r\n4\r\nEND\r\n')
  await client.says('stats\r\n', /[^]*STAT delete_hits 0\r\n[^]*STAT evictions 2\r\n[^]*END\r\n/)
})

t.test('evict: packets, and keys in base64', async t => {
  const { client, control, connect } = await startTapped(t)
  await client.says('set k 0 0 1\r\n1\r\n', 'STORED\r\n')
  control.use(faults.evict(), { key: 'k' })
  await client.says('mg aw== b v\r\n', 'EN\r\n')
  await client.says('set k 0 0 1\r\n1\r\n', 'STORED\r\n')
  t.match(await exchange(await connect(), [packet(Opcode.Get, { key: 'k' })], 1), [{ status: 1 }])
})

t.test('drop: the n-th answer never comes, though the request is carried out', async t => {
  const { client, control } = await startTapped(t)
  const fault = control.use(faults.drop(), { verb: 'set', nth: 2 })
  await client.says('set a 0 0 1\r\n1\r\nset b 0 0 1\r\n2\r\nset c 0 0 1\r\n3\r\nget a b c\r\n',
    'STORED\r\nSTORED\r\nVALUE a 0 1\r\n1\r\nVALUE b 0 1\r\n2\r\nVALUE c 0 1\r\n3\r\nEND\r\n')
  t.equal(fault.used, 1)
  t.same(control.calls({ verb: 'set' }).map(({ answer, faults }) => [answer, faults]), [['STORED', []], ['', ['drop']], ['STORED', []]])
})

t.test('drop: a large value, and a packet', async t => {
  const { client, control, connect } = await startTapped(t)
  await client.says(`set big 0 0 600000\r\n${'x'.repeat(600_000)}\r\n`, 'STORED\r\n')
  control.use(faults.drop(), { key: 'big' })
  await client.says('get big\r\nversion\r\n', 'VERSION 1.6.45\r\n')
  const binary = await connect()
  t.match(await exchange(binary, [packet(Opcode.Get, { key: 'big' }), packet(Opcode.Noop)], 1), [{ opcode: Opcode.Noop }])
})

t.test('tear: the connection ends in the middle of a value', async t => {
  const { client, control, connect } = await startTapped(t)
  await client.says('set a 0 0 4\r\nabcd\r\nset b 0 0 4\r\nefgh\r\n', 'STORED\r\nSTORED\r\n')
  const fault = control.use(faults.tear(), { key: 'b', once: true })
  // without the value there is nothing to tear
  await client.says('get a\r\nget c\r\nversion\r\n', 'VALUE a 0 4\r\nabcd\r\nEND\r\nEND\r\nVERSION 1.6.45\r\n')
  t.equal(fault.used, 0)
  await client.says('get a b\r\nversion\r\n', 'VALUE a 0 4\r\nabcd\r\nVALUE b 0 4\r\nef')
  await client.expectClosed()
  t.equal(fault.used, 1)
  t.match(control.calls({ key: 'b' }).at(-1), { answer: 'VALUE a 0 4\r\nabcd\r\nVALUE b 0 4\r\nef', faults: ['tear'] })
  const again = await connect()
  await again.says('get b\r\n', 'VALUE b 0 4\r\nefgh\r\nEND\r\n')
  control.use(faults.tear())
  await again.says('mg b s v\r\n', 'VA 4 s4\r\nef')
  await again.expectClosed()
})

t.test('tear: a large value, and a packet', async t => {
  const { client, control, connect } = await startTapped(t)
  await client.says(`set big 0 0 600000\r\n${'x'.repeat(600_000)}\r\nset k 0 0 4\r\nabcd\r\n`, 'STORED\r\nSTORED\r\n')
  control.use(faults.tear())
  await client.says('get big\r\n', `VALUE big 0 600000\r\n${'x'.repeat(300_000)}`)
  await client.expectClosed()
  const binary = await connect()
  void binary.send(packet(Opcode.GetK, { key: 'k' }))
  t.equal(await binary.closed(), true)
  const received = binary.waiting()
  t.equal(received.length, 24 + 4 + 1 + 2)
  t.equal(received.toString('latin1', 28), 'kab')
})

t.test('late: an answer comes later, those behind it wait, and other connections do not', async t => {
  const { client, control, connect } = await startTapped(t)
  const other = await connect()
  const began = performance.now()
  control.use(faults.late(60), { key: 'slow' })
  void client.send('get fast\r\nget slow\r\nversion\r\n')
  await client.expect('END\r\n')
  await other.says('get fast\r\n', 'END\r\n')
  t.equal(control.calls({ key: 'slow' }).length, 1, 'it has been carried out')
  t.equal(client.waiting().length, 0, 'the other connection was quicker')
  await client.expect('END\r\nVERSION 1.6.45\r\n')
  t.ok(performance.now() - began >= 60)
})

t.test('late: a text is a time, too; a fault that is removed holds up nothing that comes later', async t => {
  const { client, control } = await startTapped(t)
  const fault = control.use(faults.late('20ms'), { verb: 'get' })
  const began = performance.now()
  t.match(await exchange(client, [packet(Opcode.Get, { key: 'k' })], 1), [{ status: 1 }])
  t.ok(performance.now() - began >= 20)
  await fault.remove()
  control.use(faults.late('10m'), { verb: 'get', times: 1 })
  void client.send(packet(Opcode.Get, { key: 'k' }))
})

t.test('refuse: a new connection is closed, with or without an error', async t => {
  const { control, connect, client } = await startTapped(t)
  const fault = control.use(faults.refuse('too many'), { times: 1 })
  await client.says('version\r\n', 'VERSION 1.6.45\r\n')
  const second = await connect()
  await second.expect('ERROR Too many open connections\r\n')
  await second.expectClosed()
  t.equal(fault.used, 1)
  const third = await connect()
  await third.says('version\r\n', 'VERSION 1.6.45\r\n')
  control.use(faults.refuse())
  await (await connect()).expectClosed()
  await client.says('stats\r\n', /[^]*STAT curr_connections 2\r\n[^]*END\r\n/)
})

t.test('the newest fault that answers goes first, and an older one comes into its own when that is used up', async t => {
  const { client, control } = await startTapped(t)
  control.use(faults.reply('SERVER_ERROR old'), { verb: 'get' })
  control.use(faults.reply('SERVER_ERROR new'), { verb: 'get', once: true })
  await client.says('get a\r\nget a\r\n', 'SERVER_ERROR new\r\nSERVER_ERROR old\r\n')
})

t.test('faults of different kinds go together', async t => {
  const { client, control } = await startTapped(t)
  control.use(faults.reply('SERVER_ERROR x'))
  control.use(faults.late(15), { verb: 'get' })
  const began = performance.now()
  await client.says('get a\r\n', 'SERVER_ERROR x\r\n')
  t.ok(performance.now() - began >= 15)
  t.same(control.calls()[0]!.faults, ['reply', 'late'])
})

t.test('a fault for one connection, or for one protocol', async t => {
  const { client, control, connect } = await startTapped(t)
  await client.says('version\r\n', 'VERSION 1.6.45\r\n')
  const { id } = control.calls()[0]!.connection
  control.use(faults.reply('SERVER_ERROR one'), { connection: id })
  const other = await connect()
  await other.says('version\r\n', 'VERSION 1.6.45\r\n')
  await client.says('version\r\n', 'SERVER_ERROR one\r\n')
  await control.reset()
  control.use(faults.reply('SERVER_ERROR meta'), { protocol: 'meta' })
  await client.says('get k\r\nmg k v\r\n', 'END\r\nSERVER_ERROR meta\r\n')
})

t.test('chance repeats itself with its seed', async t => {
  const pattern = async (seed: number): Promise<string> => {
    const { client, control } = await startTapped(t)
    control.use(faults.reply('x'), { toxicity: 0.5, seed })
    void client.send('get a\r\n'.repeat(40))
    const answer = await client.answer({
      bytesMin: 1, complain: () => ({ message: '', expected: '', received: '' }),
      judge: received => received.toString().split('\r\n').length > 40 ? 'met' : 'incomplete',
    })
    return answer.toString().replace(/\r\n/g, '').replace(/END/g, '-')
  }
  const first = await pattern(1)
  t.equal(await pattern(1), first)
  t.not(await pattern(2), first)
  const share = first.split('x').length - 1
  t.ok(share > 10 && share < 30, `${share} of 40`)
})

t.test('the seed of the server is printed once, when something is left to chance', async t => {
  const lines: string[] = []
  const { control } = await startTapped(t, {}, { print: line => lines.push(line) })
  control.use(faults.drop())
  t.same(lines, [])
  const fault = control.use(faults.drop(), { toxicity: 0.5 })
  control.use(faults.latency({ latency: 1, jitter: 1 }))
  t.same(lines, [`memslab: faults leave something to chance; seed: ${fault.seed} repeats it`])
  const seeded = await startTapped(t, {}, { seed: 7, print: line => lines.push(line) })
  t.equal(seeded.control.use(faults.drop(), { toxicity: 0.5 }).seed, 7)
  t.equal(lines.length, 1)
})
