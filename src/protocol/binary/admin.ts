// The opcodes that are not about one item.
import { Counter } from '../../stats/counters.js'
import { PROTOCOL_VERSION } from '../../version.js'
import { type Rows } from '../host.js'
import { type Session } from '../session.js'
import { type Listing } from '../work/listing.js'
import { type BinaryProtocol } from './execute.js'
import { FORM, Opcode } from './parse.js'
import { Status, type BinaryReply } from './reply.js'

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
  const { host, parser } = binary
  if (host.isDumpEnabled && parser.keyText.startsWith('detail dump')) return session.list(new DetailListing(binary))
  if (parser.keyText === 'sizes') return session.list(new RowsListing(binary, host.reportSizes()))
  const rows = rowsFor(binary, binary.parser.keyText)
  if (rows === undefined) return binary.error(session, Status.NotFound)
  for (const [name, value] of rows) binary.reply.stat(name, String(value))
  binary.reply.stat('', '')
}

function rowsFor(binary: BinaryProtocol, key: string): Rows | undefined {
  if (key === '' || key === 'items' || key === 'slabs' || key === 'hash') return binary.host.report(key)
  return BEGINNINGS.find(([word]) => key.startsWith(word))?.[1](binary, key)
}

function resetCounts({ host }: BinaryProtocol): Rows {
  host.store.resetCounts()
  host.prefixes.reset()
  return []
}

function detail({ host }: BinaryProtocol, key: string): Rows | undefined {
  if (!host.isDumpEnabled) return undefined
  const isOn = key.startsWith('detail on')
  if (!isOn && !key.startsWith('detail off')) return undefined
  host.prefixes.isOn = isOn
  return []
}

/** What all parts of a long answer have in common. */
class Answer {
  private readonly opcode: number
  private readonly opaque: number

  constructor(private readonly binary: BinaryProtocol) {
    this.opcode = binary.parser.opcode
    this.opaque = binary.parser.opaque
  }

  /** Others have been answered since it began. */
  get reply(): BinaryReply {
    const { reply } = this.binary
    reply.answerTo(this.opcode, this.opaque)
    return reply
  }
}

/** Rows that come in parts. */
class RowsListing implements Listing {
  readonly hasCrawler = false
  private readonly answer: Answer
  private readonly parts: Iterator<Rows>

  constructor(binary: BinaryProtocol, parts: Iterable<Rows>) {
    this.answer = new Answer(binary)
    this.parts = parts[Symbol.iterator]()
  }

  next(): boolean {
    const { answer: { reply } } = this
    const part = this.parts.next()
    if (part.done === true) reply.stat('', '')
    else for (const [name, value] of part.value) reply.stat(name, String(value))
    return part.done === true
  }

  end(): void {}
}

const DETAIL_NAME = 'detailed'
const DETAIL_END = Buffer.from('END\r\n')

/**
 * memcached sends what the text protocol says to `stats detail dump` as one row, whose length stands before it. So it is gathered
 * first, and then written, both in parts.
 */
class DetailListing implements Listing {
  readonly hasCrawler = false
  private readonly answer: Answer
  private readonly parts: Iterator<string>
  private readonly gathered: Buffer[] = []
  /** The part to write next; -1 while they are gathered. */
  private at = -1

  constructor(private readonly binary: BinaryProtocol) {
    this.answer = new Answer(binary)
    this.parts = binary.host.prefixes.dump()[Symbol.iterator]()
  }

  next(): boolean {
    if (this.at === -1) this.gather()
    else if (this.at < this.gathered.length) this.binary.host.output.text(this.gathered[this.at++]!)
    else {
      this.answer.reply.stat('', '')
      return true
    }
    return false
  }

  private gather(): void {
    const part = this.parts.next()
    if (part.done !== true) {
      this.gathered.push(Buffer.from(part.value, 'latin1'))
      return
    }
    this.gathered.push(DETAIL_END)
    this.answer.reply.statBefore(DETAIL_NAME, this.gathered.reduce((sum, { length }) => sum + length, 0))
    this.at = 0
  }

  end(): void {}
}
