// Values in answers and requests. Which are copied and which lent, to however many clients, and what counts as a get; which are
// stored at once, and what becomes of those that cannot be.
import t, { type Test } from 'tap'
import { type Options } from '../../src/options/options.js'
import { Copy } from '../../src/protocol/output.js'
import { Want } from '../../src/store/request.js'
import { type ItemView } from '../../src/store/view.js'
import { Opcode, packet, uint32s } from '../support/packet.js'
import { startSessions, type BareSession } from '../support/session.js'
import { StoreUnderTest } from '../support/store.js'

/** More readers than an item can have references. */
const READERS = 600
const LARGE = 'v'.repeat(Copy.BytesMax + 1)
const SMALL = 'small'

/** The same get in each protocol, as bytes. */
const GETS: Readonly<Record<string, (key: string) => Buffer>> = {
  get: key => Buffer.from(`get ${key}\r\n`),
  gets: key => Buffer.from(`gets ${key}\r\n`),
  mg: key => Buffer.from(`mg ${key} v\r\n`),
  GET: key => packet(Opcode.Get, { key }),
  GETK: key => packet(Opcode.GetK, { key }),
  GETQ: key => packet(Opcode.GetQ, { key }),
}
const TOUCHES: Readonly<Record<string, (key: string) => Buffer>> = {
  gat: key => Buffer.from(`gat 50 ${key}\r\n`),
  'mg with T': key => Buffer.from(`mg ${key} v T50\r\n`),
  GAT: key => packet(Opcode.Gat, { key, extras: uint32s(50) }),
}
const ALL = { ...GETS, ...TOUCHES }

async function start(t: Test, options: Partial<Options> = {}) {
  const { clock, connect, server } = await startSessions(t, options)
  const { store } = server.host
  const subject = new StoreUnderTest(store)
  const admin = await connect()
  const says = async (request: string) => await sendTo(admin, Buffer.from(`${request}\r\n`))
  const setAll = async () => {
    await says(`set large 0 0 ${LARGE.length}\r\n${LARGE}`)
    await says(`set small 0 0 ${SMALL.length}\r\n${SMALL}`)
  }
  /** What a client has counted since the last call. */
  const counted = async () => {
    const rows = new Map([...(await says('stats')).matchAll(/^STAT (\w+) (\d+)\r$/gm)].map(([, name, value]) => [name, Number(value)]))
    const names = ['cmd_get', 'cmd_set', 'cmd_touch', 'get_hits', 'get_misses', 'touch_hits', 'touch_misses', 'response_obj_oom']
    await says('stats reset')
    return Object.fromEntries(names.map(name => [name, rows.get(name)]).filter(([, count]) => count !== 0))
  }
  /** Has readers hold the value of a key, without a get being counted; returns what ends each. */
  const hold = (key: string, count: number) => {
    const ends: (() => void)[] = []
    const request = subject.for(key)
    request.wants = Want.Peek
    const lend = { read: (view: ItemView) => {
      const loan = view.lend()!
      ends.push(() => loan.end())
      return true
    } }
    for (let reader = 0; reader < count; reader++) store.get(request, lend)
    return ends
  }
  /** Whether a client has fetched the item, as me shows it. */
  const isFetched = async (key: string) => (await says(`me ${key}`)).includes('fetch=yes')
  return { clock, connect, counted, hold, isFetched, says, setAll, store }
}

async function sendTo(session: BareSession, bytes: Uint8Array): Promise<string> {
  await session.send(bytes)
  return (await session.answer()).toString('latin1')
}

t.test('a get of a large value counts as one of a small value, and its item as used', async t => {
  const { connect, counted, isFetched, setAll } = await start(t)
  for (const [name, get] of Object.entries(ALL)) {
    for (const [key, value] of [['small', SMALL], ['large', LARGE]] as const) {
      await setAll()
      t.notOk(await isFetched(key))
      await counted()
      t.ok((await sendTo(await connect(), get(key))).includes(value), `${name} ${key}`)
      t.same(await counted(), name in GETS ? { cmd_get: 1, get_hits: 1 } : { cmd_touch: 1, touch_hits: 1 },
        `${name} ${key}`)
      t.ok(await isFetched(key), `${name} ${key}`)
    }
  }
})

t.test('only a value that is larger than what is copied is held in place until its client has taken it', async t => {
  const { connect, says, store } = await start(t)
  for (const [name, get] of Object.entries(GETS)) {
    for (const [valueBytes, held] of [[Copy.BytesMax, 0], [Copy.BytesMax + 1, 1]] as const) {
      await says(`set k 0 0 ${valueBytes}\r\n${'v'.repeat(valueBytes)}`)
      const session = await connect()
      session.pause()
      await session.send(get('k'))
      t.equal(store.refCount, held, `${name} of ${valueBytes} bytes`)
      session.resume()
      t.equal(store.refCount, 0, 'taken')
    }
  }
})

