// A worker, once it is loaded: a thread that serves, beside others, over the memory that it is given. It does what the main
// thread tells it, and lives until that ends it. Whatever is thrown here and not caught ends it too, and then the server.
import { setImmediate as turn } from 'node:timers/promises'
import { type MessagePort } from 'node:worker_threads'
import { clockOf, GuardedClock, MovableClock } from '../clock.js'
import { Epitaph } from './epitaph.js'
import { MemslabError } from '../errors.js'
import { Settings } from './settings.js'
import { Beginners, sharesPorts } from '../net/descriptor.js'
import { useQuickWay } from '../net/handle.js'
import { Listeners } from '../net/listeners.js'
import { Slots } from '../net/slots.js'
import { Balance } from '../net/balance.js'
import { Prefixes } from '../stats/prefixes.js'
import { Store } from '../store/store.js'
import { Engine } from './engine.js'
import { type Done, type FromWorker, type NumberedTask, type Task, type ToWorker, type WorkerParts } from './messages.js'
import { postedSignals, raise, type Signals } from './signals.js'

type Tell = (message: FromWorker) => void

/** What a worker goes by from the moment that it knows what it is to serve. */
interface Serving { readonly thread: Engine; readonly beginners: Beginners }

/** @param listeners those that are open already, in the worker that was told to */
export function beginServing(port: MessagePort, listeners: Listeners | undefined): void {
  const tell: Tell = message => port.postMessage(message)
  let serving: Serving | undefined
  port.on('message', (message: WorkerParts | ToWorker) => {
    // the first thing it hears is what it is to serve
    if (serving === undefined) {
      serving = serve(message as WorkerParts, listeners, tell)
      tell({ life: 'ready' })
    } else if ('signal' in message) raise(message, serving.thread.reactions)
    else void perform(serving, message as NumberedTask, tell)
  })
}

function serve(parts: WorkerParts, listeners: Listeners | undefined, tell: Tell): Serving {
  const beginners = new Beginners(parts.beginners)
  const thread = makeThread(parts, listeners, beginners, tell)
  thread.startTimers()
  return { thread, beginners }
}

function makeThread(parts: WorkerParts, listeners: Listeners | undefined, beginners: Beginners, tell: Tell): Engine {
  const { options, store, prefixes, time } = parts
  const settings = new Settings(parts.settings)
  const epitaph = new Epitaph(parts.epitaph)
  // at once, and before anybody can notice
  process.on('uncaughtExceptionMonitor', error => epitaph.write(parts.thread, error))
  const signals: Signals = {
    ...postedSignals(tell),
    log: value => { if (settings.mayTellLine()) tell({ signal: 'log', value }) },
    failed: error => {
      // at once, also where what follows takes its time
      epitaph.write(parts.thread, error)
      attached.fail()
      throw error
    },
  }
  const machineClock = new GuardedClock(clockOf(time), signals.failed)
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
    ...parts, clock, debugClock, signals, settings,
    store: attached,
    slots: new Slots(parts.slots, options.maxconns, attached.lives),
    listeners: listeners ?? new Listeners(options, new Balance(parts.balance, parts.thread, sharesPorts(options))),
    prefixes: new Prefixes(prefixes, options.prefixDelimiter, attached.context.hash, attached.lives),
  })
}

async function perform(serving: Serving, message: NumberedTask, tell: Tell): Promise<void> {
  const { task } = message
  try {
    tell({ task, ...await carryOut(serving, message) })
  } catch (error) {
    if (!(error instanceof MemslabError)) throw error
    tell({ task, problem: { code: error.code, message: error.message } })
  }
}

async function carryOut({ thread, beginners }: Serving, task: Task): Promise<Partial<Done>> {
  switch (task.do) {
    case 'open':
      useQuickWay(task.quickWay)
      await thread.open()
      await untilPolled()
      return { opened: thread.opened }
    case 'follow':
      useQuickWay(task.quickWay)
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
