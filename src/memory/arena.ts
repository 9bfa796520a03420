// An arena: one block of memory, cut once at the start into the regions that its rows name. Pages come last and begin on a
// multiple of their size, so shifting any address in a page gives the page's number. The kernel gives zeroed memory on first
// touch, so a large arena costs nothing until it fills. Where the system allows it, an arena reserves the largest range of
// addresses that it may have, so that the memory limit can be raised later.
import { assert, MemslabError } from '../errors.js'
import { Memory } from './bytes.js'
import { Size } from './layout.js'
import { type Regions } from './regions.js'
import { allocateWasm, bufferOf, instructionsOf, type Instructions, type WasmMemory } from './wasm.js'

/** The largest arena, with all its regions: byte indexes stay below 2^31. */
export const ARENA_PAGES_MAX = 2047

/** The regions that the arena itself uses: `nothing`, so that index 0 can mean "none", and `pages`, which is the last one. */
export type OwnRegion = 'nothing' | 'pages'

/**
 * The regions of an arena of the largest size (`whole`), and of one that is no larger than it needs to be (`least`). In the
 * largest arena, the pages take all that the other regions leave.
 */
export interface Layouts<Name extends string> {
  readonly whole: Regions<Name | OwnRegion>
  readonly least: Regions<Name | OwnRegion>
}

export class Arena<Name extends string = string> {
  readonly words: Int32Array
  readonly memory: Memory
  readonly wasmMemory: WasmMemory
  /** WebAssembly functions over this memory; undefined where WebAssembly is not available. */
  readonly instructions: Instructions | undefined
  readonly buffer: ArrayBuffer | SharedArrayBuffer
  /** The number of the first page; page numbers count from the start of the arena. */
  readonly firstPage: number
  readonly pageEnd: number
  private readonly regions: Regions<Name | OwnRegion>
  /** The regions that have no user yet. */
  private readonly free: Set<string>

  /**
   * @param shared whether several threads use the memory
   * @param wasmMemory the memory of the same arena, which another thread has allocated
   */
  constructor({ whole, least }: Layouts<Name>, shared: boolean, wasmMemory?: WasmMemory) {
    assert(whole.end <= ARENA_PAGES_MAX * Size.Page, 'arena beyond its largest size')
    this.wasmMemory = wasmMemory ?? allocate(least.end, shared)
    this.buffer = bufferOf(this.wasmMemory)
    this.pageEnd = this.buffer.byteLength / Size.Page
    this.regions = this.isWhole ? whole : least
    assert(this.regions.end <= this.buffer.byteLength, 'memory too small for its regions')
    this.firstPage = this.regions.startOf('pages') / Size.Page
    this.free = new Set(this.regions.rows.map(({ name }) => name))
    this.take('nothing')
    this.take('pages')
    this.words = new Int32Array(this.buffer)
    this.instructions = instructionsOf(this.wasmMemory)
    this.memory = new Memory(new Uint8Array(this.buffer), this.instructions?.copy)
  }

  /** True if the arena has the largest size. */
  get isWhole(): boolean { return this.pageEnd === ARENA_PAGES_MAX }

  /** Hands a region to its only user. Returns the byte index of its start. */
  take(name: Name | OwnRegion): number {
    assert(this.free.delete(name), `the region ${name} has a user already`)
    return this.regions.startOf(name)
  }

  /** Hands a region to its only user. Returns its words. */
  takeWords(name: Name): Int32Array { return new Int32Array(this.buffer, this.take(name), this.regions.bytesOf(name) >> 2) }

  /** Throws if a region has no user, as its row asks for memory that nothing needs. */
  assertTaken(): void { assert(this.free.size === 0, `regions without a user: ${[...this.free].join(', ')}`) }
}

function allocate(byteLength: number, shared: boolean): WasmMemory {
  try {
    return allocateWasm(byteLength, shared, ARENA_PAGES_MAX * Size.Page)
  } catch {
    throw new MemslabError('ENOMEM', `failed to allocate ${byteLength / Size.Page} MiB for items: Cannot allocate memory`)
  }
}
