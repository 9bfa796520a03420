// All commands of the text protocol but the meta commands, a row each. The names are those of memcached's protocol.txt.
import { type Trait } from '../../options/profiles.js'
import { Mode } from '../../store/request.js'
import { type Host } from '../host.js'
import { type Session } from '../session.js'
import { cacheMemlimit, debugtime, flushAll, quit, refreshCerts, shutdown, verbosity, version, watch } from './admin.js'
import { type Config } from './config.js'
import { lruCrawler } from './crawler.js'
import { extstore } from './extstore.js'
import { type Gets } from './gets.js'
import { deleteItem, touch } from './items.js'
import { lru } from './lru.js'
import { type Numbers } from './numbers.js'
import { flushPrefix, keys } from './prefixes.js'
import { slabs } from './slabs.js'
import { stats } from './stats.js'
import { type LineHandler } from './text.js'
import { type Values } from './values.js'

/** The commands of a thread that read their lines themselves. */
export interface Readers {
  readonly gets: Gets
  readonly values: Values
  readonly numbers: Numbers
  readonly config: Config
}

export interface CommandRow {
  readonly name: string
  /** Handles the line when it is whole and split into tokens. */
  readonly line?: LineHandler
  /**
   * Reads the line itself, from `start` on, with its name up to `at`, before `end`; returns where the next bytes begin, or
   * UNFINISHED.
   */
  readonly reads?: (readers: Readers, session: Session, start: number, at: number, end: number) => number
  /** True if memcached has no such command, so that -o compat=strict has it answered as an unknown one. */
  readonly isOwn?: true
  /** False on a server that has no such command. By default all have it. */
  readonly isThere?: (host: Host) => boolean
  /** What it does to the server or shows of it, for which a profile refuses it. */
  readonly trait?: Trait
}

export const COMMANDS: readonly CommandRow[] = [
  // about items
  { name: 'get', reads: ({ gets }, session, _start, at, end) => gets.get(session, at, end, false) },
  { name: 'gets', reads: ({ gets }, session, _start, at, end) => gets.get(session, at, end, true) },
  { name: 'gat', reads: ({ gets }, session, start, at, end) => gets.gat(session, start, at, end, false) },
  { name: 'gats', reads: ({ gets }, session, start, at, end) => gets.gat(session, start, at, end, true) },
  storage('set', Mode.Set),
  storage('add', Mode.Add),
  storage('replace', Mode.Replace),
  storage('append', Mode.Append),
  storage('prepend', Mode.Prepend),
  storage('cas', Mode.Cas),
  { name: 'delete', line: deleteItem },
  { name: 'incr', reads: ({ numbers }, session, start, at, end) => numbers.change(session, start, at, end, false) },
  { name: 'decr', reads: ({ numbers }, session, start, at, end) => numbers.change(session, start, at, end, true) },
  { name: 'touch', line: touch },

  // about the cache
  { name: 'flush_all', line: flushAll },
  { name: 'flush_prefix', line: flushPrefix, isOwn: true, trait: 'configures' },
  { name: 'keys', line: keys, isOwn: true, trait: 'reveals' },
  { name: 'stats', line: stats },
  { name: 'cache_memlimit', line: cacheMemlimit, trait: 'configures' },
  { name: 'slabs', line: slabs, trait: 'configures' },
  { name: 'lru', line: lru, trait: 'configures' },
  { name: 'lru_crawler', line: lruCrawler, trait: 'configures' },
  { name: 'extstore', line: extstore, trait: 'configures' },

  // about the server
  { name: 'version', line: version },
  { name: 'verbosity', line: verbosity, trait: 'configures' },
  { name: 'watch', line: watch, trait: 'reveals' },
  { name: 'refresh_certs', line: refreshCerts, trait: 'configures' },
  { name: 'quit', line: quit },
  { name: 'shutdown', line: shutdown, trait: 'configures' },
  { name: 'debugtime', line: debugtime, isThere: ({ debugClock }) => debugClock !== undefined },
  { name: 'config', reads: ({ config }, session, start, _at, end) => config.run(session, start, end),
    isThere: ({ cluster }) => cluster !== undefined },
]

function storage(name: string, mode: Mode): CommandRow {
  return { name, reads: ({ values }, session, start, at, end) => values.store(session, mode, start, at, end) }
}
