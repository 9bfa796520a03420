// The commands of the text protocol that are not about one item.
import { KIND_NAMES, Kind } from '../../log/events.js'
import { PROTOCOL_VERSION } from '../../version.js'
import { Counter } from '../../stats/counters.js'
import { NOT_A_NUMBER, type LineParser } from '../line.js'
import { type Session } from '../session.js'
import { int32Of, isCutFrom, uint32Of } from './parse.js'
import { TEXT } from './reply.js'
import { type Text } from './text.js'

const MEBIBYTE = 1024 * 1024
/** memcached's own bounds of cache_memlimit, in MiB. */
const MEMLIMIT_MIN = 8
const MEMLIMIT_MAX = 1_000_000_000
/** The highest level that `verbosity` sets; -vvv is for the command line alone. */
const VERBOSITY_MAX = 2

const VERSION = Buffer.from(`VERSION ${PROTOCOL_VERSION}\r\n`)

export function version(text: Text, session: Session): void {
  session.isQuiet = false
  text.answer(session, VERSION)
}

export function quit(_text: Text, session: Session): void { session.quit() }

/** `debugtime p|r|<seconds>` stops the clock, lets it go on, or moves it. */
export function debugtime(text: Text, session: Session): void {
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

export function flushAll(text: Text, session: Session): void {
  const { parser, host } = text
  host.store.counters.add(Counter.CmdFlush)
  if (!host.options.flushEnabled) return text.answer(session, TEXT.flushNotAllowed)
  const hasDelay = parser.tokenCount > (session.isQuiet ? 2 : 1)
  const exptime = hasDelay ? int32Of(parser, 1) : 0
  if (exptime === NOT_A_NUMBER) return text.answer(session, TEXT.badExptime)
  if (exptime !== 0 && !text.profile.delaysFlushes) return text.answer(session, TEXT.delayNotAllowed)
  host.store.flush(exptime)
  text.answer(session, TEXT.ok)
}

export function verbosity(text: Text, session: Session): void {
  const { parser, host } = text
  const level = uint32Of(parser, 1)
  if (level < 0) return text.answer(session, TEXT.badFormat)
  host.verbosity = Math.min(level, VERBOSITY_MAX)
  text.answer(session, TEXT.ok)
}

export function shutdown(text: Text, session: Session): void {
  const { parser, host } = text
  if (!host.options.shutdownCommand) return text.answer(session, TEXT.shutdownDisabled)
  const isGraceful = parser.tokenCount === 2 && isCutFrom('graceful', parser, 1)
  if (parser.tokenCount > 1 && !isGraceful) return text.answer(session, TEXT.badShutdownMode)
  session.quit()
  host.signals.shutdown(isGraceful)
}

export function cacheMemlimit(text: Text, session: Session): void {
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
export function refreshCerts(text: Text, session: Session): void {
  const failure = text.host.refreshCertificates()
  text.answer(session, failure === undefined ? TEXT.ok : Buffer.from(`${failure}\r\n`, 'latin1'))
}

export function watch(text: Text, session: Session): void {
  const { parser, host } = text
  session.isQuiet = false
  if (!host.options.watchEnabled) return text.answer(session, TEXT.watchNotAllowed)
  if (!host.output.isEmpty) return text.answer(session, TEXT.watchPipelined)
  const kinds = kindsOf(parser)
  if (kinds === 0 || !session.peer.isLasting) return text.answer(session, TEXT.error)
  const watching = host.watch(kinds, session.peer)
  if (watching === undefined) return text.answer(session, TEXT.tooManyWatchers)
  session.watch(watching)
  text.answer(session, TEXT.ok)
}

/** The kinds of events that the words of a line name, as bits; 0 if one of them names none. */
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
