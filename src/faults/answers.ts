// The answers of a connection: which bytes that its session writes answer which request. A session gathers the answers of a batch
// and writes them at once, and what it writes may begin or end in the middle of one. So each answer is known by its position in
// all that the session ever writes. When its bytes pass, the answer is kept for its call, and has its fate.
import { type Call } from './calls.js'
import { HEADER_BYTES, textOf } from './requests.js'

/** The most bytes of an answer that its call keeps. */
const KEPT_BYTES_MAX = 4096

/** What becomes of an answer on its way to the client. */
export interface Fate {
  readonly isDropped: boolean
  /** Milliseconds by which it is late. */
  readonly lateMs: number
  /** Finds where it is torn; undefined if it stays whole. */
  readonly tear: Tear | undefined
}

/** Finds the place where an answer is torn. */
export interface Tear {
  /** Takes the next bytes of the answer. Returns the number of them that still go out, or -1 as long as that is all of them. */
  take(bytes: Uint8Array): number
}

/** A call without what is known only when it is answered. */
export type OpenCall = Omit<Call, 'answer' | 'answerBytes' | 'status'>

/** An answer that the session has begun. */
interface Answer {
  readonly call: OpenCall
  readonly fate: Fate | undefined
  start: number
  /** Infinity until the session has gathered all of it. */
  end: number
  hasBegun: boolean
  isTorn: boolean
  readonly kept: Buffer[]
  keptBytes: number
  sentBytes: number
}

/** Bytes of answers that go on, late by some milliseconds; the last of them if the connection is to end then. */
export interface Shaped { readonly bytes: Uint8Array, readonly lateMs: number, readonly isLast: boolean }

export class Answers {
  private readonly all: Answer[] = []
  private isTorn = false
  /** The bytes that the session has written. */
  written = 0

  /** @param answered called for each call when the last byte of its answer passes, in their order */
  constructor(private readonly answered: (call: Call) => void) {}

  /** Begins the answer to a request at a position, where the one before has ended. */
  begin(call: OpenCall, fate: Fate | undefined, position: number): void {
    this.all.push({
      call, fate, start: position, end: Infinity, hasBegun: false, isTorn: false, kept: [], keptBytes: 0, sentBytes: 0,
    })
  }

  /** Notes that all that was begun is answered up to this position. What the session has discarded since is no answer. */
  close(position: number): void {
    // from the last one on, as a batch may have thousands, and those before have ended
    for (let index = this.all.length - 1; index >= 0 && this.all[index]!.end > position; index--) {
      const answer = this.all[index]!
      answer.start = Math.min(answer.start, position)
      answer.end = position
    }
    this.finish()
  }

  /** True if bytes pass as they are. */
  get isPlain(): boolean { return !this.isTorn && this.all.every(({ fate }) => fate === undefined) }

  /** Notes bytes that pass as they are. */
  pass(bytes: Uint8Array): void { this.split(bytes, (answer, part) => { if (answer !== undefined) keep(answer, part) }) }

  /** Notes bytes, and returns what goes on of them, as the fates of their answers allow. */
  shape(bytes: Uint8Array): Shaped[] {
    const shaped: Shaped[] = []
    this.split(bytes, (answer, part) => {
      if (!this.isTorn) shaped.push(...this.shapePart(answer, part))
    })
    return shaped
  }

  private shapePart(answer: Answer | undefined, part: Uint8Array): Shaped[] {
    const fate = answer?.fate
    if (fate?.isDropped === true) return []
    const torn = fate?.tear?.take(part) ?? -1
    const bytes = torn < 0 ? part : part.subarray(0, torn)
    const lateMs = answer?.hasBegun === false && fate !== undefined ? fate.lateMs : 0
    if (answer !== undefined) {
      answer.hasBegun = true
      answer.isTorn = this.isTorn = torn >= 0
      keep(answer, bytes)
    }
    return [{ bytes, lateMs, isLast: torn >= 0 }]
  }

  /** Ends all answers, as the connection is closed. */
  end(): void { this.close(this.written) }

  private split(bytes: Uint8Array, take: (answer: Answer | undefined, part: Uint8Array) => void): void {
    const end = this.written + bytes.length
    let index = 0
    for (let at = this.written; at < end;) {
      while (index < this.all.length && this.all[index]!.end <= at) index++
      const answer = this.all[index]
      const isBefore = answer === undefined || answer.start > at
      const stop = Math.min(answer === undefined ? end : isBefore ? answer.start : answer.end, end)
      const part = bytes.subarray(at - this.written, stop - this.written)
      take(isBefore ? undefined : answer, part)
      at = stop
    }
    this.written = end
    this.finish()
  }

