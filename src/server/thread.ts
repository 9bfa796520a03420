// One worker, as the main thread sees it: the tasks that it is given, and its answers.
import { type Worker } from 'node:worker_threads'
import { MemslabError, systemError } from '../errors.js'
import { type Done, type Life, type SharedParts, type TapSeat, type Task, type WorkerParts } from './messages.js'
import { type SignalMessage, type ThreadSignalMessage } from './signals.js'
import { type StartedWorker } from './start.js'
import { clearTimeout, setImmediate, setTimeout } from '../timers.js'

/** Resolves with the result of a promise; with undefined if the promise rejects or takes longer than `patienceMs`. */
export async function inTime<Result>(result: Promise<Result>, patienceMs: number): Promise<Result | undefined> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>(resolve => { timer = setTimeout(() => resolve(undefined), patienceMs) })
  try {
    return await Promise.race([result.catch(() => undefined), late])
  } finally { clearTimeout(timer) }
}

/** The error of a thread that has ended though it should not. */
export function loss(thread: number): MemslabError { return new MemslabError('EDIED', `thread ${thread} has died`) }

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
  /** True once it has its parts, and with them the memory that all threads share. */
  hasParts = false

  /** @param died called once, when the worker has ended; `hasThrown` is true if it ended by an uncaught error */
  constructor(started: StartedWorker, readonly thread: number,
    hear: (message: Life | SignalMessage) => void, private readonly died: (error: unknown, hasThrown: boolean) => void) {
    const { worker } = started
    this.worker = worker
    worker.ref()
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

  /** Gives the worker its parts, from which it becomes ready. */
  give(parts: SharedParts, seat?: TapSeat): void {
    const { worker, thread } = this
    this.hasParts = true
    worker.postMessage({ ...parts, thread, tap: seat?.data } satisfies WorkerParts, seat?.transfer ?? [])
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
    if (this.isDead || !this.hasParts) return Promise.reject(loss(this.thread))
    const number = ++this.taskCount
    this.worker.postMessage({ ...task, task: number })
    return new Promise((resolve, reject) => { this.open.set(number, { resolve, reject }) })
  }

  /** Gives the worker a task. Resolves with undefined if the task fails or takes longer than `patienceMs`. */
  askInTime(task: Task, patienceMs: number): Promise<Done | undefined> { return inTime(this.ask(task), patienceMs) }

  /** Passes a signal to the worker. One that has no parts yet needs none: its parts have what signals bring. */
  post(message: ThreadSignalMessage): void { if (this.hasParts) this.worker.postMessage(message) }

  /** True while it acts on messages at once. */
  get isServing(): boolean { return this.isReady && !this.isDead }

  ref(): void { this.worker.ref() }

  unref(): void { this.worker.unref() }

  /** Lets the process end while the worker, which does nothing any more, is still there. */
  leaveAlone(): void { this.unref() }

  async end(): Promise<void> { await this.worker.terminate() }
}
