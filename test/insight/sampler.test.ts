// The sampler: which requests it takes, and what those who learn from it are told of them.
import t from 'tap'
import { COMMAND_NAMES, Command } from '../../src/insight/commands.js'
import { Latency, LATENCY_BUCKETS } from '../../src/insight/latency.js'
import { Sample, Sampler, UNTIMED, Use, type Learner } from '../../src/insight/sampler.js'
import { commandsOf } from '../../src/protocol/binary/commands.js'
import { Packets } from '../../src/protocol/binary/packets.js'
import { commandAt } from '../../src/protocol/sampled.js'
import { COMMANDS } from '../../src/protocol/text/commands.js'
import { packet } from '../support/packet.js'
import { Prng } from '../support/prng.js'
import { startSessions } from '../support/session.js'
import { StoreUnderTest } from '../support/store.js'

const USES = ['read', 'store', 'arithmetic', 'delete', 'touch']

/** Writes down what it is told, a line a key, and a line a request. */
class Notes implements Learner {
  readonly lines: string[] = []

  key({ use, bytes, keyStart, keyEnd, isHit, valueBytes, exptime }: Sample): void {
    const key = Buffer.from(bytes.subarray(keyStart, keyEnd)).toString('latin1')
    const seen = use === Use.Store ? '' : isHit ? ' hit' : ' miss'
    const value = valueBytes === 0 ? '' : ` ${valueBytes} bytes`
    this.lines.push(`${USES[use]} ${key}${seen}${value}${exptime === 0 ? '' : ` for ${exptime}`}`)
  }

  request({ command, keys, microseconds }: Sample): void {
    this.lines.push(`${COMMAND_NAMES[command]} of ${keys}${microseconds === UNTIMED ? ' untimed' : ''}`)
  }

  take(): string[] { return this.lines.splice(0) }
}

/** A session of a server that samples every request, and what is learned from it. */
async function startSampled(t: Parameters<typeof startSessions>[0], options: Parameters<typeof startSessions>[1] = {}) {
  const host = await startSessions(t, { hotkeys: 1, ...options })
  const notes = new Notes()
  host.server.host.insight.sampler.teach(notes)
  const session = await host.connect()
  const learn = async (text: string | Buffer): Promise<string[]> => {
    await session.send(Buffer.from(text as string, 'latin1'))
    await session.answer()
    return notes.take()
  }
  return { host, notes, session, learn }
}

t.test('every command of the text protocol is learned with its keys', async t => {
  const { learn } = await startSampled(t)
  for (const [text, ...lines] of [
    ['set a 0 60 5\r\nvalue\r\n', 'store a 5 bytes for 60', 'set of 1'],
    ['add a 0 0 1 noreply\r\nv\r\n', 'store a 1 bytes', 'add of 1'],
    ['cas a 0 -1 1 77\r\nv\r\n', 'store a 1 bytes for -1', 'cas of 1'],
    ['get a\r\n', 'read a hit 5 bytes', 'get of 1'],
    ['gets a b a\r\n', 'read a hit 5 bytes', 'read b miss', 'read a hit 5 bytes', 'gets of 3'],
    ['gat 90 a\r\n', 'read a hit 5 bytes for 90', 'gat of 1'],
    ['touch a 100\r\n', 'touch a hit for 100', 'touch of 1'],
    ['delete b\r\n', 'delete b miss', 'delete of 1'],
    ['delete a\r\n', 'delete a hit', 'delete of 1'],
    ['incr n 1\r\n', 'arithmetic n miss', 'incr of 1'],
    ['set b 0 86400000 1\r\n1\r\n', 'store b 1 bytes for 86400000', 'set of 1'],
    ['set n 0 0 1\r\n1\r\n', 'store n 1 bytes', 'set of 1'],
    ['decr n 1\r\n', 'arithmetic n hit', 'decr of 1'],
    ['mg n v\r\n', 'read n hit 1 bytes', 'mg of 1'],
    ['mg n v T30\r\n', 'read n hit 1 bytes for 30', 'mg of 1'],
    ['ms m 2 T9\r\nab\r\n', 'store m 2 bytes for 9', 'ms of 1'],
    ['ma n\r\n', 'arithmetic n hit', 'ma of 1'],
    ['md n\r\n', 'delete n hit', 'md of 1'],
    ['mn\r\n', 'mn of 0'],
    ['version\r\n', 'version of 0'],
    ['nonsense\r\n', 'other of 0'],
    ['get\r\n', 'get of 0'],
    ['verbosity 0\r\nget b\r\nget c\r\n', 'verbosity of 0', 'read b miss', 'get of 1', 'read c miss', 'get of 1'],
  ] as const) {
    t.same(await learn(text), lines, JSON.stringify(text))
  }
})

