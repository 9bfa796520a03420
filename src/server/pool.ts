// The workers of a server, as its main thread sees them. The first of them has listened since it was started; it starts the
// others and has them listen there too, passes on what concerns all of them, and notices when one of them dies. They end
// together.
import { type Worker } from 'node:worker_threads'
import { MemslabError, systemError } from '../errors.js'
import { type WriteWay } from '../net/handle.js'
import { type Listening } from '../net/listeners.js'
import { type Opened } from './engine.js'
import { type Done, type Life, type SharedParts, type Task, type WorkerParts } from './messages.js'
import { type SignalMessage, type ThreadSignalMessage } from './signals.js'
import { startWorker, type StartedWorker } from './start.js'

/** How long a worker may take to take nobody in any more, and then to close its connections. Whoever does not is ended. */
const PATIENCE_MS = 3000
/** The same where another one has died: it may be waiting for what that one has locked. */
const SHORT_PATIENCE_MS = 200

/** Takes what a pool hears of its threads. */
export interface PoolEvents {
  /** One of them has raised a signal. */
  hear(message: SignalMessage, from: ServingThread): void
  /** One of them has died; the others must not go on. */
  died(thread: number, error: unknown): void
}

export class Pool {
  private readonly workers: ServingThread[] = []
  /** Why they are to end, if they are: they are closed, or one has died. */
  private whyEnd: MemslabError | undefined
  private opening: Promise<unknown> | undefined
  /** Where the first one listens, as soon as it does. */
  private readonly listening: Promise<readonly Listening[]>
  private tellListening: (listening: readonly Listening[]) => void = () => {}
  private refuseListening: (cause: MemslabError) => void = () => {}
  /** Resolves when they are to begin. */
  private readonly begun: Promise<void>
  private begin: () => void = () => {}
  /** Those that listen where the first one does, or are about to. */
  private readonly followers: Promise<void>[] = []
  private ended: Promise<void> | undefined
  private quickWay: WriteWay | undefined

  /** @param started workers that wait already, taken out here, the first of which listens */
  constructor(private parts: SharedParts, private readonly started: StartedWorker[], private readonly events: PoolEvents) {
    this.listening = new Promise((resolve, reject) => {
      this.tellListening = resolve
      this.refuseListening = reject
    })
    // it is for whoever waits for it
    this.listening.catch(() => {})
    this.begun = new Promise(resolve => { this.begin = resolve })
    this.startUpTo(started.length)
  }

  private startUpTo(count: number): void {
    const { workers, started, parts } = this
    while (workers.length < count) {
      const thread = workers.length + 1
      const worker = started.shift() ?? startWorker(thread)
      const serving: ServingThread = new ServingThread(worker, parts, thread, message => this.hear(message, serving), (error, hasThrown) => {
        // whoever is told to end may do so
        if (this.whyEnd !== undefined && !hasThrown) return
        this.whyEnd ??= loss(thread)
        this.refuseListening(loss(thread))
        this.events.died(thread, error)
      })
      workers.push(serving)
      if (thread === 1) continue
      const following = this.follow(serving)
      // whoever waits for all of them hears of it
      following.catch(() => {})
      this.followers.push(following)
    }
  }

  /** All that there are to be. */
  private startAll(): void { if (this.whyEnd === undefined) this.startUpTo(this.parts.options.threads) }

  private hear(message: Life | SignalMessage, from: ServingThread): void {
    if ('signal' in message) return this.events.hear(message, from)
    switch (message.life) {
      case 'ready': return
      case 'listening': return this.tellListening(message.listening)
      case 'not listening': return this.refuseListening(systemError(message.problem.code, message.problem.message))
      case 'crowded': return this.startAll()
    }
  }

  /** Has the first one serve. @param quickWay how sockets are written to. Rejects with a MemslabError whose message is one clear line. */
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

  /** The same for the others. */
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

  /** As soon as both can. */
  private async follow(worker: ServingThread): Promise<void> {
    const [listening] = await Promise.all([this.listening, worker.ready, this.begun])
    // what it would listen to is being closed
    this.checkGoesOn()
    await this.askToFollow(worker, { listening, udp: [] })
  }

