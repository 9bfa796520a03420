// `--help` in memcached's layout, and the table of options in the README, both out of the rows.
import { PACKAGE_VERSION, PROTOCOL_VERSION } from '../version.js'
import { optionRows, printSize, type OptionRow } from './rows.js'
import { COMMAND_LINE_DEFAULTS, defaultOptions, type Options } from './values.js'

/** Where the descriptions begin. */
const COLUMN = 26

/** What `-h` prints. */
export function helpText(): string {
  const lines = optionRows.flatMap(row => {
    const [first = '', ...rest] = describe(row)
    return [`${(row.flag === undefined ? `   - ${row.name}:` : heading(row)).padEnd(COLUMN - 1)} ${first}`,
      ...rest.map(line => ' '.repeat(COLUMN) + line)]
  })
  return [versionText(), ...lines].join('\n') + '\n'
}

/** What `-V` prints, and the first line of the help. */
export function versionText(): string {
  return `memslab ${PACKAGE_VERSION} (memcached ${PROTOCOL_VERSION})`
}

/** The table of options in the README; a test compares it. */
export function optionTable(): string {
  const rows = optionRows.map(row => `| ${usage(row)} | ${cell(describe(row).join(' '))} |`)
  return ['| option | what it does |', '|---|---|', ...rows].join('\n') + '\n'
}

function describe(row: OptionRow): string[] {
  const lines = row.help.map(line => line.replace('{default}', defaultOf(row)))
  const note = row.support === undefined ? undefined : NOTES[row.support]
  return note === undefined ? lines : [...lines, note]
}

const NOTES = {
  live: undefined,
  ignored: '(ignored for compatibility)',
  idle: '(accepted, no effect yet)',
  later: '(not supported yet)',
} as const

/** `-p, --port=<num>`, `-D <char>` */
function heading({ flag, long, argument }: OptionRow): string {
  if (long === undefined) return `-${flag} <${argument}>`
  return `-${flag}, --${long}${argument === undefined ? '' : `=<${argument}>`}`
}

/** `-p`, `--port=<num>`; `-o idle_timeout=<seconds>` */
function usage(row: OptionRow): string {
  if (row.flag !== undefined) return heading(row).split(', ').map(code).join(', ')
  const argument = row.argument === undefined ? '' : row.optional ? `[=<${row.argument}>]` : `=<${row.argument}>`
  return code(`-o ${row.name}${argument}`)
}

function code(text: string): string {
  return text === '' ? '' : `\`${text}\``
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '\\<').replaceAll('*', '\\*')
}

/** The default as the command line would say it. */
function defaultOf({ value, sets }: OptionRow): string {
  if (value === undefined) return isDefault(sets ?? {}) ? 'enabled' : 'disabled'
  switch (value.kind) {
    case 'whole': return String(DEFAULTS[value.field] / (value.unit ?? 1))
    case 'size': return printSize(DEFAULTS[value.field])
    case 'fraction': return DEFAULTS[value.field].toFixed(value.digits ?? 2)
    case 'octal': return DEFAULTS[value.field].toString(8)
    case 'choice': return Object.keys(value.choices)[0] ?? ''
    default: return String(DEFAULTS[value.field] ?? '')
  }
}

const DEFAULTS: Options = { ...defaultOptions(), ...COMMAND_LINE_DEFAULTS }

function isDefault(sets: Partial<Options>): boolean {
  return (Object.keys(sets) as (keyof Options)[]).every(field => sets[field] === DEFAULTS[field])
}
