// `lru_crawler` with what follows it, and `stats cachedump`: settings of the crawler, crawls, and the commands that list
// keys. A list goes out in parts, of which the session asks for one at a time.
import { Size } from '../../memory/layout.js'
import { writeNumber } from '../../memory/numbers.js'
import { Counter } from '../../stats/counters.js'
import { ClassSet } from '../../store/walks/crawler.js'
import { CLASS_STEP_ITEMS_MAX, type ClassDump, type Dump, type Visitor } from '../../store/walks/dump.js'
import { type Store } from '../../store/store.js'
import { type ItemView } from '../../store/view.js'
import { type Output } from '../output.js'
import { type Session } from '../session.js'
import { type Listing } from '../work/listing.js'
import { line } from '../answers.js'
import { isPlainKey, METADUMP_LINE, MGDUMP_LINE, writeBytes, writePart, type KeyLine } from './keylines.js'
import { isCutFrom, uint32Of } from './parse.js'
import { TEXT } from './reply.js'
import { type LineHandler, type Text } from './text.js'

const SLEEP_US_MAX = 1_000_000
/** memcached's own bound of what `stats cachedump` answers, its last line included. */
const CACHEDUMP_BYTES_MAX = 2 * 1024 * 1024
const CLASSES_LAST = Size.Classes - 1

const ANSWERS = {
  sleepTooLong: line('CLIENT_ERROR sleep must be one second or less'),
  isOnAlready: line('ERROR failed to start lru crawler thread'),
  isOff: line('CLIENT_ERROR lru crawler disabled'),
  badClass: line('BADCLASS invalid class id'),
  noClass: line('NOTSTARTED no items to crawl'),
  /** A crawl takes classes only. */
  noHashCrawl: line('ERROR an unknown error happened'),
  badSlab: line('CLIENT_ERROR Illegal slab id'),
} as const

// lru_crawler

/** One of the two dumps: how it says no, and what its lines are. */
interface DumpKind {
  readonly notAllowed: Uint8Array
  readonly notPipelined: Uint8Array
  readonly end: Uint8Array
  readonly line: KeyLine
}

const METADUMP: DumpKind = {
  notAllowed: line('ERROR metadump not allowed'),
  notPipelined: line('ERROR cannot pipeline other commands before metadump'),
  end: TEXT.end,
  line: METADUMP_LINE,
}

const MGDUMP: DumpKind = {
  notAllowed: line('ERROR key dump not allowed'),
  notPipelined: line('ERROR cannot pipeline other commands before mgdump'),
  end: line('EN'),
  line: MGDUMP_LINE,
}

/** The first that fits counts. By the number of words in the line, as those with more or fewer are unknown. */
const ACTIONS: readonly (readonly [word: string, tokens: number, handler: LineHandler])[] = [
  ['crawl', 3, crawl],
  ['metadump', 3, (text, session) => dump(text, session, METADUMP)],
  ['mgdump', 3, (text, session) => dump(text, session, MGDUMP)],
  ['tocrawl', 3, tocrawl],
  ['sleep', 3, sleep],
  ['enable', 2, enable],
  ['disable', 2, disable],
]

export function lruCrawler(text: Text, session: Session): void {
  const { parser } = text
  const action = ACTIONS.find(([name, tokens]) => tokens === parser.tokenCount && isCutFrom(name, parser, 1))
  if (action === undefined) text.answer(session, TEXT.error)
  else action[2](text, session)
}

function enable(text: Text, session: Session): void {
  const { crawler } = text.host.store
  if (crawler.isOn) return text.answer(session, ANSWERS.isOnAlready)
  crawler.isOn = true
  text.answer(session, TEXT.ok)
}

/** As in memcached, a crawl or dump that is under way goes on to its end. */
function disable(text: Text, session: Session): void {
  text.host.store.crawler.isOn = false
  text.answer(session, TEXT.ok)
}

function sleep(text: Text, session: Session): void {
  const microseconds = uint32Of(text.parser, 2)
  if (microseconds < 0) return text.answer(session, TEXT.badFormat)
  if (microseconds > SLEEP_US_MAX) return text.answer(session, ANSWERS.sleepTooLong)
  text.host.store.crawler.sleepUs = microseconds
  text.answer(session, TEXT.ok)
}

function tocrawl(text: Text, session: Session): void {
  const items = uint32Of(text.parser, 2)
  if (items < 0) return text.answer(session, TEXT.badFormat)
  text.host.store.crawler.tocrawl = items
  text.answer(session, TEXT.ok)
}

function crawl(text: Text, session: Session): void {
  const { host } = text
  if (!host.store.crawler.isOn) return text.answer(session, ANSWERS.isOff)
  const classes = classesOf(text.parser.token(2))
  if (classes === 'hash') return text.answer(session, ANSWERS.noHashCrawl)
  if (!(classes instanceof ClassSet)) return text.answer(session, classes)
  if (!tryBegin(host.store, classes)) return text.answer(session, TEXT.crawlerBusy)
  host.signals.crawlBegun()
  text.answer(session, TEXT.ok)
}

/**
 * Whatever it names, the memory is walked, so that a key which is there all the time is listed exactly once. memcached
 * walks the lists of the classes, and may miss what moves in them, or with `hash` the hash table, whose order tells which keys
 * collide.
 */
