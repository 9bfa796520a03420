// The commands of the text protocol that are not about one item.
import { KIND_NAMES, Kind } from '../../log/events.js'
import { PROTOCOL_VERSION } from '../../version.js'
import { Counter } from '../../stats/counters.js'
import { type Session } from '../session.js'
import { type Host, type Rows } from '../host.js'
import { LinesListing, linesOf, statLines } from '../listings.js'
import { cachedump, lruCrawler } from './crawler.js'
import { type LineCommand, type LineHandler, type TextProtocol } from './execute.js'
import { NOT_A_NUMBER, type LineParser } from '../line.js'
import { extstore } from './extstore.js'
import { lru } from './lru.js'
import { int32Of, isCutFrom, uint32Of } from './parse.js'
import { TEXT } from './reply.js'
import { slabs } from './slabs.js'

const MEBIBYTE = 1024 * 1024
/** memcached's own bounds of cache_memlimit, in MiB. */
const MEMLIMIT_MIN = 8
const MEMLIMIT_MAX = 1_000_000_000
/** What `verbosity` sets at most; -vvv goes further only from the command line. */
const VERBOSITY_MAX = 2

const VERSION = Buffer.from(`VERSION ${PROTOCOL_VERSION}\r\n`)

const adminCommands: readonly LineCommand[] = [
  ['flush_all', flushAll],
  ['version', (text, session) => {
    session.isQuiet = false
    text.answer(session, VERSION)
  }],
  ['verbosity', verbosity],
  ['quit', (_text, session) => session.quit()],
  ['shutdown', shutdown],
  ['cache_memlimit', cacheMemlimit],
  ['lru', lru],
  ['extstore', extstore],
  ['refresh_certs', refreshCerts],
  ['lru_crawler', lruCrawler],
  ['slabs', slabs],
  ['stats', stats],
  ['watch', watch],
]

/** The commands that a server has: `debugtime` only where there is a clock that it may move. */
export function adminCommandsOf({ debugClock }: Host): readonly LineCommand[] {
  return debugClock === undefined ? adminCommands : [...adminCommands, ['debugtime', debugtime]]
}

/** `p` stops the clock, `r` lets it go on. */
function debugtime(text: TextProtocol, session: Session): void {
  const { parser, host } = text
  const { debugClock } = host
  const word = parser.token(1)
  const seconds = word === '' ? NOT_A_NUMBER : parser.int32(parser.tokenStart(1), parser.tokenEnd(1))
  if (word === 'p') debugClock?.stop()
  else if (word === 'r') debugClock?.go()
  else if (seconds === NOT_A_NUMBER) return text.answer(session, TEXT.error)
  else debugClock?.move(seconds)
  host.store.refreshTime()
  text.answer(session, TEXT.ok)
}

function flushAll(text: TextProtocol, session: Session): void {
  const { parser, host } = text
  host.store.counters.add(Counter.CmdFlush)
  if (!host.isFlushEnabled) return text.answer(session, TEXT.flushNotAllowed)
  const hasDelay = parser.tokenCount > (session.isQuiet ? 2 : 1)
  const exptime = hasDelay ? int32Of(parser, 1) : 0
  if (exptime === NOT_A_NUMBER) return text.answer(session, TEXT.badExptime)
  host.store.flush(exptime)
  text.answer(session, TEXT.ok)
}

function verbosity(text: TextProtocol, session: Session): void {
  const { parser, host } = text
  const level = uint32Of(parser, 1)
  if (level < 0) return text.answer(session, TEXT.badFormat)
  host.verbosity = Math.min(level, VERBOSITY_MAX)
  text.answer(session, TEXT.ok)
}

function shutdown(text: TextProtocol, session: Session): void {
  const { parser, host } = text
  if (!host.isShutdownEnabled) return text.answer(session, TEXT.shutdownDisabled)
  const isGraceful = parser.tokenCount === 2 && isCutFrom('graceful', parser, 1)
  if (parser.tokenCount > 1 && !isGraceful) return text.answer(session, TEXT.badShutdownMode)
  session.quit()
  host.signals.shutdown(isGraceful)
}