  private async askToFollow(worker: ServingThread, opened: Opened): Promise<void> {
    await worker.ask({ do: 'follow', opened, quickWay: this.quickWay })
  }

  private checkGoesOn(): void { if (this.whyEnd !== undefined) throw this.whyEnd }

  // Signals

  /** Passes a signal to all of them but one. */
  pass(message: ThreadSignalMessage, except?: ServingThread): void {
    this.parts = { ...this.parts, ...keptOf(message) }
    for (const worker of this.workers) if (worker !== except) worker.post(message)
  }

  // Their end

  /** Ends all of them, once their connections are closed. May be called twice. */
  close(): Promise<void> { return this.ended ??= this.end(PATIENCE_MS, true) }

  /** Ends all of them, since one has died, whatever they are doing. */
  abandon(): Promise<void> { return this.ended ??= this.end(SHORT_PATIENCE_MS, false) }

  private async end(patienceMs: number, isOrderly: boolean): Promise<void> {
    this.whyEnd ??= new MemslabError('ECANCELED', 'the server was closed while it opened')
    this.begin()
    await inTime(Promise.allSettled([this.opening, ...this.followers]), patienceMs)
    // all of them, before any is ended: see SharedDescriptor
    const dropped = await Promise.all(this.workers.map(worker => worker.askInTime({ do: 'drop' }, patienceMs)))
    await Promise.all(this.workers.map(async (worker, index) => {
      const answer = dropped[index]
      if (answer !== undefined && isOrderly) await worker.askInTime({ do: 'close' }, patienceMs)
      if (answer?.mustStay === true) worker.leaveAlone()
      else await worker.end()
    }))
  }
}

/** What threads that start later are to begin with, as the others have been told. */
function keptOf(message: ThreadSignalMessage): Partial<SharedParts> {
  switch (message.signal) {
    case 'certificatesRead': return { certificates: message.value }
    case 'usersRead': return { users: message.value }
    case 'slotFreed': case 'memoryShort': return {}
  }
}

/** What comes of something; undefined if it fails, or takes longer than this. */
async function inTime<Result>(result: Promise<Result>, patienceMs: number): Promise<Result | undefined> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>(resolve => { timer = setTimeout(() => resolve(undefined), patienceMs) })
  try {
    return await Promise.race([result.catch(() => undefined), late])
  } finally { clearTimeout(timer) }
}

function loss(thread: number): MemslabError { return new MemslabError('EDIED', `thread ${thread} has died`) }

/** One worker. */
export class ServingThread {
  /** Resolves when it has started, or has ended before. */
  readonly ready: Promise<void>
  private readonly worker: Worker
  private taskCount = 0
  /** What it has been asked and not answered. */
  private readonly open = new Map<number, { resolve: (done: Done) => void, reject: (error: Error) => void }>()
  private isDead = false

  /** @param died called once, when it has ended, of an error that nobody has caught or otherwise */
  constructor(started: StartedWorker, parts: SharedParts, private readonly thread: number, hear: (message: Life | SignalMessage) => void,
    private readonly died: (error: unknown, hasThrown: boolean) => void) {
    const { worker } = started
    this.worker = worker
    worker.ref()
    worker.postMessage({ ...parts, thread } satisfies WorkerParts)
    this.ready = new Promise(resolve => {
      // in a turn of its own: it may have told something already, and who makes this does not have it yet
      setImmediate(() => started.tellTo({
        message: message => {
          if ('task' in message) return this.answered(message)
          if ('life' in message && message.life === 'ready') resolve()
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

  /** Rejects with a MemslabError if it cannot do this. */
  ask(task: Task): Promise<Done> {
    if (this.isDead) return Promise.reject(loss(this.thread))
    const number = ++this.taskCount
    this.worker.postMessage({ ...task, task: number })
    return new Promise((resolve, reject) => { this.open.set(number, { resolve, reject }) })
  }

  /** The same; undefined if it cannot, or has not by then. */
  askInTime(task: Task, patienceMs: number): Promise<Done | undefined> { return inTime(this.ask(task), patienceMs) }

  post(message: ThreadSignalMessage): void { this.worker.postMessage(message) }

  /** It does nothing any more and keeps nobody from ending. */
  leaveAlone(): void { this.worker.unref() }

  async end(): Promise<void> { await this.worker.terminate() }
}
