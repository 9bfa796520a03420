// Answers to `stats` that may be long. They go out in parts, one a turn of the session, so that no other client waits for the
// whole.
import { type Rows } from '../host.js'
import { type Output } from '../output.js'
import { type Listing } from '../work/listing.js'

const END = Buffer.from('END\r\n')

/** Lines, and END behind them. */
export class LinesListing implements Listing {
  readonly hasCrawler = false
  private readonly parts: Iterator<string>

  /** @param parts whole lines in Latin-1, each at most 64 KiB; none of them takes long to make */
  constructor(private readonly output: Output, parts: Iterable<string>) { this.parts = parts[Symbol.iterator]() }

  next(): boolean {
    const part = this.parts.next()
    this.output.text(part.done === true ? END : Buffer.from(part.value, 'latin1'))
    return part.done === true
  }

  end(): void {}
}

/** The lines of `stats` for rows that come in parts. */
export function* linesOf(parts: Iterable<Rows>): Iterable<string> {
  for (const rows of parts) yield statLines(rows)
}

export function statLines(rows: Rows): string {
  let lines = ''
  for (const [name, value] of rows) lines += `STAT ${name} ${value}\r\n`
  return lines
}
