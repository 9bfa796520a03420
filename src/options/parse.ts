// Parses a command line into Options. It accepts what memcached's getopt does: `-vvv`, `-m64`, `-m 64`, `--memory-limit=64`,
// `--memory-l 64`, `-dm 64`; and the word behind an option that takes an argument is its argument, even `-1`. Unlike getopt, it
// reads the whole line before the first message, so that all problems are reported at once. It opens and prints nothing.
import { parseArgs } from 'node:util'
import { checkOptions } from './check.js'
import { listenersOf } from './contradictions.js'
import { doubtsAbout } from './doubts.js'
import { guess } from './guess.js'
import { readArgument } from './read.js'
import { optionName, optionRows, printSize, type OptionRow, type Value } from './rows.js'
import { COMMAND_LINE_DEFAULTS, completeOptions, NODE_DEFAULTS, PAGE_BYTES, type Options } from './values.js'

/** The largest port number. */
const PORT_MAX = 65535

export interface CommandLine {
  /** The action to take. All but 'serve' print something and end, whatever else the line says. */
  readonly action: 'serve' | 'help' | 'version' | 'license'
  readonly options: Options
  /** One sentence for each option that has no effect, has another effect than it seems to have, or is not safe. */
  readonly warnings: string[]
  /** One sentence for each error. If there are any, the server must not start. */
  readonly problems: string[]
  /** The file for the server's ports, which the environment names. */
  readonly portFile: string | undefined
}

/** Parses a command line. @param argv the arguments, without the names of node and script */
export function parseArguments(argv: readonly string[], env: Readonly<Record<string, string | undefined>>): CommandLine {
  const reader = new Reader()
  for (const token of tokensOf(argv)) {
    if (token.kind === 'positional') reader.warnings.push(`"${token.value}" is ignored, as it belongs to no option`)
    if (token.kind === 'option') reader.readOption(token.rawName, token.value)
  }
  const saslPwdb = env['MEMCACHED_SASL_PWDB'] || undefined
  const given = withChunks(withPorts(reader.given), reader.used)
  const defaults = given.nodes === undefined ? COMMAND_LINE_DEFAULTS : NODE_DEFAULTS
  const options = completeOptions({ ...defaults, ...given, saslPwdb })
  return {
    action: reader.action,
    options,
    warnings: [...reader.warnings, ...doubtsAbout(options, given, reader.used)],
    problems: [...reader.problems, ...checkOptions(options, optionName), ...impossibilities(options, given),
      ...unevenChunks(options, given, reader.used), ...nodeProblems(options)],
    portFile: env['MEMCACHED_PORT_FILENAME'] || undefined,
  }
}

/**
 * Sets the ports that follow from other options. If only UDP has a port, TCP gets the same; with -1, each gets a free one. A -l
 * without addresses opens no port.
 */
function withPorts(given: Partial<Options>): Partial<Options> {
  if (given.listen?.length === 0 && given.socketPath === undefined) return { ...given, port: 0, udpport: 0 }
  return given.udpport && given.port === undefined ? { ...given, port: given.udpport } : given
}

/** Drops the chunk size of `no_chunked_items` or `no_modern` if items may be larger than a page: they need smaller chunks. */
function withChunks(given: Partial<Options>, used: ReadonlySet<OptionRow>): Partial<Options> {
  if ((given.itemSizeMax ?? 0) <= PAGE_BYTES || [...used].some(({ name }) => name === 'slab_chunk_max')) return given
  const { slabChunkMax: _, ...others } = given
  return others
}

/** Problems that only a command line can have. */
function impossibilities({ sslEnabled, port, shown, threads }: Options, { listen }: Partial<Options>): string[] {
  const problems: string[] = []
  if (sslEnabled && port === 0 && listen?.length !== 0) problems.push('-Z/--enable-ssl: needs a TCP port, so not with -p 0')
  const napiIds = Number(shown['num_napi_ids'] ?? 0)
  if (napiIds > threads) problems.push(`-N/--napi-ids: ${napiIds} is more than -t/--threads, ${threads}`)
  return problems
}

/**
 * The problem of a `slab_chunk_max` that does not divide the largest item evenly, which memcached refuses. It is checked only
 * if the command line sets `slab_chunk_max`, as chunks of the default size are fine for any largest item.
 */
function unevenChunks({ itemSizeMax }: Options, { slabChunkMax }: Partial<Options>, used: ReadonlySet<OptionRow>): string[] {
  const row = [...used].find(({ name }) => name === 'slab_chunk_max')
  // a size that does not divide a page is reported by the checks, whatever -I is
  if (row === undefined || slabChunkMax === undefined || PAGE_BYTES % slabChunkMax !== 0) return []
  if (itemSizeMax % slabChunkMax === 0) return []
  const [chunk, item] = [printSize(slabChunkMax), printSize(itemSizeMax)]
  return [`${optionName(row)}: ${chunk} does not divide the largest item of -I, ${item}, evenly`]
}

/** The problems of nodes that cannot each have a TCP port of their own. */
function nodeProblems(options: Options): string[] {
  const { http, nodes, port, socketPath, udpport } = options
  if (nodes === 0) return []
  const problems: string[] = []
  if (socketPath !== undefined) problems.push('a node listens on TCP, so not with -s/--unix-socket')
  else if (port === 0) problems.push('a node listens on TCP, so not with -p 0')
  if (listenersOf(options).some(address => address.port !== undefined)) {
    problems.push('each node has a port of its own, so not with an address of -l that has a port')
  }
  if (typeof http !== 'boolean') problems.push('each node answers HTTP on its own port, so not with a port of -o http')
  for (const [name, first] of [['-p/--port', port], ['-U/--udp-port', udpport]] as const) {
    const last = first + nodes - 1
    if (first > 0 && last > PORT_MAX) problems.push(`the last node would have the port ${last} with ${name} ${first}`)
  }
  return problems.map(problem => `--nodes: ${problem}`)
}

