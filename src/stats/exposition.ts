// Prometheus's text format, version 0.0.4: a metric is two lines about it, `# HELP` and `# TYPE`, and a line for each sample.
// metrics.ts puts the text together from the functions here.

/** The media type of the format. */
export const EXPOSITION_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

export type MetricType = 'counter' | 'gauge' | 'histogram'

/** The two lines before the samples of a metric. */
export function headOf(name: string, type: MetricType, help: string): string {
  return `# HELP ${name} ${help.replace(/\\/g, '\\\\').replace(/\n/g, '\\n')}\n# TYPE ${name} ${type}\n`
}

/** A label with its value, escaped. */
export function labelOf(name: string, value: string): string {
  return `${name}="${value.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n')}"`
}

/** A whole metric. @param samples labels, without braces and '' for none, and values; without samples the metric is left out */
export function metricOf(name: string, type: MetricType, help: string,
  samples: Iterable<readonly [labels: string, value: string | number]>): string {
  let lines = ''
  for (const [labels, value] of samples) lines += labels === '' ? `${name} ${value}\n` : `${name}{${labels}} ${value}\n`
  return lines && headOf(name, type, help) + lines
}

/** A histogram: its labels, '' for none, the counts of its buckets, each without those below it, and the sum of all values. */
export type Histogram = readonly [labels: string, counts: readonly number[], sum: number]

/**
 * A metric of histograms: for each a line for each bucket, one for the sum and one for the count.
 * @param bounds the upper bounds of the buckets but the last one, which has none
 */
export function histogramsOf(name: string, help: string, bounds: readonly number[], histograms: readonly Histogram[]): string {
  const lines = histograms.map(histogram => histogramLines(name, bounds, histogram)).join('')
  return lines && headOf(name, 'histogram', help) + lines
}

function histogramLines(name: string, bounds: readonly number[], [labels, counts, sum]: Histogram): string {
  const [before, own] = labels === '' ? ['', ''] : [`${labels},`, `{${labels}}`]
  let lines = ''
  let count = 0
  for (const [bucket, inBucket] of counts.entries()) {
    count += inBucket
    lines += `${name}_bucket{${before}le="${bounds[bucket] ?? '+Inf'}"} ${count}\n`
  }
  return `${lines}${name}_sum${own} ${sum}\n${name}_count${own} ${count}\n`
}
