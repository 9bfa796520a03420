// The workers of a server, as its main thread sees them. It starts them, has the first of them open what the options ask
// for and the others listen there too, passes on what concerns all of them, and notices when one of them dies. They end
// together.
import { type Worker } from 'node:worker_threads'
import { type Users } from '../credentials.js'
import { MemslabError } from '../errors.js'
import { type Certificates } from '../net/certificates.js'
import { type WriteWay } from '../net/handle.js'
import { maskFiles } from '../net/listen.js'
import { Shares } from '../net/shares.js'
import { type Opened } from '../thread.js'
import { type Done, type News, type Notice, type SharedParts, type Task, type WorkerParts } from './messages.js'
import { startWorker } from './start.js'

/** How long a worker may take to take nobody in any more, and then to close its connections. Whoever does not is ended. */
const PATIENCE_MS = 3000
/** The same where another one has died: it may be waiting for what that one has locked. */
const SHORT_PATIENCE_MS = 200

/** What a pool tells the server. */
export interface Above {
  log(line: string): void
  shutdown(isGraceful: boolean): void
  /** A thread has read certificates, for all of them. */
  certificatesRead(certificates: Certificates): void
  /** A client has asked for a crawl, see Crawler. */
  crawlBegun(): void
  /** A client has asked for a page to move, see Rebalance. */
  moveAsked(): void
  /** A thread has died; the others must not go on. */
  died(thread: number, error: unknown): void
}

export class Pool {
  private readonly workers: ServingThread[] = []
  /** Why they are to end, if they are: they are closed, or one has died. */
  private whyEnd: MemslabError | undefined
  private opening: Promise<Opened> | undefined
  private ended: Promise<void> | undefined

  /** @param started workers that wait already, taken out here, and enough to begin with; where there are none, all are started */
  constructor(private parts: SharedParts, private readonly above: Above, private readonly started: Worker[]) {
    const { threads } = parts.options
    this.startUpTo(started.length > 0 ? Math.min(started.length, threads) : threads)
  }

  private startUpTo(count: number): void {
    const { workers, started, parts } = this
    while (workers.length < count) {
      const thread = workers.length + 1
      const worker = started.shift() ?? startWorker(thread)
      const serving: ServingThread = new ServingThread(worker, parts, thread, news => this.hear(serving, news), (error, hasThrown) => {
        // whoever is told to end may do so
        if (this.whyEnd !== undefined && !hasThrown) return
        this.whyEnd ??= loss(thread)
        this.above.died(thread, error)
      })
      workers.push(serving)
    }
  }

  private hear(from: ServingThread, news: News): void {
    switch (news.tell) {
      case 'ready': return
      case 'line': return this.above.log(news.line)
      case 'shutdown': return this.above.shutdown(news.isGraceful)
      case 'certificates': return this.above.certificatesRead(news.certificates)
      case 'room': return this.admitWaiting(from)
      case 'crawl': return this.above.crawlBegun()
      case 'move': return this.above.moveAsked()
    }
  }

  /** Opens what the options ask for, in all threads. Rejects with a MemslabError whose message is one clear line. */
  open(): Promise<Opened> { return this.opening = this.openAll() }

  private async openAll(): Promise<Opened> {
    // the first ones begin with the same, and no other may start meanwhile: who loads its modules opens files, so the highest
    // number may not be free then, or none at all, and the mask is that of the whole process
    await Promise.all(this.workers.map(({ ready }) => ready))
    const opened = await this.openIn(this.workers[0]!)
    this.checkGoesOn()
    this.startUpTo(this.parts.options.threads)
    const [, ...others] = this.workers
    const followed = await Promise.allSettled(others.map(worker => this.follow(worker, opened)))
    for (const outcome of followed) if (outcome.status === 'rejected') throw outcome.reason
    return opened
  }

  private async openIn(worker: ServingThread): Promise<Opened> {
    this.checkGoesOn()
    const { socketPath, umask } = this.parts.options
    const resetUmask = socketPath === undefined ? () => {} : maskFiles(umask)
    try {
      const { opened } = await worker.ask({ do: 'open' })
      return opened!
    } finally { resetUmask() }
  }

