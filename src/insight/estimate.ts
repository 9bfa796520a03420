// Takes the accesses that threads have noted (rings.ts) and gives them to the models, in the first thread.
//
// The sample is that of SHARDS (Waldspurger et al., "Efficient MRC construction with SHARDS", 2015): all accesses to a key or
// none. By chance it has too many or too few of the keys that clients ask for most. SHARDS takes the gets that a sample has too
// few for hits, and divides by the gets that it should have. Beyond that, one of the models has the memory of the store, whose
// hit ratio is known, and all are taken to be as far off as that one. Together, these corrections make the ratio of a model that
// of the store, plus the hits that the model has more than that one, divided by the gets that the sample should have.
//
// The models may take 0.9 % of the processor time that the process takes, with what it costs to note accesses. Beside that, a
// process has an allowance for changes in the models, which are frequent until they have the keys that clients ask for. Hits
// change nothing, so it is not for them. When clients ask for so much that this does not suffice, the sample becomes smaller. If
// it would have too few keys, it is empty for a while, and the models keep their items: they rest. What clients store in that
// time is missing in the models, so the ratios of those with more memory are too low while the models rest often.
//
// Where clients ask for the same keys all the time, hits soon change nothing any more: the models have the keys, and their items
// have all marks. Then hits are not noted for a second, and taken to be hits in all models.
import { Counter } from '../stats/counters.js'
import { Below, Bound } from '../store/accesses.js'
import { type Store } from '../store/store.js'
import { COST_CHANGE, Miniatures } from './miniatures.js'
import { FACTORS, Result, type Rings } from './rings.js'

/**
 * The costs that the models may have for each millisecond that the process takes, at the start and after a rest, and at once: in
 * units of 0.05 µs, as Miniatures.take returns them.
 */
const COST_PER_MS = 180
const COST_FIRST = 60_000
const COST_MAX = 500_000
/** What changes in the models may cost beside that while the process lives: 35 ms. */
const ALLOWANCE = 700_000
/** The rate is not halved to lower the costs if that would leave fewer keys. */
const KEYS_MIN = 4000
/** Hits are not noted for so many background steps, after as many accesses of which not more than this share changed a model. */
const PAUSE_STEPS = 10
const PAUSE_ACCESSES = 2000
const PAUSE_SHARE = 0.001

export class Estimator {
  private readonly models: Miniatures
  /** The costs that the models may have before a rest. */
  private budget = COST_FIRST
  /** What is left of the costs that changes in the models may have beside that. */
  private allowance = ALLOWANCE
  private isResting = false
  /** The accesses that were noted since hits were last judged, and the changes by them. */
  private accesses = 0
  private changes = 0
  /** The background steps for which hits are still not noted. */
  private pauseSteps = 0
  /** The gets of the store at the last step, and those that each ring had lost. */
  private gets = 0
  private readonly lost: Int32Array

  constructor(private readonly store: Store, private readonly rings: Rings) {
    this.models = new Miniatures(store)
    this.lost = new Int32Array(store.options.threads)
  }

  /** @param cpuMs the processor time that the process took since the last background step; undefined if this is not one */
  step(cpuMs?: number): void {
    const { models } = this
    if (cpuMs !== undefined) this.store.refreshTime()
    this.countGets()
    models.refresh()
    if (cpuMs !== undefined) models.sweep()
    this.budget = Math.min(this.budget + (cpuMs ?? 0) * COST_PER_MS, COST_MAX)
    for (let thread = 0; thread < this.lost.length; thread++) this.takeFrom(thread)
    if (this.budget <= 0) this.relax()
    else if (this.budget >= COST_FIRST) this.isResting = false
    if (cpuMs !== undefined) this.judgeHits()
    const { bounds } = this.rings
    bounds[Bound.Others] = this.isResting ? Below.None : models.below
    bounds[Bound.Hits] = this.isResting || this.pauseSteps > 0 ? Below.None : models.below
    this.publish()
  }

  /** Counts the gets since the last step. After `stats reset`, counts anew. */
  private countGets(): void {
    const { models, rings: { results }, store: { counters } } = this
    const gets = counters.sum(Counter.CmdGet)
    if (gets < this.gets) {
      models.resetCounts()
      this.gets = results[Result.NotedGets] = 0
    }
    if (!this.isResting) results[Result.NotedGets]! += gets - this.gets
    this.gets = results[Result.Gets] = gets
    results[Result.Misses] = counters.sum(Counter.GetMisses)
  }

  private takeFrom(thread: number): void {
    const { models, rings } = this
    const lost = rings.lost(thread)
    rings.results[Result.NotedGets]! -= (lost - this.lost[thread]! | 0) / models.rate
    this.lost[thread] = lost
    models.accesses = models.changes = 0
    const cost = rings.take(thread, models)
    this.accesses += models.accesses
    this.changes += models.changes
    const allowed = Math.min(models.changes * COST_CHANGE, this.allowance)
    this.allowance -= allowed
    this.budget -= cost - allowed
  }

  /** Decides whether hits are noted. */
  private judgeHits(): void {
    if (this.pauseSteps > 0) this.pauseSteps--
    else if (this.accesses < PAUSE_ACCESSES) return
    else if (this.changes <= this.accesses * PAUSE_SHARE) this.pauseSteps = PAUSE_STEPS
    this.accesses = this.changes = 0
  }

  /** Lowers the costs: by a smaller sample, if that has enough keys, or by a rest. */
  private relax(): void {
    if (this.models.keyCount >= 2 * KEYS_MIN) this.models.halve()
    else this.isResting = true
  }

  /** Checks the models, for tests. */
  verify(): void { this.models.verify() }

  private publish(): void {
    const { models, rings: { results } } = this
    results[Result.Rate] = models.rate
    results[Result.Keys] = models.keyCount
    for (const model of FACTORS.keys()) results[Result.Hits + model] = models.hitsOf(model)
  }
}
