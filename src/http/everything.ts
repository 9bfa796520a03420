// What a server says of itself as objects, for programs and for its page: the reports of `stats`, each with its rows by name.
import { type Clock } from '../clock.js'
import { LATENCY_BUCKETS } from '../insight/latency.js'
import { type Host, type Rows } from '../protocol/host.js'
import { OWN_REPORTS, type OwnReport } from '../protocol/reports.js'
import { mapMemory, type MemoryMap } from '../stats/pages.js'

/** The rows of a report by their names. */
type Report = Record<string, string | number>

/** All that `/events` and `/stats` say. */
export interface Everything {
  /** Unix time in seconds, of the server's clock. */
  readonly time: number
  readonly stats: Report
  readonly settings: Report
  readonly items: Report
  readonly slabs: Report
  /** The reports that memcached does not have. */
  readonly own: Readonly<Partial<Record<OwnReport, Report>>>
  /** The reports that are not among them, as -X forbids what shows keys. */
  readonly forbidden: readonly OwnReport[]
  readonly latency: LatencyFacts
  readonly pages: MemoryMap
}

/** How long sampled requests have taken, by the names of commands. */
interface LatencyFacts {
  /** The upper bounds of the buckets, in seconds. The last bucket of a command has none. */
  readonly bounds: readonly number[]
  /** The requests of each bucket, and the seconds that all of them took. */
  readonly commands: Readonly<Record<string, { readonly counts: readonly number[], readonly sum: number }>>
}

/** The parts of `stats prefixes` that go into the object of all reports: the largest prefixes. `/stats/prefixes` has all. */
const PREFIX_PARTS_MAX = 3

/** memcached's reports by their names in `/stats/NAME`; `general` is the one without a name. */
export const REPORTS: Readonly<Record<string, (host: Host) => Iterable<Rows>>> = {
  general: host => [host.report('')],
  settings: host => [host.report('settings')],
  items: host => [host.report('items')],
  slabs: host => [host.report('slabs')],
  sizes: host => host.reportSizes(),
  conns: host => host.reportConnections(),
}

/** Makes an object of a report, in steps. @param partsMax the most parts of it */
export function* objectOf(parts: Iterable<Rows>, partsMax = Infinity): Generator<undefined, Report> {
  const report: Report = {}
  let count = 0
  for (const part of parts) {
    for (const [name, value] of part) report[name] = value
    yield
    if (++count === partsMax) break
  }
  return report
}

/** Makes all reports, in steps that take a short time each. */
export function* everything(host: Host, clock: Clock): Generator<undefined, Everything> {
  const time = Math.floor(clock.milliseconds() / 1000)
  const own: Partial<Record<OwnReport, Report>> = {}
  const forbidden: OwnReport[] = []
  for (const { name, showsKeys, isAboutKey } of OWN_REPORTS) {
    if (showsKeys === true && !host.options.dumpEnabled) forbidden.push(name)
    else if (isAboutKey !== true) {
      own[name] = yield* objectOf(host.reportOwn(name), name === 'prefixes' ? PREFIX_PARTS_MAX : Infinity)
    }
  }
  const pages = yield* mapMemory(host.store)
  return {
    time,
    stats: yield* objectOf([host.report('')]),
    settings: yield* objectOf([host.report('settings')]),
    items: yield* objectOf([host.report('items')]),
    slabs: yield* objectOf([host.report('slabs')]),
    own, forbidden, latency: latencyFacts(host), pages,
  }
}

function latencyFacts({ insight: { latency } }: Host): LatencyFacts {
  const commands = Object.fromEntries(Array.from(latency.histograms(), ({ command, counts, sum }) => [command, { counts, sum }]))
  return { bounds: LATENCY_BUCKETS, commands }
}
