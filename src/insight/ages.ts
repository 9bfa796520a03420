// When values were stored, although items do not say it: an item has a cas number, from a counter that all items share, so it is
// enough to know when the counter was where. The thread of the background work looks at the counter in each of its steps, ten
// times a second or, while no client sends anything, once a second. Requests pay nothing for it.
//
//   version | count | looked | (to the next cache line) | record | record ...     CAPACITY records
//   record     from   until   cas                                                 doubles
//
// The cas numbers above that of the record before, up to `cas`, were given from second `from` to second `until` of store time.
// `from` is the second of a look before, at which they had not been given, or 0 if there was none. There is one record for a
// second, and none for a second in which no number was given. `looked` is the second of the last look.
//
// When all records are in use, those of the older half are merged two by two, where the merged one spans at most a part of
// 1 / SPAN_SHARE of its age. So the last 4,096 seconds in which something was stored are known to the second, and older ones are
// known to 1.6 % of their age either way.
//
// One thread writes. It makes the version odd before it writes records, and even again afterwards, so a reader whose version has
// not changed has read what belongs together.
import { assert } from '../errors.js'
import { type StoreContext } from '../store/context.js'

/** 192 KiB of records. */
const CAPACITY = 8192
const SPAN_SHARE = 32
/** The most tries of a reader while the other thread writes, which takes it less than 100 microseconds. */
const TRIES_MAX = 10_000

const enum HeaderWord { Version, Count, Looked, End = 16 }
const enum RecordField { From, Until, Cas, Stride }

/** The seconds of store time from which and until which a value may have been stored. */
export interface StoredSpan { readonly from: number, readonly until: number }

export class Ages {
  static readonly BYTES = HeaderWord.End * 4 + CAPACITY * RecordField.Stride * 8

  private readonly header: Int32Array
  private readonly records: Float64Array

  /** @param at byte index of `BYTES` in `memory`, a multiple of 8, 0 at the start */
  constructor(memory: ArrayBuffer | SharedArrayBuffer, at: number, private readonly context: StoreContext) {
    this.header = new Int32Array(memory, at, HeaderWord.End)
    this.records = new Float64Array(memory, at + HeaderWord.End * 4, CAPACITY * RecordField.Stride)
  }

  /** Looks at the counter. Always called in the same thread, with a time that is not older than a batch. */
  note(): void {
    const { context: { now, casGiven }, header } = this
    if (now < header[HeaderWord.Looked]!) this.forget(casGiven)
    else if (casGiven > this.casNoted) this.record(now, casGiven)
    Atomics.store(header, HeaderWord.Looked, now)
  }

  /** The highest cas number in a record. */
  private get casNoted(): number {
    const count = this.header[HeaderWord.Count]!
    return count === 0 ? 0 : this.at(count - 1, RecordField.Cas)
  }

  private at(index: number, field: RecordField): number { return this.records[index * RecordField.Stride + field]! }

  /** The clock of a test has gone back: nothing is known of what was stored before. */
  private forget(cas: number): void {
    this.beginWrite()
    this.write(0, 0, 0, cas)
    this.header[HeaderWord.Count] = 1
    this.endWrite()
  }

  private record(now: number, cas: number): void {
    const { header } = this
    this.beginWrite()
    const last = header[HeaderWord.Count]! - 1
    if (last >= 0 && this.at(last, RecordField.Until) === now) this.write(last, this.at(last, RecordField.From), now, cas)
    else {
      if (last + 1 === CAPACITY) this.thin(now)
      this.write(header[HeaderWord.Count]!++, header[HeaderWord.Looked]!, now, cas)
    }
    this.endWrite()
  }

  /**
   * Merges records of the older half. It always finds some: two neighbours that must stay apart are at least 1 / SPAN_SHARE
   * farther away than those after them, so there are fewer than 900 of them from the first hour to the end of store time.
   */
  private thin(now: number): void {
    const { header, records } = this
    let kept = 0
    for (let index = 0; index < CAPACITY / 2; index++) {
      const from = this.at(index, RecordField.From)
      const next = this.at(index + 1, RecordField.Until)
      if (from !== 0 && index + 1 < CAPACITY / 2 && (next - from) * SPAN_SHARE <= now - next) index++
      this.write(kept++, from, this.at(index, RecordField.Until), this.at(index, RecordField.Cas))
    }
    assert(kept < CAPACITY / 2, 'no second of those in which values were stored can be forgotten')
    records.copyWithin(kept * RecordField.Stride, CAPACITY / 2 * RecordField.Stride)
    header[HeaderWord.Count] = kept + CAPACITY / 2
  }

  private write(index: number, from: number, until: number, cas: number): void {
    const record = index * RecordField.Stride
    this.records[record + RecordField.From] = from
    this.records[record + RecordField.Until] = until
    this.records[record + RecordField.Cas] = cas
  }

  // read-modify-write operations, as stores of both sides stay on their side of them

  private beginWrite(): void { Atomics.add(this.header, HeaderWord.Version, 1) }
  private endWrite(): void { Atomics.add(this.header, HeaderWord.Version, 1) }

  /**
   * When a cas number was given. Any thread may ask. For a number that a client chose, this is when the store gave it.
   * @returns undefined if it is not known; also for 0, and for a number that the store has not given yet
   */
  find(cas: number): StoredSpan | undefined {
    const { header, context } = this
    if (cas === 0 || cas > context.casGiven) return undefined
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      const version = Atomics.load(header, HeaderWord.Version)
      if ((version & 1) !== 0) continue
      const { from, until } = this.search(cas)
      if (Atomics.add(header, HeaderWord.Version, 0) !== version) continue
      // this thread's time may be a little behind that of the other; or the clock of a test has gone back since
      return from === 0 || from > context.now ? undefined : { from, until: Math.min(until, context.now) }
    }
    return undefined
  }

  private search(cas: number): StoredSpan {
    const { header } = this
    const count = header[HeaderWord.Count]!
    let low = 0
    for (let high = count; low < high;) {
      const middle = (low + high) >>> 1
      if (this.at(middle, RecordField.Cas) >= cas) high = middle
      else low = middle + 1
    }
    if (low === count) return { from: header[HeaderWord.Looked]!, until: this.context.now }
    return { from: this.at(low, RecordField.From), until: this.at(low, RecordField.Until) }
  }

  /** @internal For tests: the number of records. */
  get count(): number { return this.header[HeaderWord.Count]! }
}
