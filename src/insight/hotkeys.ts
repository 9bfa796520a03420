// `stats hotkeys`: the keys that are read and written most, by the samples of all threads. What is hot changes, so a thread
// counts for a minute, or longer if it has few samples, and then begins anew. The report adds up what all threads have counted in
// the present minute and the one before.
//
//   a thread | reads, table 0 | reads, table 1 | writes, table 0 | writes, table 1 |      see TopKeys
import { encodeKey } from '../memory/uri.js'
import { type Store } from '../store/store.js'
import { Use, type Learner, type Sample } from './sampler.js'
import { TopKeys } from './topkeys.js'

/** The seconds after which a thread begins anew, and the samples that it has at least. */
const WINDOW_SECONDS = 60
const WINDOW_SAMPLES_MIN = 1000
/** The most keys that are shown. */
const SHOWN_MAX = 20

/** The counts of all threads for a key. */
interface Sum { readonly bytes: Uint8Array, count: number, error: number }

type Rows = (readonly [name: string, value: string | number])[]

const enum Pair { Reads, Writes, Count }

/** The two tables of a thread for its reads or its writes. */
class Windows {
  static readonly BYTES = 2 * TopKeys.BYTES

  readonly tables: readonly [TopKeys, TopKeys]
  private current: 0 | 1 = 0

  constructor(memory: ArrayBuffer | SharedArrayBuffer, at: number) {
    this.tables = [new TopKeys(memory, at), new TopKeys(memory, at + TopKeys.BYTES)]
  }

  add({ bytes, hash, keyEnd, keyStart, now, weight }: Sample): void {
    let table = this.tables[this.current]
    if (!table.isBegun) table.begin(now)
    if (now - table.since >= WINDOW_SECONDS && table.seen >= WINDOW_SAMPLES_MIN) {
      this.current = this.current === 0 ? 1 : 0
      table = this.tables[this.current]
      table.begin(now)
    }
    table.add(hash, bytes, keyStart, keyEnd, weight)
  }

  clear(): void { for (const table of this.tables) table.clear() }
}

export class HotKeys implements Learner {
  /** Of each thread, by Pair. */
  private readonly threads: readonly (readonly Windows[])[]
  private readonly own: readonly Windows[]

  static bytesFor(threads: number): number { return threads * Pair.Count * Windows.BYTES }

  /**
   * @param at byte index of `bytesFor(threads)` in `memory`
   * @param rate the share of the requests that are sampled; with 0 there is nothing to show
   */
  constructor(memory: ArrayBuffer | SharedArrayBuffer, at: number, private readonly store: Store, private readonly rate: number) {
    this.threads = Array.from({ length: rate === 0 ? 0 : store.options.threads }, (_thread, thread) =>
      Array.from({ length: Pair.Count }, (_pair, pair) => new Windows(memory, at + (thread * Pair.Count + pair) * Windows.BYTES)))
    this.own = this.threads[store.thread] ?? []
  }

  key(sample: Sample): void {
    if (sample.isChance) this.own[sample.use === Use.Read ? Pair.Reads : Pair.Writes]!.add(sample)
  }

  /** The rows of `stats hotkeys`, in parts. */
  *report(): Iterable<Rows> {
    const { store } = this
    const since = this.threads.flat().flatMap(({ tables }) => tables.map(table => table.since)).filter(second => second > 0)
    const seen = [Pair.Reads, Pair.Writes].map(pair => this.seen(pair))
    yield [
      ['sample_rate', this.rate],
      ['seconds', Math.max(store.context.now - Math.min(...since, store.context.now), 0)],
      ['reads:sampled', seen[Pair.Reads]!],
      ['writes:sampled', seen[Pair.Writes]!],
    ]
    yield* this.reportPair('reads', Pair.Reads, seen[Pair.Reads]!)
    yield* this.reportPair('writes', Pair.Writes, seen[Pair.Writes]!)
  }

  private tablesOf(pair: Pair): TopKeys[] {
    return this.threads.flatMap(pairs => pairs[pair]!.tables).filter(({ since }) => since > 0)
  }

  private seen(pair: Pair): number { return this.tablesOf(pair).reduce((sum, table) => sum + table.seen, 0) }

  private *reportPair(name: string, pair: Pair, seen: number): Iterable<Rows> {
    const sums = new Map<string, Sum>()
    for (const table of this.tablesOf(pair)) {
      this.addTo(sums, table)
      yield []
    }
    // a key that has taken over most of its count may be any key
    const hottest = [...sums.values()].filter(({ count, error }) => error <= count / 2)
      .sort((one, other) => other.count - one.count).slice(0, SHOWN_MAX)
    yield hottest.flatMap(({ bytes, count, error }, index): Rows => [
      [`${name}:${index + 1}:key`, encodeKey(bytes, 0, bytes.length)],
      [`${name}:${index + 1}:count`, Math.round(count / this.rate)],
      [`${name}:${index + 1}:share`, Number((count / seen).toFixed(6))],
      [`${name}:${index + 1}:error`, Math.round(error / this.rate)],
    ])
  }

  private addTo(sums: Map<string, Sum>, table: TopKeys): void {
    for (const { bytes, count, error } of table.read(this.store.context.hash)) {
      const key = Buffer.from(bytes).toString('latin1')
      const sum = sums.get(key)
      if (sum === undefined) sums.set(key, { bytes, count, error })
      else {
        sum.count += count
        sum.error += error
      }
    }
  }

  /** Forgets all keys. No thread may be serving meanwhile. */
  clear(): void { for (const windows of this.threads.flat()) windows.clear() }
}
