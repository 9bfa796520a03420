// `stats detail`: counts gets, hits, sets and deletes by the part of a key before the first delimiter. The counts lie in memory
// that may be shared between threads. In zeroed memory there are no counts, and counting is off.
//
//   | control |         index          | row | row | row ...        row   get  hit  set  delete  bytes  prefix
//      16 words  a word a slot: 0, or       in the order of              8    8    8    8       1     up to 250
//                the row's number + 1       their first use
//
// Everything but `isOn` is read and changed under one lock, which is held for one key at a time, or while some rows are copied.
// A thread that holds it takes no other lock. Memory is touched only when it is needed.
import { assert } from '../errors.js'
import { find, Memory } from '../memory/bytes.js'
import { Size } from '../memory/layout.js'
import { type Lives } from '../memory/lives.js'
import { Locks } from '../memory/lock.js'
import { type Hash } from '../store/index/hash.js'

/** The most prefixes. Further ones are not counted, as clients choose the keys, and this memory is not part of the cache. */
export const PREFIXES_MAX = 10_000

/** The slots of the index: a power of two, and so many that nearly all prefixes are found in the first or second slot. */
const SLOTS = 32_768
/** The most slots that are probed. If all have other prefixes, a prefix is not counted. That does not happen by chance. */
const PROBES_MAX = 64
/** The prefixes in a part of a dump. With the longest prefixes, a part takes some 50 microseconds and less than 64 KiB. */
const ROWS_PER_PART = 64

/** The word indexes of the control words, the index and the rows. */
export const enum PrefixWord {
  Lock, IsOn, Count,
  /** The number of resets that removed counts. */
  Resets,
  Index = 16,
  Rows = Index + SLOTS,
}

/** The bytes of a row: four doubles, a byte with the length of the prefix, and the prefix. */
const enum RowByte { Length = 32, Prefix = 33, Stride = 288 }

const enum Tally { Get, Hit, Set, Delete, Count }

const ROW_DOUBLES = RowByte.Stride / 8
const ROWS_AT = PrefixWord.Rows * 4
const NO_ROW = -1

export class Prefixes {
  /** The bytes of memory that Prefixes need. */
  static readonly BYTES = ROWS_AT + PREFIXES_MAX * RowByte.Stride

  private readonly delimiter: number
  private readonly locks: Locks
  private readonly words: Int32Array
  private readonly tallies: Float64Array
  private readonly memory: Memory

  /**
   * @param memory of BYTES bytes
   * @param delimiter one character, see -D
   * @param hash the store's hash. Clients do not know its key, so they cannot choose prefixes that collide
   * @param lives the record of the threads that share the memory; without it, this is the only one
   */
  constructor(memory: ArrayBuffer | SharedArrayBuffer, delimiter: string, private readonly hash: Pick<Hash, 'of'>,
    lives?: Lives) {
    this.delimiter = delimiter.charCodeAt(0)
    this.words = new Int32Array(memory)
    this.locks = new Locks(this.words, memory instanceof SharedArrayBuffer, lives)
    this.tallies = new Float64Array(memory, ROWS_AT)
    this.memory = new Memory(new Uint8Array(memory, ROWS_AT))
  }

  /** True while commands are counted. */
  get isOn(): boolean { return this.words[PrefixWord.IsOn] !== 0 }
  set isOn(isOn: boolean) { this.words[PrefixWord.IsOn] = isOn ? 1 : 0 }

  recordGet(key: Uint8Array, start: number, end: number, isHit: boolean): void {
    this.record(key, start, end, Tally.Get, isHit)
  }

  recordSet(key: Uint8Array, start: number, end: number): void { this.record(key, start, end, Tally.Set, false) }

  recordDelete(key: Uint8Array, start: number, end: number): void { this.record(key, start, end, Tally.Delete, false) }

  /**
   * The lines of `stats detail dump` in Latin-1, without END, in parts. Each part has the counts of the moment in which it is
   * requested. A prefix that is first counted during the dump is included. A reset ends the dump.
   */
  *dump(): Iterable<string> {
    const resets = this.words[PrefixWord.Resets]!
    for (let row = 0; ; row += ROWS_PER_PART) {
      const rows = this.copyRows(row, resets)
      if (rows.length === 0) return
      yield linesOf(rows)
    }
  }

