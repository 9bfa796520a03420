// `stats` and the words that may follow it.
import { type Rows } from '../host.js'
import { type Session } from '../session.js'
import { cachedump } from './crawler.js'
import { LinesListing, linesOf, statLines } from './listings.js'
import { TEXT } from './reply.js'
import { type LineHandler, type Text } from './text.js'

/** The arguments of `stats` that may be cut short. The first that fits counts, as memcached compares them. */
const STATS_ARGUMENTS: readonly (readonly [name: string, handler: LineHandler])[] = [
  ['reset', statsReset],
  ['detail', statsDetail],
  ['settings', text => report(text, text.host.report('settings'))],
  ['cachedump', cachedump],
  ['conns', ({ host }, session) => session.list(new LinesListing(host.output, linesOf(host.reportConnections())))],
  ['extstore', text => report(text, [])],
]

export function stats(text: Text, session: Session): void {
  const { parser, host } = text
  session.isQuiet = false
  const word = parser.token(1)
  if (word === '') return report(text, host.report(''))
  for (const [name, handler] of STATS_ARGUMENTS) {
    if (name.startsWith(word)) return handler(text, session)
  }
  if (word === 'sizes') return session.list(new LinesListing(host.output, linesOf(host.reportSizes())))
  if (word === 'items' || word === 'slabs' || word === 'hash') return report(text, host.report(word))
  text.answer(session, TEXT.error)
}

function report(text: Text, rows: Rows): void {
  text.host.output.text(Buffer.from(`${statLines(rows)}END\r\n`, 'latin1'))
}

function statsReset(text: Text, session: Session): void {
  text.host.store.resetCounts()
  text.host.prefixes.reset()
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