t.test('every opcode is learned with its key', async t => {
  const { learn } = await startSampled(t)
  const extras = (...words: number[]): Buffer => {
    const bytes = Buffer.alloc(words.length * 4)
    words.forEach((word, index) => bytes.writeUInt32BE(word, index * 4))
    return bytes
  }
  for (const [bytes, ...lines] of [
    [packet(0x01, { key: 'a', extras: extras(0, 60), value: 'value' }), 'store a 5 bytes for 60', 'set of 1'],
    [packet(0x00, { key: 'a' }), 'read a hit 5 bytes', 'get of 1'],
    [packet(0x0d, { key: 'b' }), 'read b miss', 'get of 1'],
    [packet(0x1d, { key: 'a', extras: extras(30) }), 'read a hit 5 bytes for 30', 'gat of 1'],
    [packet(0x04, { key: 'a' }), 'delete a hit', 'delete of 1'],
    [packet(0x05, { key: 'n', extras: extras(0, 1, 0, 7, 0) }), 'arithmetic n hit', 'incr of 1'],
    [packet(0x0a, {}), 'noop of 0'],
  ] as const) t.same(await learn(bytes), lines)
})

t.test('a request that comes in pieces is learned once', async t => {
  const { learn } = await startSampled(t)
  t.same(await learn('ge'), [])
  t.same(await learn('t a'), [])
  t.same(await learn('\r\n'), ['read a miss', 'get of 1'])
  t.same(await learn('set a 0 0 5\r\nva'), ['store a 5 bytes', 'set of 1 untimed'])
  t.same(await learn('lue\r\nget a\r\n'), ['read a hit 5 bytes', 'get of 1'])
})

t.test('a request that waits for its client has no time', async t => {
  const { learn, session } = await startSampled(t)
  await learn(`set a 0 0 900000\r\n${'x'.repeat(900_000)}\r\n`)
  session.pause()
  t.same((await learn('get a\r\n')).at(-1), 'get of 1 untimed')
  session.resume()
})

t.test('by chance, each request has the same share of samples, whatever the pattern', async t => {
  const rate = 0.02
  const random = new Prng(20260115)
  let request = 0
  const sampler = new Sampler(rate, new StoreUnderTest().store, () => request * 0.025, () => random.below(2 ** 30) / 2 ** 30)
  const sampled = new Array<number>(10).fill(0)
  const requests = 1_000_000
  for (; request < requests; request++) {
    if (sampler.left-- > 0) continue
    sampler.open(Command.Get, sampler, 0)
    sampler.close(true, true)
    sampled[request % 10]!++
    // the next batch of a client, whose sample is not by chance
    sampler.followed = undefined
  }
  for (const count of sampled) {
    // 2,000 expected, with a deviation of 44
    t.ok(Math.abs(count - requests * rate / 10) < 5 * 45, `${count} samples of one place in ten`)
  }
})

t.test('a thread that serves more takes no more samples, and each of them stands for more', async t => {
  const random = new Prng(20261129)
  let [now, requests, samples, weights] = [0, 0, 0, 0]
  const sampler = new Sampler(0.01, new StoreUnderTest().store, () => now, () => random.below(2 ** 30) / 2 ** 30)
  const serve = (count: number, microseconds: number): void => {
    [requests, samples, weights] = [count, 0, 0]
    for (let request = 0; request < count; request++, now += microseconds / 1000) {
      if (sampler.left-- > 0) continue
      sampler.open(Command.Get, sampler, 0)
      samples++
      weights += sampler.sample.weight
      sampler.close(true, false)
    }
  }
  const isUnbiased = (): void => { t.ok(Math.abs(weights / (requests * 0.01) - 1) < 0.1, `weights of ${weights}`) }
  serve(1_000_000, 20)
  t.equal(weights, samples, 'at 50,000 requests a second each stands for a hundred')
  isUnbiased()
  serve(10_000_000, 0.5)
  t.ok(samples < 2000 * 5, `at 2,000,000 there are ${samples} in 5 seconds`)
  isUnbiased()
  serve(500_000, 20)
  serve(1_000_000, 20)
  t.equal(weights, samples, 'and as before when there is less to do')
})

