// Makes the CacheThread of a thread: for a cache of its own, for that of a server, and for the cache of another thread.
import { clockOf, GuardedClock, mirror, MirroredClock, MovableClock, SystemClock, type Clock, type SharedTime } from '../clock.js'
import { MemslabError } from '../errors.js'
import { Background } from '../store/background.js'
import { Store } from '../store/store.js'
import { packageVersion } from '../version.js'
import { readHandle, type HandleParts } from './handle.js'
import { type CacheHandle } from './interface.js'
import { CacheMemory, State } from './memory.js'
import { type CompleteCacheOptions } from './options.js'
import { Room } from './room.js'
import { CacheThread } from './thread.js'

/** The time between two looks at the clock, and for threads that have ended, while nothing else happens. */
const LOOK_MS = 1000

/** Makes a cache, whose first thread is this one. */
export function makeThread({ options, attachable, clock: given }: CompleteCacheOptions): CacheThread {
  const own = new SystemClock()
  const clock: Clock = new GuardedClock(given ?? own, error => { thread.failure(error) })
  const shared = attachable > 0
  const threads = { shared, threads: 1 + attachable, places: attachable }
  const store = new Store({ ...options, ...threads, ioBytes: Room.Bytes }, clock)
  const memory = allocateMemory(shared, store)
  const background = new Background(store, clock)
  const time = new PassedTime(own, given === undefined ? undefined : clock)
  const thread = new CacheThread({
    store, clock, memory, ioStart: store.ioStart,
    makeHandle: () => handleOf({ store, time, debugClock: undefined, ioOffset: 0 }, memory),
    mayLeave: true,
    closed: () => {
      memory.close()
      background.stop()
      time.stop()
      stopLooking()
    },
  })
  store.enter()
  background.start()
  const stopLooking = clock.every(LOOK_MS, () => look(thread))
  return thread
}

/** The time that other threads get with a handle: that of the machine, or a copy of the time of a program's clock. */
class PassedTime {
  private stopMirror: (() => void) | undefined
  private made: SharedTime | undefined

  /** @param given the clock of the program, if it has one */
  constructor(private readonly own: SystemClock, private readonly given: Clock | undefined) {}

  get shared(): SharedTime { return this.made ??= this.make() }

  private make(): SharedTime {
    const { given } = this
    if (given === undefined) return this.own.origin
    const times = new SharedArrayBuffer(MirroredClock.BYTES)
    this.stopMirror = mirror(given, times)
    return times
  }

  /** Copies the time no more. */
  stop(): void { this.stopMirror?.() }
}

/** What a cache does once a second in the thread that made it. */
function look(thread: CacheThread): void {
  thread.tick()
  if ((thread.store.options.places ?? 0) > 0) thread.takeBack()
}

function allocateMemory(shared: boolean, { lives }: Store): CacheMemory {
  return new CacheMemory(shared ? new SharedArrayBuffer(CacheMemory.BYTES) : new ArrayBuffer(CacheMemory.BYTES), lives)
}

/** The parts of a cache that a handle is made from. */
interface Attachable {
  readonly store: Store
  readonly time: PassedTime
  readonly debugClock: ArrayBuffer | SharedArrayBuffer | undefined
  /** The bytes of a thread's buffers that come before those of its cache. */
  readonly ioOffset: number
}

function handleOf({ store, time, debugClock, ioOffset }: Attachable, { memory }: CacheMemory): HandleParts {
  if (!(memory instanceof SharedArrayBuffer)) {
    throw new MemslabError('ENOPLACE', 'the cache was made without places for other threads, see attachable')
  }
  const sharedClock = debugClock instanceof SharedArrayBuffer ? debugClock : undefined
  return { memslab: packageVersion(), store: store.share(), memory, time: time.shared, debugClock: sharedClock, ioOffset }
}

/** The parts of a server that its cache is made from. */
export interface ServersParts extends Omit<Attachable, 'time'> {
  readonly clock: Clock
  readonly ownClock: SystemClock
  /** The clock of the program, guarded, if it has one. */
  readonly givenClock: Clock | undefined
  /** Called if memory cannot be trusted any more. */
  readonly died: (error: unknown) => void
}

/** Makes the cache of a server, in the thread that made the server. The server closes it when it closes itself. */
export function makeServersThread(parts: ServersParts): CacheThread {
  const { store, clock, ownClock, givenClock, ioOffset, died } = parts
  const time = new PassedTime(ownClock, givenClock)
  const hasPlaces = (store.options.places ?? 0) > 0
  const memory = allocateMemory(hasPlaces, store)
  const thread = new CacheThread({
    store, clock, memory, ioStart: store.ioStart + ioOffset,
    makeHandle: () => handleOf({ ...parts, time }, memory),
    mayLeave: false,
    closed: cause => {
      memory.close()
      time.stop()
      stopLooking()
      if (cause !== undefined) died(cause)
    },
  })
  const stopLooking = clock.every(LOOK_MS, () => look(thread))
  return thread
}

/** Attaches this thread to a cache. */
export function attachThread(handle: CacheHandle): CacheThread {
  const { store: shared, memory: sharedMemory, time, debugClock, ioOffset } = readHandle(handle)
  const state = CacheMemory.stateOf(sharedMemory)
  if (state === State.Died) throw new MemslabError('EDIED', 'a thread has died while it changed the cache, which is closed')
  if (state === State.Closed) throw new MemslabError('ECLOSED', 'the cache is closed')
  const place = Store.takePlace(shared)
  if (place === undefined) {
    throw new MemslabError('ENOPLACE', `all ${shared.options.places} places of the cache are taken by other threads`)
  }
  const machineClock: Clock = new GuardedClock(clockOf(time), error => { thread.failure(error) })
  const clock = debugClock === undefined ? machineClock : new MovableClock(machineClock, debugClock)
  const store = Store.attach(shared, place, clock)
  const thread = new CacheThread({
    store, clock, ioStart: store.ioStart + ioOffset, mayLeave: true,
    memory: new CacheMemory(sharedMemory, store.lives),
    makeHandle: () => handle as HandleParts,
    closed: () => stop(),
  })
  const stop = clock.every(LOOK_MS, () => thread.tick())
  return thread
}
