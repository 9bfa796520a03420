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

/**
 * The lines of one histogram: a sample for each bucket, the sum and the count.
 * @param labels of this histogram, '' for none
 * @param bounds the upper bounds of the buckets but the last one, which has none
 * @param counts of the buckets, each without those below it
 */
export function histogramLines(name: string, labels: string, bounds: readonly number[], counts: ArrayLike<number>,
  sum: number): string {
  const before = labels && `${labels},`
  let lines = ''
  let count = 0
  for (let bucket = 0; bucket <= bounds.length; bucket++) {
    count += counts[bucket]!
    lines += `${name}_bucket{${before}le="${bounds[bucket] ?? '+Inf'}"} ${count}\n`
  }
  const own = labels && `{${labels}}`
  return `${lines}${name}_sum${own} ${sum}\n${name}_count${own} ${count}\n`
}