  /** Hands over the calls whose answers have passed. */
  private finish(): void {
    while (this.all.length > 0 && this.all[0]!.end <= this.written) {
      this.answered(callOf(this.all.shift()!))
    }
  }
}

function keep(answer: Answer, bytes: Uint8Array): void {
  answer.sentBytes += bytes.length
  const count = Math.min(KEPT_BYTES_MAX - answer.keptBytes, bytes.length)
  if (count === 0) return
  answer.kept.push(Buffer.from(bytes.subarray(0, count)))
  answer.keptBytes += count
}

function callOf({ call, kept, sentBytes, isTorn }: Answer): Call {
  const bytes = Buffer.concat(kept)
  const { answer, status } = call.protocol === 'binary' ? readPackets(bytes) : { answer: readText(bytes), status: undefined }
  return { ...call, faults: isTorn ? [...call.faults, 'tear'] : call.faults, answer, answerBytes: sentBytes, status }
}

function readText(bytes: Buffer): string { return textOf(bytes).replace(/\r?\n$/, '') }

/** The values or error texts of packets, and the status of the last one. */
function readPackets(bytes: Buffer): Pick<Call, 'answer' | 'status'> {
  const texts: string[] = []
  let status: number | undefined
  for (let at = 0; at + HEADER_BYTES <= bytes.length;) {
    const valueStart = at + HEADER_BYTES + bytes[at + 4]! + bytes.readUInt16BE(at + 2)
    const end = at + HEADER_BYTES + bytes.readUInt32BE(at + 8)
    status = bytes.readUInt16BE(at + 6)
    if (end > valueStart) texts.push(textOf(bytes.subarray(valueStart, end)))
    at = end
  }
  return { answer: texts.join('\n'), status }
}

// Tearing

/** The first line of an answer with a value, and the length of that. */
const VALUE_LINE = /^(?:VALUE \S+ \d+ (\d+)(?: \d+)?|VA (\d+)(?: .*)?)\r\n$/

/**
 * Finds the middle of the first value of an answer in any protocol: of those whose keys are wanted, where the answer says its
 * keys.
 */
export class ValueTear implements Tear {
  /** The bytes of a line or a header that has begun. */
  private head: number[] = []
  /** The bytes that still go before the next head. */
  private skipBytes = 0
  private isLast = false
  private isSpared = false

  /** @param mayTear called once, for the first value; if it returns false, the answer stays whole */
  constructor(private readonly isBinary: boolean, private readonly isWanted: (key: string) => boolean,
    private readonly mayTear: () => boolean) {}

  take(bytes: Uint8Array): number {
    for (let at = 0; at < bytes.length && !this.isSpared;) {
      const skipped = Math.min(this.skipBytes, bytes.length - at)
      this.skipBytes -= skipped
      at += skipped
      if (this.isLast && this.skipBytes === 0) return at
      if (at < bytes.length) this.readHead(bytes[at++]!)
      if (this.isLast && this.skipBytes === 0) return at
    }
    return -1
  }

  private readHead(byte: number): void {
    const { head } = this
    head.push(byte)
    if (this.isBinary ? head.length < HEADER_BYTES : byte !== 0x0a) return
    this.head = []
    if (this.isBinary) this.readPacket(Buffer.from(head))
    else this.readLine(Buffer.from(head))
  }

  private readPacket(header: Buffer): void {
    const before = header[4]! + header.readUInt16BE(2)
    const valueBytes = header.readUInt32BE(8) - before
    if (header.readUInt16BE(6) === 0 && valueBytes > 0) this.tearAfter(before + Math.floor(valueBytes / 2))
    else this.skipBytes = before + valueBytes
  }

  private readLine(line: Buffer): void {
    const [, text, meta] = VALUE_LINE.exec(line.toString('latin1')) ?? []
    const length = text ?? meta
    if (length === undefined) return
    const valueBytes = Number(length)
    const key = text === undefined ? undefined : textOf(line.subarray(6, line.indexOf(0x20, 6)))
    if (valueBytes > 0 && (key === undefined || this.isWanted(key))) this.tearAfter(Math.floor(valueBytes / 2))
    else this.skipBytes = valueBytes + 2
  }

  private tearAfter(count: number): void {
    this.isLast = this.mayTear()
    this.isSpared = !this.isLast
    this.skipBytes = count
  }
}
