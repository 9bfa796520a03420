// The text protocol: finds out which command a line is, and has it carried out. One of these serves all the sessions of a thread;
// what belongs to one conversation is in its Session.
import { assert } from '../../errors.js'
import { Ascii } from '../../memory/ascii.js'
import { isRefused } from '../../options/profiles.js'
import { Mode } from '../../store/request.js'
import { type Host } from '../host.js'
import { UNFINISHED_LINE_MAX, type LineParser } from '../line.js'
import { logAnswer, printable } from '../log.js'
import { UNFINISHED, type Protocol, type Session } from '../session.js'
import { COMMANDS, type CommandRow, type Readers } from './commands.js'
import { Config } from './config.js'
import { Gets } from './gets.js'
import { endsWithHttp, endsWithNoreply } from './parse.js'
import { Numbers } from './numbers.js'
import { TEXT } from './reply.js'
import { Text } from './text.js'
import { Values } from './values.js'

/** The shortest line that can be a command, with its line end. */
const COMMAND_BYTES_MIN = 4

/** The commands of two letters of which the first is an m. */
export interface MetaLines {
  /** True if `m` and this letter are one. */
  has(letter: number): boolean
  /** Carries out the one of this letter, whose name ends at `at`; returns what Protocol.serve does. */
  serve(session: Session, letter: number, at: number, end: number): number
}

/** A row of COMMANDS, with its name in bytes. */
interface Command extends CommandRow { readonly bytes: Uint8Array }

export class TextProtocol implements Protocol, Readers {
  readonly name = 'ascii'
  readonly needsAuthentication = false
  readonly gets: Gets
  readonly values: Values
  readonly numbers: Numbers
  readonly config: Config
  private readonly bytes: Uint8Array
  private readonly text: Text
  private readonly commands = new Map<number, Command>()
  private meta: MetaLines | undefined

  /** @param makeMeta makes the meta commands, once there is a line that may be one */
  constructor(private readonly host: Host, private readonly parser: LineParser, private readonly makeMeta: () => MetaLines) {
    this.bytes = host.input.bytes
    this.text = new Text(host, parser)
    this.gets = new Gets(this.text, (session, at, end) => this.run(session, at, end))
    this.values = new Values(this.text)
    this.numbers = new Numbers(this.text)
    this.config = new Config(this.text)
    const { profile } = this.text
    for (const row of COMMANDS) {
      const isUnknown = row.isOwn === true && host.options.compat === 'strict'
      if (!isUnknown && row.isThere?.(host) !== false && !isRefused(profile, row.trait)) this.add(row)
    }
  }

  private add(row: CommandRow): void {
    const bytes = Buffer.from(row.name)
    const key = signature(bytes, 0, bytes.length)
    assert(!this.commands.has(key), 'two commands that `signature` does not tell apart')
    this.commands.set(key, { ...row, bytes })
  }

  serve(session: Session, at: number, end: number): number {
    const next = this.run(session, at, end)
    if (next === UNFINISHED) this.checkUnfinished(session, at, end)
    return next
  }

  /** Carries out the line at `at`; returns where the next bytes begin, or UNFINISHED if it is not whole. */
  private run(session: Session, at: number, end: number): number {
    const { bytes, host } = this
    let stop = at
    while (bytes[stop] !== Ascii.Space && bytes[stop] !== Ascii.LineEnd) stop++
    const isLogged = host.verbosity > 1
    if (isLogged) this.logLine(session, at, end)
    // the two commands that nearly all lines are
    if (stop === at + 3 && bytes[at + 1] === Ascii.E && bytes[at + 2] === Ascii.T && bytes[stop] === Ascii.Space) {
      if (bytes[at] === Ascii.G) return this.gets.get(session, stop, end, false)
      if (bytes[at] === Ascii.S) return this.values.store(session, Mode.Set, at, stop, end)
    }
    const nameEnd = bytes[stop] === Ascii.LineEnd && stop > at && bytes[stop - 1] === Ascii.CarriageReturn ? stop - 1 : stop
    if (nameEnd === at + 2 && bytes[at] === Ascii.M) {
      const meta = this.meta ??= this.makeMeta()
      const letter = bytes[at + 1]!
      if (meta.has(letter)) {
        return isLogged ? this.loggedMeta(meta, session, letter, nameEnd, end) : meta.serve(session, letter, nameEnd, end)
      }
    }
    const command = this.commandAt(at, nameEnd)
    if (command?.reads !== undefined) return command.reads(this, session, at, stop, end)
    const lineEnd = this.parser.findLineEnd(stop)
    if (lineEnd >= end) return UNFINISHED
    this.parser.split(at, lineEnd)
    session.isQuiet = endsWithNoreply(this.parser)
    if (command?.line !== undefined) command.line(this.text, session)
    else this.answerUnknown(session, at, lineEnd)
    return lineEnd + 1
  }

  /** By itself, as a closure in `run` would cost each line something. */
  private loggedMeta(meta: MetaLines, session: Session, letter: number, at: number, end: number): number {
    return logAnswer(this.host, session, () => meta.serve(session, letter, at, end))
  }

  private commandAt(start: number, end: number): Command | undefined {
    const command = this.commands.get(signature(this.bytes, start, end))
    return command !== undefined && isName(command.bytes, this.bytes, start, end) ? command : undefined
  }

  private answerUnknown(session: Session, start: number, lineEnd: number): void {
    if (lineEnd + 1 - start < COMMAND_BYTES_MIN) {
      session.isQuiet = false
      return this.text.answer(session, TEXT.badFormat)
    }
    if (endsWithHttp(this.parser)) this.end(session)
    else this.text.answer(session, TEXT.error)
  }

  /** Ends the conversation, which is none. As in memcached, answers that have not gone out are lost with it. */
  private end(session: Session): void {
    this.host.output.discard()
    session.end()
  }

  /** Ends the conversation if an unfinished line is longer than UNFINISHED_LINE_MAX; only a get may be. */
  private checkUnfinished(session: Session, at: number, end: number): void {
    if (end - at <= UNFINISHED_LINE_MAX) return
    if (this.gets.mayBeLong(at, end)) this.gets.goOnIfLong(session, at, end)
    else this.end(session)
  }

  private logLine(session: Session, at: number, end: number): void {
    const lineEnd = this.parser.findLineEnd(at)
    if (lineEnd < end) this.host.log(`<${session.peer.id} ${printable(this.bytes.subarray(at, lineEnd))}`)
  }
}

/** Tells the names of commands apart by their length and three of their bytes. */
function signature(bytes: Uint8Array, start: number, end: number): number {
  return ((end - start) & 0x7f) << 24 | bytes[start]! << 16 | bytes[start + 1]! << 8 | bytes[end - 1]!
}

function isName(name: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start !== name.length) return false
  for (let i = 0; i < name.length; i++) if (name[i] !== bytes[start + i]) return false
  return true
}
