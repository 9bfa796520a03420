// `stats` and the words that may follow it.
import { Size } from '../../memory/layout.js'
import { isRefused, type Trait } from '../../options/profiles.js'
import { line } from '../answers.js'
import { type Host, type Rows } from '../host.js'
import { ownReport } from '../reports.js'
import { type Session } from '../session.js'
import { cachedump } from './crawler.js'
import { LinesListing, linesOf, statLines } from './listings.js'
import { TEXT } from './reply.js'
import { type LineHandler, type Text } from './text.js'

interface ArgumentRow {
  readonly name: string
  readonly handler: LineHandler
  /** True if it may be cut short, as memcached compares some of them. */
  readonly canBeCut?: true
  /** What it changes or shows, for which a profile refuses it. */
  readonly trait?: Trait
}

/** The arguments of `stats`. The first that fits counts. */
const ARGUMENTS: readonly ArgumentRow[] = [
  { name: 'reset', canBeCut: true, handler: statsReset },
  { name: 'detail', canBeCut: true, handler: statsDetail, trait: 'configures' },
  { name: 'settings', canBeCut: true, handler: text => report(text, text.host.report('settings')), trait: 'reveals' },
  { name: 'cachedump', canBeCut: true, handler: cachedump, trait: 'reveals' },
  { name: 'conns', canBeCut: true, handler: ({ host }, session) => list(host, session, host.reportConnections()),
    trait: 'reveals' },
  { name: 'extstore', canBeCut: true, handler: text => report(text, []), trait: 'reveals' },
  { name: 'sizes', handler: ({ host }, session) => list(host, session, host.reportSizes()), trait: 'reveals' },
  { name: 'items', handler: text => report(text, text.host.report('items')), trait: 'reveals' },
  { name: 'slabs', handler: text => report(text, text.host.report('slabs')), trait: 'reveals' },
]

export function stats(text: Text, session: Session): void {
  const { parser, host, profile } = text
  session.isQuiet = false
  const word = parser.token(1)
  if (word === '') return report(text, host.report(''))
  const row = ARGUMENTS.find(({ name, canBeCut }) => canBeCut ? name.startsWith(word) : name === word)
  if (row === undefined) return ownStats(text, session, word)
  if (isRefused(profile, row.trait)) text.answer(session, TEXT.error)
  else row.handler(text, session)
}

/** The reports that memcached does not have. */
function ownStats(text: Text, session: Session, word: string): void {
  const { host, parser, profile } = text
  const report = ownReport(word, host.options)
  if (report === undefined || isRefused(profile, 'reveals')) return text.answer(session, TEXT.error)
  if (report.notAllowed) return text.answer(session, line(`CLIENT_ERROR stats ${report.name} not allowed`))
  if (!report.isAboutKey) return list(host, session, host.reportOwn(report.name))
  const key = parser.bytes.slice(parser.tokenStart(2), parser.tokenEnd(2))
  const isKey = parser.tokenCount === 3 && key.length <= Size.KeyMax
  if (!isKey) text.answer(session, line(`CLIENT_ERROR usage: stats ${report.name} <key>`))
  else list(host, session, host.reportOwn(report.name, key))
}

function list(host: Host, session: Session, parts: Iterable<Rows>): void {
  session.list(new LinesListing(host.output, linesOf(parts)))
}

function report(text: Text, rows: Rows): void {
  text.host.output.text(Buffer.from(`${statLines(rows)}END\r\n`, 'latin1'))
}

function statsReset(text: Text, session: Session): void {
  text.host.store.resetCounts()
  text.host.prefixes.reset()
  text.host.insight.reset()
  text.answer(session, TEXT.reset)
}

function statsDetail(text: Text, session: Session): void {
  const { parser, host } = text
  if (!host.options.dumpEnabled) return text.answer(session, TEXT.detailNotAllowed)
  const word = parser.token(2)
  if (word === '') return text.answer(session, TEXT.detailUsage)
  if ('on'.startsWith(word) || 'off'.startsWith(word)) {
    host.prefixes.isOn = 'on'.startsWith(word)
    return text.answer(session, TEXT.ok)
  }
  if (!'dump'.startsWith(word)) return text.answer(session, TEXT.detailUsage)
  session.list(new LinesListing(host.output, host.prefixes.dump()))
}
