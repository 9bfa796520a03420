// An arena: one block of memory, cut once at the start into regions. Pages come last and begin on a multiple of their
// size, so a page's number is a shift away from any address in it. The kernel gives zeroed pages on first touch, so a
// large arena costs nothing until it fills. Where it can, an arena is as large as one may be, whatever is wanted of it at
// first, so that the memory limit can be raised later.
import { assert, MemslabError } from '../errors.js'
import { Memory } from './bytes.js'
import { Size } from './layout.js'
import { allocateWasm, bufferOf, instructionsOf, type Instructions, type WasmMemory } from './wasm.js'

/** The largest arena, with all its regions: byte indexes stay below 2^31. */
export const ARENA_PAGES_MAX = 2047

const CACHE_LINE = 64

/** The bytes of all regions: in an arena that is as large as one may be, and in one that is no larger than it has to be. */
export interface FixedBytes { readonly whole: number; readonly least: number }

export class Arena {
  readonly words: Int32Array
  readonly memory: Memory
  readonly linear: WasmMemory
  /** What the machine does in it without JavaScript; undefined where that cannot be. */
  readonly instructions: Instructions | undefined
  readonly buffer: ArrayBuffer | SharedArrayBuffer
  /** The number of the first page; page numbers count from the start of the arena. */
  readonly firstPage: number
  readonly pageEnd: number
  /** Word 0 is nothing, so that 0 can mean that. */
  private cutAt = CACHE_LINE

  /**
   * @param fixed what `cut` may hand out
   * @param pageCount pages behind it at least
   * @param shared between threads
   * @param linear the memory of an arena like this one, that another thread has made
   */
  constructor(fixed: FixedBytes, pageCount: number, shared: boolean, linear?: WasmMemory) {
    assert(firstPageBehind(fixed.whole) + pageCount <= ARENA_PAGES_MAX, 'arena beyond its largest size')
    this.linear = linear ?? allocate((firstPageBehind(fixed.least) + pageCount) * Size.Page, shared)
    this.buffer = bufferOf(this.linear)
    this.pageEnd = this.buffer.byteLength / Size.Page
    this.firstPage = firstPageBehind(this.isWhole ? fixed.whole : fixed.least)
    this.words = new Int32Array(this.buffer)
    this.instructions = instructionsOf(this.linear)
    this.memory = new Memory(new Uint8Array(this.buffer), this.instructions?.copy)
  }

  /** Whether it has all the addresses that an arena can have. */
  get isWhole(): boolean { return this.pageEnd === ARENA_PAGES_MAX }

  /** Hands out a region of the fixed part: the byte index of its start, on a cache line. */
  cut(byteCount: number): number {
    const start = this.cutAt
    this.cutAt = start + Math.ceil(byteCount / CACHE_LINE) * CACHE_LINE
    assert(this.cutAt <= this.firstPage * Size.Page, 'regions larger than planned')
    return start
  }
}

function firstPageBehind(fixedBytes: number): number { return Math.ceil((CACHE_LINE + fixedBytes) / Size.Page) }

function allocate(byteLength: number, shared: boolean): WasmMemory {
  try {
    return allocateWasm(byteLength, shared, ARENA_PAGES_MAX * Size.Page)
  } catch {
    throw new MemslabError('ENOMEM', `failed to allocate ${byteLength / Size.Page} MiB for items: Cannot allocate memory`)
  }
}
