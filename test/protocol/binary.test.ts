// What no recorded conversation of the binary protocol shows: requests that arrive in pieces, cas numbers with every
// change, all quiet opcodes, time, statistics, SASL, and what an unfinished request may cost.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { Status } from '../../src/protocol/binary/reply.js'
import { Copy, OUTPUT_BYTES } from '../../src/protocol/output.js'
import { Counter } from '../../src/stats/counters.js'
import { Opcode, counts, header, packet, readAnswers, uint32s, type Answer } from '../support/packet.js'
import { startSessions, type BareSession } from '../support/session.js'

/** flags and exptime of a store. */
const PLAIN = uint32s(0, 0)
const NEVER_BEGIN = 0xffffffff
/** Larger than what is copied, and than what is read straight into an item. */
const LARGE = 'large value '.repeat(20_000)

async function sendTo(session: BareSession, ...requests: Uint8Array[]): Promise<Buffer> {
  await session.send(Buffer.concat(requests))
  return await session.answer()
}

async function ask(session: BareSession, ...requests: Uint8Array[]): Promise<Answer[]> {
  return readAnswers(await sendTo(session, ...requests))
}

async function askOne(session: BareSession, request: Uint8Array): Promise<Answer> {
  const answers = await ask(session, request)
  if (answers.length !== 1) throw new Error(`${answers.length} answers to one request`)
  return answers[0]!
}

async function statuses(session: BareSession, ...requests: Uint8Array[]): Promise<Status[]> {
  return (await ask(session, ...requests)).map(({ status }) => status)
}

function set(key: string, value: string, cas = 0n): Buffer {
  return packet(Opcode.Set, { key, value, extras: PLAIN, cas })
}

function get(key: string): Buffer { return packet(Opcode.Get, { key }) }

async function valueOf(session: BareSession, key: string): Promise<string | undefined> {
  const { status, value } = await askOne(session, get(key))
  return status === Status.Success ? value : undefined
}

// Packets in pieces

const EVERYTHING = [
  packet(Opcode.Set, { key: 'k', value: 'value', extras: uint32s(7, 0), opaque: 1 }),
  packet(Opcode.GetK, { key: 'k', opaque: 2 }),
  packet(Opcode.GetKQ, { key: 'missing', opaque: 3 }),
  packet(Opcode.GetK, { key: 'missing', opaque: 4 }),
  packet(Opcode.Append, { key: 'k', value: ' and more', opaque: 5 }),
  packet(Opcode.GatK, { key: 'k', extras: uint32s(0), opaque: 6 }),
  packet(Opcode.Add, { key: 'k', value: 'other', extras: PLAIN, opaque: 7 }),
  packet(Opcode.Increment, { key: 'n', extras: counts(1n, 5n), opaque: 8 }),
  packet(0xee, { key: 'key', extras: uint32s(1, 2, 3), value: 'thrown away', opaque: 9 }),
  packet(Opcode.SetQ, { key: 'k', value: '', extras: PLAIN, opaque: 10 }),
  packet(Opcode.SetQ, { key: 'k', value: 'x', cas: 12345n, extras: PLAIN, opaque: 11 }),
  packet(Opcode.Get, { key: 'k', opaque: 12 }),
  packet(Opcode.Flush, { opaque: 13 }),
  packet(Opcode.Delete, { key: 'k', opaque: 0xffffffff }),
  packet(Opcode.Quit, { opaque: 14 }),
]

t.test('packets cut at any byte are answered as whole ones', async t => {
  const bytes = Buffer.concat(EVERYTHING)
  const { connect } = await startSessions(t, { protocol: 'binary' })
  const whole = withoutCas(await ask(await connect(), bytes))
  t.same(whole.map(({ opaque }) => opaque), [1, 2, 4, 5, 6, 7, 8, 9, 11, 12, 13, 0xffffffff, 14])
  for (let cut = 0; cut < bytes.length; cut++) {
    const session = await connect()
    const parts = [await sendTo(session, bytes.subarray(0, cut)), await sendTo(session, bytes.subarray(cut))]
    const answers = withoutCas(readAnswers(Buffer.concat(parts)))
    if (JSON.stringify(answers) !== JSON.stringify(whole)) t.same(answers, whole, `cut at ${cut}`)
  }
  const session = await connect()
  const single: Buffer[] = []
  for (const byte of bytes) single.push(await sendTo(session, Uint8Array.of(byte)))
  t.same(withoutCas(readAnswers(Buffer.concat(single))), whole, 'byte by byte')
  t.ok(await session.closed())
})

