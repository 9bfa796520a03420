// Why is a key not there? `stats explain <key>`: the item if it is there, dead or alive; otherwise the last that is known of the
// key: how its item left, a write that was refused, or a flush. It goes in short steps, as the records may be many.
import { encodeKey } from '../memory/uri.js'
import { type Row } from '../stats/report.js'
import { Departure, type Departed, type Departures, type DepartureSearch } from '../store/departures.js'
import { Refusal } from '../store/outcome.js'
import { Request } from '../store/request.js'
import { type Inspected } from '../store/shard.js'
import { type Store } from '../store/store.js'
import { type Ages } from './ages.js'
import { type Refusals, type Refused } from './refusals.js'
import { ago, clockTime, duration, reasonWord, size } from './words.js'

/** What became of a key: a word, a sentence, and what else is known. */
interface Explanation {
  readonly state: string
  readonly answer: string
  readonly facts: readonly Row[]
}

/** A flush that the key may have fallen to. */
interface Flush {
  readonly second: number
  readonly generation: number
  /** The prefix, if only that was flushed. */
  readonly prefix: string | undefined
}

/** What is known beside the store: see Insight. */
interface Known {
  readonly ages: Ages
  readonly refusals: Refusals
}

/** How long ago a value was stored, in seconds, and by how much more or less that may be; 0 if it is exact to about a second. */
interface Age {
  readonly seconds: number
  readonly error: number
}

/** The least span of time, in seconds, that makes an age an estimate. The looks of Ages may be two seconds apart. */
const SPAN_MIN = 3

/** The rows about a key, in parts. Most parts have none. @param key of 1 to 250 bytes */
export function* explain(store: Store, { ages, refusals }: Known, key: Uint8Array): Iterable<Row[]> {
  const explainer = new Explainer(store, ages, refusals, key)
  yield* explainer.search()
  const { state, answer, facts } = explainer.explanation()
  yield [['key', encodeKey(key, 0, key.length)], ['state', state], ['answer', answer], ...facts]
}

class Explainer {
  private readonly request: Request
  private readonly departures: Departures
  /** The newest record of the key, and that of a flush of its prefix. */
  private departed: Departed | undefined
  private flushed: Departed | undefined
  private readonly prefixBytes: number

  constructor(private readonly store: Store, private readonly ages: Ages, private readonly refusals: Refusals,
    private readonly key: Uint8Array) {
    const { context } = store
    store.refreshTime()
    this.departures = context.departures
    this.request = new Request(key)
    this.request.keyEnd = key.length
    this.request.hash = context.hash.of(key, 0, key.length)
    this.prefixBytes = context.flushedPrefixes.prefixBytesOf(key)
  }

  private get now(): number { return this.store.context.now }

  /** The seconds since a second of store time; 0 if the clock has been set back behind it. */
  private secondsSince(second: number): number { return Math.max(this.now - second, 0) }

  /** Searches the records, unless the item is there. */
  *search(): Iterable<Row[]> {
    const { departures, key, prefixBytes, request, store } = this
    const item = store.inspect(request)
    if (item !== undefined && !item.isFlushed) return
    this.departed = yield* searched(departures.search(request.hash))
    if (prefixBytes < 0) return
    this.flushed = yield* searched(departures.search(store.context.hash.of(key, 0, prefixBytes), true))
  }

  explanation(): Explanation {
    const { store: { context }, departed } = this
    // looked at again, as it may have been stored meanwhile
    const item = this.store.inspect(this.request)
    if (item !== undefined) return this.explainItem(item)
    const refused = this.lastRefused()
    const isRefusedLast = refused !== undefined && (departed === undefined || isAfter(refused, departed))
    const last = isRefusedLast ? refused : departed
    const flush = this.flushes().at(-1)
    const isFlushLast = flush !== undefined && (last === undefined ? !this.departures.hasForgottenSince(flush.generation)
      : last.generation < flush.generation || last.generation > context.generation)
    const before = isRefusedLast ? this.explainRefusal(refused) : departed && this.explainDeparture(departed)
    if (isFlushLast) return this.explainFlush(flush, before)
    return before ?? this.unknown()
  }

