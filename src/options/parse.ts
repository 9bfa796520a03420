// A command line becomes Options. Like memcached's getopt: `-vvv`, `-m64`, `-m 64`, `--memory-limit=64`, `-dm 64`, and
// what follows an option that takes an argument is its argument, even `-1`. Unlike it, the whole line is read before
// anything is said, so all problems are reported at once. Nothing is opened or printed here.
import { parseArgs } from 'node:util'
import { checkOptions } from './check.js'
import { guess } from './guess.js'
import { optionName, optionRows, printSize, type OptionRow, type Value } from './rows.js'
import { COMMAND_LINE_DEFAULTS, completeOptions, type Options } from './values.js'

export interface CommandLine {
  /** What to do: everything but 'serve' prints something and ends, whatever else the line says. */
  readonly action: 'serve' | 'help' | 'version' | 'license'
  readonly options: Options
  /** What was accepted but does nothing, one sentence each. */
  readonly warnings: string[]
  /** What is wrong, one sentence each; with any, do not serve. */
  readonly problems: string[]
  /** The file that gets the ports, from the environment. */
  readonly portFile: string | undefined
}

/** @param argv without the names of node and script */
export function parseArguments(argv: readonly string[], env: Readonly<Record<string, string | undefined>>): CommandLine {
  const reader = new Reader()
  for (const token of tokensOf(argv)) {
    if (token.kind === 'positional') reader.problems.push(`unexpected argument "${token.value}"`)
    if (token.kind === 'option') reader.readOption(token.rawName, token.value)
  }
  const saslPwdb = env['MEMCACHED_SASL_PWDB'] || undefined
  const options = completeOptions({ ...COMMAND_LINE_DEFAULTS, ...reader.given, saslPwdb })
  return {
    action: reader.action,
    options,
    warnings: [...reader.warnings, ...uselessness(reader.used, reader.given, options)],
    problems: [...reader.problems, ...checkOptions(options, optionName), ...missingListener(options)],
    portFile: env['MEMCACHED_PORT_FILENAME'] || undefined,
  }
}

function tokensOf(argv: readonly string[]) {
  const options: Record<string, { type: 'string' | 'boolean', short?: string }> = {}
  for (const { flag, long, argument } of optionRows) {
    const key = long ?? flag
    if (key === undefined) continue
    options[key] = { type: argument === undefined ? 'boolean' : 'string', ...(flag !== undefined && { short: flag }) }
  }
  return parseArgs({ args: [...argv], options, strict: false, allowPositionals: true, tokens: true }).tokens
}

/** What has been read of a command line so far. */
class Reader {
  readonly given: Partial<Options> = {}
  readonly used = new Set<OptionRow>()
  readonly warnings: string[] = []
  readonly problems: string[] = []
  action: CommandLine['action'] = 'serve'

  /** @param rawName as typed: `-m` or `--memory-limit` */
  readOption(rawName: string, argument: string | undefined): void {
    const row = optionRows.find(({ flag, long }) => rawName === `-${flag}` || rawName === `--${long}`)
    if (row === undefined) this.problems.push(`unknown option ${rawName}${guess(rawName, LONG_NAMES)}`)
    else if (row.flag === 'o' && argument !== undefined) this.readExtended(argument)
    else this.readRow(row, argument)
  }

  private readExtended(list: string): void {
    for (const entry of list.split(',')) {
      if (entry === '') continue
      const equals = entry.indexOf('=')
      const name = equals < 0 ? entry : entry.slice(0, equals)
      const argument = equals < 0 ? undefined : entry.slice(equals + 1)
      const row = optionRows.find(row => row.name === name)
      const opposite = optionRows.find(row => row.clears !== undefined && row.name === oppositeOf(name))
      if (row !== undefined) this.readRow(row, argument)
      else if (opposite !== undefined) this.clear(opposite, name, argument)
      else this.problems.push(`unknown option -o ${name}${guess(name, EXTENDED_NAMES)}`)
    }
  }

  private readRow(row: OptionRow, argument: string | undefined): void {
    const name = optionName(row)
    if (argument !== undefined && row.argument === undefined) {
      this.problems.push(`${name}: takes no argument, not "${argument}"`)
    } else if (row.argument !== undefined && !row.optional && (argument === undefined || argument === '')) {
      this.problems.push(`${name}: needs an argument: <${row.argument}>`)
    } else if (row.support === 'later') {
      this.problems.push(`${name}: not supported yet${row.why === undefined ? '' : `, ${row.why}`}`)
    } else {
      this.use(row, row.sets)
      if (row.action !== undefined && this.action === 'serve') this.action = row.action
      if (row.value !== undefined) this.readValue(name, row.value, argument)
    }
  }

