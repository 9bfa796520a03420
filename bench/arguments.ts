// The command line of the benchmark, and which servers it asks for.

import { basename } from 'node:path'
import { parseArgs } from 'node:util'
import { SERIES_MAX } from './picture.js'
import { memcached, memcachedVersion, memslab, type ServerCommand } from './servers.js'

export interface Arguments {
  readonly help: boolean
  readonly quick: boolean
  readonly json: boolean
  readonly table: boolean
  readonly progress: boolean
  readonly traces: readonly string[] | undefined   // where they are; none: those that are made up
  readonly cache: boolean
  readonly lruCache: string | undefined        // where it is; undefined: what the current folder has
  readonly svg: string | undefined             // the file to write
  readonly from: readonly string[]             // results to show rather than measure
  readonly main: boolean
  readonly only: RegExp | undefined
  readonly threads: readonly number[]          // none: the rows say with how many
  readonly seconds: number
  readonly rounds: number
  readonly servers: readonly ServerCommand[]   // the first is compared with the second, if there is one
  readonly problems: readonly string[]
}

export const helpText = `npm run bench -- [options]    measures memslab beside memcached, both with the same number of threads

  --quick             half a minute for most of the rows: are the answers right? (the figures mean little)
  --only PATTERN      only rows whose name matches the regular expression, for example 'get 100 B|memory'
  --main              only the rows that bench/README.md shows in its picture
  --memory            only the rows about memory and start-up: the same as --only memory
  --traces [PLACE …]  replays traces instead, and prints hit ratios beside those of LRU, S3-FIFO and an oracle. A place
                      is a file NAME.ids.gz, or a folder of such, with or without :VALUE-BYTES:MEGABYTES behind it;
                      without any place, three that are made up. See bench/README.md
  --cache             measures a Cache inside a process instead, beside lru-cache if that is installed: speed, heap, pauses
  --lru-cache PATH    the folder of lru-cache (what a program in the current folder would load)
  --threads LIST      rows with -t as the list says, for example 1,2,4: a few of the rows, or those of --only
  --table             also as a Markdown table, with the servers side by side
  --rounds N          rounds of a row, each with servers started anew (5; of a trace 1)
  --seconds N         load on each server in a round, in slices of 0.1 s in turn (1)
  --server NAME       memslab, memcached or both (both, as far as installed)
  --command COMMAND   compare with this server rather than memcached, for example 'node ../other/dist/cli.js';
                      given twice, the first is compared with the second
  --progress          how far it is on stderr, even where that is no terminal
  --json              the results as JSON and nothing else: bench/README.md says what is in it
  --svg FILE          also draws the ratios as bars
  --from [LABEL=]FILE shows what --json has saved rather than measure: as a Markdown table, and with --svg; several times
                      for ratios to several others side by side`

export function readArguments(argv: readonly string[]): Arguments {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      help: { type: 'boolean', short: 'h', default: false },
      quick: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      table: { type: 'boolean', default: false },
      progress: { type: 'boolean', default: false },
      traces: { type: 'boolean', default: false },
      cache: { type: 'boolean', default: false },
      'lru-cache': { type: 'string' },
      memory: { type: 'boolean', default: false },
      main: { type: 'boolean', default: false },
      svg: { type: 'string' },
      from: { type: 'string', multiple: true, default: [] },
      only: { type: 'string' },
      threads: { type: 'string' },
      seconds: { type: 'string' },
      rounds: { type: 'string' },
      server: { type: 'string', default: 'both' },
      command: { type: 'string', multiple: true, default: [] },
    },
  })
  const { help, quick, json, table, progress, traces, main, memory, cache, svg, from, server, command } = values
  const seconds = Number(values.seconds ?? (quick ? 0.05 : 1))
  const rounds = Number(values.rounds ?? (quick || traces ? 1 : 5))
  const threads = values.threads === undefined ? [] : values.threads.split(',').map(Number)
  const only = values.only ?? (memory ? '^memory' : undefined)
  const problems = [
    ...(seconds > 0 ? [] : ['--seconds must be above 0']),
    ...(Number.isInteger(rounds) && rounds > 0 ? [] : ['--rounds must be a whole number above 0']),
    ...(threads.every(count => Number.isInteger(count) && count > 0) ? [] : ['--threads is a list of whole numbers above 0']),
    ...(memory && (threads.length > 0 || values.only !== undefined) ? ['--memory goes with neither --threads nor --only'] : []),
    ...(main && (threads.length > 0 || traces) ? ['--main goes with neither --threads nor --traces'] : []),
    ...(cache && (threads.length > 0 || traces || main || memory || command.length > 0)
      ? ['--cache goes with neither --threads, --traces, --main, --memory nor --command'] : []),
    ...(from.length <= SERIES_MAX ? [] : [`--from can be given ${SERIES_MAX} times at most`]),
    ...(traces || positionals.length === 0 ? [] : [`only --traces takes places: ${positionals.join(' ')}`]),
    ...(['memslab', 'memcached', 'both'].includes(server) ? [] : ['--server is memslab, memcached or both']),
    ...(command.length <= 2 ? [] : ['--command can be given twice at most']),
  ]
  return {
    help, quick, json, table, progress, main, cache, lruCache: values['lru-cache'], svg, from, traces: traces ? positionals : undefined, threads, seconds, rounds,
    only: only === undefined ? undefined : new RegExp(only, 'i'),
    servers: pickServers(server, command), problems,
  }
}

// Another memcached is compared with as the usual one is.
function namedCommand(argv: readonly string[], index: number): ServerCommand {
  const isMemcached = index === 0 && basename(argv[0]!) === 'memcached'
  return { name: isMemcached ? 'memcached' : `other${index + 1}`, argv }
}

function pickServers(server: string, commands: readonly string[]): ServerCommand[] {
  const [first, second] = commands.map((command, index): ServerCommand =>
    namedCommand(command.trim().split(/\s+/), index))
  if (first !== undefined && second !== undefined) return [first, second]
  const other = first ?? (memcachedVersion() === undefined ? undefined : memcached())
  return [
    ...(server === 'memcached' ? [] : [memslab]),
    ...(server === 'memslab' || other === undefined ? [] : [other]),
  ]
}
