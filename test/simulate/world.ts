// Where simulated threads begin: a small store with a key in a certain state, and another one that is related to it in a
// certain way. A world is made once; what its memory was then is put back before each run. A new state or relation is a row.

import crypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'

import { Mode, Want } from '../../src/store/request.js'
import type { SharedStore, StoreOptions } from '../../src/store/store.js'
import { IO_BYTES } from '../../src/server/engine.js'
import { Prng } from '../support/prng.js'
import { StoreUnderTest } from '../support/store.js'
import { SECONDS_LATER, SimulatedThread } from './thread.js'
import { DELIMITER, prefixOf, valueOf } from './operations.js'
import type { Subject } from './operations.js'
import { THREADS_MAX } from './turns.js'

const MIB = 1024 * 1024
export const KEY = 'key'
const STRIPES = 16
/** Keys whose hashes agree in so many low bits are in one chain, however large the table. */
const CHAIN_BITS = 14
/** Nearly the size of a chunk of which a page has ten. */
const WIDE_BYTES = 45_000
/** A piece of the largest class, of which a page has two, and a short one. */
const LARGE_BYTES = 544_000

/** How many values lie between two of different pages; of large ones two fill a page. */
const BETWEEN = 9

/** How the key of the second thread is related to that of the first. */
export const RELATIONS = ['same key', 'same chain', 'same page', 'same class'] as const
export type Relation = typeof RELATIONS[number]

export interface Setup {
  readonly name: string
  readonly options: Partial<StoreOptions>
  readonly valueBytes: number
  /** And values of another class; default twice as long. */
  readonly elsewhereBytes?: number
  /** Whether items may lose their places because there is no more memory. */
  readonly isShort?: true
  /** Whether the key is stale. */
  readonly isStale?: true
  /** Makes the key what it is, and the other key too if it is another. */
  prepare(subject: StoreUnderTest, key: string): void
  /** Whether somebody reads both all the while. */
  readonly isRead?: true
  /** What is stored behind the two. */
  after?(subject: StoreUnderTest): void
}

const SMALL: Partial<StoreOptions> = { maxbytes: 2 * MIB, factor: 4, slabChunkMax: 16_384, itemSizeMax: 64 * 1024 }
const WIDE: Partial<StoreOptions> = { maxbytes: 16 * MIB, factor: 4, slabChunkMax: 524_288, itemSizeMax: MIB }

function put(subject: StoreUnderTest, key: string, bytes: number, exptime = 0): void {
  subject.put(Mode.Set, key, Buffer.from(valueOf(12, bytes)), 0, exptime)
}

/** Stores values, so that what is before and behind them lies in other pages. */
function fill(subject: StoreUnderTest, name: string, count: number, bytes: number): void {
  for (let number = 0; number < count; number++) put(subject, `${name}-${number}`, bytes)
}

/** Stores values as long as no other has to go for one. */
function fillUp(subject: StoreUnderTest, bytes: number): void {
  const { classes, context, shards: [shard] } = subject.store
  const { slabs } = shard!
  const slabClass = classes.classFor(context.nominalBytes(KEY.length, 0, bytes)) || classes.largest
  const hasRoom = (): boolean => slabs.hasChunkLeft(slabClass) || slabs.bytesUsed + classes.pageBytes(slabClass) <= slabs.bytesMax
  for (let number = 0; hasRoom(); number++) put(subject, `filler-${number}`, bytes)
}

function thin(subject: StoreUnderTest, name: string, count: number): void {
  for (let number = 0; number < count; number++) subject.delete(`${name}-${number}`)
}

function thinOutFirstPage(subject: StoreUnderTest): void {
  fill(subject, 'filler', 23, WIDE_BYTES)
  thin(subject, 'filler', 7)
  thin(subject, 'between', BETWEEN)
}

