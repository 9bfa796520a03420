// Regions: the parts into which an arena is cut, one behind the other. Each region has a row, and the starts of all regions are
// computed from the rows, with no more space between two regions than alignment needs. The rows of a store's arenas are in
// store/regions.ts.
import { assert } from '../errors.js'

/** The bytes of a cache line, which a core fetches and owns at once. Two locks in one line would slow each other down. */
export const CACHE_LINE = 64

/** The row of a region. */
export interface Region<Name extends string> {
  readonly name: Name
  readonly bytes: number
  /** The region begins at a multiple of this many bytes. */
  readonly alignment: number
}

export class Regions<Name extends string = string> {
  /** Byte index behind the last region. */
  readonly end: number
  private readonly starts = new Map<string, number>()

  constructor(readonly rows: readonly Region<Name>[]) {
    let end = 0
    for (const { name, bytes, alignment } of rows) {
      const start = Math.ceil(end / alignment) * alignment
      assert(!this.starts.has(name), `two regions are called ${name}`)
      this.starts.set(name, start)
      end = start + bytes
    }
    this.end = end
  }

  /** Byte index of the first byte of a region. */
  startOf(name: Name): number {
    const start = this.starts.get(name)
    assert(start !== undefined, `there is no region called ${name}`)
    return start
  }

  bytesOf(name: Name): number { return this.rows.find(row => row.name === name)!.bytes }
}
