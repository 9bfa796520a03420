// `stats bigkeys`: the keys with the largest values of each slab class. They are found by the background walk, which passes every
// item about once a minute, and by samples of writes, which are there at once, and also where there is no walk. What a thread has
// found is a hint: the report looks each key up, and shows what is there now.
//
//   a thread | class 0 | class 1 ...    each: PLACES_MAX places | value bytes | second | length of the key | key |
import { copy } from '../memory/bytes.js'
import { Size } from '../memory/layout.js'
import { encodeKey } from '../memory/uri.js'
import { type WalkSink } from '../store/context.js'
import { Request, Want } from '../store/request.js'
import { type Store } from '../store/store.js'
import { Use, type Learner, type Sample } from './sampler.js'

/** The most keys of a class that are kept by a thread, and shown. */
const PLACES_MAX = 5
/** The seconds after which a key that neither the walk nor a sample has met gives way to any other. Two walks take as long. */
const STALE_SECONDS = 150
/** The keys that are looked up in a part of a report. */
const KEYS_PER_PART = 100

const enum Word { ValueBytes, Second, KeyBytes, Key }
const STRIDE_BYTES = 264
const STRIDE = STRIDE_BYTES / 4
const CLASS_WORDS = PLACES_MAX * STRIDE
const THREAD_WORDS = Size.Classes * CLASS_WORDS

interface Found { readonly bytes: Uint8Array, readonly valueBytes: number }

type Rows = (readonly [name: string, value: string | number])[]

export class BigKeys implements Learner, WalkSink {
  private readonly words: Int32Array
  private readonly bytes: Uint8Array
  /** The word index of this thread's part. */
  private readonly own: number

  static bytesFor(threads: number): number { return threads * THREAD_WORDS * 4 }

  /** @param at byte index of `bytesFor(threads)` in `memory` */
  constructor(memory: ArrayBuffer | SharedArrayBuffer, at: number, private readonly store: Store) {
    const { threads } = store.options
    this.words = new Int32Array(memory, at, threads * THREAD_WORDS)
    this.bytes = new Uint8Array(memory, at, threads * THREAD_WORDS * 4)
    this.own = store.thread * THREAD_WORDS
  }

  key({ bytes, keyEnd, keyStart, use, valueBytes }: Sample): void {
    // the walk finds what is read; a look at the places for each read would take most of the time of its sample
    if (use !== Use.Store) return
    const { classes, context } = this.store
    const slabClass = classes.classFor(context.nominalBytes(keyEnd - keyStart, 0, valueBytes))
    this.walked(slabClass === 0 ? classes.largest : slabClass, valueBytes, bytes, keyStart, keyEnd)
  }

  walked(slabClass: number, valueBytes: number, bytes: Uint8Array, start: number, end: number): void {
    const { words, store: { context: { now } } } = this
    const first = this.own + slabClass * CLASS_WORDS
    let least = first
    let leastBytes = Infinity
    for (let place = first; place < first + CLASS_WORDS; place += STRIDE) {
      const placeBytes = now - words[place + Word.Second]! > STALE_SECONDS ? 0 : words[place + Word.ValueBytes]!
      if (placeBytes >= leastBytes) continue
      least = place
      leastBytes = placeBytes
    }
    // most items end here; a length that is none is that of an item which is being changed
    if (valueBytes <= leastBytes || end - start > Size.KeyMax) return
    for (let place = first; place < first + CLASS_WORDS; place += STRIDE) {
      if (this.hasKey(place, bytes, start, end)) return this.update(place, valueBytes, now)
    }
    words[least + Word.KeyBytes] = end - start
    copy(bytes, start, this.bytes, (least + Word.Key) * 4, end - start)
    this.update(least, valueBytes, now)
  }

  private update(place: number, valueBytes: number, now: number): void {
    this.words[place + Word.ValueBytes] = valueBytes
    this.words[place + Word.Second] = now
  }

  private hasKey(place: number, bytes: Uint8Array, start: number, end: number): boolean {
    if (this.words[place + Word.KeyBytes] !== end - start) return false
    for (let at = (place + Word.Key) * 4; start < end; at++, start++) if (this.bytes[at] !== bytes[start]) return false
    return true
  }

  /** The rows of `stats bigkeys`, in parts. */
  *report(): Iterable<Rows> {
    const byClass = new Map<number, Found[]>()
    let lookups = 0
    for (const bytes of this.candidates()) {
      this.lookUp(bytes, byClass)
      if (++lookups % KEYS_PER_PART === 0) yield []
    }
    for (const [slabClass, found] of [...byClass].sort(([one], [other]) => one - other)) yield rowsOf(slabClass, found)
  }

  /** The keys that any thread has found, each once. */
  private candidates(): Iterable<Uint8Array> {
    const keys = new Map<string, Uint8Array>()
    for (let place = 0; place < this.words.length; place += STRIDE) {
      const keyBytes = this.words[place + Word.KeyBytes]!
      if (keyBytes === 0 || keyBytes > Size.KeyMax) continue
      const at = (place + Word.Key) * 4
      const bytes = this.bytes.slice(at, at + keyBytes)
      keys.set(Buffer.from(bytes).toString('latin1'), bytes)
    }
    return keys.values()
  }

  private lookUp(bytes: Uint8Array, byClass: Map<number, Found[]>): void {
    const { store } = this
    const request = new Request(bytes)
    request.keyEnd = bytes.length
    request.hash = store.context.hash.of(bytes, 0, bytes.length)
    request.wants = Want.Peek
    store.get(request, { read: ({ slabClass, valueBytes }) => {
      const found = byClass.get(slabClass)
      if (found === undefined) byClass.set(slabClass, [{ bytes, valueBytes }])
      else found.push({ bytes, valueBytes })
      return true
    } })
  }

  /** Forgets all keys. No thread may be serving meanwhile. */
  clear(): void { this.words.fill(0) }
}

function rowsOf(slabClass: number, found: Found[]): Rows {
  return found.sort((one, other) => other.valueBytes - one.valueBytes).slice(0, PLACES_MAX)
    .flatMap(({ bytes, valueBytes }, index): Rows => [
      [`${slabClass}:${index + 1}:key`, encodeKey(bytes, 0, bytes.length)],
      [`${slabClass}:${index + 1}:bytes`, valueBytes],
    ])
}
