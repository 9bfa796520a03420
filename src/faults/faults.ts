// Faults as a test gives them: plain data, and functions that make it. Faults of the transport are toxiproxy's toxics, with its
// names, attributes and units; a toxic in the form of toxiproxy's API is one here, too. The others are faults of the protocol.

/** A duration: milliseconds, or a text such as '250ms', '2s' or '1h30m'. */
export type Duration = number | string

/** The direction of a toxic: 'upstream' is what the client sends, 'downstream', the default, what the server sends. */
export type Stream = 'upstream' | 'downstream'

/** The attributes of each toxic. */
export interface ToxicAttributes {
  /** Delays all bytes by `latency` ± `jitter` milliseconds. */
  readonly latency: { readonly latency: number, readonly jitter?: number }
  /** Lets at most `rate` kilobytes pass in a second. */
  readonly bandwidth: { readonly rate: number }
  /** Delays the end of the connection by `delay` milliseconds. */
  readonly slow_close: { readonly delay: number }
  /**
   * Drops all bytes, and closes the connection after `timeout` milliseconds. With 0, the default, the connection stays open until
   * the toxic is removed.
   */
  readonly timeout: { readonly timeout?: number }
  /** Resets the connection (TCP RST) `timeout` milliseconds, default 0, after the first bytes. */
  readonly reset_peer: { readonly timeout?: number }
  /** Cuts the bytes into pieces of `average_size` ± `size_variation`, and waits `delay` microseconds behind each. */
  readonly slicer: { readonly average_size: number, readonly size_variation?: number, readonly delay?: number }
  /** Closes the connection when it has let `bytes` pass. */
  readonly limit_data: { readonly bytes: number }
}

export type ToxicType = keyof ToxicAttributes

/** A toxic in the form of toxiproxy's API. */
export type Toxic = { readonly [Type in ToxicType]: ToxicOptions & ToxicOf<Type, ToxicAttributes[Type]> }[ToxicType]

/** Attributes that all have defaults may be left out. */
type ToxicOf<Type, Attributes> = { readonly type: Type } &
  (Partial<Attributes> extends Attributes ? { readonly attributes?: Attributes } : { readonly attributes: Attributes })

/** Settings that all toxics have. */
export interface ToxicOptions {
  /** The direction. Default 'downstream'. */
  readonly stream?: Stream
  /** The share of connections that get the toxic, 0 to 1. Default 1. */
  readonly toxicity?: number
  /** A name for the messages of a test. */
  readonly name?: string
}

/** The server is down: it refuses connections, and closes those that it has. */
export interface Down { readonly type: 'down' }

/** A fault of the protocol. */
export type ProtocolFault =
  /** The request is not carried out, and answered with this. */
  | { readonly type: 'reply', readonly answer: string | Uint8Array }
  /** The request is carried out, but its answer never comes. */
  | { readonly type: 'drop' }
  /** The request is answered as if there were no item. */
  | { readonly type: 'miss' }
  /** The item is evicted before the request is carried out. */
  | { readonly type: 'evict' }
  /** A value of the answer is cut in the middle, and the connection closed. */
  | { readonly type: 'tear' }
  /** The answer comes later by so many milliseconds, and those behind it on its connection wait. */
  | { readonly type: 'late', readonly delay: Duration }
  /** A new connection is closed at once, or gets memcached's `ERROR Too many open connections` before. */
  | { readonly type: 'refuse', readonly with?: 'close' | 'too many' }

export type Fault = Toxic | Down | ProtocolFault

export type FaultType = Fault['type']

/** A choice of requests. Of several fields, all must fit. */
export interface Match {
  /**
   * The command, or several: as the client wrote it in text (`get`, `gets`, `set` ...) and meta (`mg`, `ms` ...). Opcodes of the
   * binary protocol have the name of the text command, with or without the key, quiet or not.
   */
  readonly verb?: string | readonly string[]
  /** The key, a pattern of keys, or how keys begin. Of a get with several keys, one must fit. */
  readonly key?: string | RegExp | { readonly prefix: string }
  readonly protocol?: ProtocolOfCall
  /** The number of a connection, as `calls()` has it. */
  readonly connection?: number
}

export type ProtocolOfCall = 'text' | 'meta' | 'binary'

