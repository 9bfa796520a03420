// The metrics of what a server learns about its clients and threads, beside those of the rows of stats/.
import { labelOf, histogramsOf } from '../stats/exposition.js'
import { type Insight } from './insight.js'
import { LATENCY_BUCKETS } from './latency.js'
import { LOOP_BUCKETS } from './loops.js'

/** The metrics, in Prometheus's text format. */
export function* insightMetrics({ latency, loops }: Insight): Iterable<string> {
  yield histogramsOf('memslab_command_duration_seconds',
    'Time from the beginning of a request to its answer in the output buffer, of the sampled requests (-o hotkeys)',
    LATENCY_BUCKETS, Array.from(latency.histograms(), ({ command, counts, sum }) => [labelOf('command', command), counts, sum]))
  yield histogramsOf('memslab_event_loop_delay_seconds',
    'Time by which a thread comes late to what is due, because it is busy; once a second while clients send nothing',
    LOOP_BUCKETS, Array.from(loops.histograms(), ({ thread, counts, sum }) => [labelOf('thread', String(thread)), counts, sum]))
}