function withoutCas(answers: Answer[]): Omit<Answer, 'cas'>[] {
  return answers.map(({ cas: _, ...answer }) => answer)
}

t.test('two clients send their values in turns, and each answer is for its own request', async t => {
  const { connect } = await startSessions(t, { protocol: 'binary' })
  const [one, two] = [await connect(), await connect()]
  const first = packet(Opcode.Set, { key: 'one', value: '1'.repeat(100), extras: uint32s(11, 0), opaque: 1 })
  const second = packet(Opcode.Append, { key: 'one', value: '2'.repeat(100), opaque: 2 })
  t.same(await ask(one, first.subarray(0, 80)), [])
  t.same(await ask(two, second.subarray(0, 50)), [])
  t.match(await ask(one, first.subarray(80)), [{ opcode: Opcode.Set, status: Status.Success, opaque: 1 }])
  t.match(await ask(two, second.subarray(50)), [{ opcode: Opcode.Append, status: Status.Success, opaque: 2 }])
  t.match(await ask(one, get('one')), [{ extras: '\0\0\0\x0b', value: '1'.repeat(100) + '2'.repeat(100) }])
})

for (const isDirect of [false, true]) {
  t.test(`large values come and go ${isDirect ? 'straight into their items' : 'by way of the input'}`, async t => {
    const { connect } = await startSessions(t, { protocol: 'binary' }, isDirect)
    const session = await connect()
    const requests = [set('a', LARGE), packet(Opcode.GetK, { key: 'a' }), get('none'), packet(Opcode.Noop)]
    const answers = await ask(session, ...requests)
    t.same(answers.map(({ status }) => status), [Status.Success, Status.Success, Status.NotFound, Status.Success])
    t.ok(answers[1]!.value === LARGE)
    t.equal(answers[1]!.key, 'a')
    t.equal(answers[1]!.cas, answers[0]!.cas)
    session.pause()
    await session.send(Buffer.concat([get('a'), set('a', 'small'), get('a')]))
    session.resume()
    t.same(readAnswers(await session.answer()).map(({ value }) => value.length), [LARGE.length, 0, 5])
  })
}

// cas

t.test('a value that is just small enough to be copied finds room, wherever the answers before it end', async t => {
  const { connect } = await startSessions(t)
  const session = await connect()
  const key = 'k'.repeat(250)
  const value = 'v'.repeat(Copy.BytesMax)
  await ask(session, set(key, value))
  // what is left of the output is as much as the longest answer with a copied value, or nearly so
  const left = OUTPUT_BYTES - 24 - 4 - key.length - Copy.BytesMax
  for (let bytes = left - 40; bytes < left; bytes++) {
    await ask(session, set('before', 'b'.repeat(bytes)))
    const answers = await ask(session, get('before'), packet(Opcode.GetK, { key }))
    t.ok(answers.length === 2 && answers[0]!.value.length === bytes, `${bytes} bytes before it`)
    t.ok(answers[1]?.key === key && answers[1].value === value, `and all of it, behind ${bytes}`)
  }
})

t.test('every change answers the cas number that a get shows', async t => {
  const { connect } = await startSessions(t, { protocol: 'binary' })
  const session = await connect()
  let last = 0n
  for (const change of [
    set('k', '1'),
    set('k', '2'),
    packet(Opcode.Replace, { key: 'k', value: '3', extras: PLAIN }),
    packet(Opcode.Append, { key: 'k', value: '0' }),
    packet(Opcode.Prepend, { key: 'k', value: '1' }),
    packet(Opcode.Increment, { key: 'k', extras: counts(1n) }),
    packet(Opcode.Decrement, { key: 'k', extras: counts(130n) }),
    packet(Opcode.Add, { key: 'new', value: 'x', extras: PLAIN }),
    packet(Opcode.Increment, { key: 'counter', extras: counts(1n, 3n) }),
  ]) {
    const { status, cas } = await askOne(session, change)
    t.equal(status, Status.Success)
    t.ok(cas > last)
    const key = change.toString('latin1').match(/counter|new|k/)![0]
    t.equal((await askOne(session, get(key))).cas, cas)
    last = cas
  }
})

