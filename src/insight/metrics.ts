// The metrics of what a server learns about its clients and threads, beside those of the rows of stats/.
import { labelOf, histogramsOf, metricOf } from '../stats/exposition.js'
import { type Insight } from './insight.js'
import { LATENCY_BUCKETS } from './latency.js'
import { LOOP_BUCKETS } from './loops.js'
import { type Sizing } from './sizing.js'

/** The metrics, in Prometheus's text format. */
export function* insightMetrics({ latency, loops, sizing }: Insight): Iterable<string> {
  yield histogramsOf('memslab_command_duration_seconds',
    'Time from the beginning of a request to its answer in the output buffer, of the sampled requests (-o hotkeys)',
    LATENCY_BUCKETS, Array.from(latency.histograms(), ({ command, counts, sum }) => [labelOf('command', command), counts, sum]))
  yield metricOf('memslab_sizing_hit_ratio', 'gauge',
    'Hit ratio that the server would have with so many times its memory, by an estimate (stats sizing)', ratiosOf(sizing))
  yield histogramsOf('memslab_event_loop_delay_seconds',
    'Time by which a thread comes late to what is due, because it is busy; once a second while clients send nothing',
    LOOP_BUCKETS, Array.from(loops.histograms(), ({ thread, counts, sum }) => [labelOf('thread', String(thread)), counts, sum]))
}

/** The hit ratios of `stats sizing`; none before there is a sample. */
function ratiosOf(sizing: Sizing): (readonly [labels: string, value: number])[] {
  const rows = [...sizing.rows()]
  if (new Map(rows).get('requests') === 0) return []
  return rows.flatMap(([name, value]) => {
    const [, factor] = /^(.+):hit_ratio$/.exec(name) ?? []
    return factor === undefined ? [] : [[labelOf('memory', factor), value]]
  })
}
