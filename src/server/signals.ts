// The signals of a server: what one part of it, in any thread, lets the others know while they serve. The two tables below are
// all there are. A signal has one name, in the code that raises it, on its way between threads and in the code that acts on it.
//
// Code raises a signal on the Signals of its thread (`host.signals`). In the first thread these are the server's own
// (core.ts); in a worker they post the signal to the first thread (serving.ts), which acts on it or passes it to the others. So
// a signal has three hands at most on each side: who raises it, the thread's Signals, who acts on it. A leaf: anyone may import
// it.
import { InvariantError } from '../errors.js'
import { type Certificates } from '../secrets/certificates.js'
import { type Users } from '../secrets/credentials.js'

/** The signals that the first thread acts on, and what comes with each. */
interface ServerValues {
  /** A line for the person who started the server. */
  log: string
  /** A client has sent `shutdown`; the value is true for a graceful one. */
  shutdown: boolean
  /** `lru_crawler crawl` has begun a run, which is to be carried out. */
  crawlBegun: void
  /** `slabs reassign` has asked for a page to move. */
  moveAsked: void
  /** Something was thrown that only a bug can throw. Memory may be half written, so all threads stop. */
  failed: unknown
}

/** The signals that every other thread acts on, and what comes with each. */
interface ThreadValues {
  /** A connection has ended while a socket in another thread waits for its slot. */
  slotFreed: void
  /** Unfinished requests take more memory than they may, and the thread that found that has no more than its share. */
  memoryShort: void
  /** A thread has read the certificates again; new connections use these. */
  certificatesRead: Certificates
  /** The first thread has read the file of users again. */
  usersRead: Users
}

type Values = ServerValues & ThreadValues
type SignalName = keyof Values

/** Functions that take signals of these names. */
type Taking<Name extends SignalName> = { readonly [Each in Name]: (value: Values[Each]) => void }

export type ServerSignals = Taking<keyof ServerValues>
export type ThreadSignals = Taking<keyof ThreadValues>
export type Signals = ServerSignals & ThreadSignals

/** Signals of these names as threads post them to each other. */
type Posted<Name extends SignalName> = { [Each in Name]: { readonly signal: Each, readonly value: Values[Each] } }[Name]

export type SignalMessage = Posted<SignalName>
export type ThreadSignalMessage = Posted<keyof ThreadValues>

/** By signal, the threads that act on it: the first one, or each. */
const ACTING: Readonly<Record<SignalName, 'first' | 'each'>> = {
  log: 'first',
  shutdown: 'first',
  crawlBegun: 'first',
  moveAsked: 'first',
  failed: 'first',
  slotFreed: 'each',
  memoryShort: 'each',
  certificatesRead: 'each',
  usersRead: 'each',
}

/** Signals that are posted when they are raised. */
export function postedSignals(post: (message: SignalMessage) => void): Signals {
  const names = Object.keys(ACTING) as SignalName[]
  return Object.fromEntries(names.map(name => [name, (value: never) => post({ signal: name, value })])) as unknown as Signals
}

/** Tells whether each thread acts on a signal, rather than the first one alone. */
export function isForEachThread(message: SignalMessage): message is ThreadSignalMessage { return ACTING[message.signal] === 'each' }

/** Raises a signal that another thread has posted. @throws InvariantError for one that is not in the tables */
export function raise<Name extends SignalName>({ signal, value }: Posted<Name>, signals: Taking<Name>): void {
  if (!(signal in ACTING)) throw new InvariantError(`no such signal: ${signal}`)
  signals[signal](value)
}
