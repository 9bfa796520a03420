// -o read_buf_mem_limit: how many answers may wait to be written, in the numbers that memcached 1.6.18 shows. There they lie
// in blocks of 16 KiB with 13 answers each, of which one block is read to.
import t from 'tap'
import { ServerCore } from '../../src/server/core.js'
import { startServer, type TestServer } from '../support/server.js'
import { startSessions } from '../support/session.js'

const MIB = 1024 * 1024
const TOO_MANY = 'SERVER_ERROR out of memory writing get response\r\n'
/** With 1 MiB and 4 threads, and with one. */
const [OF_FOUR, OF_ONE] = [195, 819]

/** A line of which so much is there, and not its end, is gathered. */
const GATHERED_BYTES = 70_000

const get = (count: number, name = 'get'): string =>
  `${name} ${Array.from({ length: count }, (_, index) => `k${index}`).join(' ')}\r\n`

async function limited(t: Parameters<typeof startServer>[0], share: number): Promise<TestServer> {
  return await startServer(t, { readBufMemLimit: MIB / share, reqsPerEvent: 1000, itemSizeMax: MIB })
}

const oomOf = ({ server }: TestServer): unknown => new Map(server.host.report('')).get('response_obj_oom')

for (const [share, max] of [[1, OF_ONE], [4, OF_FOUR]] as const) {
  t.test(`1 MiB, shared out among ${share}, is enough for a get of ${max} keys`, async t => {
    const server = await limited(t, share)
    const { client } = server
    await client.says('set k0 0 0 1\r\nv\r\n', 'STORED\r\n')
    await client.says(get(max), 'VALUE k0 0 1\r\nv\r\nEND\r\n')
    t.equal(oomOf(server), 0)
    await client.says(get(max + 1), TOO_MANY)
    await client.says(`gats 0 ${get(max + 1).slice(4)}version\r\n`, `${TOO_MANY}VERSION 1.6.45\r\n`)
    await client.says(get(max), 'VALUE k0 0 1\r\nv\r\nEND\r\n')
    t.equal(oomOf(server), 2)
  })
}

t.test('threads share what there is, and each has room for some', async t => {
  const maxOf = (readBufMemLimit: number, threads: number): number => new ServerCore({ readBufMemLimit, threads }).host.answersMax
  t.equal(maxOf(MIB, 1), OF_ONE)
  t.equal(maxOf(MIB, 4), OF_FOUR)
  t.equal(maxOf(MIB, 64), 13)
  t.equal(maxOf(0, 4), 0)
})

t.test('a get of more than 1 MiB is counted too', async t => {
  const { client } = await startServer(t, { readBufMemLimit: 64 * MIB })
  const key = 'k'.repeat(240)
  const line = (count: number): string => `get${` ${key}`.repeat(count)}\r\n`
  await client.says(line(5000), 'END\r\n')
  await client.says(`get${' k'.repeat(700_000)}\r\n`, TOO_MANY)
  await client.says('version\r\n', 'VERSION 1.6.45\r\n')
})

t.test('the keys of a line that is so long that it is gathered are counted one by one', async t => {
  const { connect } = await startSessions(t, { readBufMemLimit: MIB, reqsPerEvent: 1000, itemSizeMax: MIB })
  const key = 'k'.repeat(100)
  for (const [lead, tail] of [['get', '\r\n'], ['get', '\n'], ['get', '  \r\n'], ['gets  ', '\r\n']] as const) {
    for (const [count, answer] of [[OF_ONE, 'END\r\n'], [OF_ONE + 1, TOO_MANY]] as const) {
      const line = Buffer.from(`${lead}${` ${key}`.repeat(count)}${tail}`)
      const session = await connect()
      await session.send(line.subarray(0, GATHERED_BYTES))
      await session.send(line.subarray(GATHERED_BYTES))
      t.equal((await session.answer()).toString(), answer, `${lead} ${count} ${JSON.stringify(tail)}`)
    }
  }
})

t.test('where as many requests may pile up, one more ends the conversation, and answers that wait are lost', async t => {
  for (const request of ['version\r\n', 'mg a\r\n', 'mg a q\r\n', 'delete a noreply\r\n', 'set a 0 0 1\r\nx\r\n']) {
    const server = await limited(t, 4)
    void server.client.send(request.repeat(OF_FOUR + 1))
    t.equal(await server.client.closed(), true, request)
    t.equal(oomOf(server), 1)
  }
})

t.test('a get piles up with what waits, and mn has it written', async t => {
  const { client } = await limited(t, 4)
  const full = 'version\r\n'.repeat(OF_FOUR - 10)
  await client.says(full + get(10), 'VERSION 1.6.45\r\n'.repeat(OF_FOUR - 10) + 'END\r\n')
  await client.says(`version\r\n${full}${get(10)}mn\r\n`, `${TOO_MANY}MN\r\n`)
  await client.says(`get a\r\n${get(OF_FOUR)}version\r\n`, `${TOO_MANY}VERSION 1.6.45\r\n`)
  await client.says('mn\r\n'.repeat(900), 'MN\r\n'.repeat(900))
  await client.says(`get a\r\nmn\r\n${get(OF_FOUR + 1)}version\r\n`, `END\r\nMN\r\n${TOO_MANY}VERSION 1.6.45\r\n`)
  void client.send('mn\r\n' + 'get a\r\n'.repeat(OF_FOUR + 1))
  t.equal((await client.hangUp()).toString(), 'MN\r\n')
})

t.test('with the usual -R none pile up', async t => {
  const { client } = await startServer(t, { readBufMemLimit: MIB / 4 })
  await client.says('version\r\n'.repeat(900), 'VERSION 1.6.45\r\n'.repeat(900))
  await client.says('get a\r\n'.repeat(900), 'END\r\n'.repeat(900))
})