for (const [name, change, after] of [
  ['SET', { opcode: Opcode.Set, quiet: Opcode.SetQ, extras: PLAIN, value: '7' }, '7'],
  ['ADD', { opcode: Opcode.Add, quiet: Opcode.AddQ, extras: PLAIN, value: '7' }, '7'],
  ['REPLACE', { opcode: Opcode.Replace, quiet: Opcode.ReplaceQ, extras: PLAIN, value: '7' }, '7'],
  ['APPEND', { opcode: Opcode.Append, quiet: Opcode.AppendQ, value: '7' }, '57'],
  ['PREPEND', { opcode: Opcode.Prepend, quiet: Opcode.PrependQ, value: '7' }, '75'],
  ['INCREMENT', { opcode: Opcode.Increment, quiet: Opcode.IncrementQ, extras: counts(2n) }, '7'],
  ['DECREMENT', { opcode: Opcode.Decrement, quiet: Opcode.DecrementQ, extras: counts(2n) }, '3'],
  ['DELETE', { opcode: Opcode.Delete, quiet: Opcode.DeleteQ }, undefined],
] as const) {
  t.test(`${name} with a cas number changes only the item that has it`, async t => {
    const { connect } = await startSessions(t, { protocol: 'binary' })
    const session = await connect()
    for (const opcode of [change.opcode, change.quiet]) {
      const { cas } = await askOne(session, set('k', '5'))
      for (const wrong of [cas + 1n, cas + (1n << 32n), 0xffffffffffffffffn]) {
        t.match(await ask(session, packet(opcode, { ...change, key: 'k', cas: wrong })),
          [{ opcode, status: Status.Exists, cas: 0n }])
      }
      t.equal(await valueOf(session, 'k'), '5')
      const answers = await ask(session, packet(opcode, { ...change, key: 'k', cas }))
      t.equal(answers.length, opcode === change.opcode ? 1 : 0)
      t.equal(await valueOf(session, 'k'), after)
      t.same(await statuses(session, packet(Opcode.DeleteQ, { key: 'k' })), after === undefined ? [Status.NotFound] : [])
    }
  })
}

t.test('a cas number for a key that is missing', async t => {
  const { connect } = await startSessions(t, { protocol: 'binary' })
  const session = await connect()
  const cas = 99n
  for (const opcode of [Opcode.Set, Opcode.Add, Opcode.Replace]) {
    t.equal((await askOne(session, packet(opcode, { key: 'k', value: 'v', extras: PLAIN, cas }))).status, Status.NotFound)
  }
  t.equal((await askOne(session, packet(Opcode.Append, { key: 'k', value: 'v', cas }))).status, Status.NotStored)
  t.equal((await askOne(session, packet(Opcode.Delete, { key: 'k', cas }))).status, Status.NotFound)
  t.equal((await askOne(session, packet(Opcode.Increment, { key: 'k', extras: counts(1n, 4n), cas }))).value,
    '\0\0\0\0\0\0\0\x04')
  t.equal(await valueOf(session, 'k'), '4', 'incr begins its counter all the same')
})

t.test('without cas numbers (-C) answers have none', async t => {
  const { connect } = await startSessions(t, { protocol: 'binary', useCas: false })
  const session = await connect()
  const answers = await ask(session, set('k', '1'), packet(Opcode.Increment, { key: 'k', extras: counts(1n) }), get('k'))
  t.same(answers.map(({ cas }) => cas), [0n, 0n, 0n])
})

// Quiet opcodes

