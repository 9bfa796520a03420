// `--help` and the table of options in README.md, both made from the rows, section by section.
import { packageVersion, PROTOCOL_VERSION } from '../version.js'
import { optionSections, printSize, type OptionRow } from './rows.js'
import { COMMAND_LINE_DEFAULTS, defaultOptions, type Options } from './values.js'

/** The column in which the descriptions begin. */
const COLUMN = 30
/** The longest line, in characters. */
const WIDTH = 100

const REMARK = 'memcached\'s other options are ignored with a warning, or refused: see src/options/README.md.'

/** The text of `-h`: the options that have an effect. Scripts read it to find out what a server can do. */
export function helpText(): string {
  const lines = optionSections.filter(({ works }) => works)
    .flatMap(({ title, rows }) => ['', `${title}:`, ...rows.flatMap(helpLines)])
  return [versionText(), 'usage: memslab [options]', ...lines, '', REMARK].join('\n') + '\n'
}

/** The lines of an option. Its name has a line of its own if it is too long for its column. */
function helpLines(row: OptionRow): string[] {
  const name = `  ${heading(row)}`
  const lines = wrap(describe(row).join(' ')).map(line => ' '.repeat(COLUMN) + line)
  if (name.length >= COLUMN) return [name, ...lines]
  return [name + lines[0]!.slice(name.length), ...lines.slice(1)]
}

/** Breaks a text at spaces. */
function wrap(text: string): string[] {
  const lines: string[] = ['']
  for (const word of text.split(' ')) {
    const line = lines.at(-1)!
    if (line === '') lines[lines.length - 1] = word
    else if (COLUMN + line.length + 1 + word.length <= WIDTH) lines[lines.length - 1] = `${line} ${word}`
    else lines.push(word)
  }
  return lines
}

/** The text of `-V`, and the first line of the help. */
export function versionText(): string {
  return `memslab ${packageVersion()} (memcached ${PROTOCOL_VERSION})`
}

/** The table of options in README.md of this folder; a test compares it. */
export function optionTable(): string {
  const rows = optionSections.flatMap(({ title, rows }) =>
    [`| **${title}** | |`, ...rows.map(row => `| ${usage(row)} | ${cell(describe(row).join(' '))} |`)])
  return ['| option | what it does |', '|---|---|', ...rows].join('\n') + '\n'
}

function describe(row: OptionRow): string[] {
  const lines = row.help.map(line => line.replace('{default}', defaultOf(row)))
  // the title of the section says the rest
  return row.support === 'ignored' ? [...lines, `(${row.why})`] : lines
}

/** `-p, --port=<num>`, `-D <char>`, `--nodes=<num>`, `-o idle_timeout=<seconds>` */
function heading({ flag, long, name, argument, optional }: OptionRow): string {
  if (flag === undefined && long !== undefined) return `--${long}=<${argument}>`
  if (flag === undefined) {
    const value = argument === undefined ? '' : `=<${argument}>`
    return `-o ${name}${optional ? `[${value}]` : value}`
  }
  if (long === undefined) return `-${flag} <${argument}>`
  return `-${flag}, --${long}${argument === undefined ? '' : `=<${argument}>`}`
}

/** `-p`, `--port=<num>`; `-o idle_timeout=<seconds>` */
function usage(row: OptionRow): string {
  return heading(row).split(', ').map(text => `\`${text}\``).join(', ')
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '\\<').replaceAll('*', '\\*')
}

/** The default value in the form of the command line. */
function defaultOf({ value, sets }: OptionRow): string {
  if (value === undefined) return isDefault(sets ?? {}) ? 'enabled' : 'disabled'
  switch (value.kind) {
    case 'whole': return String(DEFAULTS[value.field] / (value.unit ?? 1))
    case 'size': return printSize(DEFAULTS[value.field])
    case 'fraction': return DEFAULTS[value.field].toFixed(value.digits ?? 2)
    case 'octal': return DEFAULTS[value.field].toString(8)
    case 'choice': return Object.keys(value.choices)[0] ?? ''
    case 'shown': return ''
    default: return String(DEFAULTS[value.field] ?? '')
  }
}

const DEFAULTS: Options = { ...defaultOptions(), ...COMMAND_LINE_DEFAULTS }

function isDefault(sets: Partial<Options>): boolean {
  return (Object.keys(sets) as (keyof Options)[]).every(field => sets[field] === DEFAULTS[field])
}
