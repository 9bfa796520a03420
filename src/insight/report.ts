// The rows of `stats refused` about the writes that were refused last.
import { encodeKey } from '../memory/uri.js'
import { type Row } from '../stats/report.js'
import { type Refused } from './refusals.js'
import { reasonWord } from './words.js'

/** The most writes in one part of a report. */
const WRITES_PER_PART = 16

/** @param newest the writes, the newest first; @param epoch the Unix second at which store time was 0 */
export function* refusedRows(newest: readonly Refused[], epoch: number): Iterable<Row[]> {
  yield [['remembered', newest.length]]
  for (let first = 0; first < newest.length; first += WRITES_PER_PART) {
    yield newest.slice(first, first + WRITES_PER_PART).flatMap((refused, index) => rowsOf(refused, first + index + 1, epoch))
  }
}

function rowsOf({ key, reason, valueBytes, client, second }: Refused, number: number, epoch: number): Row[] {
  return [
    [`${number}:key`, encodeKey(key, 0, key.length)],
    [`${number}:reason`, reasonWord(reason)],
    [`${number}:bytes`, valueBytes],
    [`${number}:client`, client],
    [`${number}:time`, epoch + second],
  ]
}