t.test('values are answered whole and in order wherever the buffer of answers gets full', async t => {
  const { connect, says, store } = await start(t)
  const sizes = [100, 4000, 8192, 8193, 12_000, 20_000, Copy.BytesMax, Copy.BytesMax + 1]
  for (const bytes of sizes) await says(`set of${bytes} 0 0 ${bytes}\r\n${'v'.repeat(bytes)}`)
  for (const [name, get] of Object.entries(GETS)) {
    for (const bytes of sizes) {
      const answer = await sendTo(await connect(), get(`of${bytes}`))
      for (const before of sizes) {
        const [first, count] = [await sendTo(await connect(), get(`of${before}`)), Math.ceil(100_000 / before)]
        const requests = Buffer.concat([...Array.from({ length: count }, () => get(`of${before}`)), get(`of${bytes}`)])
        const answers = await sendTo(await connect(), requests)
        t.ok(answers === first.repeat(count) + answer, `${name} of ${bytes} bytes behind ${count} of ${before}`)
      }
    }
  }
  t.equal(store.refCount, 0)
})

t.test('a key that is too long is the whole answer, also behind more values than fit the buffer of answers', async t => {
  const { connect, says, store } = await start(t)
  for (const bytes of [1000, 12_000, 20_000]) {
    await says(`set k 0 0 ${bytes}\r\n${'v'.repeat(bytes)}`)
    const line = `get${' k'.repeat(Math.ceil(70_000 / bytes))} ${'l'.repeat(251)}\r\n`
    t.equal(await sendTo(await connect(), Buffer.from(line)), 'CLIENT_ERROR bad command line format\r\n', `${bytes} bytes`)
  }
  t.equal(store.refCount, 0)
})

t.test('however many clients read a large value, it is answered, and can be changed', async t => {
  const { connect, hold, says, setAll, store } = await start(t)
  await setAll()
  const ends = hold('large', READERS)
  for (const [name, get] of Object.entries(ALL)) t.ok((await sendTo(await connect(), get('large'))).includes(LARGE), name)
  t.equal(await says('append large 0 0 1\r\n+'), 'STORED\r\n')
  t.equal(await says('md large x'), 'HD\r\n')
  for (const end of ends) end()
  t.equal(store.refCount, 0)
})

t.test('a large value before something that is wrong with its line is not sent, not counted and not held', async t => {
  const { connect, counted, isFetched, setAll } = await start(t)
  await setAll()
  for (const [line, answer] of [
    [`get large ${'k'.repeat(251)}`, 'CLIENT_ERROR bad command line format\r\n'],
    [`get large large ${'k'.repeat(251)}`, 'CLIENT_ERROR bad command line format\r\n'],
    [`mg large v O${'o'.repeat(32)}`, 'CLIENT_ERROR opaque token too long\r\n'],
  ] as const) {
    const session = await connect()
    // the answer before it was a good one
    await sendTo(session, Buffer.from('get small\r\n'))
    await counted()
    t.equal(await sendTo(session, Buffer.from(`${line}\r\n`)), answer)
    t.same(await counted(), {}, line)
    t.notOk(await isFetched('large'), line)
  }
})

// In requests

t.test('a value that is there with its line end is stored in one step, and one that is not, in several', async t => {
  const { connect, store } = await start(t)
  const steps: string[] = []
  const { begin, set } = store
  store.begin = request => {
    steps.push('begin')
    return begin.call(store, request)
  }
  store.set = (request, at) => {
    steps.push('set')
    return set.call(store, request, at)
  }
  for (const bytes of [
    Buffer.from('set k 0 0 5\r\nvalue\r\n'), Buffer.from('ms k 5\r\nvalue\r\n'),
    packet(Opcode.SetQ, { key: 'k', value: 'value', extras: uint32s(0, 0) }),
  ]) {
    for (const [firstBytes, expected] of [[bytes.length, 'set'], [bytes.length - 1, 'begin']] as const) {
      const session = await connect()
      await sendTo(session, bytes.subarray(0, firstBytes))
      await sendTo(session, bytes.subarray(firstBytes))
      t.same(steps.splice(0), [expected], `${firstBytes} of ${bytes.length} bytes`)
    }
  }
})

/** What depends on how often something was read from the client, and on the list that an item is in: it keeps its place. */
const DIFFERENT = /^STAT (rusage_|read_buf_|bytes_|moves_|items:\d+:(number_|hits_to_|moves_|age)).*\r\n/gm