  /** The flushes of everything and of the prefix, in their order. */
  private flushes(): Flush[] {
    const { flushed, key, prefixBytes, store: { context: { flushedAt, flushedIn } } } = this
    const prefix = encodeKey(key, 0, Math.max(prefixBytes, 0))
    const all: Flush[] = flushedIn === 0 ? [] : [{ second: flushedAt, generation: flushedIn, prefix: undefined }]
    if (flushed !== undefined) all.push({ second: flushed.second, generation: flushed.generation, prefix })
    return all.sort((a, b) => a.generation - b.generation)
  }

  private lastRefused(): Refused | undefined {
    return this.refusals.newest.find(({ key }) => Buffer.compare(key, this.key) === 0)
  }

  private explainItem(item: Inspected): Explanation {
    const { now } = this
    if (item.isFlushed || item.isExpired) return this.explainDead(item)
    const { expiresAt, isFetched, isStale, slabClass, usedAt, valueBytes } = item
    const used = this.secondsSince(usedAt)
    const refused = this.lastRefused()
    const age = this.ageOf(item)
    const usage = isFetched ? `${storedWords(age)}last used at most ${ago(used)}` : `stored ${ago(used)} and not read since`
    const end = expiresAt === 0 ? 'without an expiration time' : `expires in ${duration(expiresAt - now)}`
    const sentences = [
      `It is there: ${size(valueBytes)}, ${usage}, ${end}.`,
      isStale && 'It is marked as stale.',
      refused !== undefined && `A write of ${size(refused.valueBytes)} was refused ${ago(this.secondsSince(refused.second))}.`,
    ]
    const facts: Row[] = [['bytes', valueBytes], ['class', slabClass], ['ttl', expiresAt === 0 ? -1 : expiresAt - now],
      ['last_access', used], ['fetched', isFetched ? 'yes' : 'no']]
    if (age !== undefined) facts.push(['age', age.seconds])
    if (age !== undefined && age.error > 0) facts.push(['age_error', age.error])
    if (isStale) facts.push(['stale', 'yes'])
    if (refused !== undefined) facts.push(['refused_seconds_ago', this.secondsSince(refused.second)])
    return { state: 'there', answer: sentences.filter(sentence => sentence !== false).join(' '), facts }
  }

  /**
   * How long ago a value was stored. A read leaves only the cas number to tell it, which is a new one for an item that was marked
   * as stale. Undefined if it is not known.
   */
  private ageOf({ cas, isFetched, isStale, usedAt }: Inspected): Age | undefined {
    if (!isFetched) return { seconds: this.secondsSince(usedAt), error: 0 }
    const span = isStale ? undefined : this.ages.find(cas)
    if (span === undefined) return undefined
    const until = Math.min(span.until, usedAt)
    const from = Math.min(span.from, until)
    const error = until - from < SPAN_MIN ? 0 : Math.ceil((until - from) / 2)
    return { seconds: this.secondsSince(until) + error, error }
  }

  /** Explains an item that is dead, but still in memory. A write may have been refused since. */
  private explainDead({ isFlushed, usedAt, expiresAt, slabClass }: Inspected): Explanation {
    const refused = this.lastRefused()
    const flushes = isFlushed ? this.flushes().filter(({ second }) => second >= usedAt) : []
    const isRefusedLast = refused !== undefined && (isFlushed
      ? flushes.every(({ generation }) => generation <= refused.generation)
      : refused.second >= expiresAt)
    if (isRefusedLast) return this.explainRefusal(refused)
    return isFlushed ? this.explainFlush(flushes[0], undefined) : this.expired(expiresAt, slabClass)
  }

  private explainDeparture(departed: Departed): Explanation {
    const { reason, slabClass, since } = departed
    switch (reason) {
      case Departure.Expired: return this.expired(since, slabClass)
      case Departure.Evicted: return this.evicted(departed)
      case Departure.Deleted: return this.deleted(departed)
      default: return this.droppedFor(departed, reason === Departure.TooLarge ? 'too large' : 'there was no memory')
    }
  }

  /** Explains an old value that a refused write took along, when the list of these has forgotten the write. */
  private droppedFor(departed: Departed, why: string): Explanation {
    const seconds = this.secondsSince(departed.second)
    const reason = reasonWord(departed.reason === Departure.TooLarge ? Refusal.TooLarge : Refusal.NoMemory)
    return {
      state: 'refused',
      answer: `A write was refused ${ago(seconds)} as ${why}, and the old value went with it.`,
      facts: [['reason', reason], ['seconds_ago', seconds], ...this.clientOf(departed).facts],
    }
  }

