// What the hit ratio would be with a quarter, half, twice and four times the memory: `stats sizing`. Each thread notes the
// accesses to a sample of the keys (rings.ts). The first thread gives them to small models of the store (estimate.ts) in
// background steps, and at once if a ring is half full. Any thread shows the results.
import { type Options } from '../options/options.js'
import { Below, Bound, type Access, type AccessSink } from '../store/accesses.js'
import { type Store } from '../store/store.js'
import { type Estimator } from './estimate.js'
import { ACTUAL, FACTORS, Result, Rings } from './rings.js'

/** Ratios have six digits. */
const RATIO_UNIT = 1e6
const NO_SAMPLE = new Int32Array(Bound.Count).fill(Below.None)

export class Sizing implements AccessSink {
  /** Called when the ring of this thread is half full. The first thread takes the accesses out; others ask it to. */
  whenHalfFull: () => void = () => this.take()
  /** Undefined with -o no_sizing. */
  private readonly rings: Rings | undefined
  /** Made in the first thread when a client has accessed a key. */
  private estimator: Estimator | undefined

  /** The bytes of memory that Sizing needs for `threads`, which are 0 at the start. */
  static bytesFor(options: Options, threads: number): number { return Rings.bytesFor(options, threads) }

  /** @param at byte index of `bytesFor(options, store.options.threads)` bytes in `memory`; @param store that of this thread */
  constructor(memory: ArrayBuffer | SharedArrayBuffer, at: number, { sizing }: Options, private readonly store: Store) {
    if (!sizing) return
    this.rings = new Rings(memory, at, store.options.threads, store.thread)
    if (this.isFirst) this.rings.bounds.fill(Below.All)
    store.context.accesses.begin(this)
  }

  private get isFirst(): boolean { return this.store.thread === 0 }

  /** The bound of the sample, for accesses that are no hits. */
  get below(): number { return this.bounds[Bound.Others]! }

  get bounds(): Int32Array { return this.rings?.bounds ?? NO_SAMPLE }

  note(access: Access, hash: number, itemBytes: number, expiresAt: number): void {
    if (this.rings?.note(access, hash, itemBytes, expiresAt) === true) this.whenHalfFull()
  }

  /**
   * Gives the accesses of all threads to the models, in the first thread.
   * @param cpuMs the processor time that the process took since the last background step; undefined if this is not one
   */
  take(cpuMs?: number): void {
    const { rings } = this
    if (rings === undefined || !this.isFirst) return
    if (this.estimator === undefined) {
      if (!rings.hasAny) return
      const { Estimator } = require('./estimate.js') as typeof import('./estimate.js')
      this.estimator = new Estimator(this.store, rings)
    }
    this.estimator.step(cpuMs)
  }

  /** Checks the models and throws at the first inconsistency, for tests. */
  verify(): void { this.estimator?.verify() }

  /** The rows of `stats sizing`. In other threads than the first they are up to a second old. */
  *rows(): Iterable<readonly [name: string, value: number]> {
    this.take()
    const { rings, store } = this
    const results = rings?.results ?? []
    yield ['sample_rate', results[Result.Rate] ?? 0]
    yield ['sampled_keys', results[Result.Keys] ?? 0]
    yield ['requests', results[Result.Gets] ?? 0]
    if (rings === undefined) return
    for (const [model, factor] of FACTORS.entries()) {
      yield [`${factor}:bytes`, Math.round(factor * store.maxbytes)]
      yield [`${factor}:hit_ratio`, Math.round(hitRatio(rings.results, model) * RATIO_UNIT) / RATIO_UNIT]
    }
  }
}

/** The hit ratio of the store, and what it would have more or less with the memory of a model: see estimate.ts. */
function hitRatio(results: Float64Array, model: number): number {
  const notedGets = results[Result.NotedGets]!
  if (notedGets <= 0) return 0
  const more = results[Result.Hits + model]! - results[Result.Hits + ACTUAL]!
  return Math.min(Math.max(1 - results[Result.Misses]! / results[Result.Gets]! + more / notedGets, 0), 1)
}
