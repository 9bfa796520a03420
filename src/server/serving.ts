// A worker, once it is loaded: a thread that serves clients, over memory that it shares with the other threads. It carries out
// the tasks of the main thread until that terminates it. An uncaught error ends the worker, and then the server.
import { type MessagePort } from 'node:worker_threads'
import { clockOf, GuardedClock, MovableClock } from '../clock.js'
import { Epitaph } from './epitaph.js'
import { MemslabError } from '../errors.js'
import { Settings } from './settings.js'
import { Beginners, sharesPorts } from '../net/descriptor.js'
import { useQuickWay } from '../net/direct.js'
import { Listeners } from '../net/listeners.js'
import { Slots } from '../net/slots.js'
import { type Tap } from '../net/tap.js'
import { Balance } from '../net/balance.js'
import { Cluster } from '../protocol/cluster.js'
import { type Host } from '../protocol/host.js'
import { Insight } from '../insight/insight.js'
import { Prefixes } from '../stats/prefixes.js'
import { Store } from '../store/store.js'
import { Engine } from './engine.js'
import {
  type Done, type FromWorker, type NumberedTask, type TapData, type Task, type ToWorker, type WorkerParts,
} from './messages.js'
import { postedSignals, raise, type Signals } from './signals.js'
import { TestClock } from './testclock.js'
import { turn } from '../timers.js'

type Post = (message: FromWorker) => void

/** The state of a worker once it has received its parts. */
interface Serving { readonly number: number; readonly thread: Engine; readonly beginners: Beginners }

/** Handles the messages of the main thread. @param listeners the open listeners, in the worker that listens before it loads */
export function beginServing(port: MessagePort, listeners: Listeners | undefined): void {
  const post: Post = message => port.postMessage(message)
  let serving: Serving | undefined
  post({ life: 'loaded' })
  port.on('message', (message: WorkerParts | ToWorker) => {
    // the first message has the worker's parts
    if (serving === undefined) {
      serving = serve(message as WorkerParts, listeners, post)
      post({ life: 'ready' })
    } else if ('signal' in message) raise(message, serving.thread.reactions)
    else void perform(serving, message as NumberedTask, post)
  })
}

function serve(parts: WorkerParts, listeners: Listeners | undefined, post: Post): Serving {
  const beginners = new Beginners(parts.beginners)
  const thread = makeThread(parts, listeners, beginners, post)
  thread.startTimers()
  return { number: parts.thread, thread, beginners }
}

function makeThread(parts: WorkerParts, listeners: Listeners | undefined, beginners: Beginners, post: Post): Engine {
  const { options, store, prefixes, time } = parts
  const settings = new Settings(parts.settings)
  const epitaph = new Epitaph(parts.epitaph)
  // first of all, before another thread can notice the death
  process.on('uncaughtExceptionMonitor', error => epitaph.write(parts.thread, error))
  const signals: Signals = {
    ...postedSignals(post),
    log: value => { if (settings.mayPostLine()) post({ signal: 'log', value }) },
    failed: error => {
      // at once, as a caller may catch the error and go on for a while
      epitaph.write(parts.thread, error)
      attached.fail()
      throw error
    },
  }
  const machineClock = new GuardedClock(clockOf(time), signals.failed)
  const testClock = parts.testClock && new TestClock(machineClock, parts.testClock)
  const debugClock = parts.debugClock && new MovableClock(testClock ?? machineClock, parts.debugClock)
  const clock = debugClock ?? testClock ?? machineClock
  const attached = Store.attach(store, parts.thread, clock)
  attached.enter()
  process.on('uncaughtExceptionMonitor', () => {
    // at once: if the main thread is waiting for a lock that this thread holds, it cannot see this thread end
    attached.fail()
    beginners.die()
  })
  const insight = new Insight(parts.insight, options, attached)
  insight.sizing.whenHalfFull = signals.accessesNoted
  return new Engine({
    ...parts, clock, debugClock, testClock, signals, settings,
    store: attached,
    slots: new Slots(parts.slots, options.maxconns, attached.lives),
    cluster: parts.cluster && new Cluster(parts.cluster, attached.lives),
    listeners: listeners ?? new Listeners(options, new Balance(parts.balance, parts.thread, sharesPorts(options)),
      () => post({ life: 'crowded' })),
    prefixes: new Prefixes(prefixes, options.prefixDelimiter, attached.context.hash, attached.lives),
    insight,
    makeTap: parts.tap && tapOf(parts.tap),
  })
}

/** Loads the tap of a server that is under a test's control. No other server loads that code, so it is not in the bundle. */
function tapOf(data: TapData): (host: Host) => Tap {
  const { makeTap } = require(data.module) as { makeTap: (data: TapData, host: Host) => Tap }
  return host => makeTap(data, host)
}

async function perform(serving: Serving, message: NumberedTask, post: Post): Promise<void> {
  const { task } = message
  try {
    post({ task, ...await carryOut(serving, message) })
  } catch (error) {
    if (!(error instanceof MemslabError)) throw error
    post({ task, problem: { code: error.code, message: error.message } })
  }
}

async function carryOut({ number, thread, beginners }: Serving, task: Task): Promise<Partial<Done>> {
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
    case 'invite': {
      const door = await thread.invite()
      return door === undefined ? {} : { door }
    }
    case 'join':
      await thread.comeIn(task.door, number)
      return {}
    case 'share':
      await thread.share(task.count)
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
 * Waits until the event loop has registered the opened descriptors with the kernel. If another thread closed one before that,
 * registering it would fail, and the loop would abort the process. The loop registers descriptors when it waits for events, which
 * is before the second turn.
 */
async function untilPolled(): Promise<void> {
  await turn()
  await turn()
}
