// The signals of a server: events in one part of it, in any thread, that other parts act on while they serve. The two tables
// below list all signals. A signal has the same name in the code that raises it, in messages between threads and in the code that
// acts on it.
//
// Code raises a signal on the Signals of its thread (`host.signals`). In the first thread these are the server's own (core.ts).
// In a worker they post the signal to the first thread (serving.ts), which acts on it or passes it to the other threads. A leaf:
// any file may import it.
import { InvariantError } from '../errors.js'
import { type Certificates } from '../secrets/certificates.js'
import { type Users } from '../secrets/credentials.js'

/** The signals that the first thread acts on, and their values. */
interface ServerValues {
  /** A line for the person who started the server. */
  log: string
  /** A client has sent `shutdown`; the value is true for a graceful one. */
  shutdown: boolean
  /** `lru_crawler crawl` has begun a run, which the background work carries out. */
  crawlBegun: void
  /** `slabs reassign` has asked for a page to move. */
  moveAsked: void
  /** A thread has noted many accesses for `stats sizing`. */
  accessesNoted: void
  /** Something was thrown that only a bug can throw. Memory may be half written, so all threads stop. */
  failed: unknown
}

/** The signals that every other thread acts on, and their values. */
interface ThreadValues {
  /** A connection has ended while a socket in another thread waits for its slot. */
  slotFreed: void
  /** Unfinished requests take more memory than they may, and the thread that found this uses no more than its share. */
  memoryShort: void
  /** A thread has read the certificates again; new connections use these. */
  certificatesRead: Certificates
  /** The first thread has read the file of users again. */
  usersRead: Users
  /** A test has moved its clock, so repeated tasks may have become due. */
  clockMoved: void
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

/** The threads that act on each signal: the first one, or each. */
const ACTING: Readonly<Record<SignalName, 'first' | 'each'>> = {
  log: 'first',
  shutdown: 'first',
  crawlBegun: 'first',
  moveAsked: 'first',
  accessesNoted: 'first',
  failed: 'first',
  slotFreed: 'each',
  memoryShort: 'each',
  certificatesRead: 'each',
  usersRead: 'each',
  clockMoved: 'each',
}

/** Makes Signals that post each signal when it is raised. */
export function postedSignals(post: (message: SignalMessage) => void): Signals {
  const names = Object.keys(ACTING) as SignalName[]
  return Object.fromEntries(names.map(name => [name, (value: never) => post({ signal: name, value })])) as unknown as Signals
}

/** True if each thread acts on a signal, and not only the first one. */
export function isForEachThread(message: SignalMessage): message is ThreadSignalMessage {
  return ACTING[message.signal] === 'each'
}

/** Raises a signal that another thread has posted. @throws InvariantError for one that is not in the tables */
export function raise<Name extends SignalName>({ signal, value }: Posted<Name>, signals: Taking<Name>): void {
  if (!(signal in ACTING)) throw new InvariantError(`no such signal: ${signal}`)
  signals[signal](value)
}
