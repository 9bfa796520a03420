// A worker, once it is loaded: a thread that serves, beside others, over the memory that it is given. It does what the main
// thread tells it, and lives until that ends it. Whatever is thrown here and not caught ends it too, and then the server.
import { setImmediate as turn } from 'node:timers/promises'
import { type MessagePort } from 'node:worker_threads'
import { clockOf, GuardedClock, MovableClock } from '../clock.js'
import { Epitaph } from './epitaph.js'
import { InvariantError, MemslabError } from '../errors.js'
import { Settings } from './settings.js'
import { Beginners, sharesPorts } from '../net/descriptor.js'
import { useQuickWay } from '../net/handle.js'
import { Listeners } from '../net/listeners.js'
import { Slots } from '../net/slots.js'
import { Balance } from '../net/balance.js'
import { Prefixes } from '../stats/prefixes.js'
import { Store } from '../store/store.js'
import { Engine, type Outside } from './engine.js'
import { type Done, type News, type Notice, type NumberedTask, type Task, type WorkerParts } from './messages.js'

type Tell = (news: News | Done) => void

/** What a worker goes by from the moment that it knows what it is to serve. */
interface Serving { readonly thread: Engine; readonly beginners: Beginners }

/** @param listeners those that are open already, in the worker that was told to */
export function beginServing(port: MessagePort, listeners: Listeners | undefined): void {
  const tell: Tell = news => port.postMessage(news)
  let serving: Serving | undefined
  port.on('message', (message: WorkerParts | NumberedTask | Notice) => {
    // the first thing it hears is what it is to serve
    if (serving === undefined) {
      serving = serve(message as WorkerParts, listeners, tell)
      tell({ tell: 'ready' })
    } else if ('task' in message) void perform(serving, message, tell)
    else take(serving.thread, message as Notice)
  })
}

function serve(parts: WorkerParts, listeners: Listeners | undefined, tell: Tell): Serving {
  useQuickWay(parts.quickWay)
  const beginners = new Beginners(parts.beginners)
  const thread = makeThread(parts, listeners, beginners, tell)
  thread.startTimers()
  return { thread, beginners }
}

function makeThread(parts: WorkerParts, listeners: Listeners | undefined, beginners: Beginners, tell: Tell): Engine {
  const { options, store, places, shares, prefixes, time } = parts
  const live = new Settings(parts.live)
  const epitaph = new Epitaph(parts.epitaph)
  // at once, and before anybody can notice
  process.on('uncaughtExceptionMonitor', error => epitaph.write(parts.thread, error))
  const outside: Outside = {
    log: line => { if (live.mayTellLine()) tell({ tell: 'line', line }) },
    shutdown: isGraceful => tell({ tell: 'shutdown', isGraceful }),
    certificatesRead: certificates => tell({ tell: 'certificates', certificates }),
    roomMade: () => tell({ tell: 'room' }),
    memoryShort: () => tell({ tell: 'memory short' }),
    crawlBegun: () => tell({ tell: 'crawl' }),
    moveAsked: () => tell({ tell: 'move' }),
    failed: error => {
      epitaph.write(parts.thread, error)
      throw error
    },
  }
  const machineClock = new GuardedClock(clockOf(time), outside.failed)
  const debugClock = parts.debugClock && new MovableClock(machineClock, parts.debugClock)
  const clock = debugClock ?? machineClock
  const attached = Store.attach(store, parts.thread, clock)
  attached.enter()
  process.on('uncaughtExceptionMonitor', () => {
    // at once: the main thread may be waiting for a lock that this one takes with it, and would not hear of its end
    attached.fail()
    beginners.die()
  })
  return new Engine({
    ...parts, clock, debugClock, outside,
    store: attached,
    settings: live,
    slots: new Slots(places, options.maxconns),
    listeners: listeners ?? new Listeners(options, new Balance(shares, parts.thread, sharesPorts(options))),
    prefixes: new Prefixes(prefixes, options.prefixDelimiter),
  })
}

async function perform(serving: Serving, message: NumberedTask, tell: Tell): Promise<void> {
  const { task } = message
  try {
    tell({ tell: 'done', task, ...await carryOut(serving, message) })
  } catch (error) {
    if (!(error instanceof MemslabError)) throw error
    tell({ tell: 'done', task, problem: { code: error.code, message: error.message } })
  }
}

async function carryOut({ thread, beginners }: Serving, task: Task): Promise<Partial<Done>> {
  switch (task.do) {
    case 'open':
      await thread.open()
      await untilPolled()
      return { opened: thread.opened }
    case 'follow':
      await beginners.begin(async () => {
        await thread.follow(task.opened)
        await untilPolled()
      })
      thread.joinOthers()
      return {}
    case 'drop':
      return { mustStay: thread.drop() }
    case 'close':
      await thread.close()
      thread.store.leave()
      return {}
  }
}

/**
 * Until the event loop has told the kernel of what has been opened. If another thread closed a descriptor before that,
 * the loop could not, and would abort the process. It does so when it waits for events, which is before the second turn.
 */
async function untilPolled(): Promise<void> {
  await turn()
  await turn()
}

function take(thread: Engine, notice: Notice): void {
  switch (notice.do) {
    case 'admit': return thread.admitWaiting()
    case 'make room': return thread.makeRoom()
    case 'use certificates': return thread.useCertificates(notice.certificates)
    case 'use users': return thread.useUsers(notice.users)
    case 'use quick way': return useQuickWay(notice.quickWay)
    default: throw new InvariantError(`a worker is told what it does not know: ${JSON.stringify(notice)}`)
  }
}