  private expired(expiresAt: number, slabClass: number): Explanation {
    const seconds = this.secondsSince(expiresAt)
    return { state: 'expired', answer: `It expired ${ago(seconds)}.`, facts: [['seconds_ago', seconds], ['class', slabClass]] }
  }

  private evicted({ second, since, slabClass }: Departed): Explanation {
    const seconds = this.secondsSince(second)
    const unused = Math.max(second - since, 0)
    return {
      state: 'evicted',
      answer: `It was evicted ${ago(seconds)}, as memory was needed, after ${duration(unused)} unread.`,
      facts: [['seconds_ago', seconds], ['unread', unused], ['class', slabClass]],
    }
  }

  private deleted(departed: Departed): Explanation {
    const seconds = this.secondsSince(departed.second)
    const client = this.clientOf(departed)
    return {
      state: 'deleted',
      answer: `It was deleted ${ago(seconds)} by ${client.words}.`,
      facts: [['seconds_ago', seconds], ['class', departed.slabClass], ...client.facts],
    }
  }

  private clientOf({ thread, client }: Departed): { words: string, facts: Row[] } {
    const known = this.departures.clients.find(thread, client)
    if (known === undefined) return { words: 'a client that is not known any more', facts: [] }
    const { id, address } = known
    if (address === this.store.context.program.address) return { words: 'the program itself', facts: [['client', address]] }
    return { words: `connection ${id} from ${address}`, facts: [['connection', id], ['client', address]] }
  }

  private explainRefusal(refused: Refused): Explanation {
    const { reason, valueBytes, client, second } = refused
    const seconds = this.secondsSince(second)
    const { itemSizeMax } = this.store.options
    return {
      state: 'refused',
      answer: `${aWrite(refused)} from ${client} was refused ${ago(seconds)}: ${reasonWord(reason, itemSizeMax)}.`,
      facts: [['reason', reasonWord(reason)], ['bytes', valueBytes], ['limit', itemSizeMax], ['seconds_ago', seconds],
        ['client', client]],
    }
  }

  /** @param flush undefined if it is not known any more; @param before what is known of the key from the time before */
  private explainFlush(flush: Flush | undefined, before: Explanation | undefined): Explanation {
    if (flush === undefined) return { state: 'flushed', answer: 'It was flushed.', facts: [] }
    const { second, prefix } = flush
    const time = this.store.epoch + second
    const seconds = this.secondsSince(second)
    const what = prefix === undefined ? 'Everything' : `The prefix ${prefix}`
    return {
      state: 'flushed',
      answer: `${what} was flushed at ${clockTime(time)}, ${ago(seconds)}, and the key was not stored since.` +
        (before === undefined ? '' : ` Before that: ${before.answer}`),
      facts: [['seconds_ago', seconds], ['time', time], ...prefix === undefined ? [] : [['prefix', prefix] as const]],
    }
  }

  private unknown(): Explanation {
    const { remembered } = this.departures
    return {
      state: 'unknown',
      answer: this.departures.capacity === 0 ? 'It is not there, and nothing is remembered of items that left: see -o explain.'
        : `It is not there, and not among the last ${remembered} that left: it was never stored, or it left before those.`,
      facts: [['remembered', remembered]],
    }
  }
}

/** When a value was stored that has been read, before what else is said; empty if it is not known. */
function storedWords(age: Age | undefined): string {
  return age === undefined ? '' : `stored ${age.error > 0 ? 'about ' : ''}${ago(age.seconds)}, `
}

/** A write in words; its size is not known if its line was wrong. */
function aWrite({ valueBytes }: Refused): string { return valueBytes === 0 ? 'A write' : `A write of ${size(valueBytes)}` }

function* searched(search: DepartureSearch): Generator<Row[], Departed | undefined> {
  while (!search.step()) yield []
  return search.found
}

/** True if a write was refused after an item left. An expired item leaves at some time after its end. */
function isAfter(refused: Refused, departed: Departed): boolean {
  if (departed.reason === Departure.Expired) return refused.second >= departed.since
  return refused.order === 0 ? refused.second >= departed.second : ((refused.order - departed.order) | 0) > 0
}