function dump(text: Text, session: Session, kind: DumpKind): void {
  const { host } = text
  if (!host.store.crawler.isOn) return text.answer(session, ANSWERS.isOff)
  if (!host.options.dumpEnabled) return text.answer(session, kind.notAllowed)
  if (!host.output.isEmpty) return text.answer(session, kind.notPipelined)
  // a datagram's answer is over before such a list is
  if (!session.peer.isLasting) return text.answer(session, TEXT.error)
  const classes = classesOf(text.parser.token(2))
  if (classes instanceof Uint8Array) return text.answer(session, classes)
  const wanted = classes === 'hash' ? ClassSet.all : classes
  if (!tryBegin(host.store, wanted)) return text.answer(session, TEXT.crawlerBusy)
  text.answer(session, TEXT.ok)
  session.list(new KeyListing(host.store, host.output, kind, wanted))
}

function tryBegin({ crawler, counters }: Store, classes: ClassSet): boolean {
  if (!crawler.tryBegin(classes)) return false
  counters.add(Counter.CrawlerStarts)
  return true
}

/** `all`, `hash`, or numbers of classes with commas between them; otherwise the answer to that. */
function classesOf(word: string): ClassSet | 'hash' | Uint8Array {
  if (word === 'all') return ClassSet.all
  if (word === 'hash') return word
  const numbers = word.split(',').filter(part => part !== '')
  if (numbers.length === 0) return ANSWERS.noClass
  const classes = numbers.map(part => /^\+?\d+$/.test(part) ? Number(part) : 0)
  return classes.every(slabClass => slabClass >= 1 && slabClass <= CLASSES_LAST) ? ClassSet.of(classes) : ANSWERS.badClass
}

/** The lines of a dump, while it has the crawler. */
class KeyListing implements Listing, Visitor {
  readonly hasCrawler = true
  private readonly dump: Dump

  constructor(private readonly store: Store, private readonly output: Output, private readonly kind: DumpKind,
    classes: ClassSet) {
    this.dump = store.dump(classes)
  }

  next(): boolean {
    if (!this.dump.step(this)) return false
    this.output.text(this.kind.end)
    return true
  }

  visit(view: ItemView): boolean {
    const { kind: { line }, output } = this
    if (!output.hasRoom(line.lineBytes + view.keyBytes * line.keyFactor)) return false
    output.at = line.write(output.bytes, output.at, this.store, view)
    return true
  }

  end(): void {
    this.dump.close()
    this.store.crawler.end()
  }
}

// stats cachedump

/** `stats cachedump <class> <limit>`: the items of a class, newest first, as far as they fit 2 MB. */
export function cachedump(text: Text, session: Session): void {
  const { host, parser } = text
  if (!host.options.dumpEnabled) return text.answer(session, TEXT.dumpNotAllowed)
  if (parser.tokenCount < 4) return text.answer(session, TEXT.badLine)
  const slabClass = uint32Of(parser, 2)
  const limit = uint32Of(parser, 3)
  if (slabClass < 0 || limit < 0) return text.answer(session, TEXT.badFormat)
  if (slabClass > CLASSES_LAST) return text.answer(session, ANSWERS.badSlab)
  session.list(new ClassListing(host.store, host.output, slabClass, limit === 0 ? Infinity : limit))
}

/** `ITEM`, a key, two numbers and what is around them. */
const ITEM_BYTES = 64
const ITEM = { begin: Buffer.from('ITEM '), bytes: Buffer.from(' ['), expiry: Buffer.from(' b; '), end: Buffer.from(' s]\r\n') }

class ClassListing implements Listing {
  readonly hasCrawler = false
  private readonly dump: ClassDump
  private bytesLeft = CACHEDUMP_BYTES_MAX - TEXT.end.length - 1

  /** @param itemsLeft the most items to list */
  constructor(private readonly store: Store, private readonly output: Output, slabClass: number, private itemsLeft: number) {
    this.dump = store.dumpClass(slabClass)
  }

  next(): boolean {
    this.output.ensure(CLASS_STEP_ITEMS_MAX * (ITEM_BYTES + Size.KeyMax))
    if (!this.dump.step(this)) return false
    this.output.text(TEXT.end)
    return true
  }

  /** Leaves out keys that cannot be written as they are; memcached leaves out those in base64. */
  visit(view: ItemView): boolean {
    const { output } = this
    if (!isPlainKey(view)) return true
    if (this.itemsLeft === 0) return false
    const at = this.write(output.bytes, output.at, view)
    this.bytesLeft -= at - output.at
    if (this.bytesLeft < 0) return false
    this.itemsLeft--
    output.at = at
    return true
  }

  private write(to: Uint8Array, at: number, view: ItemView): number {
    const { expiresAt } = view
    at = writeBytes(to, at, ITEM.begin)
    at = writePart(to, at, view.bytes, view.keyStart, view.keyBytes)
    at = writeBytes(to, at, ITEM.bytes)
    at = writeNumber(to, at, view.valueBytes)
    at = writeBytes(to, at, ITEM.expiry)
    at = writeNumber(to, at, expiresAt === 0 ? 0 : expiresAt + this.store.epoch)
    return writeBytes(to, at, ITEM.end)
  }

  end(): void { this.dump.close() }
}