t.test('quiet opcodes say nothing when they succeed', async t => {
  const { connect } = await startSessions(t, { protocol: 'binary' })
  const session = await connect()
  const answers = await ask(session,
    packet(Opcode.AddQ, { key: 'k', value: '1', extras: PLAIN }),
    packet(Opcode.SetQ, { key: 'k', value: '2', extras: PLAIN }),
    packet(Opcode.ReplaceQ, { key: 'k', value: '3', extras: PLAIN }),
    packet(Opcode.AppendQ, { key: 'k', value: '0' }),
    packet(Opcode.PrependQ, { key: 'k', value: '1' }),
    packet(Opcode.IncrementQ, { key: 'k', extras: counts(5n) }),
    packet(Opcode.DecrementQ, { key: 'k', extras: counts(1n) }),
    packet(Opcode.IncrementQ, { key: 'begun', extras: counts(5n, 6n) }),
    packet(Opcode.GetQ, { key: 'none' }),
    packet(Opcode.GetKQ, { key: 'none' }),
    packet(Opcode.GatQ, { key: 'none', extras: uint32s(0) }),
    packet(Opcode.GatKQ, { key: 'none', extras: uint32s(0) }),
    packet(Opcode.GetKQ, { key: 'k' }),
    packet(Opcode.GetQ, { key: 'begun' }),
    packet(Opcode.DeleteQ, { key: 'k' }),
    packet(Opcode.FlushQ),
    packet(Opcode.GetQ, { key: 'begun' }),
    packet(Opcode.QuitQ))
  t.match(answers, [{ opcode: Opcode.GetKQ, key: 'k', value: '134' }, { opcode: Opcode.GetQ, value: '6' }])
  t.equal(answers.length, 2)
  t.ok(await session.closed())
})

t.test('quiet opcodes tell when they fail', async t => {
  const { connect } = await startSessions(t, { protocol: 'binary' })
  const session = await connect()
  await ask(session, set('text', 'abc'))
  t.same(await statuses(session,
    packet(Opcode.AddQ, { key: 'text', value: '1', extras: PLAIN }),
    packet(Opcode.ReplaceQ, { key: 'none', value: '3', extras: PLAIN }),
    packet(Opcode.AppendQ, { key: 'none', value: '0' }),
    packet(Opcode.PrependQ, { key: 'none', value: '1' }),
    packet(Opcode.IncrementQ, { key: 'none', extras: counts(5n, 0n, NEVER_BEGIN) }),
    packet(Opcode.DecrementQ, { key: 'text', extras: counts(1n) }),
    packet(Opcode.DeleteQ, { key: 'none' }),
  ), [Status.Exists, Status.NotFound, Status.NotStored, Status.NotStored, Status.NotFound, Status.NonNumeric, Status.NotFound])
})

// Time

t.test('an exptime counts from now up to thirty days, and is a date from there on', async t => {
  const { connect, clock } = await startSessions(t, { protocol: 'binary' })
  const session = await connect()
  const today = Math.floor(clock.milliseconds() / 1000)
  const until = (exptime: number): Buffer => packet(Opcode.Set, { key: `at ${exptime}`, value: 'v', extras: uint32s(0, exptime) })
  await ask(session, until(10), until(today + 10), until(0x7fffffff), until(0xffffffff), until(today - 10))
  t.equal(await valueOf(session, `at ${today - 10}`), undefined)
  clock.advance(9)
  t.equal(await valueOf(session, 'at 10'), 'v')
  t.equal(await valueOf(session, `at ${today + 10}`), 'v')
  clock.advance(2)
  t.equal(await valueOf(session, 'at 10'), undefined)
  t.equal(await valueOf(session, `at ${today + 10}`), undefined)
  t.equal(await valueOf(session, `at ${0x7fffffff}`), 'v')
  t.equal(await valueOf(session, `at ${0xffffffff}`), 'v', 'a date in 2106, not minus one')
})

t.test('touch and gat give an item a new end, and incr one that it begins', async t => {
  const { connect, clock } = await startSessions(t, { protocol: 'binary' })
  const session = await connect()
  await ask(session, set('touched', 'v'), set('got', 'v'), packet(Opcode.Increment, { key: 'begun', extras: counts(1n, 1n, 10) }))
  await ask(session, packet(Opcode.Touch, { key: 'touched', extras: uint32s(10) }),
    packet(Opcode.GatKQ, { key: 'got', extras: uint32s(10) }))
  clock.advance(9)
  t.same(await statuses(session, get('touched'), get('got'), get('begun')), [Status.Success, Status.Success, Status.Success])
  clock.advance(2)
  t.same(await statuses(session, get('touched'), get('got'), get('begun')), [Status.NotFound, Status.NotFound, Status.NotFound])
})

