// The workers of a server, as the main thread sees them. The first worker listens from its start on. The pool starts the others,
// has them listen on the same sockets, passes signals that concern all of them, and notices when one of them dies. All workers
// end together.
import { type Worker } from 'node:worker_threads'
import { MemslabError, systemError } from '../errors.js'
import { type WriteWay } from '../net/lesson.js'
import { type Listening } from '../net/listeners.js'
import { type Opened } from './engine.js'
import { type Done, type Life, type SharedParts, type TapSeat, type Task, type WorkerParts } from './messages.js'
import { type SignalMessage, type ThreadSignalMessage } from './signals.js'
import { startWorker, type StartedWorker } from './start.js'
import { clearTimeout, setImmediate, setTimeout } from '../timers.js'

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

  /**
   * @param started workers that have been started, the first of which listens; the pool empties the array
   * @param seat returns what the tap of a worker starts from
   */
  constructor(private parts: SharedParts, private readonly started: StartedWorker[], private readonly events: PoolEvents,
    private readonly seat?: () => TapSeat) {
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
      const serving: ServingThread = new ServingThread(worker, parts, thread, message => this.hear(message, serving),
        (error, hasThrown) => this.hasDied(thread, error, hasThrown), this.seat?.())
      workers.push(serving)
      if (thread === 1) continue
      const following = this.follow(serving)
      // `followAll` handles a rejection; until it waits, it must not count as unhandled
      following.catch(() => {})
      this.followers.push(following)
    }
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
      case 'listening': return this.resolveListening(message.listening)
      case 'not listening': return this.rejectListening(systemError(message.problem.code, message.problem.message))
      case 'crowded': return this.startAll()
    }
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
    await inTime(Promise.allSettled([this.opening, ...this.followers]), patienceMs)
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

/** Resolves with the result of a promise; with undefined if the promise rejects or takes longer than `patienceMs`. */
async function inTime<Result>(result: Promise<Result>, patienceMs: number): Promise<Result | undefined> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>(resolve => { timer = setTimeout(() => resolve(undefined), patienceMs) })
  try {
    return await Promise.race([result.catch(() => undefined), late])
  } finally { clearTimeout(timer) }
}

function loss(thread: number): MemslabError { return new MemslabError('EDIED', `thread ${thread} has died`) }

/** One worker, as the main thread sees it. */
export class ServingThread {
  /** Resolves when the worker can serve, or has ended before. */
  readonly ready: Promise<void>
  private readonly worker: Worker
  private taskCount = 0
  /** The tasks that the worker has not answered yet, by number. */
  private readonly open = new Map<number, { resolve: (done: Done) => void, reject: (error: Error) => void }>()
  private isDead = false
  private isReady = false

  /** @param died called once, when the worker has ended; `hasThrown` is true if it ended by an uncaught error */
  constructor(started: StartedWorker, parts: SharedParts, private readonly thread: number,
    hear: (message: Life | SignalMessage) => void, private readonly died: (error: unknown, hasThrown: boolean) => void,
    seat?: TapSeat) {
    const { worker } = started
    this.worker = worker
    worker.ref()
    worker.postMessage({ ...parts, thread, tap: seat?.data } satisfies WorkerParts, seat?.transfer ?? [])
    this.ready = new Promise(resolve => {
      // in a turn of its own: messages may be waiting, and the caller of this constructor does not have the object yet
      setImmediate(() => started.deliverTo({
        message: message => {
          if ('task' in message) return this.answered(message)
          if ('life' in message && message.life === 'ready') {
            this.isReady = true
            resolve()
          }
          hear(message)
        },
        error: error => this.hasDied(error, true),
        exit: code => {
          this.hasDied(new Error(`it has ended by itself, with code ${code}`), false)
          resolve()
        },
      }))
    })
  }

  private answered({ problem, ...done }: Done): void {
    const asked = this.open.get(done.task)
    this.open.delete(done.task)
    if (problem === undefined) asked?.resolve(done)
    else asked?.reject(systemError(problem.code, problem.message))
  }

  private hasDied(error: unknown, hasThrown: boolean): void {
    if (this.isDead) return
    this.isDead = true
    for (const { reject } of this.open.values()) reject(loss(this.thread))
    this.open.clear()
    this.died(error, hasThrown)
  }

  /** Gives the worker a task. Resolves with its answer; rejects with a MemslabError if the task fails or the worker dies. */
  ask(task: Task): Promise<Done> {
    if (this.isDead) return Promise.reject(loss(this.thread))
    const number = ++this.taskCount
    this.worker.postMessage({ ...task, task: number })
    return new Promise((resolve, reject) => { this.open.set(number, { resolve, reject }) })
  }

  /** Gives the worker a task. Resolves with undefined if the task fails or takes longer than `patienceMs`. */
  askInTime(task: Task, patienceMs: number): Promise<Done | undefined> { return inTime(this.ask(task), patienceMs) }

  post(message: ThreadSignalMessage): void { this.worker.postMessage(message) }

  /** True while it acts on messages at once. */
  get isServing(): boolean { return this.isReady && !this.isDead }

  ref(): void { this.worker.ref() }

  unref(): void { this.worker.unref() }

  /** Lets the process end while the worker, which does nothing any more, is still there. */
  leaveAlone(): void { this.unref() }

  async end(): Promise<void> { await this.worker.terminate() }
}
