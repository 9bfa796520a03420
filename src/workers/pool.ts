// The workers of a server, as its main thread sees them. It starts them, has the first of them open what the options ask
// for and the others listen there too, passes on what concerns all of them, and notices when one of them dies. They end
// together.
import { type Worker } from 'node:worker_threads'
import { type Users } from '../credentials.js'
import { MemslabError } from '../errors.js'
import { type Certificates } from '../net/certificates.js'
import { maskFiles } from '../net/listen.js'
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
  /** A thread has died; the others must not go on. */
  died(thread: number, error: unknown): void
}

export class Pool {
  private readonly workers: ServingThread[] = []
  /** Whether they are meant to end. */
  private isEnding = false
  private opening: Promise<Opened> | undefined
  private ended: Promise<void> | undefined

  /** @param started workers that wait already, taken out here, and enough to begin with; where there are none, all are started */
  constructor(private parts: SharedParts, private readonly above: Above, private readonly started: Worker[]) {
    this.startUpTo(started.length || parts.options.threads)
  }

  private startUpTo(count: number): void {
    const { workers, started, parts } = this
    while (workers.length < count) {
      const thread = workers.length + 1
      const worker = started.shift() ?? startWorker(thread)
      const serving: ServingThread = new ServingThread(worker, parts, thread, news => this.hear(serving, news), error => {
        if (!this.isEnding) this.above.died(thread, error)
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
    }
  }

  /** Opens what the options ask for, in all threads. Rejects with a MemslabError whose message is one clear line. */
  open(): Promise<Opened> { return this.opening = this.openAll() }

  private async openAll(): Promise<Opened> {
    const opened = await this.openIn(this.workers[0]!)
    if (this.isEnding) throw new MemslabError('ECANCELED', 'the server was closed while it opened')
    this.startUpTo(this.parts.options.threads)
    await Promise.all(this.workers.slice(1).map(worker => worker.ask({ do: 'follow', opened })))
    return opened
  }

  private async openIn(worker: ServingThread): Promise<Opened> {
    const { socketPath, umask } = this.parts.options
    // No worker may be starting then, as who loads its modules opens files: the highest number may not be free, or none at
    // all; and the mask is that of the whole process.
    await Promise.all(this.workers.map(({ ready }) => ready))
    const resetUmask = socketPath === undefined ? () => {} : maskFiles(umask)
    try {
      const { opened } = await worker.ask({ do: 'open' })
      return opened!
    } finally { resetUmask() }
  }

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

  private notify(notice: Notice, except?: unknown): void {
    for (const worker of this.workers) if (worker !== except) worker.notify(notice)
  }

  // Their end

  /** Ends all of them, once their connections are closed. May be called twice. */
  close(): Promise<void> { return this.ended ??= this.end(PATIENCE_MS, true) }

  /** Ends all of them, since one has died, whatever they are doing. */
  abandon(): Promise<void> { return this.ended ??= this.end(SHORT_PATIENCE_MS, false) }

  private async end(patienceMs: number, isOrderly: boolean): Promise<void> {
    this.isEnding = true
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

/** One worker. */
class ServingThread {
  /** Resolves when it has started. */
  readonly ready: Promise<void>
  private taskCount = 0
  /** What it has been asked and not answered. */
  private readonly open = new Map<number, { resolve: (done: Done) => void, reject: (error: Error) => void }>()
  private isDead = false

  /** @param died called once, when it has ended, for whatever reason */
  constructor(private readonly worker: Worker, parts: SharedParts, private readonly thread: number, hear: (news: News) => void,
    private readonly died: (error: unknown) => void) {
    worker.ref()
    worker.postMessage({ ...parts, thread } satisfies WorkerParts)
    let isReady: () => void
    this.ready = new Promise(resolve => { isReady = resolve })
    worker.on('message', (message: News | Done) => {
      if (message.tell === 'done') return this.answered(message)
      if (message.tell === 'ready') isReady()
      hear(message)
    })
    worker.on('error', error => this.hasDied(error))
    worker.on('exit', code => {
      this.hasDied(new Error(`it has ended by itself, with code ${code}`))
      isReady()
    })
  }

  private answered({ problem, ...done }: Done): void {
    const asked = this.open.get(done.task)
    this.open.delete(done.task)
    if (problem === undefined) asked?.resolve(done)
    else asked?.reject(new MemslabError(problem.code, problem.message))
  }

  private hasDied(error: unknown): void {
    if (this.isDead) return
    this.isDead = true
    for (const { reject } of this.open.values()) reject(this.loss())
    this.open.clear()
    this.died(error)
  }

  private loss(): MemslabError { return new MemslabError('EDIED', `thread ${this.thread} has died`) }

  /** Rejects with a MemslabError if it cannot do this. */
  ask(task: Task): Promise<Done> {
    if (this.isDead) return Promise.reject(this.loss())
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
