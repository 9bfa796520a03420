// The workers of a server, as the main thread sees them. The first worker listens from its start on. The pool starts the others,
// has them listen on the same sockets, passes signals that concern all of them, and notices when one of them dies. All workers
// end together.
//
// The others may wait until the first one asks for them, see LateThreads. A thread that cannot start then is missing, and no
// reason to end the server: it gets the memory that all share only when it has loaded its code.
import { MemslabError, systemError } from '../errors.js'
import { type Balance } from '../net/balance.js'
import { type WriteWay } from '../net/lesson.js'
import { type Listening } from '../net/listeners.js'
import { type Opened } from './engine.js'
import { LateThreads } from './late.js'
import { type Life, type SharedParts, type TapSeat } from './messages.js'
import { type SignalMessage, type ThreadSignalMessage } from './signals.js'
import { startWorker, type StartedWorker, type WorkerFiles } from './start.js'
import { inTime, loss, ServingThread } from './thread.js'

/** The longest that a worker may take to stop accepting clients, and again to close its connections; then it is terminated. */
const PATIENCE_MS = 3000
/** The same limit after a thread has died: another may be waiting for a lock that the dead thread held. */
const SHORT_PATIENCE_MS = 200

/** The callbacks of a pool. */
export interface PoolEvents {
  /** Called when a worker has raised a signal. */
  hear(message: SignalMessage, from: ServingThread): void
  /** Called when a worker has died; the others must not go on. */
  died(thread: number, error: unknown): void
  /** Called with a line for the person who started the server. */
  log(line: string): void
}

export class Pool {
  private readonly workers: ServingThread[] = []
  /** The reason why the workers end, once they are to: the pool is closed, or a worker has died. */
  private endCause: MemslabError | undefined
  private opening: Promise<unknown> | undefined
  /** Resolves with the sockets of the first worker, once it listens. */
  private readonly listening: Promise<readonly Listening[]>
  private resolveListening: (listening: readonly Listening[]) => void = () => {}
  private rejectListening: (cause: MemslabError) => void = () => {}
  /** Resolves when the workers may begin to serve. */
  private readonly begun: Promise<void>
  private begin: () => void = () => {}
  /** For each worker but the first: resolves when it listens on the sockets of the first. */
  private readonly followers: Promise<void>[] = []
  private ended: Promise<void> | undefined
  private quickWay: WriteWay | undefined
  /** The threads that wait until there is something for them to do. */
  private late: LateThreads | undefined
  /** True if the first worker has asked for the others before it serves. */
  private isCrowded = false

  /**
   * @param started workers that have been started, the first of which listens; the pool empties the array
   * @param mayWait true if the others may wait until there is something for them to do
   * @param seat returns what the tap of a worker starts from
   */
  constructor(private parts: SharedParts, private readonly started: StartedWorker[], private readonly events: PoolEvents,
    private readonly mayWait: boolean, private readonly seat?: () => TapSeat) {
    this.listening = new Promise((resolve, reject) => {
      this.resolveListening = resolve
      this.rejectListening = reject
    })
    // `openFirst` and `follow` handle a rejection; until one of them waits, it must not count as unhandled
    this.listening.catch(() => {})
    this.begun = new Promise(resolve => { this.begin = resolve })
    this.startUpTo(started.length)
  }

  private startUpTo(count: number): void {
    const { workers, started, parts } = this
    while (workers.length < count) {
      const thread = workers.length + 1
      const worker = started.shift() ?? startWorker(thread)
      const serving = this.add(worker, thread)
      serving.give(parts, this.seat?.())
      if (thread === 1) continue
      const following = this.follow(serving)
      // `followAll` handles a rejection; until it waits, it must not count as unhandled
      following.catch(() => {})
      this.followers.push(following)
    }
  }

  /** Adds a worker, which has no parts yet. */
  private add(worker: StartedWorker, thread: number): ServingThread {
    const serving: ServingThread = new ServingThread(worker, thread, message => this.hear(message, serving),
      (error, hasThrown) => {
        if (serving.hasParts) this.hasDied(thread, error, hasThrown)
        else this.hasNotStarted(serving, error)
      })
    this.workers.push(serving)
    return serving
  }

  /** Called when a worker has ended that never had the memory of the others, so that those can go on. */
  private hasNotStarted(serving: ServingThread, error: unknown): void {
    this.workers.splice(this.workers.indexOf(serving), 1)
    this.late?.hasNotStarted(error)
  }

  private hasDied(thread: number, error: unknown, hasThrown: boolean): void {
    // a worker that is to end may do so
    if (this.endCause !== undefined && !hasThrown) return
    this.endCause ??= loss(thread)
    this.rejectListening(loss(thread))
    this.events.died(thread, error)
  }

  /** Starts all workers that -t asks for and that have not been started. */
  private startAll(): void { if (this.endCause === undefined) this.startUpTo(this.parts.options.threads) }

