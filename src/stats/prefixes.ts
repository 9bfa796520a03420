// `stats detail`: gets, hits, sets and deletes counted by the part of a key before the first delimiter.

/** More prefixes than this are not counted apart: clients choose keys, and this memory is beside the cache. */
const PREFIXES_MAX = 10_000

interface Tally { get: number; hit: number; set: number; del: number }

export class Prefixes {
  private readonly tallies = new Map<string, Tally>()
  private readonly delimiter: number

  /** @param delimiter one character, see -D; @param isOn whether to count from the start */
  constructor(delimiter: string, public isOn: boolean) {
    this.delimiter = delimiter.charCodeAt(0)
  }

  recordGet(key: Uint8Array, start: number, end: number, isHit: boolean): void {
    const tally = this.find(key, start, end)
    if (tally === undefined) return
    tally.get++
    if (isHit) tally.hit++
  }

  recordSet(key: Uint8Array, start: number, end: number): void {
    const tally = this.find(key, start, end)
    if (tally !== undefined) tally.set++
  }

  recordDelete(key: Uint8Array, start: number, end: number): void {
    const tally = this.find(key, start, end)
    if (tally !== undefined) tally.del++
  }

  /** The lines of `stats detail dump`, in Latin-1. */
  dump(): string {
    let lines = ''
    for (const [prefix, { get, hit, set, del }] of this.tallies) {
      lines += `PREFIX ${prefix} get ${get} hit ${hit} set ${set} del ${del}\r\n`
    }
    return `${lines}END\r\n`
  }

  reset(): void { this.tallies.clear() }

  private find(key: Uint8Array, start: number, end: number): Tally | undefined {
    let stop = start
    while (stop < end && key[stop] !== this.delimiter) stop++
    if (stop === end) return undefined
    const prefix = Buffer.from(key.subarray(start, stop)).toString('latin1')
    let tally = this.tallies.get(prefix)
    if (tally === undefined && this.tallies.size < PREFIXES_MAX) {
      tally = { get: 0, hit: 0, set: 0, del: 0 }
      this.tallies.set(prefix, tally)
    }
    return tally
  }
}
