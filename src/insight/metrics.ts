// The metrics of what a server learns about its clients and threads, beside those of the rows of stats/.
import { labelOf, histogramsOf } from '../stats/exposition.js'
import { type Insight } from './insight.js'
import { LOOP_BUCKETS } from './loops.js'

/** The metrics, in Prometheus's text format. */
export function* insightMetrics({ loops }: Insight): Iterable<string> {
  yield histogramsOf('memslab_event_loop_delay_seconds',
    'Time by which a thread comes late to what is due, because it is busy; once a second while clients send nothing',
    LOOP_BUCKETS, Array.from(loops.histograms(), ({ thread, counts, sum }) => [labelOf('thread', String(thread)), counts, sum]))
}