t.test('a flush may have a delay, and another takes its place', async t => {
  const { connect, clock } = await startSessions(t, { protocol: 'binary' })
  const session = await connect()
  await ask(session, set('k', 'v'), packet(Opcode.FlushQ, { extras: uint32s(10) }))
  clock.advance(9)
  t.equal(await valueOf(session, 'k'), 'v')
  await ask(session, packet(Opcode.Flush, { extras: uint32s(10) }))
  clock.advance(9)
  t.equal(await valueOf(session, 'k'), 'v')
  clock.advance(2)
  t.equal(await valueOf(session, 'k'), undefined)
  await ask(session, set('k', 'later'))
  clock.advance(100)
  t.equal(await valueOf(session, 'k'), 'later')
})

t.test('where flushing is forbidden it is refused, also to those who are quiet', async t => {
  const { connect, server } = await startSessions(t, { protocol: 'binary', flushEnabled: false })
  const session = await connect()
  await ask(session, set('k', 'v'))
  t.same(await statuses(session, packet(Opcode.Flush), packet(Opcode.FlushQ)), [Status.AuthFailure, Status.AuthFailure])
  t.equal(await valueOf(session, 'k'), 'v')
  t.equal(server.store.counters.sum(Counter.CmdFlush), 0)
})

// Statistics

async function stats(session: BareSession, key: string): Promise<Map<string, string> | Status> {
  const answers = await ask(session, packet(Opcode.Stat, { key, opaque: 77 }))
  const last = answers.pop()!
  if (last.status !== Status.Success) return last.status
  if (last.key !== '' || last.value !== '') throw new Error('the last packet is not empty')
  if (answers.some(({ opaque, extras, cas }) => opaque !== 77 || extras !== '' || cas !== 0n)) throw new Error('a packet is odd')
  return new Map(answers.map(({ key, value }) => [key, value]))
}

t.test('STAT answers a packet for each row', async t => {
  const { connect } = await startSessions(t, { protocol: 'binary', trackSizes: true })
  const session = await connect()
  await ask(session, set('k', 'v'), get('k'), get('none'), packet(Opcode.Gat, { key: 'k', extras: uint32s(0) }))
  t.match(await stats(session, ''),
    new Map([['cmd_get', '2'], ['get_hits', '1'], ['cmd_set', '1'], ['touch_hits', '1'], ['curr_items', '1']]))
  t.match(await stats(session, 'items'), new Map([['items:1:number', '1']]))
  t.match(await stats(session, 'slabs'), new Map([['1:used_chunks', '1'], ['active_slabs', '1']]))
  t.match(await stats(session, 'sizes'), new Map([['64', '1']]))
  t.match(await stats(session, 'settings'), new Map([['cas_enabled', 'yes']]))
  t.same(await stats(session, 'reset'), new Map())
  t.match(await stats(session, ''), new Map([['cmd_get', '0'], ['curr_items', '1']]))
  for (const unknown of ['item', 'itemsx', 'conns', 'res', 'detail', 'detail maybe']) {
    t.equal(await stats(session, unknown), Status.NotFound, unknown)
  }
})

t.test('STAT sizes answers for many sizes as for one, and each request behind it in its turn', async t => {
  const { connect } = await startSessions(t, { protocol: 'binary', trackSizes: true })
  const session = await connect()
  for (let key = 100; key < 500; key++) await ask(session, set(String(key), 'v'.repeat(key * 32)))
  const answers = await ask(session, packet(Opcode.Stat, { key: 'sizes', opaque: 77 }), packet(Opcode.Noop, { opaque: 78 }))
  t.equal(answers.length, 402)
  t.equal(new Set(answers.slice(0, 400).map(({ key }) => Number(key))).size, 400)
  t.ok(answers.slice(0, 400).every(({ opaque, value }) => opaque === 77 && value === '1'))
  t.same(answers.slice(400).map(({ opaque, key }) => [opaque, key]), [[77, ''], [78, '']])
})

