// `lru_crawler` with what follows it, and `stats cachedump`: settings of the crawler, crawls, and the commands that list
// keys. A list goes out in parts, of which the session asks for one at a time.
import { Ascii } from '../../memory/ascii.js'
import { Size } from '../../memory/layout.js'
import { writeNumber, writeUint64 } from '../../memory/numbers.js'
import { Counter } from '../../stats/counters.js'
import { ClassSet } from '../../store/walks/crawler.js'
import { CLASS_STEP_ITEMS_MAX, type ClassDump, type Dump, type Visitor } from '../../store/walks/dump.js'
import { type Store } from '../../store/store.js'
import { type ItemView } from '../../store/view.js'
import { type Output } from '../output.js'
import { type Session } from '../session.js'
import { type Listing } from '../work/listing.js'
import { line } from '../answers.js'
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
  isBusy: line('BUSY currently processing crawler request'),
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
  /** The most bytes that a line has beside its key, and for each byte of that. */
  readonly lineBytes: number
  readonly keyFactor: number
  /** Writes the line of an item at `at`, where there is room for it; returns the index behind it. */
  write(to: Uint8Array, at: number, store: Store, view: ItemView): number
}

const METADUMP: DumpKind = {
  notAllowed: line('ERROR metadump not allowed'),
  notPipelined: line('ERROR cannot pipeline other commands before metadump'),
  end: TEXT.end,
  lineBytes: 160, keyFactor: 3,
  write: writeMetadumpLine,
}

const MGDUMP: DumpKind = {
  notAllowed: line('ERROR key dump not allowed'),
  notPipelined: line('ERROR cannot pipeline other commands before mgdump'),
  end: line('EN'),
  lineBytes: 16, keyFactor: 2,
  write: writeMgdumpLine,
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
  if (!tryBegin(host.store, classes)) return text.answer(session, ANSWERS.isBusy)
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
  if (!tryBegin(host.store, wanted)) return text.answer(session, ANSWERS.isBusy)
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
    const { kind, output } = this
    if (!output.hasRoom(kind.lineBytes + view.keyBytes * kind.keyFactor)) return false
    output.at = kind.write(output.bytes, output.at, this.store, view)
    return true
  }

  end(): void {
    this.dump.close()
    this.store.crawler.end()
  }
}

// The lines

/** Bytes that stand for themselves in the key of a metadump line; the others are written as % and two digits. */
const UNRESERVED = new Uint8Array(256)
for (const byte of Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~')) UNRESERVED[byte] = 1
const HEXADECIMAL = Buffer.from('0123456789ABCDEF')

const LABELS = {
  key: Buffer.from('key='), exp: Buffer.from(' exp='), never: Buffer.from('-1'), la: Buffer.from(' la='),
  cas: Buffer.from(' cas='),
  fetched: Buffer.from(' fetch=yes cls='), unfetched: Buffer.from(' fetch=no cls='), size: Buffer.from(' size='),
  flags: Buffer.from(' flags='), end: Buffer.from(' \n'), mg: Buffer.from('mg '), base64: Buffer.from(' b'),
}

/** `key=KEY exp=SECOND la=SECOND cas=NUMBER fetch=yes|no cls=CLASS size=BYTES flags=NUMBER `, and a bare \n. */
function writeMetadumpLine(to: Uint8Array, at: number, store: Store, view: ItemView): number {
  const { expiresAt } = view
  at = writeBytes(to, at, LABELS.key)
  at = writeEscapedKey(to, at, view)
  at = writeBytes(to, at, LABELS.exp)
  at = expiresAt === 0 ? writeBytes(to, at, LABELS.never) : writeNumber(to, at, expiresAt + store.epoch)
  at = writeBytes(to, at, LABELS.la)
  at = writeNumber(to, at, view.usedAt + store.epoch)
  at = writeBytes(to, at, LABELS.cas)
  at = writeUint64(to, at, view.casHigh, view.casLow)
  at = writeBytes(to, at, view.isFetched ? LABELS.fetched : LABELS.unfetched)
  at = writeNumber(to, at, view.slabClass)
  at = writeBytes(to, at, LABELS.size)
  at = writeNumber(to, at, view.itemBytes)
  at = writeBytes(to, at, LABELS.flags)
  at = writeNumber(to, at, view.flags)
  return writeBytes(to, at, LABELS.end)
}

/** The line that a client sends to get the item: `mg KEY`, or `mg KEY b` with a key that cannot be written as it is. */
function writeMgdumpLine(to: Uint8Array, at: number, _store: Store, view: ItemView): number {
  const { bytes, keyStart, keyBytes } = view
  at = writeBytes(to, at, LABELS.mg)
  if (isPlainKey(view)) at = writePart(to, at, bytes, keyStart, keyBytes)
  else {
    at = writeBytes(to, at, Buffer.from(Buffer.from(bytes.subarray(keyStart, keyStart + keyBytes)).toString('base64')))
    at = writeBytes(to, at, LABELS.base64)
  }
  return writeBytes(to, at, LINE_END)
}

const LINE_END = line('')

/**
 * True of a key that can be written in a line as it is: not of one that came in base64, nor of one with a control byte or a
 * space. The binary protocol takes such keys, and a client that sent the lines of a dump back would send more commands than
 * lines.
 */
function isPlainKey(view: ItemView): boolean {
  if (view.isBinaryKey) return false
  const { bytes, keyStart } = view
  const end = keyStart + view.keyBytes
  for (let at = keyStart; at < end; at++) {
    const byte = bytes[at]!
    if (byte <= Ascii.Space || byte === Ascii.Delete) return false
  }
  return true
}

function writeEscapedKey(to: Uint8Array, at: number, view: ItemView): number {
  const { bytes, keyStart } = view
  const end = keyStart + view.keyBytes
  for (let from = keyStart; from < end; from++) {
    const byte = bytes[from]!
    if (UNRESERVED[byte] === 1) {
      to[at++] = byte
      continue
    }
    to[at++] = Ascii.Percent
    to[at++] = HEXADECIMAL[byte >> 4]!
    to[at++] = HEXADECIMAL[byte & 15]!
  }
  return at
}

function writeBytes(to: Uint8Array, at: number, from: Uint8Array): number { return writePart(to, at, from, 0, from.length) }

function writePart(to: Uint8Array, at: number, from: Uint8Array, start: number, count: number): number {
  for (let i = 0; i < count; i++) to[at + i] = from[start + i]!
  return at + count
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
