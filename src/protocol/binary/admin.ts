// The opcodes that are not about one item.
import { Counter } from '../../stats/counters.js'
import { PROTOCOL_VERSION } from '../../version.js'
import { type Rows } from '../host.js'
import { type Session } from '../session.js'
import { type BinaryProtocol } from './execute.js'
import { FORM, Opcode } from './parse.js'
import { Status } from './reply.js'

const VERSION = Buffer.from(PROTOCOL_VERSION)

export function addAdminCommands(binary: BinaryProtocol): void {
  const { reply } = binary
  binary.add(Opcode.Noop, undefined, FORM.nothing, () => reply.done(0, 0))
  binary.add(Opcode.Version, undefined, FORM.nothing, () => reply.body(Status.Success, VERSION), true)
  binary.add(Opcode.Quit, Opcode.QuitQ, FORM.nothing, session => quit(binary, session))
  binary.add(Opcode.Flush, Opcode.FlushQ, FORM.mayHaveExptime, session => flush(binary, session))
  binary.add(Opcode.Stat, undefined, FORM.mayHaveKey, session => stat(binary, session))
}

function quit(binary: BinaryProtocol, session: Session): void {
  if (!session.isQuiet) binary.reply.done(0, 0)
  session.quit()
}

function flush(binary: BinaryProtocol, session: Session): void {
  const { host, parser, reply } = binary
  if (!host.isFlushEnabled) return binary.error(session, Status.AuthFailure)
  host.store.counters.add(Counter.CmdFlush)
  host.store.flush(parser.extrasBytes > 0 ? parser.extrasUint32(0) : 0)
  if (!session.isQuiet) reply.done(0, 0)
}

// STAT: a packet for each row, and one without a name at the end

/** memcached looks only at how these keys begin. */
const BEGINNINGS: readonly (readonly [word: string, rows: (binary: BinaryProtocol, key: string) => Rows | undefined])[] = [
  ['reset', resetCounts],
  ['settings', binary => binary.host.report('settings')],
  ['detail', detail],
]

function stat(binary: BinaryProtocol, session: Session): void {
  const rows = rowsFor(binary, binary.parser.keyText)
  if (rows === undefined) return binary.error(session, Status.NotFound)
  for (const [name, value] of rows) binary.reply.stat(name, String(value))
  binary.reply.stat('', '')
}

function rowsFor(binary: BinaryProtocol, key: string): Rows | undefined {
  if (key === '' || key === 'items' || key === 'slabs' || key === 'sizes' || key === 'hash') return binary.host.report(key)
  return BEGINNINGS.find(([word]) => key.startsWith(word))?.[1](binary, key)
}

function resetCounts({ host }: BinaryProtocol): Rows {
  host.store.resetCounts()
  host.prefixes.reset()
  return []
}

/** memcached sends the lines of the text protocol as one row. */
function detail({ host }: BinaryProtocol, key: string): Rows | undefined {
  if (!host.isDumpEnabled) return undefined
  if (key.startsWith('detail dump')) return [['detailed', host.prefixes.dump()]]
  const isOn = key.startsWith('detail on')
  if (!isOn && !key.startsWith('detail off')) return undefined
  host.prefixes.isOn = isOn
  return []
}