export const SETUPS: readonly Setup[] = [
  { name: 'absent', options: SMALL, valueBytes: 2, prepare: () => {} },
  { name: 'number', options: SMALL, valueBytes: 2, prepare: (subject, key) => put(subject, key, 2) },
  { name: 'large', options: SMALL, valueBytes: 20_000, prepare: (subject, key) => put(subject, key, 20_000) },
  { name: 'ending', options: SMALL, valueBytes: 2, prepare: (subject, key) => put(subject, key, 2, 1000) },
  { name: 'ended', options: SMALL, valueBytes: 2, prepare: (subject, key) => put(subject, key, 2, 5) },
  {
    name: 'stale', options: SMALL, valueBytes: 2, isStale: true,
    prepare: (subject, key) => {
      put(subject, key, 2)
      subject.delete(key, Want.Invalidate)
    },
  },
  {
    // after more flushes than a page tells apart, one of the key: to store it again begins a turn of its page
    name: 'flushed', options: SMALL, valueBytes: 2,
    prepare: (subject, key) => put(subject, key, 2),
    after: ({ store }) => {
      for (let count = 0; count < 20; count++) store.flushPrefix(Buffer.from(`p${count}`))
      store.flushPrefix(prefixOf(KEY))
    },
  },
  {
    name: 'read', options: SMALL, valueBytes: 2, isRead: true,
    prepare: (subject, key) => put(subject, key, 2),
  },
  {
    name: 'one list', options: { ...SMALL, lruSegmented: false }, valueBytes: 2,
    prepare: (subject, key) => put(subject, key, 2),
  },
  {
    name: 'short lives', options: { ...SMALL, tempLru: true }, valueBytes: 2,
    prepare: (subject, key) => put(subject, key, 2, 40),
  },
  {
    // the page of the key is the one with least in it, so it is the one that moves
    name: 'page', options: WIDE, valueBytes: WIDE_BYTES, elsewhereBytes: WIDE_BYTES * 4,
    prepare: (subject, key) => put(subject, key, WIDE_BYTES),
    after: thinOutFirstPage,
  },
  {
    name: 'page that is read', options: WIDE, valueBytes: WIDE_BYTES, elsewhereBytes: WIDE_BYTES * 4, isRead: true,
    prepare: (subject, key) => put(subject, key, WIDE_BYTES),
    after: thinOutFirstPage,
  },
  {
    name: 'pieces', options: WIDE, valueBytes: LARGE_BYTES, elsewhereBytes: WIDE_BYTES,
    prepare: (subject, key) => put(subject, key, LARGE_BYTES),
    after: subject => fill(subject, 'filler', 5, LARGE_BYTES),
  },
  {
    name: 'full', options: { ...WIDE, maxbytes: 3 * MIB }, valueBytes: WIDE_BYTES, elsewhereBytes: WIDE_BYTES * 4, isShort: true,
    prepare: (subject, key) => put(subject, key, WIDE_BYTES),
    after: subject => {
      // a class whose only page is read: what wants a chunk of it takes a page from another
      fill(subject, 'wide-read', 2, WIDE_BYTES * 4)
      for (const number of [0, 1]) subject.pin(`wide-read-${number}`)
      fillUp(subject, WIDE_BYTES)
    },
  },
  {
    name: 'full of pieces', options: { ...WIDE, maxbytes: 8 * MIB }, valueBytes: LARGE_BYTES, elsewhereBytes: WIDE_BYTES,
      isShort: true,
    prepare: (subject, key) => put(subject, key, LARGE_BYTES),
    after: subject => fillUp(subject, LARGE_BYTES),
  },
]

/** Bytes of the arena from `at` to `end`. */
interface Extent { readonly at: number, readonly end: number }

/** What nobody else sees of a table: the word index of its first bucket. */
interface InsideTable { readonly heads: number }

/** Where in the arena what was there at the beginning is kept: far behind the pages that are used. Copies are quick inside it. */
const MIRROR_AT = 1024 * MIB

/** What is read all the while, as it was. */
interface Loan { readonly value: Buffer, readonly read: () => Buffer }

function lend(subject: StoreUnderTest, key: string): Loan {
  const { read } = subject.borrow(key)!
  return { read, value: read() }
}

export class World {
  readonly maker: StoreUnderTest
  readonly shared: SharedStore
  /** What the threads' operations are about: the first is about the key, the others about the other key. */
  readonly subjects: readonly Subject[]
  /** What it holds itself. */
  readonly refs: number
  private readonly extents: readonly Extent[]
  private readonly loans: Loan[] = []
  private readonly threads: (SimulatedThread | undefined)[] = []

  /** @param seed of the hash: which keys are in one chain or stripe */
  constructor(readonly setup: Setup, readonly relation: Relation, seed: number) {
    this.maker = withRandom(seed, () => new StoreUnderTest(
      { ...setup.options, shared: true, threads: THREADS_MAX + 1, stripes: STRIPES, ioBytes: IO_BYTES, trackSizes: true,
        trackPrefixes: true, prefixDelimiter: DELIMITER }))
    const { maker } = this
    const other = relation === 'same key' ? KEY : this.findOther()
    setup.prepare(maker, KEY)
    // the chunks of a page are given out one after the other
    if (relation === 'same class') fill(maker, 'between', BETWEEN, setup.valueBytes)
    if (other !== KEY) setup.prepare(maker, other)
    if (setup.isRead === true) for (const key of new Set([KEY, other])) this.loans.push(lend(maker, key))
    setup.after?.(maker)
    this.refs = maker.store.refCount
    this.shared = maker.store.share()
    this.subjects = [KEY, other, other].map(key => this.subjectOf(key))
    maker.clock.advance(SECONDS_LATER)
    this.extents = this.extentsInUse()
    for (const { at, end } of this.extents) this.copy(MIRROR_AT + at, at, end - at)
  }

