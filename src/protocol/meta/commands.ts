// All meta commands, a row each. The names are those of memcached's protocol.txt.
import { Ascii } from '../../memory/ascii.js'
import { type Trait } from '../../options/profiles.js'
import { UNFINISHED, type Session } from '../session.js'
import { META } from './answers.js'
import { MetaGet } from './get.js'
import { ma, md, me } from './items.js'
import { type Meta } from './meta.js'
import { MetaSet } from './set.js'

export interface CommandRow {
  /** The letter behind the m. */
  readonly letter: string
  /** Carries out a line whose key and flags have been read. */
  readonly run?: (session: Session) => void
  /** Reads the line itself, from behind the name, before `end`; returns where the next bytes begin, or UNFINISHED. */
  readonly reads?: (session: Session, at: number, end: number) => number
  /** True of a command that says no more of a key that is too long than of a flag. */
  readonly hidesLongKey?: true
  /** What it shows of the server, for which a profile refuses it. */
  readonly trait?: Trait
}

export function commandsOf(meta: Meta): readonly CommandRow[] {
  const get = new MetaGet(meta)
  const set = new MetaSet(meta)
  return [
    { letter: 'g', run: session => get.mg(session) },
    { letter: 's', reads: (session, at, end) => set.ms(session, at, end) },
    { letter: 'd', run: () => md(meta) },
    { letter: 'a', run: () => ma(meta), hidesLongKey: true },
    { letter: 'e', run: () => me(meta), trait: 'reveals' },
    { letter: 'n', reads: (session, at, end) => mn(meta, session, at, end) },
  ]
}

/**
 * `mn` answers, and as in memcached has what waits written. A line of three bytes is none to memcached; only this one could be so
 * short.
 */
function mn({ parser, reply }: Meta, session: Session, at: number, end: number): number {
  const lineEnd = parser.findLineEnd(at)
  if (lineEnd >= end) return UNFINISHED
  session.flushAnswers()
  reply.line(parser.bytes[at] === Ascii.LineEnd ? META.badFormat : META.end)
  return lineEnd + 1
}
