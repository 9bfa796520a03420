// Starts the threads of workers. To load what it needs takes a worker longer than all the rest of a server's start, so who
// knows early that there will be workers starts them before it loads its own part. The first one listens at once; then all
// wait until they are told what they are to serve.
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { Balance } from '../net/balance.js'
import { type Options } from '../options/options.js'
import { type FromWorker, type Order } from './messages.js'

/** Who hears of a worker. */
export interface Hears {
  message(message: FromWorker): void
  error(error: unknown): void
  exit(code: number): void
}

/** A worker of which somebody may hear later: what it has told by then waits, which otherwise would be lost. */
export class StartedWorker {
  private readonly early: ((hears: Hears) => void)[] = []
  private hears: Hears | undefined

  constructor(readonly worker: Worker) {
    worker.on('message', (message: FromWorker) => this.tell(hears => hears.message(message)))
    worker.on('error', error => this.tell(hears => hears.error(error)))
    worker.on('exit', code => this.tell(hears => hears.exit(code)))
  }

  private tell(event: (hears: Hears) => void): void {
    if (this.hears === undefined) this.early.push(event)
    else event(this.hears)
  }

  /** From now on this hears of it, first of all what has been told. */
  tellTo(hears: Hears): void {
    this.hears = hears
    for (const event of this.early.splice(0)) event(hears)
  }
}

/** Threads that have been started, and what they go by while they accept by one descriptor. */
export interface FirstThreads {
  readonly workers: StartedWorker[]
  readonly balance: SharedArrayBuffer
}

/**
 * Young objects of a worker, in MiB: two halves of 1 MiB, and as much of those that have lived. Requests make none, and
 * with Node.js's default of 48 clients that come and go leave 30 MiB in each thread.
 */
const YOUNG_MIB = 3

/** Starts one; `thread` counts from 1. It does not keep the process alive until somebody makes it, with `ref`. */
export function startWorker(thread: number, order: Order | null = null): StartedWorker {
  // what was said to the process, a loader for one, is not for it
  const worker = new Worker(join(__dirname, 'worker.js'), {
    execArgv: [], name: `memslab ${thread}`, workerData: order, resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MIB },
  })
  worker.unref()
  return new StartedWorker(worker)
}

/**
 * Starts those that a server of several threads begins with, no more than start side by side, beside the main thread. The
 * others start while clients come, of whom they then get their share, see Balance.
 * @param mayStartLater whether threads can start though clients are there; if not all start now
 */
export function startFirstThreads(options: Options, mayStartLater: boolean): FirstThreads {
  const { threads } = options
  const balance = new SharedArrayBuffer(Balance.bytesFor(threads))
  const count = mayStartLater ? Math.min(threads, Math.max(1, availableParallelism() - 1)) : threads
  const workers = Array.from({ length: count }, (_, index) => startWorker(index + 1, index === 0 ? { options, balance } : null))
  return { workers, balance }
}