t.test('STAT detail counts by prefix what the binary protocol does', async t => {
  const { connect } = await startSessions(t, { protocol: 'binary' })
  const session = await connect()
  await stats(session, 'detail on')
  await ask(session, set('a:1', 'v'), packet(Opcode.AppendQ, { key: 'a:1', value: 'w' }), get('a:1'), get('a:2'),
    packet(Opcode.Touch, { key: 'a:1', extras: uint32s(0) }), packet(Opcode.DeleteQ, { key: 'a:1' }),
    packet(Opcode.Increment, { key: 'a:3', extras: counts(1n, 1n) }))
  t.same(await stats(session, 'detail dump'), new Map([['detailed', 'PREFIX a get 3 hit 2 set 2 del 1\r\nEND\r\n']]))
  await stats(session, 'detail off')
  await ask(session, get('a:1'))
  t.same(await stats(session, 'detail dump'), new Map([['detailed', 'PREFIX a get 3 hit 2 set 2 del 1\r\nEND\r\n']]))
})

t.test('where dumps are forbidden (-X) so is STAT detail', async t => {
  const { connect } = await startSessions(t, { protocol: 'binary', dumpEnabled: false })
  for (const word of ['on', 'off', 'dump']) t.equal(await stats(await connect(), `detail ${word}`), Status.NotFound)
})

// What is too large, and what does not end

t.test('a value that is too large drops the old one for SET alone, with a cas number too', async t => {
  const { connect } = await startSessions(t, { protocol: 'binary' })
  const session = await connect()
  const tooLarge = 'z'.repeat(1024 * 1024)
  for (const [opcode, cas, isDropped] of [
    [Opcode.Set, 0n, true], [Opcode.SetQ, 5n, true], [Opcode.Add, 0n, false], [Opcode.ReplaceQ, 0n, false],
      [Opcode.Replace, 5n, false],
  ] as const) {
    await ask(session, set('k', 'old'))
    t.match(await askOne(session, packet(opcode, { key: 'k', value: tooLarge, extras: PLAIN, cas, opaque: 3 })),
      { opcode, status: Status.TooLarge, value: 'Too large.', opaque: 3 })
    t.equal(await valueOf(session, 'k'), isDropped ? undefined : 'old')
  }
})

t.test('without memory a value is received, and then refused', async t => {
  const { connect } = await startSessions(t, { protocol: 'binary', maxbytes: 2 * 1024 * 1024, evictions: false })
  const session = await connect()
  const value = 'v'.repeat(100_000)
  let last = Status.Success
  for (let i = 0; i < 100 && last === Status.Success; i++) last = (await askOne(session, set(`k${i}`, value))).status
  t.equal(last, Status.NoMemory)
  t.match(await ask(session, set('more', value), packet(Opcode.Noop)),
    [{ value: 'Out of memory allocating item' }, { opcode: Opcode.Noop }])
})

t.test('without memory incr says what it was needed for', async t => {
  const { connect } = await startSessions(t, { protocol: 'binary', maxbytes: 2 * 1024 * 1024, evictions: false })
  const session = await connect()
  await ask(session, set('n', '9'))
  for (let key = 0; (await askOne(session, set(`${key}`, 'v'))).status === Status.Success; key++);
  for (const opcode of [Opcode.Increment, Opcode.IncrementQ]) {
    for (const [key, value] of [['none', 'Out of memory allocating new item'], ['n', 'Out of memory incrementing value']] as const) {
      t.match(await askOne(session, packet(opcode, { key, extras: counts(1n, 5n) })), { status: Status.NoMemory, value })
    }
  }
  t.equal(await valueOf(session, 'n'), '9')
})

t.test('what a header alone shows to be wrong is answered before more comes', async t => {
  const { connect, server } = await startSessions(t, { protocol: 'binary' })
  for (const [wrong, status] of [
    [{ opcode: Opcode.Get, keyBytes: 0xffff, bodyBytes: 0xffff }, Status.Invalid],
    [{ opcode: Opcode.Get, keyBytes: 251, bodyBytes: 251 }, Status.Invalid],
    [{ opcode: 0xff, keyBytes: 251, bodyBytes: 251 }, Status.Invalid],
    [{ opcode: Opcode.Get, keyBytes: 3, bodyBytes: 4 }, Status.Invalid],
    [{ opcode: Opcode.Set, keyBytes: 3, extrasBytes: 255, bodyBytes: 300 }, Status.Invalid],
    [{ opcode: Opcode.Set, keyBytes: 3, extrasBytes: 8, bodyBytes: 10 }, Status.Unknown],
    [{ opcode: Opcode.Set, keyBytes: 3, extrasBytes: 8, bodyBytes: 1024 ** 3 + 1 }, Status.Invalid],
    [{ opcode: Opcode.Gat, keyBytes: 3, extrasBytes: 4, bodyBytes: 8 }, Status.Invalid],
    [{ opcode: Opcode.Stat, keyBytes: 5, bodyBytes: 6 }, Status.Invalid],
  ] as const) {
    const session = await connect()
    t.match(await ask(session, header({ ...wrong, opaque: 5 })), [{ opcode: wrong.opcode, status, opaque: 5 }])
    t.ok(await session.closed())
  }
  const session = await connect()
  t.same(await sendTo(session, header({ magic: 0x81, opcode: Opcode.Noop })), Buffer.alloc(0))
  t.ok(await session.closed())
  t.equal(server.store.refCount, 0)
})

