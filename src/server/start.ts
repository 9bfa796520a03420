// Starts the threads of workers. A worker takes longer to load its modules than the rest of a server takes to start, so the
// command line starts workers before it loads its own part. The first worker listens at once. Then all of them wait for the
// message with their parts.
import { statSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { Balance } from '../net/balance.js'
import { type Options } from '../options/options.js'
import { hasMemoryLater } from '../process/limits.js'
import { type FromWorker, type ListenOrder } from './messages.js'

/** The callbacks for the events of a worker. */
export interface WorkerEvents {
  message(message: FromWorker): void
  error(error: unknown): void
  exit(code: number): void
}

/** A worker whose events are held until there are callbacks for them, as they would be lost otherwise. */
export class StartedWorker {
  private readonly early: ((events: WorkerEvents) => void)[] = []
  private events: WorkerEvents | undefined

  constructor(readonly worker: Worker) {
    worker.on('message', (message: FromWorker) => this.deliver(events => events.message(message)))
    worker.on('error', error => this.deliver(events => events.error(error)))
    worker.on('exit', code => this.deliver(events => events.exit(code)))
  }

  private deliver(event: (events: WorkerEvents) => void): void {
    if (this.events === undefined) this.early.push(event)
    else event(this.events)
  }

  /** Delivers the events that are held, and all later ones, to these callbacks. */
  deliverTo(events: WorkerEvents): void {
    this.events = events
    for (const event of this.early.splice(0)) event(events)
  }
}

/** Workers that have been started, and the memory for balancing connections among them. */
export interface FirstThreads {
  readonly workers: StartedWorker[]
  readonly balance: SharedArrayBuffer
  /** Given if the other workers start when the first has a second client: the files that they start from. */
  readonly files?: WorkerFiles | undefined
}

/**
 * Workers run this file. In the bundle, `__dirname` is the folder of the bundle: its worker.js is src/worker.ts and not
 * server/worker.ts.
 */
const WORKER_PATH = join(__dirname, 'worker.js')
/** The file with all that they load, where the command has one. */
const BUNDLE_PATH = join(__dirname, 'memslab.bundle')

/**
 * The files that workers start from, as they were when the server started. Once a worker starts, there may be those of another
 * version, whose memory is laid out in another way.
 */
export class WorkerFiles {
  private readonly identity = identityOfFiles()

  /** True if the files are still the same. */
  get areSame(): boolean { return identityOfFiles() === this.identity }
}

function identityOfFiles(): string { return `${identityOf(WORKER_PATH)}, ${identityOf(BUNDLE_PATH)}` }

/** The kernel's identity of a file and of its contents; empty if it cannot be found. */
function identityOf(path: string): string {
  try {
    const { dev, ino, size, mtimeMs } = statSync(path)
    return [dev, ino, size, mtimeMs].join(' ')
  } catch {
    return ''
  }
}

/**
 * The size of a worker's young generation in MiB: two semispaces of 1 MiB, and as much for new large objects. Requests allocate
 * nothing. With Node.js's default of 48 MiB, clients that connect and leave would make each thread grow by 30 MiB.
 */
const YOUNG_MIB = 3

/**
 * Starts a worker. It does not keep the process alive until its `ref` is called.
 * @param thread the number of the worker, from 1
 * @param order given to the worker that is to listen at once
 */
export function startWorker(thread: number, order: ListenOrder | null = null): StartedWorker {
  // options of the process, such as a loader, do not apply to a worker; its arguments say which there are
  const worker = new Worker(WORKER_PATH, {
    execArgv: [], argv: process.execArgv, name: `memslab ${thread}`, workerData: order,
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MIB },
  })
  worker.unref()
  return new StartedWorker(worker)
}

/**
 * Starts the first workers of a server of several threads. If the others can start at any time, they wait until the first one has
 * a second client. If they can start while clients are connected, as many start now as do so in parallel with the main thread,
 * and the rest while clients connect.
 * @param mayStartLater true if threads can still start while clients are connected; otherwise all workers start now
 */
export function startFirstThreads(options: Options, mayStartLater: boolean): FirstThreads {
  const { threads } = options
  const balance = new SharedArrayBuffer(Balance.bytesFor(threads))
  const mayWait = mayStartLater && canWait(options)
  if (mayWait) new Balance(balance, 1).awaitNeed()
  const atOnce = mayWait ? 1 : mayStartLater ? Math.min(threads, Math.max(1, availableParallelism() - 1)) : threads
  const workers = Array.from({ length: atOnce }, (_, index) => startWorker(index + 1, index === 0 ? { options, balance } : null))
  return { workers, balance, files: mayWait ? new WorkerFiles() : undefined }
}

/**
 * True if workers can start when there is something for them to do: the system has memory for them then, and the first one can
 * hand its clients over, which it cannot with TLS.
 */
function canWait({ sslEnabled }: Options): boolean {
  return process.platform === 'linux' && !sslEnabled && hasMemoryLater()
}
