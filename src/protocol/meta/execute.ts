// The meta commands: those of two letters of which the first is an m. They come in the lines of a text session, which hands them
// over here. One of these serves all the sessions of a thread.
import { isRefused, PROFILES } from '../../options/profiles.js'
import { type Host } from '../host.js'
import { type LineParser } from '../line.js'
import { UNFINISHED, type Session } from '../session.js'
import { META } from './answers.js'
import { commandsOf, type CommandRow } from './commands.js'
import { Meta } from './meta.js'

/** Tokens before the flags: the command and its key. */
const TOKENS = 2

export class MetaCommands {
  private readonly meta: Meta
  /** By letter. */
  private readonly commands = new Array<CommandRow | undefined>(256).fill(undefined)

  constructor(host: Host, parser: LineParser) {
    this.meta = new Meta(host, parser)
    const profile = PROFILES[host.options.profile]
    for (const row of commandsOf(this.meta)) {
      if (!isRefused(profile, row.trait)) this.commands[row.letter.charCodeAt(0)] = row
    }
  }

  /** True if `m` and this letter are a command. */
  has(letter: number): boolean { return this.commands[letter] !== undefined }

  /** Carries out the command of this letter, whose name ends at `at`; returns what Protocol.serve does. */
  serve(session: Session, letter: number, at: number, end: number): number {
    const command = this.commands[letter]!
    if (command.reads !== undefined) return command.reads(session, at, end)
    const { flags, parser } = this.meta
    if (!flags.readKey(at)) return this.answerBadKey(command, at, end)
    flags.readFlags(flags.keyStop, TOKENS)
    if (flags.lineEnd >= end) return UNFINISHED
    parser.lookAhead(flags.lineEnd + 1, end)
    command.run!(session)
    return flags.lineEnd + 1
  }

  private answerBadKey(command: CommandRow, at: number, end: number): number {
    const { flags, parser, reply } = this.meta
    const lineEnd = parser.findLineEnd(at)
    if (lineEnd >= end) return UNFINISHED
    if (command.hidesLongKey === true && flags.hasKey) {
      flags.readFlags(parser.tokenEndAt(flags.keyStop), TOKENS)
      reply.line(flags.isMalformed ? META.badFormat : META.badArithmeticFlag)
    } else reply.line(META.badFormat)
    return lineEnd + 1
  }
}