function tokensOf(argv: readonly string[]) {
  const options: Record<string, { type: 'string' | 'boolean', short?: string }> = {}
  const add = (key: string, { argument, flag }: OptionRow, isWhole: boolean) => {
    options[key] = { type: argument === undefined ? 'boolean' : 'string', ...(isWhole && flag !== undefined && { short: flag }) }
  }
  // the letters of flags may stand together; most rows are of none that are there, and parseArgs takes its time for each
  const letters = argv.join('')
  for (const row of optionRows) {
    if (row.flag !== undefined && letters.includes(row.flag)) add(row.long ?? row.flag, row, true)
  }
  for (const word of argv) {
    const [, long] = /^--([a-z-]+)/.exec(word) ?? []
    const row = long === undefined || long in options ? undefined : rowOf(`--${long}`)
    if (long !== undefined && row !== undefined) add(long, row, false)
  }
  return parseArgs({ args: [...argv], options, strict: false, allowPositionals: true, tokens: true }).tokens
}

/** Finds an option by its name as typed: `-m`, `--memory-limit`, or an unambiguous beginning of that. */
function rowOf(rawName: string): OptionRow | undefined {
  const row = optionRows.find(({ flag, long }) => rawName === `-${flag}` || rawName === `--${long}`)
  if (row !== undefined || rawName.length < 3) return row
  const meant = optionRows.filter(({ long }) => `--${long}`.startsWith(rawName))
  return meant.length === 1 ? meant[0] : undefined
}

/** The state of reading a command line. */
class Reader {
  readonly given: Partial<Options> = {}
  readonly used = new Set<OptionRow>()
  readonly warnings: string[] = []
  readonly problems: string[] = []
  action: CommandLine['action'] = 'serve'

  /** @param rawName the name as typed: `-m` or `--memory-limit` */
  readOption(rawName: string, argument: string | undefined): void {
    const row = rowOf(rawName)
    // memcached skips spaces before an argument
    const text = argument?.trimStart()
    if (row === undefined) this.problems.push(`unknown option ${rawName}${guess(rawName, LONG_NAMES)}`)
    else if (row.flag === 'o' && text !== undefined) this.readExtended(text)
    else if (row.argument === undefined && row.value === undefined && text !== undefined) {
      this.problems.push(`${optionName(row)}: takes no argument, not "${text}"`)
    } else this.readRow(row, text)
  }

  private readExtended(list: string): void {
    for (const entry of list.split(',')) {
      if (entry === '') continue
      const equals = entry.indexOf('=')
      const name = equals < 0 ? entry : entry.slice(0, equals)
      const argument = equals < 0 ? undefined : entry.slice(equals + 1)
      const row = optionRows.find(row => row.name === name)
      const opposite = optionRows.find(row => row.clears !== undefined && row.name === oppositeOf(name))
      const found = row ?? opposite
      if (found === undefined) this.problems.push(`unknown option -o ${name}${guess(name, EXTENDED_NAMES)}`)
      else if (row?.argument !== undefined) this.readRow(row, argument)
      else {
        if (argument !== undefined) this.warnings.push(`-o ${name}: takes no value, so "${argument}" is ignored`)
        if (row !== undefined) this.readRow(row, undefined)
        else this.use(found, found.clears)
      }
    }
  }

  private readRow(row: OptionRow, argument: string | undefined): void {
    const name = optionName(row)
    if (argument === undefined && row.argument !== undefined && !row.optional) {
      this.problems.push(`${name}: needs an argument: <${row.argument}>`)
    } else if (row.support === 'later') {
      this.problems.push(`${name}: not supported yet${row.why === undefined ? '' : `, ${row.why}`}`)
    } else {
      this.use(row, row.sets)
      if (row.settingIfGiven !== undefined) this.show(row, row.settingIfGiven)
      if (row.action !== undefined && this.action === 'serve') this.action = row.action
      if (row.value !== undefined) this.readValue(row, row.value, argument)
    }
  }

  private readValue(row: OptionRow, value: Value, text: string | undefined): void {
    const { fields, shown, warning, problem } = readArgument(value, text, this.given)
    if (problem !== undefined) this.problems.push(`${optionName(row)}: ${problem}`)
    if (warning !== undefined) this.warnings.push(`${optionName(row)}: ${warning}`)
    Object.assign(this.given, fields)
    this.show(row, shown)
  }

  /** Sets the text that `stats settings` shows for an option; undefined for the value of its field. */
  private show({ setting }: OptionRow, text: string | undefined): void {
    if (setting === undefined || text === undefined && this.given.shown?.[setting] === undefined) return
    const { [setting]: _, ...others } = this.given.shown ?? {}
    this.given.shown = text === undefined ? others : { ...others, [setting]: text }
  }

  private use(row: OptionRow, sets: Partial<Options> | undefined): void {
    const isNew = !this.used.has(row)
    if (row.support === 'ignored' && isNew) this.warnings.push(`${optionName(row)}: ignored for compatibility, ${row.why}`)
    this.used.add(row)
    Object.assign(this.given, { ...row.setsUnlessGiven, ...this.given }, sets)
  }
}

function oppositeOf(name: string): string {
  return name.startsWith('no_') ? name.slice(3) : `no_${name}`
}

const LONG_NAMES = optionRows.flatMap(({ long }) => long === undefined ? [] : [`--${long}`])
/** The names of `-o`, with their opposites. */
const EXTENDED_NAMES = optionRows.flatMap(({ name, clears }) =>
  name === undefined ? [] : clears === undefined ? [name] : [name, oppositeOf(name)])
