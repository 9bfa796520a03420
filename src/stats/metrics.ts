// The metrics of a server, in Prometheus's text format: those of the memcached exporter, by the rows of exporter.ts, those of the
// process, and memslab's own. Each statistic of rows.ts that no exported metric shows has a metric with its own name behind
// `memslab_`, so a new row shows up by itself. The lines are prepared when this file loads; a scrape only reads numbers.
import { packageVersion, PROTOCOL_VERSION } from '../version.js'
import {
  exportedCrawlerSettings, exportedGeneral, exportedItems, exportedSettings, exportedSlabs, exportedSlabTotals,
  type ExportedMetric,
} from './exporter.js'
import { headOf, labelOf, metricOf } from './exposition.js'
import { processMetrics } from './process.js'
import {
  activeClasses, classesWithItems, classValueOf, generalRows, hashRows, itemRows, ownRows, refusedRows, slabRows, slabTotalRows,
  valueOf, type ClassStatistic, type ServerFacts, type Statistic, type Value,
} from './rows.js'
import { type Store } from '../store/store.js'

const EXPORTED = 'memcached_'
const OWN = 'memslab_'

/** A scrape reads these. */
export interface MetricsSource {
  readonly store: Store
  readonly server: ServerFacts
  /** `stats settings`. */
  readonly settings: Iterable<readonly [name: string, value: string | number]>
  /** More metrics in the text format: what rows.ts has no rows for. */
  readonly others: Iterable<string>
}

/** The names and units of own metrics where those of the statistic are not what Prometheus expects. */
const OWN_NAMES: Readonly<Record<string, { readonly name: string, readonly factor?: number, readonly help?: string }>> = {
  time_in_listen_disabled_us: { name: 'listen_disabled_seconds_total', factor: 1e-6,
    help: 'Seconds in which the server accepted no connections' },
  lock_sleep_us: { name: 'lock_sleep_seconds_total', factor: 1e-6, help: 'Seconds that threads slept for locks of the store' },
  response_obj_count: { name: 'response_objects' },
  read_buf_count: { name: 'read_buffers' },
  time_since_server_cert_refresh: { name: 'server_cert_age_seconds' },
}

/** Statistics without metrics: other metrics have the same number, or it never changes here. */
const NO_METRICS = [
  'max_connections', 'cmd_set', 'pid',
  'pointer_size', 'malloc_fails', 'unexpected_napi_ids', 'round_robin_fallback', 'lru_bumps_dropped',
]

/** A sample of a metric, as its lines are written. */
interface Sample<Row> {
  /** What stands before the value; for a class, before and behind its number. */
  readonly before: string
  readonly behind: string
  /** The statistic, and those that are subtracted. */
  readonly rows: readonly [Row, ...Row[]]
  /** The unit of the metric in units of the statistic. */
  readonly factor: number
}

interface Metric<Row> {
  readonly head: string
  readonly samples: readonly Sample<Row>[]
}

/** The makers of the metrics of a table. */
class Table<Row extends Statistic | ClassStatistic> {
  constructor(private readonly rows: readonly Row[], private readonly isOfClass: boolean) {}

  /** The exported metrics, and an own one for each statistic that none of these has. */
  metrics(exported: readonly ExportedMetric[], ownPrefix: string): readonly Metric<Row>[] {
    const used = new Set(exported.flatMap(({ samples }) => Object.values(samples).flatMap(partsOf)))
    const own = this.rows.filter(({ name, kind }) => kind !== 'text' && !used.has(name) && !NO_METRICS.includes(name))
    return [...exported.map(metric => this.metric(metric, EXPORTED)), ...own.map(row => this.own(row, ownPrefix))]
  }

  private own(row: Row, prefix: string): Metric<Row> {
    const type = row.kind === 'counter' ? 'counter' : 'gauge'
    const { name, factor, help = row.help } = OWN_NAMES[row.name] ?? { name: type === 'counter' ? `${row.name}_total` : row.name }
    return this.metric({ name, type, samples: { '': row.name }, help }, prefix, factor)
  }

  /** A metric with the samples of its row. */
  metric(metric: ExportedMetric, prefix: string, factor = 1): Metric<Row> {
    const name = prefix + metric.name
    const samples = Object.entries(metric.samples).map(([labels, statistics]) => {
      const [first, ...others] = partsOf(statistics).map(part => this.rows.find(row => row.name === part)!)
      const all = this.isOfClass ? `{slab="#"${labels && `,${labels}`}}` : labels && `{${labels}}`
      const [before = '', behind = ''] = `${name}${all} `.split('#')
      return { before, behind, factor, rows: [first!, ...others] as const }
    })
    return { head: headOf(name, metric.type, metric.help ?? samples[0]!.rows[0].help), samples }
  }
}