t.test('a value that is written over the old one counts and shows as one that takes its place', async t => {
  const shown = async (isWhole: boolean) => {
    const { clock, connect, says } = await start(t, { trackSizes: true })
    const all: string[] = []
    for (const [command, value] of [
      ['set k 0 0 30', 'a'.repeat(30)], ['set k 0 0 30', 'b'.repeat(30)], ['set k 0 0 34', 'c'.repeat(34)],
      ['set k 0 90 31', 'd'.repeat(31)], ['ms k 32 E77 c s', 'e'.repeat(32)], ['ms k 32 T60 t c', 'f'.repeat(32)],
      ['set k 0 0 0', ''], ['set f 5 0 4', 'four'], ['set f 6 0 4', 'FOUR'], ['set k 0 0 5 noreply', 'quiet'],
    ] as const) {
      await says(`get k\r\nget k\r\nget k`)
      clock.advance(3)
      const bytes = Buffer.from(`${command}\r\n${value}\r\n`)
      const cut = isWhole ? bytes.length : bytes.length - 1
      const session = await connect()
      all.push(await sendTo(session, bytes.subarray(0, cut)) + await sendTo(session, bytes.subarray(cut)))
      for (const question of ['me k', 'me f', 'stats items', 'stats slabs', 'stats sizes', 'stats', 'gets k f']) all.push(await says(question))
    }
    return all.map(answer => answer.replace(DIFFERENT, ''))
  }
  t.same(await shown(true), await shown(false))
})

t.test('a value that something other than a line end follows is not stored, and counts as one that was sent', async t => {
  const { connect, counted, says, setAll } = await start(t)
  await setAll()
  await counted()
  for (const command of ['set small 0 0 1', 'ms small 1']) {
    for (const ends of ['\rX', 'X\n', '\n\r', '\r\r', '\n\n', 'XX']) {
      for (const cut of [0, 1, 2, 3]) {
        const bytes = Buffer.from(`${command}\r\nv${ends}`)
        const session = await connect()
        const begun = await sendTo(session, bytes.subarray(0, bytes.length - cut))
        t.equal(begun + await sendTo(session, bytes.subarray(bytes.length - cut)), 'CLIENT_ERROR bad data chunk\r\n',
          `${command} ${JSON.stringify(ends)} ${cut}`)
        t.same(await counted(), { cmd_set: 1 })
        t.equal(await says('mg small v'), `VA ${SMALL.length}\r\n${SMALL}\r\n`)
        await counted()
      }
    }
  }
})

t.test('the same of a large value that is read straight into its item', async t => {
  const { connect } = await startSessions(t, {}, true)
  const value = 'v'.repeat(20_000)
  for (const command of ['set k 0 0 20000', 'ms k 20000']) {
    for (const ends of ['\r\n', '\rX', 'X\n', '\n\r', '\r\r', '\n\n', 'XX']) {
      for (const cut of [0, 1, 2, 3]) {
        const session = await connect()
        const bytes = Buffer.from(`${value}${ends}mn\r\n`)
        const end = bytes.length - 'mn\r\n'.length - cut
        let answer = await sendTo(session, Buffer.from(`${command}\r\n`))
        for (const part of [bytes.subarray(0, end), bytes.subarray(end)]) answer += await sendTo(session, part)
        t.match(answer, ends === '\r\n' ? /^(STORED|HD)\r\nMN\r\n$/ : /^CLIENT_ERROR bad data chunk\r\nMN\r\n$/,
          `${command} ${JSON.stringify(ends)} ${cut}`)
      }
    }
  }
})

t.test('a value for which there is no room is refused alike whether it is there as a whole or comes in parts', async t => {
  const tooLarge = 'SERVER_ERROR object too large for cache\r\n'
  const noMemory = 'SERVER_ERROR out of memory storing object\r\n'
  const value = 'v'.repeat(9000)
  for (const [options, answer] of [
    [{ itemSizeMax: 8192, slabChunkMax: 4096 }, tooLarge], [{ maxbytes: 2 * 1024 * 1024, evictions: false }, noMemory],
  ] as const) {
    const { connect, says } = await start(t, options)
    for (let key = 0; answer === noMemory && key < 300; key++) await says(`set ${key} 0 0 9000 noreply\r\n${value}`)
    for (const [command, expected] of [
      ['set k 0 0 9000', answer], ['set k 0 0 9000 noreply', ''], ['ms k 9000 Oopaque k', answer], ['ms k 9000 q', answer],
    ] as const) {
      const bytes = Buffer.from(`${command}\r\n${value}\r\nmn\r\n`)
      t.equal(await sendTo(await connect(), bytes), `${expected}MN\r\n`, command)
      const session = await connect()
      const begun = await sendTo(session, bytes.subarray(0, 5000))
      t.equal(begun + await sendTo(session, bytes.subarray(5000)), `${expected}MN\r\n`, `${command} in parts`)
    }
  }
})