  private async follow(worker: ServingThread, opened: Opened): Promise<void> {
    await worker.ready
    // what it would listen to is being closed
    this.checkGoesOn()
    await worker.ask({ do: 'follow', opened })
  }

  private checkGoesOn(): void { if (this.whyEnd !== undefined) throw this.whyEnd }

  // Notices

  /** There is a place for somebody who waits, in any thread but `from`. */
  admitWaiting(from?: unknown): void { this.notify({ do: 'admit' }, from) }

  useCertificates(certificates: Certificates): void {
    this.parts = { ...this.parts, certificates }
    this.notify({ do: 'use certificates', certificates })
  }

  useUsers(users: Users): void {
    this.parts = { ...this.parts, users }
    this.notify({ do: 'use users', users })
  }

  /** What has been proven in this thread goes for all. */
  useQuickWay(quickWay: WriteWay | undefined): void {
    this.parts = { ...this.parts, quickWay }
    this.notify({ do: 'use quick way', quickWay })
  }

  private notify(notice: Notice, except?: unknown): void {
    for (const worker of this.workers) if (worker !== except) worker.notify(notice)
  }

  // Their end

  /** Ends all of them, once their connections are closed. May be called twice. */
  close(): Promise<void> { return this.ended ??= this.end(PATIENCE_MS, true) }

  /** Ends all of them, since one has died, whatever they are doing. */
  abandon(): Promise<void> { return this.ended ??= this.end(SHORT_PATIENCE_MS, false) }

  private async end(patienceMs: number, isOrderly: boolean): Promise<void> {
    this.whyEnd ??= new MemslabError('ECANCELED', 'the server was closed while it opened')
    if (this.parts.shares !== undefined) Shares.waitForNobody(this.parts.shares)
    await inTime(this.opening, patienceMs)
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

/** What comes of something; undefined if it fails, or takes longer than this. */
async function inTime<Result>(result: Promise<Result> | undefined, patienceMs: number): Promise<Result | undefined> {
  if (result === undefined) return undefined
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>(resolve => { timer = setTimeout(() => resolve(undefined), patienceMs) })
  try {
    return await Promise.race([result.catch(() => undefined), late])
  } finally { clearTimeout(timer) }
}

function loss(thread: number): MemslabError { return new MemslabError('EDIED', `thread ${thread} has died`) }

/** One worker. */
class ServingThread {
  /** Resolves when it has started, or has ended before. */
  readonly ready: Promise<void>
  private taskCount = 0
  /** What it has been asked and not answered. */
  private readonly open = new Map<number, { resolve: (done: Done) => void, reject: (error: Error) => void }>()
  private isDead = false

  /** @param died called once, when it has ended, of an error that nobody has caught or otherwise */
  constructor(private readonly worker: Worker, parts: SharedParts, private readonly thread: number, hear: (news: News) => void,
    private readonly died: (error: unknown, hasThrown: boolean) => void) {
    worker.ref()
    worker.postMessage({ ...parts, thread } satisfies WorkerParts)
    this.ready = new Promise(resolve => {
      worker.on('message', (message: News | Done) => {
        if (message.tell === 'done') return this.answered(message)
        if (message.tell === 'ready') resolve()
        hear(message)
      })
      worker.on('exit', code => {
        this.hasDied(new Error(`it has ended by itself, with code ${code}`), false)
        resolve()
      })
    })
    worker.on('error', error => this.hasDied(error, true))
  }

  private answered({ problem, ...done }: Done): void {
    const asked = this.open.get(done.task)
    this.open.delete(done.task)
    if (problem === undefined) asked?.resolve(done)
    else asked?.reject(new MemslabError(problem.code, problem.message))
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

  notify(notice: Notice): void { this.worker.postMessage(notice) }

  /** It does nothing any more and keeps nobody from ending. */
  leaveAlone(): void { this.worker.unref() }

  async end(): Promise<void> { await this.worker.terminate() }
}