  reset(): void {
    this.locks.take(PrefixWord.Lock)
    if (this.words[PrefixWord.Count] !== 0) this.clearLocked()
    this.locks.release(PrefixWord.Lock)
  }

  private clearLocked(): void {
    this.words.fill(0, PrefixWord.Index, PrefixWord.Rows)
    this.words[PrefixWord.Count] = 0
    this.words[PrefixWord.Resets]!++
  }

  private record(key: Uint8Array, start: number, end: number, tally: Tally, isHit: boolean): void {
    const stop = find(key, this.delimiter, start, end)
    if (stop < 0) return
    const hash = this.hash.of(key, start, stop)
    assert(stop - start <= Size.KeyMax, 'a prefix is longer than a key may be')
    this.locks.take(PrefixWord.Lock)
    const row = this.findLocked(key, start, stop - start, hash)
    if (row !== NO_ROW) this.countLocked(row, tally, isHit)
    this.locks.release(PrefixWord.Lock)
  }

  private countLocked(row: number, tally: Tally, isHit: boolean): void {
    this.tallies[row * ROW_DOUBLES + tally]!++
    if (isHit) this.tallies[row * ROW_DOUBLES + Tally.Hit]!++
  }

  /** The row of a prefix, which is added if there is none yet; NO_ROW if there is no room for it. */
  private findLocked(key: Uint8Array, start: number, length: number, hash: number): number {
    let slot = hash
    for (let probe = 0; probe < PROBES_MAX; probe++, slot++) {
      const word = PrefixWord.Index + (slot & (SLOTS - 1))
      const row = this.words[word]! - 1
      if (row === NO_ROW) return this.addLocked(key, start, length, word)
      const at = row * RowByte.Stride
      const isSame = this.memory.bytes[at + RowByte.Length] === length &&
        this.memory.equals(at + RowByte.Prefix, key, start, length)
      if (isSame) return row
    }
    return NO_ROW
  }

  private addLocked(key: Uint8Array, start: number, length: number, word: number): number {
    const row = this.words[PrefixWord.Count]!
    if (row === PREFIXES_MAX) return NO_ROW
    this.words[PrefixWord.Count] = row + 1
    this.words[word] = row + 1
    this.tallies.fill(0, row * ROW_DOUBLES, row * ROW_DOUBLES + Tally.Count)
    const at = row * RowByte.Stride
    this.memory.bytes[at + RowByte.Length] = length
    this.memory.copyFrom(key, start, at + RowByte.Prefix, length)
    return row
  }

  /**
   * Copies the rows of a part, so that other threads need not wait while they are formatted. Returns none behind the last row,
   * or if the number of resets is not `resets` any more.
   */
  private copyRows(first: number, resets: number): Buffer {
    this.locks.take(PrefixWord.Lock)
    const count = this.words[PrefixWord.Resets] === resets ? this.words[PrefixWord.Count]! : 0
    const end = Math.min(first + ROWS_PER_PART, count)
    const rows = this.memory.bytes.slice(first * RowByte.Stride, Math.max(first, end) * RowByte.Stride)
    this.locks.release(PrefixWord.Lock)
    return Buffer.from(rows.buffer)
  }
}

function linesOf(rows: Buffer): string {
  const tallies = new Float64Array(rows.buffer)
  let lines = ''
  for (let row = 0; row * RowByte.Stride < rows.length; row++) {
    const at = row * RowByte.Stride + RowByte.Prefix
    const prefix = rows.toString('latin1', at, at + rows[at - 1]!).replace(NOT_PLAIN, percent)
    const first = row * ROW_DOUBLES
    lines += `PREFIX ${prefix} get ${tallies[first + Tally.Get]} hit ${tallies[first + Tally.Hit]} ` +
      `set ${tallies[first + Tally.Set]} del ${tallies[first + Tally.Delete]}\r\n`
  }
  return lines
}

/** The characters that a binary key may have, but that would end a line or a word of the dump. */
const NOT_PLAIN = /[\x00-\x20\x7f]/g

function percent(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`
}
