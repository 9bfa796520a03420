// The threads of a server that start only when there is something for them to do: when the first worker has a second client at
// the same time, or a datagram comes. Until then they would take processor time and memory for nothing.
//
// The first worker goes on serving all clients while they start, and then hands clients over to them, see net/handover.ts. A
// thread that cannot start, as the system refuses it or has no memory, is missing: that is logged, the others serve all clients,
// and it is tried again when a client comes a minute later. A thread gets its parts, and with them the memory that all threads
// share, when it has loaded its code. Until then its end does not matter to the others.
import { MemslabError } from '../errors.js'
import { type Balance } from '../net/balance.js'
import { threadsInMemory } from '../process/limits.js'
import { clearTimeout, setTimeout } from '../timers.js'
import { threadsHaveStarted, threadsStart } from '../process/inlining.js'
import { startWorker, type StartedWorker, type WorkerFiles } from './start.js'
import { type ServingThread } from './thread.js'

/** The time after which a thread that could not start may be tried again. */
const RETRY_MS = 60_000

/** What the pool does for its late threads. */
export interface LatePool {
  /** The number of threads that -t asks for. */
  readonly threads: number
  /** The threads that there are; the first of them serves. */
  readonly workers: readonly ServingThread[]
  /** Adds a worker. */
  add(worker: StartedWorker, thread: number): ServingThread
  /** Gives a worker its parts, unless the pool is to end. */
  give(worker: ServingThread): void
  /** Has a worker serve. Rejects with a MemslabError if it cannot. */
  follow(worker: ServingThread): Promise<void>
  log(line: string): void
}

export class LateThreads {
  private starting: Promise<void> | undefined
  private retry: NodeJS.Timeout | undefined
  private isOver = false
  private hasComplained = false
  /** Why a thread could not start. */
  private problem: string | undefined

  constructor(private readonly pool: LatePool, private readonly files: WorkerFiles, private readonly balance: Balance) {}

  /** Starts all threads that are missing. Called when the first thread asks for them. */
  start(): void {
    if (this.isOver) return
    this.starting ??= this.startMissing().finally(() => { this.starting = undefined })
  }

  private async startMissing(): Promise<void> {
    const missing = this.missing()
    const count = Math.min(missing.length, threadsInMemory())
    this.problem = count === missing.length ? undefined : 'there is not enough memory'
    await this.startAll(missing.slice(0, count))
    const { length } = this.missing()
    if (length > 0 && !this.isOver) this.complain(length)
  }

  private async startAll(missing: readonly number[]): Promise<void> {
    threadsStart()
    const started = await Promise.all(missing.map(thread => this.startOne(thread))).finally(threadsHaveStarted)
    const serving: ServingThread[] = []
    await Promise.all(started.map(async worker => {
      if (worker !== undefined && await this.serves(worker)) serving.push(worker)
    }))
    await this.share(serving)
  }

  /** The numbers of the threads that there are not. */
  private missing(): number[] {
    const there = new Set(this.pool.workers.map(({ thread }) => thread))
    return Array.from({ length: this.pool.threads }, (_, index) => index + 1).filter(thread => !there.has(thread))
  }

  /** Starts a thread. Resolves when it can serve; with undefined if it has ended. */
  private async startOne(thread: number): Promise<ServingThread | undefined> {
    let worker: StartedWorker
    try {
      worker = startWorker(thread)
    } catch (error) {
      this.note(error)
      return undefined
    }
    const serving = this.pool.add(worker, thread)
    await serving.ready
    return serving.isServing ? serving : undefined
  }

  /** Called when a worker has loaded its code. */
  hasLoaded(worker: ServingThread): void {
    if (worker.hasParts || this.isOver) return
    if (this.files.areSame) return this.pool.give(worker)
    this.problem = 'the files of memslab have changed since it started'
    void worker.end()
  }

  /** Called when a worker has ended before it had its parts. */
  hasNotStarted(error: unknown): void { this.note(error) }

  private note(error: unknown): void { this.problem ??= error instanceof Error ? error.message : String(error) }

  private async serves(worker: ServingThread): Promise<boolean> {
    try {
      await this.pool.follow(worker)
      return true
    } catch (error) {
      this.tolerate(error)
      return false
    }
  }

  /** Has the first thread hand clients over. Where it cannot, it leaves the others more of those that come. */
  private async share(workers: readonly ServingThread[]): Promise<void> {
    const [first] = this.pool.workers
    if (workers.length === 0 || first === undefined || this.isOver) return
    try {
      const { door } = await first.ask({ do: 'invite' })
      if (door === undefined) return
      await Promise.all(workers.map(worker => worker.ask({ do: 'join', door })))
      await first.ask({ do: 'share', count: workers.length })
    } catch (error) { this.tolerate(error) }
  }

  private tolerate(error: unknown): void {
    if (!(error instanceof MemslabError)) throw error
    this.pool.log(`a thread that has started serves fewer clients: ${error.message}`)
  }

  private complain(count: number): void {
    const { pool, files } = this
    const { threads, workers } = pool
    if (!this.hasComplained) {
      this.hasComplained = true
      pool.log(`${count} of ${threads} threads could not start, so ${workers.length === 1 ? 'one serves' : 'the others serve'} ` +
        `all clients: ${this.problem ?? 'they ended'}`)
    }
    // another version stays
    if (!files.areSame) return
    this.retry = setTimeout(() => this.balance.awaitNeed(), RETRY_MS).unref()
  }

  /** Starts no more threads. Resolves when those that have begun to start have ended or serve. */
  async end(): Promise<void> {
    this.isOver = true
    clearTimeout(this.retry)
    await Promise.all(this.pool.workers.filter(({ hasParts }) => !hasParts).map(worker => worker.end()))
    await this.starting
  }
}