  /** Another key in the same chain, or if it is not to be that, under another lock. */
  private findOther(): string {
    const hash = this.maker.for(KEY).hash
    for (let number = 0; ; number++) {
      const different = this.maker.for(`other-${number}`).hash ^ hash
      const isSameChain = (different & (2 ** CHAIN_BITS - 1)) === 0
      const isOtherStripe = (different & (STRIPES - 1)) !== 0
      if (this.relation === 'same chain' ? isSameChain : isOtherStripe) return `other-${number}`
    }
  }

  private subjectOf(key: string): Subject {
    const { maker, setup } = this
    const { classes, context } = maker.store
    const classFor = (bytes: number): number => classes.classFor(context.nominalBytes(key.length, 0, bytes)) || classes.largest
    const request = maker.for(key)
    const shard = maker.store.shardOf(request.hash)
    const item = shard.table.find(request.hash, request.bytes, request.keyStart, request.keyEnd)
    const slabClass = classFor(setup.valueBytes)
    return {
      key, slabClass, valueBytes: setup.valueBytes, elsewhereBytes: setup.elsewhereBytes ?? setup.valueBytes * 2, cas: item === 0
        ? 1 : shard.items.casLow(item),
      otherClass: slabClass === classes.largest ? slabClass - 1 : slabClass + 1,
    }
  }

  /** Whether what is read all the while is as it was. */
  get isReadWhole(): boolean { return this.loans.every(({ value, read }) => read().equals(value)) }

  /** One of the threads, as if it were this one. */
  thread(number: number): SimulatedThread { return this.threads[number] ??= new SimulatedThread(this.shared, number + 1) }

  /** Another one is made in its place. */
  forgetThread(number: number): void { this.threads[number] = undefined }

  /** Puts everything back as it was when it was ready. */
  restore(): void {
    // a page may have become one of another class, of which less is in use
    const wereInUse = new Map(this.extents.map(({ at, end }) => [at, end]))
    for (const { at, end } of this.extentsInUse()) this.copy(at, MIRROR_AT + at, Math.max(end, wereInUse.get(at) ?? 0) - at)
  }

  private copy(to: number, from: number, count: number): void {
    const { arena } = this.maker.store.shards[0]!
    if (arena.instructions === undefined) arena.memory.bytes.copyWithin(to, from, from + count)
    else arena.instructions.copy(to, from, count)
  }

  /**
   * Where something may lie: all but the threads' buffers and the room into which the table could grow, and of each page only
   * what was ever given out.
   */
  private extentsInUse(): Extent[] {
    const { store } = this.maker
    const { arena, slabs, table } = store.shards[0]!
    const ioEnd = store.ioStart + IO_BYTES * (THREADS_MAX + 1)
    const { heads } = table as unknown as InsideTable
    const extents = [
      { at: 0, end: store.ioStart }, { at: ioEnd, end: (heads + table.bucketCount) * 4 },
      { at: (heads + table.bucketsMax) * 4, end: arena.firstPage * MIB },
    ]
    for (let page = arena.firstPage; page < slabs.pageEnd; page++) {
      const slabClass = slabs.classOfPage(page)
      const used = slabClass > 0 ? slabs.carvedChunks(page) * slabs.classes.chunkBytes[slabClass]! : MIB
      extents.push({ at: page * MIB, end: page * MIB + used })
    }
    return extents
  }
}

/** What is random while it is run follows from the seed. */
function withRandom<T>(seed: number, run: () => T): T {
  const { randomFillSync } = crypto
  const random = new Prng(seed)
  const fill = (view: NodeJS.ArrayBufferView): NodeJS.ArrayBufferView => {
    const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength)
    for (let at = 0; at < bytes.length; at++) bytes[at] = random.below(256)
    return view
  }
  crypto.randomFillSync = fill as typeof randomFillSync
  syncBuiltinESMExports()
  try {
    return run()
  } finally {
    crypto.randomFillSync = randomFillSync
    syncBuiltinESMExports()
  }
}
