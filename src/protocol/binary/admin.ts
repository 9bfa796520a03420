// The opcodes that are not about one item.
import { Counter } from '../../stats/counters.js'
import { PROTOCOL_VERSION } from '../../version.js'
import { type Rows } from '../host.js'
import { ownReport } from '../reports.js'
import { type Session } from '../session.js'
import { type Listing } from '../work/listing.js'
import { type Packets } from './packets.js'
import { Status, type BinaryReply } from './reply.js'

const VERSION = Buffer.from(PROTOCOL_VERSION)

export function noop({ reply }: Packets): void { reply.done(0, 0) }

export function version({ reply }: Packets): void { reply.body(Status.Success, VERSION) }

export function quit(packets: Packets, session: Session): void {
  if (!session.isQuiet) packets.reply.done(0, 0)
  session.quit()
}

export function flush(packets: Packets, session: Session): void {
  const { host, parser, reply } = packets
  if (!host.options.flushEnabled) return packets.error(session, Status.AuthFailure)
  host.store.counters.add(Counter.CmdFlush)
  host.store.flush(parser.extrasBytes > 0 ? parser.extrasUint32(0) : 0)
  if (!session.isQuiet) reply.done(0, 0)
}

// STAT: a packet for each row, and one without a name at the end

/** memcached looks only at how these keys begin. */
const BEGINNINGS: readonly (readonly [word: string, rows: (packets: Packets, key: string) => Rows | undefined])[] = [
  ['reset', resetCounts],
  ['settings', packets => packets.host.report('settings')],
  ['detail', detail],
]

export function stat(packets: Packets, session: Session): void {
  const { host, parser } = packets
  if (host.options.dumpEnabled && parser.keyText.startsWith('detail dump')) return session.list(new DetailListing(packets))
  if (parser.keyText === 'sizes') return session.list(new RowsListing(packets, host.reportSizes()))
  const rows = rowsFor(packets, parser.keyText)
  if (rows === undefined) return ownStat(packets, session)
  for (const [name, value] of rows) packets.reply.stat(name, String(value))
  packets.reply.stat('', '')
}

/** The reports that memcached does not have. The name of one about a key is followed by a space and the key. */
function ownStat(packets: Packets, session: Session): void {
  const { host, parser } = packets
  const [name = ''] = parser.keyText.split(' ', 1)
  const report = ownReport(name, host.options)
  const key = parser.keyText.slice(name.length + 1)
  const isWhole = report !== undefined && (report.isAboutKey ? key !== '' : name === parser.keyText)
  if (!isWhole || report.notAllowed) packets.error(session, Status.NotFound)
  else session.list(new RowsListing(packets, host.reportOwn(report.name, Buffer.from(key, 'latin1'))))
}

function rowsFor(packets: Packets, key: string): Rows | undefined {
  if (key === '' || key === 'items' || key === 'slabs') return packets.host.report(key)
  return BEGINNINGS.find(([word]) => key.startsWith(word))?.[1](packets, key)
}

function resetCounts({ host }: Packets): Rows {
  host.store.resetCounts()
  host.prefixes.reset()
  host.insight.reset()
  return []
}

function detail({ host }: Packets, key: string): Rows | undefined {
  if (!host.options.dumpEnabled) return undefined
  const isOn = key.startsWith('detail on')
  if (!isOn && !key.startsWith('detail off')) return undefined
  host.prefixes.isOn = isOn
  return []
}

/** The opcode and the opaque that all parts of a long answer have. */
class Answer {
  private readonly opcode: number
  private readonly opaque: number

  constructor(private readonly packets: Packets) {
    this.opcode = packets.parser.opcode
    this.opaque = packets.parser.opaque
  }

  /** Others have been answered since it began. */
  get reply(): BinaryReply {
    const { reply } = this.packets
    reply.answerTo(this.opcode, this.opaque)
    return reply
  }
}

/** Rows that come in parts. */
class RowsListing implements Listing {
  readonly hasCrawler = false
  private readonly answer: Answer
  private readonly parts: Iterator<Rows>

  constructor(packets: Packets, parts: Iterable<Rows>) {
    this.answer = new Answer(packets)
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

  constructor(private readonly packets: Packets) {
    this.answer = new Answer(packets)
    this.parts = packets.host.prefixes.dump()[Symbol.iterator]()
  }

  next(): boolean {
    if (this.at === -1) this.gather()
    else if (this.at < this.gathered.length) this.packets.host.output.text(this.gathered[this.at++]!)
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