t.test('a body of up to 1 GiB that nobody wants is thrown away', async t => {
  const { connect } = await startSessions(t, { protocol: 'binary' })
  const session = await connect()
  const part = Buffer.alloc(1024 * 1024)
  await session.send(header({ opcode: Opcode.Set, keyBytes: 1, extrasBytes: 8, bodyBytes: 8 + 1 + 3 * part.length }))
  await session.send(Buffer.concat([PLAIN, Buffer.from('k')]))
  for (let i = 0; i < 3; i++) {
    t.same(await session.answer(), Buffer.alloc(0))
    await session.send(part)
  }
  t.match(readAnswers(await session.answer()), [{ status: Status.TooLarge }])
  t.same(await statuses(session, packet(Opcode.Noop)), [Status.Success])
})

t.test('a client that goes in the middle of a value leaves nothing behind', async t => {
  const { connect, server } = await startSessions(t, { protocol: 'binary' })
  const session = await connect()
  await session.send(set('k', 'value').subarray(0, -1))
  t.equal(server.store.refCount, 1)
  await session.hangUp()
  t.equal(server.store.refCount, 0)
})

// SASL

const USERS = 'anna:secret\nbob:two words\n'

async function startSasl(t: Test): Promise<Awaited<ReturnType<typeof startSessions>>> {
  const folder = t.testdir({})
  const authFile = join(folder, 'users')
  writeFileSync(authFile, USERS)
  return await startSessions(t, { protocol: 'binary', sasl: true, authFile })
}

function auth(value: string, key = 'PLAIN'): Buffer { return packet(Opcode.SaslAuth, { key, value }) }
function step(value: string, key = 'PLAIN'): Buffer { return packet(Opcode.SaslStep, { key, value }) }

const ANNA = '\0anna\0secret'

t.test('before a client has shown who it is, all else is refused and ends the conversation', async t => {
  const { connect } = await startSasl(t)
  for (const request of [...EVERYTHING, packet(Opcode.Stat), packet(Opcode.QuitQ), packet(Opcode.Noop),
    set('k', LARGE).subarray(0, 24)]) {
    const session = await connect()
    t.match(await ask(session, request), [{ opcode: request[1], status: Status.AuthFailure, value: 'Auth failure.' }])
    t.ok(await session.closed())
  }
  const session = await connect()
  t.match(await ask(session, packet(Opcode.Version), packet(Opcode.SaslListMechs)), [{ value: '1.6.45' }, { value: 'PLAIN' }])
})

t.test('a client authenticates with AUTH, or with AUTH and STEP', async t => {
  const { connect, server } = await startSasl(t)
  const done = { status: Status.Success, value: 'Authenticated' }
  for (const message of [ANNA, 'anna\0anna\0secret', '\0bob\0two words']) {
    t.match(await ask(await connect(), auth(message), packet(Opcode.Noop)), [done, { status: Status.Success }])
    t.match(await ask(await connect(), auth(message, 'plain'), packet(Opcode.Noop)), [done, { status: Status.Success }])
    t.match(await ask(await connect(), auth(''), step(message), packet(Opcode.Noop)),
      [{ status: Status.AuthContinue, value: '' }, done, { status: Status.Success }])
  }
  t.equal(server.store.counters.sum(Counter.AuthCmds), 9)
  t.equal(server.store.counters.sum(Counter.AuthErrors), 0)
})

