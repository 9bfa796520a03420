// Calls: the requests that a server was asked, as a test sees them, and how a test chooses among them.
import { type Match, type ProtocolOfCall } from './faults.js'

/** A request that was answered, or that will never be. */
export interface Call {
  /** The place among all requests of the server, from 1, in the order in which their first bytes were served. */
  readonly number: number
  /** The command: `get`, `set`, `mg` ... For an opcode, the text command of that name; `0x60` for one without a name. */
  readonly verb: string
  /** All keys, in their order. Keys that a meta command has in base64 are decoded. */
  readonly keys: readonly string[]
  /** The first key; undefined without keys. */
  readonly key: string | undefined
  /** The client flags of a request that stores; undefined for others. */
  readonly flags: number | undefined
  /** The expiration time as the client sent it; undefined without one. */
  readonly exptime: number | undefined
  /** The bytes of the value that came with the request; undefined without one. */
  readonly bytes: number | undefined
  readonly protocol: ProtocolOfCall
  /** The command line without its line end, at most 2,048 bytes of it; undefined in the binary protocol. */
  readonly line: string | undefined
  /** The opcode of a binary packet; undefined in the others. */
  readonly opcode: number | undefined
  /** True if the client wants to hear of errors at most: `noreply`, the meta flag q, a quiet opcode. */
  readonly isQuiet: boolean
  readonly connection: ConnectionOfCall
  /**
   * The answer as it was sent, without the last line end, at most 4,096 bytes of it. In the binary protocol, the values or error
   * texts of its packets, a line each. Empty if there was none.
   */
  readonly answer: string
  /** The length of the whole answer. */
  readonly answerBytes: number
  /** The status of the answer in the binary protocol, of the last packet if there are several; undefined without one. */
  readonly status: number | undefined
  /** The types of the protocol's faults that the request had. */
  readonly faults: readonly string[]
  /** Unix time in milliseconds at which the request was served, by the machine's clock and not by the test's. */
  readonly at: number
}

/** The connection of a call. */
export interface ConnectionOfCall {
  /** A number of its own, from 1, in the order in which the server accepted its connections. */
  readonly id: number
  /** The client's address and port; undefined for a Unix socket. */
  readonly address: string | undefined
}

/** The fields of a call that a match reads. */
export type Facts = Pick<Call, 'verb' | 'keys' | 'protocol'> & { readonly connection: Pick<ConnectionOfCall, 'id'> }

/** A match as threads post it. */
export interface Choice {
  readonly verbs: readonly string[] | undefined
  readonly key: string | RegExp | { readonly prefix: string } | undefined
  readonly protocol: ProtocolOfCall | undefined
  readonly connection: number | undefined
}

export function choiceOf({ verb, key, protocol, connection }: Match): Choice {
  const verbs = typeof verb === 'string' ? [verb] : verb
  // a pattern must not remember where it found something
  const pattern = key instanceof RegExp ? new RegExp(key.source, key.flags.replace(/[gy]/g, '')) : key
  return { verbs: verbs?.map(name => name.toLowerCase()), key: pattern, protocol, connection }
}

export function fits(choice: Choice, { verb, keys, protocol, connection }: Facts): boolean {
  return (choice.verbs === undefined || choice.verbs.includes(verb)) &&
    (choice.protocol === undefined || choice.protocol === protocol) &&
    (choice.connection === undefined || choice.connection === connection.id) &&
    (choice.key === undefined || keys.some(key => fitsKey(choice, key)))
}

/** True if a match is for this key, among others perhaps. */
export function fitsKey({ key: wanted }: Choice, key: string): boolean {
  if (wanted === undefined) return true
  if (typeof wanted === 'string') return wanted === key
  return wanted instanceof RegExp ? wanted.test(key) : key.startsWith(wanted.prefix)
}
