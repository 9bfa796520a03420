// `stats prefixes` of a server: its sums are those of `stats`, whichever threads serve which clients.
import t from 'tap'
import { type Client } from '../support/client.js'
import { Opcode, packet, readAnswers } from '../support/packet.js'
import { Prng } from '../support/prng.js'
import { startServer } from '../support/server.js'
import { startSessions } from '../support/session.js'
import { ask } from '../http/ask.js'

const MIB = 1024 * 1024
const SEED = 20261129
const CLIENTS = 8
const BATCHES = 40
const OPERATIONS = 100

type Report = Readonly<Record<string, string>>

function rowsOf(answer: string): Report {
  return Object.fromEntries(Array.from(answer.matchAll(/STAT (\S+) ([^\r\n]*)\r\n/g), ([, name, value]) => [name!, value!]))
}

async function reportOf(client: Client, name: string): Promise<Report> {
  return rowsOf((await client.says(`stats${name}\r\n`, /[^]*END\r\n$/)).toString('latin1'))
}

function sumOf(report: Report, field: string): number {
  return Object.entries(report).reduce((sum, [name, value]) => name.endsWith(`:${field}`) ? sum + Number(value) : sum, 0)
}

/** Sends batches of requests, each behind the other, and takes all answers. */
async function load(client: Client, random: Prng): Promise<void> {
  for (let batch = 0; batch < BATCHES; batch++) {
    let text = ''
    for (let count = 0; count < OPERATIONS; count++) {
      const key = `${['a:', 'bb:', 'ccc:', ''][random.below(4)]}${random.below(3000)}`
      const bytes = random.below(random.oneIn(20) ? 20_000 : 800)
      const roll = random.below(10)
      if (roll < 4) text += `get ${key}\r\n`
      else if (roll < 8) text += `set ${key} 0 0 ${bytes} noreply\r\n${'v'.repeat(bytes)}\r\n`
      else if (roll < 9) text += `delete ${key} noreply\r\n`
      else text += `append ${key} 0 0 5 noreply\r\nvalue\r\n`
    }
    await client.says(`${text}mn\r\n`, /[^]*MN\r\n$/)
  }
}

t.test('with four threads and many clients the sums of all prefixes are what the server has', async t => {
  const { client, connect } = await startServer(t, { threads: 4, maxbytes: 4 * MIB, itemSizeMax: MIB, trackPrefixes: true,
    prefixQuotas: { bb: 20 } })
  const clients = await Promise.all(Array.from({ length: CLIENTS }, async () => await connect()))
  await Promise.all(clients.map(async (each, index) => await load(each, new Prng(SEED + index))))
  const [prefixes, stats] = [await reportOf(client, ' prefixes'), await reportOf(client, '')]
  t.equal(sumOf(prefixes, 'items'), Number(stats['curr_items']))
  t.equal(sumOf(prefixes, 'hits'), Number(stats['get_hits']))
  t.equal(sumOf(prefixes, 'misses'), Number(stats['get_misses']))
  t.equal(sumOf(prefixes, 'evictions'), Number(stats['evictions']))
  t.ok(sumOf(prefixes, 'evictions') > 0)
  const bb = Object.keys(prefixes).find(name => name.endsWith(':prefix') && prefixes[name] === 'bb')!.split(':')[0]
  t.ok(Number(prefixes[`${bb}:bytes`]) < Number(prefixes[`${bb}:quota`]) * 1.1 + 20_000)
  await client.says('stats reset\r\n', 'RESET\r\n')
  t.equal(sumOf(await reportOf(client, ' prefixes'), 'hits'), 0)
})

t.test('the binary protocol shows the same, unless keys are not to be shown', async t => {
  for (const dumpEnabled of [true, false]) {
    const host = await startSessions(t, { trackPrefixes: true, dumpEnabled })
    const session = await host.connect()
    await session.send(packet(Opcode.Set, { key: 'a:1', value: 'v', extras: Buffer.alloc(8) }))
    readAnswers(await session.answer())
    await session.send(packet(Opcode.Stat, { key: 'prefixes' }))
    const answers = readAnswers(await session.answer())
    const rows = Object.fromEntries(answers.map(({ key, value }) => [String(key), String(value)]))
    if (dumpEnabled) t.match(rows, { 'status': 'on', '1:prefix': 'a', '1:items': '1' })
    else t.notMatch(rows, { status: 'on' })
  }
})

t.test('of very many prefixes all have lines, and the page is sent the largest', async t => {
  const { client, port } = await startServer(t, { trackPrefixes: true, http: true })
  let sets = ''
  for (let index = 1; index <= 300; index++) sets += `set p${index}:1 0 0 ${index} noreply\r\n${'v'.repeat(index)}\r\n`
  await client.says(`${sets}mn\r\n`, 'MN\r\n')
  const all = await reportOf(client, ' prefixes')
  t.match(all, { 'count': '300', '1:prefix': 'p300', '300:prefix': 'p1' })
  const page = (JSON.parse((await ask(port, '/stats')).body) as { own: { prefixes: Record<string, unknown> } }).own.prefixes
  t.match(page, { 'count': 300, '1:prefix': 'p300', '64:prefix': 'p237', 'none:items': 0 })
  t.equal(page['65:prefix'], undefined)
  t.equal(JSON.parse((await ask(port, '/stats/prefixes')).body)['300:prefix'], 'p1')
})
