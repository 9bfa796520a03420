// The reports that memcached does not have, a row each. The text protocol sends one for `stats` and its name, the binary protocol
// for STAT with its name as the key. Their names match whole only, and after memcached's own.
import { type Options } from '../options/options.js'

/** The report of a name, in server/reports.ts. */
export type OwnReport = 'bigkeys' | 'hotkeys' | 'advice' | 'explain' | 'hash' | 'refused' | 'prefixes' | 'sizing'

export interface ReportRow {
  readonly name: OwnReport
  /** True if it shows keys of clients, so that -X forbids it. */
  readonly showsKeys?: true
  /** True if it is about a key, which follows its name. */
  readonly isAboutKey?: true
}

export const OWN_REPORTS: readonly ReportRow[] = [
  { name: 'hash' },
  { name: 'hotkeys', showsKeys: true },
  { name: 'bigkeys', showsKeys: true },
  { name: 'refused', showsKeys: true },
  { name: 'advice' },
  { name: 'prefixes', showsKeys: true },
  { name: 'sizing' },
  { name: 'explain', showsKeys: true, isAboutKey: true },
]

/** A report that a client asks for. */
interface Asked {
  readonly name: OwnReport
  readonly notAllowed: boolean
  readonly isAboutKey: boolean
}

/** The report with a name; undefined if the server has none. `notAllowed` is set if -X forbids it. */
export function ownReport(name: string, options: Options): Asked | undefined {
  const row = options.compat === 'strict' ? undefined : OWN_REPORTS.find(row => row.name === name)
  return row && {
    name: row.name, notAllowed: row.showsKeys === true && !options.dumpEnabled, isAboutKey: row.isAboutKey === true,
  }
}
