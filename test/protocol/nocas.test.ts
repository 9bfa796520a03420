// -C: items have no cas number. Where a request compares one, memcached minds it in some commands and not in others, as the number
// of what it is about to store is 0 too. Seen with memcached 1.6.18.
import t from 'tap'
import { Opcode, packet, readAnswers, uint32s } from '../support/packet.js'
import { startSessions } from '../support/session.js'

const STORE = { extras: uint32s(0, 0), value: 'v', cas: 7n }

t.test('the binary protocol stores whatever cas number comes, but deletes and counts with none', async t => {
  const { connect } = await startSessions(t, { useCas: false })
  const session = await connect()
  const statusOf = async (request: Buffer) => {
    await session.send(request)
    return readAnswers(await session.answer())[0]!.status
  }
  for (const opcode of [Opcode.Set, Opcode.Set, Opcode.Replace]) t.equal(await statusOf(packet(opcode, { key: 'k', ...STORE })), 0)
  t.equal(await statusOf(packet(Opcode.Add, { key: 'other', ...STORE })), 0)
  t.equal(await statusOf(packet(Opcode.Append, { key: 'k', value: 'w', cas: 7n })), 0)
  t.equal(await statusOf(packet(Opcode.Delete, { key: 'k', cas: 7n })), 2)
  t.equal(await statusOf(packet(Opcode.Delete, { key: 'k' })), 0)
})

t.test('of the text commands cas finds no number that is equal, append minds none, and md knows 0', async t => {
  const { connect } = await startSessions(t, { useCas: false })
  const session = await connect()
  const says = async (request: string) => {
    await session.send(Buffer.from(`${request}\r\n`))
    return String(await session.answer())
  }
  await says('set k 0 0 1\r\nv')
  t.equal(await says('cas k 0 0 1 0\r\nw'), 'EXISTS\r\n')
  t.equal(await says('ms k 1 C0\r\nw'), 'EX\r\n')
  t.equal(await says('ms k 1 MA C1\r\nw'), 'HD\r\n')
  t.equal(await says('md k C1'), 'EX\r\n')
  t.equal(await says('md k I C0'), 'HD\r\n')
  t.equal(await says('md k C0'), 'HD\r\n')
})
