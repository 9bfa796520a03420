// Durations in logarithmic buckets, 32 to a doubling, so a percentile is right to about 2 % from a tenth of a
// microsecond to a minute. The counts are one typed array: cheap to add to, and to send from a worker thread.

const BUCKETS_PER_DOUBLING = 32
const BUCKET_COUNT = 1024
const SMALLEST_US = 0.1

export class Histogram {
  constructor(readonly counts = new Uint32Array(BUCKET_COUNT)) {}

  add(us: number): void {
    const index = Math.round(BUCKETS_PER_DOUBLING * Math.log2(us / SMALLEST_US))
    this.counts[Math.min(Math.max(index, 0), BUCKET_COUNT - 1)]!++
  }

  addAll(counts: Uint32Array): void {
    for (let index = 0; index < BUCKET_COUNT; index++) this.counts[index]! += counts[index]!
  }

  clear(): void {
    this.counts.fill(0)
  }

  // The duration in µs that `share` (0 to 1) of the durations do not exceed; NaN when there are none.
  percentile(share: number): number {
    const total = this.counts.reduce((sum, count) => sum + count, 0)
    if (total === 0) return NaN
    let seen = 0
    for (let index = 0; index < BUCKET_COUNT; index++) {
      seen += this.counts[index]!
      if (seen >= share * total) return SMALLEST_US * 2 ** (index / BUCKETS_PER_DOUBLING)
    }
    return NaN
  }
}
