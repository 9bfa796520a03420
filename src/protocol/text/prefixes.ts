// The commands about prefixes and beginnings of keys, which memcached does not have: `flush_prefix` and `keys`.
import { Size } from '../../memory/layout.js'
import { type Visitor } from '../../store/walks/dump.js'
import { type KeyWalk } from '../../store/walks/keys.js'
import { type KeyScan } from '../../store/walks/scan.js'
import { type Store } from '../../store/store.js'
import { type ItemView } from '../../store/view.js'
import { line } from '../answers.js'
import { type LineParser } from '../line.js'
import { type Output } from '../output.js'
import { type Session } from '../session.js'
import { type Listing } from '../work/listing.js'
import { METADUMP_LINE } from './keylines.js'
import { TEXT } from './reply.js'
import { type Text } from './text.js'

/** The keys that `keys` lists from a cursor on if the client gives no number. */
const KEYS_DEFAULT = 1000
/** The most digits of a number of `keys`, so that it is exact. */
const DIGITS_MAX = 15

const ANSWERS = {
  flushNotAllowed: line('CLIENT_ERROR flush_prefix not allowed'),
  noPrefix: line('CLIENT_ERROR a prefix has no delimiter in it'),
  tooManyFlushes: line('SERVER_ERROR too many prefixes flushed, try again later'),
  keysNotAllowed: line('CLIENT_ERROR keys not allowed'),
} as const

/** `flush_prefix <prefix>` makes all items dead whose keys have this prefix: the part before the first delimiter (-D). */
export function flushPrefix(text: Text, session: Session): void {
  const { parser, host: { options, store } } = text
  if (!options.flushEnabled) return text.answer(session, ANSWERS.flushNotAllowed)
  if (parser.tokenCount !== (session.isQuiet ? 3 : 2)) return text.answer(session, TEXT.error)
  const prefix = wordOf(parser, 1)
  if (prefix.length >= Size.KeyMax) return text.answer(session, TEXT.badFormat)
  if (!store.isPrefix(prefix)) return text.answer(session, ANSWERS.noPrefix)
  text.answer(session, store.flushPrefix(prefix) ? TEXT.ok : ANSWERS.tooManyFlushes)
}

/**
 * `keys <beginning>` lists all keys that begin so, each exactly once, as a dump does. `keys <beginning> <cursor> [<count>]` lists
 * so many from a cursor on, which is 0 or that of an earlier answer: see KeyScan.
 */
export function keys(text: Text, session: Session): void {
  const { parser, host: { options, output, store } } = text
  session.isQuiet = false
  if (!options.dumpEnabled) return text.answer(session, ANSWERS.keysNotAllowed)
  const { tokenCount } = parser
  // a datagram's answer is over before such a list is
  if (tokenCount < 2 || tokenCount > 4 || !session.peer.isLasting) return text.answer(session, TEXT.error)
  const beginning = wordOf(parser, 1)
  const cursor = tokenCount > 2 ? numberOf(parser, 2) : 0
  const count = tokenCount > 3 ? numberOf(parser, 3) : KEYS_DEFAULT
  if (beginning.length > Size.KeyMax || cursor < 0 || count < 1) return text.answer(session, TEXT.badFormat)
  if (tokenCount > 2) return session.list(new KeyLines(store, output, store.scanKeys(beginning, cursor), count))
  const walk = store.tryWalkKeys(beginning)
  if (walk === undefined) return text.answer(session, TEXT.crawlerBusy)
  session.list(new KeyLines(store, output, walk, Infinity))
}

function wordOf(parser: LineParser, token: number): Uint8Array {
  return parser.bytes.slice(parser.tokenStart(token), parser.tokenEnd(token))
}

/** A token as a whole number; -1 if it is none. */
function numberOf(parser: LineParser, token: number): number {
  const start = parser.tokenStart(token)
  const end = parser.tokenEnd(token)
  return end - start > DIGITS_MAX ? -1 : parser.whole(start, end)
}

/** The lines of keys, and the cursor behind them: 0 if there are no more. */
class KeyLines implements Listing, Visitor {
  readonly hasCrawler = false
  private isFull = false

  /** @param left the most keys to list */
  constructor(private readonly store: Store, private readonly output: Output, private readonly walk: KeyWalk | KeyScan,
    private left: number) {}

  next(): boolean {
    const isDone = this.walk.step(this) || this.isFull
    if (isDone) this.output.text(Buffer.from(`END ${this.walk.cursor}\r\n`))
    return isDone
  }

  /** Refuses the key behind the last one, so that the answer tells whether there is one. */
  visit(view: ItemView): boolean {
    const { output } = this
    const { lineBytes, keyFactor } = METADUMP_LINE
    this.isFull = this.left === 0
    if (this.isFull || !output.hasRoom(lineBytes + view.keyBytes * keyFactor)) return false
    output.at = METADUMP_LINE.write(output.bytes, output.at, this.store, view)
    this.left--
    return true
  }

  end(): void { this.walk.close() }
}