t.test('a rate of 0 takes no request, and of 1 each', async t => {
  for (const rate of [0, 1]) {
    const { server, connect } = await startSessions(t, { hotkeys: rate })
    const notes = new Notes()
    server.host.insight.sampler.teach(notes)
    const session = await connect()
    // where none are taken, the gap ends all the same
    if (rate === 0) server.host.insight.sampler.left = 3
    await session.send(Buffer.from('get a\r\n'.repeat(10)))
    t.equal(String(await session.answer()), 'END\r\n'.repeat(10))
    t.equal(notes.lines.length, rate * 20)
  }
})

t.test('of a client that is sampled, the next batch is sampled too, and not counted as chance', async t => {
  const { server, connect } = await startSessions(t, { hotkeys: 1e-9 })
  const { sampler } = server.host.insight
  const seen: string[] = []
  sampler.teach({ request: ({ command, isChance, previous, previousKeys }) => {
    const before = isChance ? '' : ` after ${COMMAND_NAMES[previous]} of ${previousKeys}`
    seen.push(`${COMMAND_NAMES[command]}${before}`)
  } })
  const [one, other] = [await connect(), await connect()]
  sampler.left = 0
  await one.send(Buffer.from('get a b\r\n'))
  await other.send(Buffer.from('get e\r\n'))
  t.same(seen, ['get'], 'and not another client')
  sampler.left = 12
  await one.send(Buffer.from('version\r\nget a\r\nget b\r\n'))
  t.same(seen, ['get', 'version after get of 2'])
  t.equal(sampler.left, 10, 'the gap goes on')
  await one.send(Buffer.from('get a\r\n'))
  t.equal(seen.length, 2, 'and only the next one is')
  // a client that leaves, or sends half a request, is not followed for long
  sampler.left = 0
  await one.send(Buffer.from('get a\r\n'))
  await one.send(Buffer.from('get'))
  await other.send(Buffer.from('get a\r\n'))
  await one.send(Buffer.from(' a\r\n'))
  t.same(seen.slice(2), ['get'])
  sampler.left = 0
  await one.send(Buffer.from('get a\r\n'))
  await one.hangUp()
  t.equal(sampler.followed, undefined)
  sampler.left = 0
  await other.send(Buffer.from('get a\r\nget b\r\n'))
  t.equal(sampler.followed, undefined, 'more came behind it in the same batch')
})

t.test('latency is counted by command and bucket, and added up over threads', async t => {
  const memory = new ArrayBuffer(Latency.bytesFor(2))
  const threads = [new Latency(memory, 0, 2, 0), new Latency(memory, 0, 2, 1)]
  const sampleOf = (command: Command, microseconds: number, isChance = true): Sample =>
    Object.assign(new Sample(new Uint8Array()), { command, microseconds, isChance })
  threads[0]!.request(sampleOf(Command.Get, 1))
  threads[1]!.request(sampleOf(Command.Get, 1.01))
  threads[1]!.request(sampleOf(Command.Get, 2e6))
  threads[1]!.request(sampleOf(Command.Get, 5, false))
  threads[1]!.request(sampleOf(Command.Set, UNTIMED))
  const [get, ...others] = [...threads[0]!.histograms()]
  t.same(others, [])
  t.same({ ...get, sum: Number(get!.sum.toFixed(8)) },
    { command: 'get', counts: [1, 1, ...LATENCY_BUCKETS.slice(2).map(() => 0), 1], sum: 2.00000201 })
  threads[0]!.clear()
  t.same([...threads[0]!.histograms()], [])
})

/** The text commands that do the same as opcodes of other names. */
const ALIASES: Readonly<Record<string, string>> = {
  increment: 'incr', decrement: 'decr', flush: 'flush_all', stat: 'stats',
}

t.test('each command has a name', async t => {
  t.equal(COMMAND_NAMES.length, Command.Count)
  for (const [command, name] of COMMAND_NAMES.entries()) t.equal(commandAt(Buffer.from(`${name} a\r\n`), 0), command, name)
  for (const { name } of COMMANDS) t.ok(COMMAND_NAMES.includes(name), name)
  for (const { name, opcode, quiet } of commandsOf(new Packets((await startSessions(t)).server.host))) {
    for (const code of [opcode, quiet ?? opcode]) {
      const command = COMMAND_NAMES[commandAt(packet(code), 0)]!
      t.ok(ALIASES[name.toLowerCase()] === command || name.toLowerCase().startsWith(command), `${name} is ${command}`)
    }
  }
})
