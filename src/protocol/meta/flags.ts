// All flags of the meta commands, a row each: how the argument is read, and what an answer shows for the flag. As in memcached
// any command may have any flag; one that it has no use for does nothing.
//
// A flag that changes what a command does is asked for by its letter, with `flags.has`, where the command is.
import { assert } from '../../errors.js'
import { type Uint64 } from '../../memory/numbers.js'
import { Found, type Request } from '../../store/request.js'
import { type ItemView } from '../../store/view.js'
import { META } from './answers.js'
import { type Returns } from './letters.js'
import { type MetaReply } from './reply.js'

/** The arguments of a line's flags, which MetaParser reads. A reader gets its argument as `[at, end)` of the line. */
export interface Arguments {
  readonly request: Request
  readonly returns: Returns
  /** The argument of a flag whose row has `value`; 0 if the flag is not there. */
  valueOf(flag: number): number
  readByte(at: number, end: number): number
  /** A number of 32 bits without sign. */
  readUint32(at: number, end: number): number
  /** An exptime, as store time. */
  readTime(at: number, end: number): number
  /** A number of 64 bits. @param error the answer if it is none */
  readUint64(at: number, end: number, into: Uint64, error?: Uint8Array): void
  /** The client's flags, a number of 32 bits without sign. */
  readClientFlags(at: number, end: number): number
  readOpaque(at: number, end: number): void
  /** Takes the key for base64. */
  decodeKey(): void
}

export interface FlagRow {
  readonly letter: string
  /** Reads the argument as a number, which `valueOf` then returns. Without `value` or `read` no argument is read. */
  readonly value?: (args: Arguments, at: number, end: number) => number
  /** Reads an argument that is no such number, or notes that the flag is there. */
  readonly read?: (args: Arguments, at: number, end: number) => void
  /** Shows the flag in the answer of mg with an item. */
  readonly item?: (reply: MetaReply, view: ItemView, flag: number, args: Arguments) => void
  /** Shows it in the answer of ma with a number. */
  readonly number?: (reply: MetaReply, flag: number, args: Arguments) => void
  /** Shows it in the answer of ms. */
  readonly stored?: (reply: MetaReply, returns: Returns, flag: number) => void
  /** Shows it in all other answers, and in those above for which the row has nothing of their own. */
  readonly always?: (reply: MetaReply, returns: Returns, flag: number) => void
  /** True of a flag that shows nothing itself, but whose place among those that do means something. */
  readonly isPlaced?: true
}

export const FLAGS: readonly FlagRow[] = [
  // the key, and how the command is answered
  { letter: 'b', read: args => args.decodeKey() },
  { letter: 'k', item: (reply, view) => reply.itemKey(view), always: (reply, returns) => reply.requestKey(returns) },
  { letter: 'O', read: (args, at, end) => args.readOpaque(at, end), always: (reply, returns) => reply.opaque(returns) },
  { letter: 'q', read: args => { args.returns.isQuiet = true } },

  // what is known of an item
  { letter: 'v' },
  { letter: 's', item: (reply, view, flag) => reply.number(flag, view.valueBytes),
    stored: (reply, _returns, flag) => reply.number(flag, reply.request.valueBytes) },
  { letter: 'f', item: (reply, view, flag) => reply.number(flag, view.flags) },
  { letter: 'c', item: (reply, view) => reply.cas(view.casHigh, view.casLow), number: reply => reply.casAfter(),
    stored: reply => reply.casAfter() },
  { letter: 't', item: reply => reply.timeToLive(), number: reply => reply.timeToLive() },
  { letter: 'l', item: (reply, view, flag) => reply.number(flag, view.age) },
  { letter: 'h', item: (reply, view, flag) => reply.number(flag, view.isFetched ? 1 : 0) },

  // when it ends: t shows what T and N say if they stand before it
  { letter: 'T', value: (args, at, end) => args.readTime(at, end),
    item: (reply, _view, flag, args) => { reply.end = args.valueOf(flag) },
    number: (reply, flag, args) => { reply.end = args.valueOf(flag) } },
  { letter: 'N', value: (args, at, end) => args.readTime(at, end),
    item: (reply, _view, flag, args) => showNewEnd(reply, flag, args), number: showNewEnd },
  { letter: 'R', value: (args, at, end) => args.readTime(at, end), isPlaced: true },

  // what is stored, or how it is changed
  { letter: 'F', value: (args, at, end) => args.readClientFlags(at, end) },
  { letter: 'C', read: (args, at, end) => args.readUint64(at, end, args.request.cas) },
  { letter: 'E', read: (args, at, end) => args.readUint64(at, end, args.request.newCas) },
  { letter: 'D', read: (args, at, end) => args.readUint64(at, end, args.request.number, META.badDelta) },
  { letter: 'J', read: (args, at, end) => args.readUint64(at, end, args.request.initial, META.badInitial) },
  { letter: 'M', value: (args, at, end) => args.readByte(at, end) },
  { letter: 'I' },
  { letter: 'u' },
  { letter: 'x' },

  // for proxies, which memcached ignores
  { letter: 'L' },
  { letter: 'P' },
]

function showNewEnd(reply: MetaReply, flag: number, args: Arguments): void {
  if ((reply.request.result & Found.Vivified) !== 0) reply.end = args.valueOf(flag)
}

/** True of a flag whose place in the line counts: an answer shows it, or it works there. */
export function isPlaced({ isPlaced, item, number, stored, always }: FlagRow): boolean {
  return isPlaced === true || (item ?? number ?? stored ?? always) !== undefined
}

/** The letter of a row as a byte. */
export function codeOf({ letter }: FlagRow): number { return letter.charCodeAt(0) }

/** A column of the rows, by letter. */
export function byLetter<Cell>(column: (row: FlagRow) => Cell | undefined): readonly (Cell | undefined)[] {
  const cells = new Array<Cell | undefined>(128).fill(undefined)
  for (const row of FLAGS) cells[codeOf(row)] = column(row)
  return cells
}

assert(new Set(FLAGS.map(codeOf)).size === FLAGS.length, 'two rows have the same letter')
