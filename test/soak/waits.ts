// How long somebody has waited: the longest, and what 99 of 100 waits stay below.

export interface WaitReport { readonly count: number, readonly longestMs: number, readonly p99Ms: number }

export class Waits {
  private waits: number[] = []

  add(milliseconds: number): void { this.waits.push(milliseconds) }

  /** What came since the last time. */
  take(): WaitReport {
    const sorted = this.waits.sort((one, other) => one - other)
    this.waits = []
    return { count: sorted.length, longestMs: sorted.at(-1) ?? 0, p99Ms: sorted[Math.floor(sorted.length * 0.99)] ?? 0 }
  }
}