  private hear(message: Life | SignalMessage, from: ServingThread): void {
    if ('signal' in message) return this.events.hear(message, from)
    switch (message.life) {
      case 'ready': return
      case 'loaded': return this.late?.hasLoaded(from)
      case 'listening': return this.resolveListening(message.listening)
      case 'not listening': return this.rejectListening(systemError(message.problem.code, message.problem.message))
      case 'crowded': return this.areWanted()
    }
  }

  /** Called when the first worker asks for the others. */
  private areWanted(): void {
    if (this.late !== undefined) return this.late.start()
    // once it serves, it can hand over to late threads what comes until then
    if (this.mayWait) this.isCrowded = true
    else this.startAll()
  }

  /**
   * Has the first worker serve. Rejects with a MemslabError whose message is one line.
   * @param quickWay the way to write to sockets, see proof.ts
   */
  async open(quickWay: WriteWay | undefined): Promise<Opened> {
    this.quickWay = quickWay
    this.begin()
    const opening = this.openFirst()
    this.opening = opening
    return await opening
  }

  private async openFirst(): Promise<Opened> {
    await this.listening
    this.checkGoesOn()
    const { opened } = await this.workers[0]!.ask({ do: 'open', quickWay: this.quickWay })
    this.checkGoesOn()
    return opened!
  }

  /**
   * Has the other workers wait until there is something for them to do, as there may be already.
   * @param files those that they start from
   */
  letOthersWait(opened: Opened, files: WorkerFiles, balance: Balance): void {
    const { workers, quickWay, events } = this
    this.late = new LateThreads({
      threads: this.parts.options.threads,
      workers,
      add: (worker, thread) => this.add(worker, thread),
      give: worker => { if (this.endCause === undefined) worker.give(this.parts, this.seat?.()) },
      follow: async worker => {
        this.checkGoesOn()
        await worker.ask({ do: 'follow', opened, quickWay })
      },
      log: line => { if (this.endCause === undefined) events.log(line) },
    }, files, balance)
    if (this.isCrowded) this.late.start()
  }

  /** Has the other workers serve. Rejects as `open` does. */
  async openOthers({ udp }: Opened): Promise<void> {
    this.opening = this.followAll(udp)
    await this.opening
  }

  private async followAll(udp: Opened['udp']): Promise<void> {
    this.startAll()
    const followed = await Promise.allSettled(this.followers)
    for (const outcome of followed) if (outcome.status === 'rejected') throw outcome.reason
    const [, ...others] = this.workers
    if (udp.length > 0) await Promise.all(others.map(worker => this.askToFollow(worker, { listening: [], udp })))
  }

  /** Has a worker listen on the sockets of the first one, as soon as both are ready. */
  private async follow(worker: ServingThread): Promise<void> {
    const [listening] = await Promise.all([this.listening, worker.ready, this.begun])
    // if the pool ends, those sockets are being closed
    this.checkGoesOn()
    await this.askToFollow(worker, { listening, udp: [] })
  }

  private async askToFollow(worker: ServingThread, opened: Opened): Promise<void> {
    await worker.ask({ do: 'follow', opened, quickWay: this.quickWay })
  }

  private checkGoesOn(): void { if (this.endCause !== undefined) throw this.endCause }

  // Signals

  /** Passes a signal to all workers but one. */
  pass(message: ThreadSignalMessage, except?: ServingThread): void {
    this.parts = { ...this.parts, ...partsFrom(message) }
    for (const worker of this.workers) if (worker !== except) worker.post(message)
  }

  /** The number of workers that serve, and so act on signals at once. */
  get servingCount(): number { return this.workers.filter(({ isServing }) => isServing).length }

  /** Lets the process end while they serve. */
  unref(): void { for (const worker of this.workers) worker.unref() }

  // Their end

  /** Ends all workers once their connections are closed. May be called twice. */
  close(): Promise<void> { return this.ended ??= this.end(PATIENCE_MS, true) }

  /** Ends all workers after one has died, without closing their connections first. */
  abandon(): Promise<void> { return this.ended ??= this.end(SHORT_PATIENCE_MS, false) }

  private async end(patienceMs: number, isOrderly: boolean): Promise<void> {
    for (const worker of this.workers) worker.ref()
    this.endCause ??= new MemslabError('ECANCELED', 'the server was closed while it opened')
    this.begin()
    await inTime(Promise.allSettled([this.opening, ...this.followers, this.late?.end()]), patienceMs)
    // all workers drop their sockets before any of them ends: see SharedDescriptor
    const dropped = await Promise.all(this.workers.map(worker => worker.askInTime({ do: 'drop' }, patienceMs)))
    await Promise.all(this.workers.map(async (worker, index) => {
      const answer = dropped[index]
      if (answer !== undefined && isOrderly) await worker.askInTime({ do: 'close' }, patienceMs)
      if (answer?.mustStay === true) worker.leaveAlone()
      else await worker.end()
    }))
  }
}

/** The parts that a signal replaces, so that workers which start later begin with the new ones. */
function partsFrom(message: ThreadSignalMessage): Partial<SharedParts> {
  switch (message.signal) {
    case 'certificatesRead': return { certificates: message.value }
    case 'usersRead': return { users: message.value }
    case 'slotFreed': case 'memoryShort': case 'clockMoved': return {}
  }
}
