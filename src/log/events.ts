// The kinds of events: the words of `watch`, and for each event its kind and its line, as in protocol.txt ("Watchers") and in
// the recordings. Threads log an event as numbers and a text; its line is built only for a watcher that gets it.
import { encodeKey } from '../memory/uri.js'

/** The kinds of events, one bit each. */
export const enum Kind {
  RawCmds = 1 << 0,
  Evictions = 1 << 1,
  Fetchers = 1 << 2,
  Mutations = 1 << 3,
  SysEvents = 1 << 4,
  ConnEvents = 1 << 5,
  ProxyReqs = 1 << 6,
  ProxyEvents = 1 << 7,
  ProxyUser = 1 << 8,
  Deletions = 1 << 9,
  /** The number of kinds. */
  Count = 10,
}

/**
 * The arguments of `watch`. As in memcached, a client may cut one short, and the first that matches counts. As in memcached,
 * `rawcmds` has no events. The kinds of a proxy have none either, as there is no proxy.
 */
export const KIND_NAMES: readonly (readonly [name: string, kind: Kind])[] = [
  ['rawcmds', Kind.RawCmds],
  ['evictions', Kind.Evictions],
  ['fetchers', Kind.Fetchers],
  ['mutations', Kind.Mutations],
  ['sysevents', Kind.SysEvents],
  ['connevents', Kind.ConnEvents],
  ['proxyreqs', Kind.ProxyReqs],
  ['proxyevents', Kind.ProxyEvents],
  ['proxyuser', Kind.ProxyUser],
  ['deletions', Kind.Deletions],
]

export const enum Event {
  ItemGet, ItemStore, Eviction, Deleted, ConnNew, ConnClose, SlabMove,
  /** An item has left the store. Only the log of the listeners has it, so that it has no line. */
  Departed,
}

/** The kinds of events in the log of the listeners, one bit each. */
export const enum Leaving { Evicted = 1 << 0, Expired = 1 << 1, Deleted = 1 << 2 }

/** The result of a look-up. */
export const enum GetStatus { NotFound, Found, Flushed, Expired }

/** The result of a storage command. */
export const enum StoreStatus { NotStored, Stored, Exists, NotFound, TooLarge, NoMemory }

export const enum Transport { Local, Tcp }

export const enum CloseReason { Error, Normal, IdleTimeout }

/** The command that deleted an item. */
export const enum DeleteCommand { Delete, MetaDelete }

const GET_STATUSES = ['not_found', 'found', 'flushed', 'expired']
const STORE_STATUSES = ['not_stored', 'stored', 'exists', 'not_found', 'too_large', 'no_memory']
/** The names of the storage commands, in the order of the store's Mode. */
const STORE_COMMANDS = ['set', 'add', 'replace', 'append', 'prepend', 'cas']
const DELETE_COMMANDS = ['delete', 'md']
const TRANSPORTS = ['local', 'tcp']
const CLOSE_REASONS = ['error', 'normal', 'idle_timeout']

/** The most numbers that an event has. */
export const NUMBERS_MAX = 5

interface EventRow {
  readonly kind: Kind
  /** Set if its text is an address, which is written as it is. Otherwise its text is a key, which is encoded. */
  readonly hasAddress?: true
  /**
   * Builds its line, from `type=` on.
   * @param text its key, encoded, or its address; @param client the file descriptor of the client that caused it
   */
  readonly line: (numbers: Int32Array, text: string, client: number) => string
}

/** The rows, by Event. The numbers are in the order in which the method of Log takes them. */
const EVENT_ROWS: readonly EventRow[] = [
  { kind: Kind.Fetchers, line: ([status, slabClass, size], key, client) =>
    `type=item_get key=${key} status=${GET_STATUSES[status!]} clsid=${slabClass} cfd=${client} size=${size}` },
  { kind: Kind.Mutations, line: ([status, command, ttl, slabClass, size], key, client) =>
    `type=item_store key=${key} status=${STORE_STATUSES[status!]} cmd=${STORE_COMMANDS[command!]} ttl=${ttl} ` +
    `clsid=${slabClass} cfd=${client} size=${size}` },
  { kind: Kind.Evictions, line: ([isFetched, ttl, age, slabClass, size], key) =>
    `type=eviction key=${key} fetch=${isFetched === 0 ? 'no' : 'yes'} ttl=${ttl} la=${age} clsid=${slabClass} size=${size}` },
  { kind: Kind.Deletions, line: ([command, slabClass, size], key) =>
    `type=deleted key=${key} cmd=${DELETE_COMMANDS[command!]} clsid=${slabClass} size=${size}` },
  { kind: Kind.ConnEvents, hasAddress: true, line: ([transport, port], address, client) =>
    `type=conn_new rip=${address} rport=${port} transport=${TRANSPORTS[transport!]} cfd=${client}` },
  { kind: Kind.ConnEvents, hasAddress: true, line: ([transport, port, reason], address, client) =>
    `type=conn_close rip=${address} rport=${port} transport=${TRANSPORTS[transport!]} ` +
    `reason=${CLOSE_REASONS[reason!]} cfd=${client}` },
  { kind: Kind.SysEvents, line: ([from, to]) => `type=slab_move src=${from} dst=${to}` },
]

/** The kind of an event. */
export function kindOf(event: Event): Kind { return EVENT_ROWS[event]!.kind }

/** The line of an event, from `type=` on; its text is `[start, end)` of `bytes`. */
export function lineOf(event: Event, numbers: Int32Array, client: number, bytes: Uint8Array, start: number, end: number): string {
  const { hasAddress, line } = EVENT_ROWS[event]!
  const text = hasAddress ? Buffer.from(bytes.subarray(start, end)).toString('latin1') : encodeKey(bytes, start, end)
  return line(numbers, text, client)
}
