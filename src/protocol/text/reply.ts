// The words of the text protocol: one table from Outcome to bytes, the errors, and the VALUE block.
import { Ascii } from '../../memory/ascii.js'
import { writeNumber, writeUint64 } from '../../memory/numbers.js'
import { Outcome } from '../../store/outcome.js'
import { type Request } from '../../store/request.js'
import { type ItemView } from '../../store/view.js'
import { Copy, type Output } from '../output.js'
import { line, ANSWERS } from '../answers.js'

const OUTCOMES: Record<Outcome, Uint8Array> = {
  [Outcome.Stored]: line('STORED'),
  [Outcome.NotStored]: line('NOT_STORED'),
  [Outcome.Exists]: line('EXISTS'),
  [Outcome.NotFound]: line('NOT_FOUND'),
  [Outcome.Deleted]: line('DELETED'),
  [Outcome.Touched]: line('TOUCHED'),
  [Outcome.Number]: line(''),
  [Outcome.NonNumeric]: ANSWERS.nonNumeric,
  [Outcome.TooLarge]: ANSWERS.tooLarge,
  [Outcome.NoMemory]: ANSWERS.noMemoryStoring,
}
const BY_OUTCOME = Object.values(OUTCOMES)

export const TEXT = {
  ...ANSWERS,
  ok: line('OK'),
  end: line('END'),
  error: line('ERROR'),
  reset: line('RESET'),
  badLine: line('CLIENT_ERROR bad command line'),
  badDelta: line('CLIENT_ERROR invalid numeric delta argument'),
  badExptime: line('CLIENT_ERROR invalid exptime argument'),
  badShutdownMode: line('CLIENT_ERROR invalid shutdown mode'),
  flushNotAllowed: line('CLIENT_ERROR flush_all not allowed'),
  delayNotAllowed: line('CLIENT_ERROR delayed flush_all not allowed'),
  lineTooLong: line('CLIENT_ERROR line too long'),
  detailNotAllowed: line('CLIENT_ERROR stats detail not allowed'),
  crawlerBusy: line('BUSY currently processing crawler request'),
  dumpNotAllowed: line('CLIENT_ERROR stats cachedump not allowed'),
  watchNotAllowed: line('CLIENT_ERROR watch commands not allowed'),
  watchPipelined: line('ERROR cannot pipeline other commands before watch'),
  tooManyWatchers: line('WATCHER_TOO_MANY log watcher limit reached'),
  detailUsage: line('CLIENT_ERROR usage: stats detail on|off|dump'),
  shutdownDisabled: line('SERVER_ERROR: shutdown not enabled'),
  noMemoryWriting: line('SERVER_ERROR out of memory writing get response'),
  percentsTooLarge: line('ERROR hot and warm pcts must not exceed 80'),
  factorsTooSmall: line('ERROR hot/warm age factors must be greater than 0'),
  moveDisabled: line('CLIENT_ERROR slab reassignment disabled'),
  moveBusy: line('BUSY currently processing reassign request'),
  moveSame: line('SAME src and dst class are identical'),
  moveBadClass: line('BADCLASS invalid src or dst class id'),
  moveNoSpare: line('NOSPARE source class has no spare pages'),
  moveUnsafe: line('UNSAFE source class cannot move a page right now'),
  windowTooSmall: line('CLIENT_ERROR automove_window must be > 2'),
  limitTooSmall: line('MEMLIMIT_TOO_SMALL cannot set maxbytes to less than 8m'),
  limitNotMegabytes: line('MEMLIMIT_ADJUST_FAILED input value is megabytes not bytes'),
  limitOutOfBounds: line('MEMLIMIT_ADJUST_FAILED out of bounds or unable to adjust'),
} as const

/** A VALUE line without its value: the word, a key, three numbers, and the line ends around. */
const HEADER_MAX = 320

/** `VALUE ` as two words, of which the second is overwritten in part by the key that follows. */
const enum Value { Word0 = 0x56414c55, Word1 = 0x45200000, Bytes = 6 }

/** `END\r` as a word, and the bytes of the line. */
const enum End { Word = 0x454e440d, Bytes = 5 }

export class TextReply {
  constructor(private readonly output: Output) {}

  line(bytes: Uint8Array): void {
    this.output.ensure(bytes.length)
    this.output.copy(bytes, 0, bytes.length)
  }

  /** `END`, which most gets end with, in two writes. */
  end(): void {
    const { output } = this
    output.ensure(End.Bytes)
    output.memory.writeUint32(output.at, End.Word)
    output.bytes[output.at + 4] = Ascii.LineEnd
    output.at += End.Bytes
  }

  outcome(outcome: Outcome): void { this.line(BY_OUTCOME[outcome]!) }

  bytesOf(outcome: Outcome): Uint8Array { return BY_OUTCOME[outcome]! }

  number(request: Request): void {
    const { digits } = request
    this.output.ensure(digits.count + 2)
    this.output.copy(digits.bytes, 0, digits.count)
    this.output.lineEnd()
  }

  get hasRoomForValue(): boolean { return this.output.hasRoom(HEADER_MAX + Copy.RoomBytes) }

  /** Makes room for the block of an item, so that nothing is written while the item is locked. */
  ensureValue(): void { this.output.ensure(HEADER_MAX + Copy.RoomBytes) }

  /** The line before a value. */
  header(view: ItemView, request: Request, withCas: boolean): void {
    const { output } = this
    const { bytes, memory } = output
    const keyBytes = request.keyEnd - request.keyStart
    let at = output.at
    memory.writeUint32(at, Value.Word0)
    memory.writeUint32(at + 4, Value.Word1)
    at += Value.Bytes
    memory.copyFrom(request.bytes, request.keyStart, at, keyBytes)
    at += keyBytes
    bytes[at] = Ascii.Space
    at = writeNumber(bytes, at + 1, view.flags)
    bytes[at] = Ascii.Space
    at = writeNumber(bytes, at + 1, view.valueBytes)
    if (withCas) {
      bytes[at] = Ascii.Space
      at = writeUint64(bytes, at + 1, view.casHigh, view.casLow)
    }
    output.at = at
    output.lineEnd()
  }
}