/** The requests that have a fault, or for toxics and `refuse` the connections; and how many of them. */
export interface FaultOptions extends Match {
  /** The number of requests, or connections, that have the fault; then it is used up. Default: all. */
  readonly times?: number
  /** True for `times: 1`. */
  readonly once?: boolean
  /** The fault begins with the n-th that fits, from 1; it ends with that one, too, unless `times` says more. */
  readonly nth?: number
  /** The share of those that fit, 0 to 1, by chance. Default 1. */
  readonly toxicity?: number
  /** The seed of everything that is left to chance. Default: that of the server, which is printed. */
  readonly seed?: number
}

/** A fault in force. */
export interface UsedFault {
  readonly fault: Fault
  readonly options: FaultOptions
  /** The seed of what it leaves to chance. */
  readonly seed: number
  /** The number of requests, or connections, that have had it. */
  readonly used: number
  /** True if it was to have a number of uses, and has not had all of them. */
  readonly isPending: boolean
  /** Resolves when the fault is in force. Only `down` takes a while; all others are at once. */
  readonly ready: Promise<void>
  /** Removes the fault. What a toxic holds goes on its way. Resolves when the server is as before. */
  remove(): Promise<void>
}

/** Options of `waitForCall`. */
export interface WaitOptions {
  /** Milliseconds, or a text such as '2s'. Default 5 seconds. */
  readonly timeout?: Duration
  /** The number of calls that must have come; the last of them is the result. Default 1. */
  readonly count?: number
}

// The functions that make faults

/** Delays all bytes by `latency` ± `jitter` milliseconds. */
export function latency(attributes: ToxicAttributes['latency'], options: ToxicOptions = {}): Toxic {
  return { type: 'latency', attributes, ...options }
}

/** Lets at most `rate` kilobytes pass in a second. */
export function bandwidth(attributes: ToxicAttributes['bandwidth'], options: ToxicOptions = {}): Toxic {
  return { type: 'bandwidth', attributes, ...options }
}

/** toxiproxy's slow_close: delays the end of the connection by `delay` milliseconds. */
export function slowClose(attributes: ToxicAttributes['slow_close'], options: ToxicOptions = {}): Toxic {
  return { type: 'slow_close', attributes, ...options }
}

/** Drops all bytes, and closes the connection after `timeout` milliseconds; with 0, when the toxic is removed. */
export function timeout(attributes: ToxicAttributes['timeout'] = {}, options: ToxicOptions = {}): Toxic {
  return { type: 'timeout', attributes, ...options }
}

/** toxiproxy's reset_peer: resets the connection (TCP RST) `timeout` milliseconds after the first bytes. */
export function resetPeer(attributes: ToxicAttributes['reset_peer'] = {}, options: ToxicOptions = {}): Toxic {
  return { type: 'reset_peer', attributes, ...options }
}

/** Cuts the bytes into pieces of `average_size` ± `size_variation` bytes, `delay` microseconds apart. */
export function slicer(attributes: ToxicAttributes['slicer'], options: ToxicOptions = {}): Toxic {
  return { type: 'slicer', attributes, ...options }
}

/** toxiproxy's limit_data: closes the connection when it has let `bytes` pass. */
export function limitData(attributes: ToxicAttributes['limit_data'], options: ToxicOptions = {}): Toxic {
  return { type: 'limit_data', attributes, ...options }
}

/** Stops the server, until the fault is removed: connections are refused, and those that there are closed. Its items stay. */
export function down(): Down { return { type: 'down' } }

/**
 * Answers a request with this line, without carrying it out: `reply('SERVER_ERROR out of memory storing object')`. The line end
 * is added. A binary request gets a packet with the status that stands for the line. Bytes are sent as they are.
 */
export function reply(answer: string | Uint8Array): ProtocolFault { return { type: 'reply', answer } }

/** Carries a request out, but never answers it. */
export function drop(): ProtocolFault { return { type: 'drop' } }

/** Answers a request as if the key were not there. Its item stays. */
export function miss(): ProtocolFault { return { type: 'miss' } }

/** Evicts the item of a request, before the request is carried out. */
export function evict(): ProtocolFault { return { type: 'evict' } }

/** Closes the connection in the middle of a value. An answer without a value stays whole, and does not count. */
export function tear(): ProtocolFault { return { type: 'tear' } }

/** Delays one answer, by milliseconds or a text such as '2s'. Other connections are not held up. */
export function late(delay: Duration): ProtocolFault { return { type: 'late', delay } }

/** Closes a new connection at once; with 'too many', after memcached's `ERROR Too many open connections`. */
export function refuse(how: 'close' | 'too many' = 'close'): ProtocolFault { return { type: 'refuse', with: how } }