  private clear(row: OptionRow, name: string, argument: string | undefined): void {
    if (argument !== undefined) this.problems.push(`-o ${name}: takes no argument, not "${argument}"`)
    else this.use(row, row.clears)
  }

  private use(row: OptionRow, sets: Partial<Options> | undefined): void {
    if (row.support === 'ignored' && !this.used.has(row)) this.warnings.push(`${optionName(row)}: ignored for compatibility, ${row.why}`)
    this.used.add(row)
    Object.assign(this.given, sets)
  }

  /** Reads an argument into its field; whether it is within bounds is for check.ts to say. */
  private readValue(name: string, value: Value, text = ''): void {
    const given = this.given
    switch (value.kind) {
      case 'count':
        given[value.field] = Math.min((given[value.field] ?? 0) + 1, value.max)
        break
      case 'whole':
        if (text === '') break
        if (/^-?\d{1,15}$/.test(text)) given[value.field] = Number(text) * (value.unit ?? 1)
        else this.problems.push(`${name}: "${text}" is not a whole number`)
        break
      case 'size':
        if (/^\d{1,12}[km]?$/i.test(text)) given[value.field] = bytesOf(text)
        else this.problems.push(`${name}: "${text}" is not a number of bytes, kilobytes (512k) or megabytes (2m)`)
        break
      case 'fraction':
        if (/^-?(\d+\.?\d*|\.\d+)$/.test(text)) given[value.field] = Number(text)
        else this.problems.push(`${name}: "${text}" is not a number`)
        break
      case 'octal':
        if (/^[0-7]{1,6}$/.test(text)) given[value.field] = parseInt(text, 8)
        else this.problems.push(`${name}: "${text}" is not an octal number`)
        break
      case 'choice': {
        const choice = Object.hasOwn(value.choices, text) ? value.choices[text] : undefined
        if (choice !== undefined) Object.assign(given, choice)
        else this.problems.push(`${name}: must be one of ${Object.keys(value.choices).join(', ')}, not "${text}"`)
        break
      }
      case 'addresses':
        given[value.field] = [...given[value.field] ?? [], ...addressesOf(text)]
        break
      default:
        given[value.field] = text
    }
  }
}

function oppositeOf(name: string): string {
  return name.startsWith('no_') ? name.slice(3) : `no_${name}`
}

function bytesOf(text: string): number {
  const unit = { k: 1024, m: 1024 * 1024 }[text.slice(-1).toLowerCase()]
  return unit === undefined ? Number(text) : Number(text.slice(0, -1)) * unit
}

const LONG_NAMES = optionRows.flatMap(({ long }) => long === undefined ? [] : [`--${long}`])
/** Of `-o`, with their opposites. */
const EXTENDED_NAMES = optionRows.flatMap(({ name, clears }) =>
  name === undefined ? [] : clears === undefined ? [name] : [name, oppositeOf(name)])

const IDLE_WITHOUT = { lruSegmented: 'in the flat LRU', socketPath: 'without -s', sslEnabled: 'without -Z' } as const

/** What the line says in vain, or only in part. */
function uselessness(used: ReadonlySet<OptionRow>, given: Partial<Options>, options: Options): string[] {
  const useless: string[] = []
  for (const row of used) {
    if (row.needs === undefined || options[row.needs]) continue
    useless.push(`${optionName(row)}: has no effect ${IDLE_WITHOUT[row.needs]}`)
  }
  if (options.socketPath !== undefined && (given.port || given.udpport || given.listen !== undefined || options.sslEnabled)) {
    useless.push('-s/--unix-socket: disables network support, so -p, -U, -l and -Z have no effect')
  }
  if (options.sslCaCert !== undefined && options.sslVerifyMode === 0 && !options.listen.some(address => /(^|:)mtls:/.test(address))) {
    useless.push('-o ssl_ca_cert: has no effect without -o ssl_verify_mode or a listener with mtls:')
  }
  if (given.maxbytes !== undefined && given.itemSizeMax === undefined && options.itemSizeMax < 1024 * 1024) {
    useless.push(`-I/--max-item-size: lowered to half of -m, ${printSize(options.itemSizeMax)}`)
  }
  if (given.slabChunkMax !== undefined && given.slabChunkMax > options.slabChunkMax) {
    useless.push(`-o slab_chunk_max: lowered to ${printSize(options.slabChunkMax)} because of -I`)
  }
  return useless
}

function missingListener(options: Options): string[] {
  const isDeaf = options.port === 0 && options.udpport === 0 && options.socketPath === undefined
  return isDeaf ? ['nothing to listen on: -p 0 switches TCP off, and there is neither -U nor -s'] : []
}

/** memcached separates addresses by commas or semicolons, and overlooks empty ones; a list of nothing else is wrong. */
function addressesOf(list: string): string[] {
  const parts = list.split(/[,;]/).filter(part => part !== '')
  return parts.length > 0 ? parts : ['']
}