function cacheMemlimit(text: TextProtocol, session: Session): void {
  const { parser, host } = text
  const mebibytes = uint32Of(parser, 1)
  if (mebibytes < 0) text.answer(session, TEXT.error)
  else if (mebibytes < MEMLIMIT_MIN) text.answer(session, TEXT.limitTooSmall)
  else if (mebibytes > MEMLIMIT_MAX) text.answer(session, TEXT.limitNotMegabytes)
  else if (!host.store.setMemoryLimit(mebibytes * MEBIBYTE)) text.answer(session, TEXT.limitOutOfBounds)
  else {
    if (host.verbosity > 0) host.log(`maxbytes adjusted to ${mebibytes}m`)
    text.answer(session, TEXT.ok)
  }
}

/** As in memcached, a failure is answered in words of its own, not in those of the protocol. */
function refreshCerts(text: TextProtocol, session: Session): void {
  const failure = text.host.refreshCertificates()
  text.answer(session, failure === undefined ? TEXT.ok : Buffer.from(`${failure}\r\n`, 'latin1'))
}

function watch(text: TextProtocol, session: Session): void {
  const { parser, host } = text
  session.isQuiet = false
  if (!host.isWatchEnabled) return text.answer(session, TEXT.watchNotAllowed)
  if (!host.output.isEmpty) return text.answer(session, TEXT.watchPipelined)
  const kinds = kindsOf(parser)
  if (kinds === 0 || !session.peer.isLasting) return text.answer(session, TEXT.error)
  const watching = host.watch(kinds, session.peer)
  if (watching === undefined) return text.answer(session, TEXT.tooManyWatchers)
  session.watch(watching)
  text.answer(session, TEXT.ok)
}

/** What the words of a line want to watch, as bits; 0 if one of them says nothing. */
function kindsOf(parser: LineParser): number {
  if (parser.tokenCount === 1) return Kind.Fetchers
  let kinds = 0
  for (let index = 1; index < parser.tokenCount; index++) {
    const [, kind] = KIND_NAMES.find(([name]) => isCutFrom(name, parser, index)) ?? []
    if (kind === undefined) return 0
    kinds |= kind
  }
  return kinds
}

// stats

/** The arguments of `stats` that may be cut short. The first that fits counts, as memcached compares them. */
const STATS_ARGUMENTS: readonly (readonly [name: string, handler: LineHandler])[] = [
  ['reset', statsReset],
  ['detail', statsDetail],
  ['settings', text => report(text, text.host.report('settings'))],
  ['cachedump', cachedump],
  ['conns', ({ host }, session) => session.list(new LinesListing(host.output, linesOf(host.reportConnections())))],
  ['extstore', text => report(text, [])],
]

function stats(text: TextProtocol, session: Session): void {
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

function report(text: TextProtocol, rows: Rows): void {
  text.host.output.text(Buffer.from(`${statLines(rows)}END\r\n`, 'latin1'))
}

function statsReset(text: TextProtocol, session: Session): void {
  text.host.store.resetCounts()
  text.host.prefixes.reset()
  text.answer(session, TEXT.reset)
}

function statsDetail(text: TextProtocol, session: Session): void {
  const { parser, host } = text
  if (!host.isDumpEnabled) return text.answer(session, TEXT.detailNotAllowed)
  const word = parser.token(2)
  if (word === '') return text.answer(session, TEXT.detailUsage)
  if ('on'.startsWith(word) || 'off'.startsWith(word)) {
    host.prefixes.isOn = 'on'.startsWith(word)
    return text.answer(session, TEXT.ok)
  }
  if (!'dump'.startsWith(word)) return text.answer(session, TEXT.detailUsage)
  session.list(new LinesListing(host.output, host.prefixes.dump()))
}
