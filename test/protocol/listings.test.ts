// Answers to `stats` that are long: others are served while they go out, and what follows them comes behind them.
import t from 'tap'
import { Opcode, packet, readAnswers } from '../support/packet.js'
import { type Client } from '../support/client.js'
import { startServer, type TestServer } from '../support/server.js'
import { startSessions } from '../support/session.js'
import { startUdpServer } from '../support/datagram.js'

const PREFIXES = 10_000
/** So many that their answers take many parts, and few enough that the kernel takes all at once where they do not. */
const SOME_PREFIXES = 1500
const CONNECTIONS = 300
/** Items that a dump lists in more than one part. */
const DUMPED = 3000
const TOO_LONG = 'SERVER_ERROR out of memory writing get response\r\n'

function countPrefixes({ server }: Pick<TestServer, 'server'>, count: number): void {
  server.host.prefixes.isOn = true
  for (let index = 0; index < count; index++) {
    const key = Buffer.from(`prefix-${index}:k`)
    server.host.prefixes.recordSet(key, 0, key.length)
  }
}

/** Sends a question, and lets another client ask something when the answer has begun; both answers, and which ended first. */
async function askBeside(client: Client, other: Client, question: string): Promise<{ answer: string, isFirst: boolean }> {
  const chunks: Buffer[] = []
  const hasEnded = (): boolean => chunks.at(-1)?.subarray(-5).toString('latin1') === 'END\r\n'
  client.stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  void client.send(question)
  await other.says('mn\r\n', 'MN\r\n')
  const isFirst = !hasEnded()
  await client.expect(/[^]*END\r\n/)
  return { answer: Buffer.concat(chunks).toString('latin1'), isFirst }
}

t.test('others are served while many prefixes are told', async t => {
  const host = await startServer(t, { threads: 1 })
  countPrefixes(host, SOME_PREFIXES)
  const { answer, isFirst } = await askBeside(host.client, await host.connect(), 'stats detail dump\r\n')
  t.ok(isFirst, 'the other has its answer before the end of this one')
  const lines = answer.split('\r\n')
  t.equal(lines.length, SOME_PREFIXES + 2)
  t.equal(new Set(lines).size, SOME_PREFIXES + 2)
})

t.test('others are served while many connections are told', async t => {
  const host = await startServer(t, { threads: 1 })
  for (let count = 0; count < CONNECTIONS; count++) await host.connect()
  const { answer, isFirst } = await askBeside(host.client, await host.connect(), 'stats conns\r\n')
  t.ok(isFirst, 'the other has its answer before the end of this one')
  t.equal(answer.match(/:state conn_read\r\n/g)?.length, CONNECTIONS + 1)
  t.equal(answer.match(/:state conn_parse_cmd\r\n/g)?.length, 1, 'it says of itself what it is doing')
})

t.test('what is asked behind a long answer is answered behind it', async t => {
  const host = await startSessions(t)
  countPrefixes(host, PREFIXES)
  const session = await host.connect()
  await session.send(Buffer.from('mn\r\nstats detail dump\r\nversion\r\n'))
  const answer = (await session.answer()).toString('latin1')
  t.match(answer, /^MN\r\nPREFIX [^]*\r\nEND\r\nVERSION [^\r]*\r\n$/)
  t.equal(answer.match(/PREFIX /g)?.length, PREFIXES)
})

t.test('a client that goes in the middle of a long answer leaves nothing behind', async t => {
  const host = await startSessions(t)
  countPrefixes(host, PREFIXES)
  for (const question of ['stats detail dump\r\n', 'stats conns\r\n', packet(Opcode.Stat, { key: 'detail dump' })]) {
    const session = await host.connect()
    session.pause()
    await session.send(Buffer.from(question))
    await session.hangUp()
  }
  const session = await host.connect()
  await session.send(Buffer.from('mn\r\n'))
  t.equal(String(await session.answer()), 'MN\r\n')
})

t.test('a client that goes in the middle of a dump lets another begin one', async t => {
  const host = await startSessions(t)
  const writer = await host.connect()
  for (let key = 0; key < DUMPED; key++) await writer.send(Buffer.from(`set ${'k'.repeat(200)}${key} 0 0 1 noreply\r\nv\r\n`))
  for (const question of ['lru_crawler metadump all\r\n', 'lru_crawler mgdump all\r\n', 'stats sizes\r\n']) {
    const leaver = await host.connect()
    leaver.pause()
    await leaver.send(Buffer.from(question))
    const begun = await leaver.hangUp()
    t.notMatch(begun.toString('latin1'), /(END|EN)\r\n$/, 'it had not come to its end')
    const other = await host.connect()
    await other.send(Buffer.from(question))
    t.match((await other.answer()).toString('latin1'), /(END|EN)\r\n$/, question)
  }
})

t.test('the binary protocol tells many prefixes as one row', async t => {
  const host = await startSessions(t)
  countPrefixes(host, PREFIXES)
  const session = await host.connect()
  const other = await host.connect()
  session.pause()
  await session.send(Buffer.concat([packet(Opcode.Stat, { key: 'detail dump', opaque: 7 }), packet(Opcode.Noop, { opaque: 8 })]))
  await other.send(packet(Opcode.Noop, { opaque: 9 }))
  session.resume()
  const answers = readAnswers(await session.answer())
  t.same(answers.map(({ opcode, opaque, key }) => [opcode, opaque, key]),
    [[Opcode.Stat, 7, 'detailed'], [Opcode.Stat, 7, ''], [Opcode.Noop, 8, '']])
  t.match(answers[0]!.value, /\r\nEND\r\n$/)
  t.equal(answers[0]!.value.match(/PREFIX /g)?.length, PREFIXES)
})

t.test('over UDP a short one is a message of its own, and a long one is refused', async t => {
  const { client, server } = await startUdpServer(t)
  countPrefixes({ server }, 3)
  const three = [0, 1, 2].map(index => `PREFIX prefix-${index} get 0 hit 0 set 1 del 0\r\n`).join('')
  await client.says('stats detail dump\r\n', `${three}END\r\n`)
  await client.send('mn\r\nstats detail dump\r\nmn\r\n')
  await client.expect(`MN\r\n${three}END\r\nMN\r\n`)
  t.same(client.received.slice(-3).map(datagram => datagram.subarray(8).toString()), ['MN\r\n', `${three}END\r\n`, 'MN\r\n'])
  countPrefixes({ server }, PREFIXES)
  await client.says('stats detail dump\r\n', TOO_LONG)
  await client.says('mn\r\n', 'MN\r\n')
})