t.test('who is not a user is refused, and counted', async t => {
  const { connect, server } = await startSasl(t)
  const refused = { status: Status.AuthFailure, value: 'Auth failure.' }
  const wrong = [
    '\0anna\0wrong', '\0anna\0secre', '\0anna\0secret\0', '\0nobody\0secret', '\0anna\0', '\0anna', 'anna secret', '\0\0',
      '\0', 'x',
    'bob\0anna\0secret', 'ann\0anna\0secret', '\0anna:secret\0', '\0bob\0secret', '\0anna\0' + 'x'.repeat(20_000),
  ]
  for (const message of wrong) {
    const session = await connect()
    t.match(await ask(session, auth(message)), [refused])
    t.notOk(await session.closed(), 'it may try again')
    t.match(await ask(session, packet(Opcode.Noop)), [refused])
  }
  t.match(await ask(await connect(), auth(ANNA, 'CRAM-MD5')), [refused])
  t.match(await ask(await connect(), step(ANNA)), [refused], 'STEP without AUTH')
  t.equal(server.store.counters.sum(Counter.AuthCmds), wrong.length + 2)
  t.equal(server.store.counters.sum(Counter.AuthErrors), wrong.length + 2)
})

t.test('where there are no users nobody is one', async t => {
  const { connect } = await startSessions(t,
    { protocol: 'binary', sasl: true, saslPwdb: join(t.testdir({ users: '' }), 'users') })
  t.match(await ask(await connect(), auth(ANNA), packet(Opcode.Noop)),
    [{ status: Status.AuthFailure }, { status: Status.AuthFailure }])
})

t.test('STEP goes on only where AUTH was told to, until it succeeds', async t => {
  const { connect } = await startSasl(t)
  const { Success, AuthFailure, AuthContinue } = StatusNumbers
  t.same(await statuses(await connect(), auth(''), step('\0anna\0wrong'), step(''), step(ANNA), packet(Opcode.Noop)),
    [AuthContinue, AuthFailure, AuthFailure, Success, Success])
  t.same(await statuses(await connect(), auth('\0anna\0wrong'), step(ANNA)), [AuthFailure, AuthFailure])
  t.same(await statuses(await connect(), auth(ANNA), step(ANNA), packet(Opcode.Noop)), [Success, AuthFailure, AuthFailure])
  t.same(await statuses(await connect(), auth(''), step(ANNA, 'anything'), packet(Opcode.Noop)), [AuthContinue, Success, Success])
})

const StatusNumbers = { Success: 0, AuthFailure: 0x20, AuthContinue: 0x21 }

t.test('authenticating again, and asking for the mechanisms, begins anew', async t => {
  const { connect } = await startSasl(t)
  const { Success, AuthFailure } = StatusNumbers
  t.same(await statuses(await connect(), auth(ANNA), auth('\0anna\0wrong'), packet(Opcode.Noop)),
    [Success, AuthFailure, AuthFailure])
  t.same(await statuses(await connect(), auth(ANNA), packet(Opcode.SaslListMechs), packet(Opcode.Noop)),
    [Success, Success, AuthFailure])
})

t.test('packets of SASL have bounds', async t => {
  const { connect } = await startSasl(t)
  const session = await connect()
  t.match(await ask(session, auth(ANNA, 'X'.repeat(33)), packet(Opcode.Version)),
    [{ status: Status.Invalid }, { status: Status.Success }])
  t.match(await ask(session, auth(ANNA, '')), [{ status: Status.Invalid }])
  t.ok(await session.closed())
  const other = await connect()
  await other.send(header({ opcode: Opcode.SaslAuth, keyBytes: 5, bodyBytes: 1024 ** 3 }))
  await other.send(Buffer.from('PLAIN' + 'x'.repeat(100_000)))
  t.same(await other.answer(), Buffer.alloc(0))
})

t.test('credentials cut at any byte are understood', async t => {
  const { connect } = await startSasl(t)
  const bytes = Buffer.concat([auth(''), step(ANNA), packet(Opcode.Noop)])
  for (let cut = 0; cut < bytes.length; cut++) {
    const session = await connect()
    const answer = Buffer.concat([await sendTo(session, bytes.subarray(0, cut)), await sendTo(session, bytes.subarray(cut))])
    const got = readAnswers(answer).map(({ status }) => status)
    if (got.join() !== '33,0,0') t.same(got, [0x21, 0, 0], `cut at ${cut}`)
  }
})