/** The statistics of a difference. */
function partsOf(statistics: string): string[] { return statistics.split(' - ') }

// some rows of `stats` are those of `stats hash` as well
const wholeRows = [...new Set([...generalRows, ...hashRows, ...ownRows])]
const general = [
  ...new Table(wholeRows, false).metrics(exportedGeneral, OWN),
  ...new Table(slabTotalRows, false).metrics(exportedSlabTotals, OWN),
  new Table(refusedRows, false).metric({ name: 'refused_writes_total', type: 'counter',
    help: 'Writes that were refused, by reason, whether their clients asked for an answer or not',
    samples: Object.fromEntries(refusedRows.filter(({ scope }) => scope === 'thread').map(({ name }) =>
      [labelOf('reason', name), name])) }, OWN),
]
const items = new Table(itemRows, true).metrics(exportedItems, `${OWN}slab_`)
const slabs = new Table(slabRows, true).metrics(exportedSlabs, `${OWN}slab_`)

const VERSION = labelOf('version', packageVersion())
const CONSTANT =
  metricOf(`${EXPORTED}up`, 'gauge', '1, as the server answers', [['', 1]]) +
  metricOf(`${EXPORTED}version`, 'gauge', '1, with the version of memcached that the server is compatible with',
    [[labelOf('version', PROTOCOL_VERSION), 1]]) +
  metricOf(`${EXPORTED}exporter_build_info`, 'gauge', '1, with the version of memslab, which needs no exporter', [[VERSION, 1]]) +
  metricOf(`${OWN}build_info`, 'gauge', '1, with the versions of memslab and of Node.js',
    [[`${VERSION},${labelOf('node', process.versions.node)}`, 1]])

/** All metrics. */
export function metricsText({ store, server, settings, others }: MetricsSource): string {
  let text = CONSTANT
  for (const metric of general) text += generalLines(metric, store, server)
  const withItems = classesWithItems(store)
  for (const metric of items) text += classLines(metric, store, server, withItems)
  const active = activeClasses(store)
  for (const metric of slabs) text += classLines(metric, store, server, active)
  text += settingsLines(settings) + processMetrics(`${EXPORTED}process_`)
  for (const other of others) text += other
  return text
}

function generalLines({ head, samples }: Metric<Statistic>, store: Store, server: ServerFacts): string {
  let lines = ''
  for (const { before, behind, rows, factor } of samples) {
    if (!rows.every(row => isShown(row, store, server))) continue
    lines += `${before}${behind}${difference(rows, row => valueOf(row, server, store), factor)}\n`
  }
  return lines && head + lines
}

function classLines({ head, samples }: Metric<ClassStatistic>, store: Store, server: ServerFacts,
  classes: readonly number[]): string {
  let lines = ''
  for (const { before, behind, rows, factor } of samples) {
    if (!rows.every(row => isShown(row, store, server))) continue
    for (const slabClass of classes) {
      lines += `${before}${slabClass}${behind}${difference(rows, row => classValueOf(row, store, slabClass), factor)}\n`
    }
  }
  return lines && head + lines
}

function isShown({ shownIf }: Statistic | ClassStatistic, store: Store, server: ServerFacts): boolean {
  return shownIf === undefined || shownIf(server, store)
}

/** The value of the first statistic without those of the others, in the unit of the metric. */
function difference<Row>(rows: readonly [Row, ...Row[]], value: (row: Row) => Value, factor: number): Value {
  const first = value(rows[0])
  if (rows.length === 1 && factor === 1) return first
  return rows.slice(1).reduce((rest, row) => rest - Number(value(row)), Number(first)) * factor
}

function settingsLines(settings: MetricsSource['settings']): string {
  const values = new Map(settings)
  const exported = values.get('lru_crawler') === 'yes' ? [...exportedSettings, ...exportedCrawlerSettings] : exportedSettings
  return exported.map(({ name, setting, help }) =>
    metricOf(EXPORTED + name, 'gauge', help, [['', numberOf(values.get(setting)!)]])).join('')
}

function numberOf(value: string | number): string | number {
  if (value === 'yes') return 1
  return value === 'no' ? 0 : value
}
