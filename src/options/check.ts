// Checks a set of options: their types, their bounds, and contradictions between them. The checks are the same for the command
// line and for programs, which pass objects. A doubt, which is a warning on the command line, is an error in a program.
import { parseAddress } from './address.js'
import { CONTRADICTIONS, DOUBTS, type Contradiction } from './contradictions.js'
import { kindOf } from './embedded.js'
import { guess } from './guess.js'
import { httpProblem, isHostName } from './http.js'
import { fractionBounds, isFraction } from './read.js'
import { fieldsOf, optionRows, printSize, type OptionRow, type Value } from './rows.js'
import { defaultOptions, type Options } from './values.js'

/** The most bytes of a Unix socket's path in the kernel. */
const SOCKET_PATH_BYTES = 107

type Field = keyof Options

/**
 * Returns all problems, one sentence each. If there are none, a server can be made with these options.
 * @param nameOf the name of an option in a message; by default its field
 * @param otherNames the names of options that the caller has read itself, which may have been meant by one that is unknown
 */
export function checkOptions(options: Options, nameOf: (row: OptionRow) => string = fieldOrName,
  otherNames: readonly string[] = []): string[] {
  const unknown = Object.keys(options).filter(field => !Object.hasOwn(DEFAULTS, field))
    .map(field => `unknown option "${field}"${guess(field, [...Object.keys(DEFAULTS), 'memory', ...otherNames])}`)
  const isProgram = nameOf === fieldOrName
  const wrong = new Map<Field, string>()
  for (const field of Object.keys(DEFAULTS) as Field[]) {
    const problem = typeProblem(field, options[field])
    if (problem !== undefined) wrong.set(field, `${nameOf(rowOf(field))}: ${problem}`)
  }
  for (const row of optionRows) {
    if (row.value === undefined || fieldsOf(row.value).some(field => wrong.has(field))) continue
    const problem = valueProblem(row.value, options, !isProgram)
    if (problem !== undefined) wrong.set(fieldsOf(row.value)[0], `${nameOf(row)}: ${problem}`)
  }
  const possible = [...CONTRADICTIONS, ...isProgram ? DOUBTS : []].filter(({ fields }) => !fields.some(field => wrong.has(field)))
  return [...unknown, ...wrong.values(), ...problemsOf(possible, options, nameOf)]
}

/** The problems of these contradictions that the options have, one sentence each. */
export function problemsOf(contradictions: readonly Contradiction[], options: Options,
  nameOf: (row: OptionRow) => string): string[] {
  return contradictions.flatMap(({ fields: [first], problem }) => {
    const message = problem(options, field => nameOf(rowOf(field)))
    return message === false ? [] : [`${nameOf(rowOf(first))}: ${message}`]
  })
}

const DEFAULTS = defaultOptions()
const OPTIONAL_TEXTS: readonly Field[] = (Object.keys(DEFAULTS) as Field[]).filter(field => DEFAULTS[field] === undefined)

function typeProblem(field: Field, value: unknown): string | undefined {
  if (OPTIONAL_TEXTS.includes(field)) {
    return value === undefined || typeof value === 'string' && value !== '' ? undefined : 'must be a text that is not empty'
  }
  if (field === 'listen') return listenProblem(value)
  if (field === 'shown') return shownProblem(value)
  if (field === 'http') return httpProblem(value)
  if (field === 'httpHosts') {
    return Array.isArray(value) && value.every(isHostName) ? undefined : 'must be an array of names without ports'
  }
  if (field === 'prefixQuotas') return quotasProblem(value)
  if (field === 'slabSizes') {
    return Array.isArray(value) && value.every(Number.isInteger) ? undefined : 'must be an array of whole numbers'
  }
  const expected = typeof DEFAULTS[field]
  return typeof value === expected ? undefined : `must be a ${expected}, not ${kindOf(value)}`
}

function listenProblem(value: unknown): string | undefined {
  if (!Array.isArray(value)) return 'must be an array of addresses'
  const entries: readonly unknown[] = value
  const shown = (entry: unknown) => typeof entry === 'object' ? kindOf(entry) : String(entry)
  const problems = entries.map(entry => typeof entry === 'string' ? parseAddress(entry) : `${shown(entry)} is not an address`)
    .filter(problem => typeof problem === 'string')
  return problems.length === 0 ? undefined : problems.join('; ')
}

function shownProblem(value: unknown): string | undefined {
  const isRight = typeof value === 'object' && value !== null && Object.values(value).every(text => typeof text === 'string')
  return isRight ? undefined : 'must be an object of texts'
}

function quotasProblem(value: unknown): string | undefined {
  const isRight = typeof value === 'object' && value !== null && !Array.isArray(value) &&
    Object.values(value).every(percent => typeof percent === 'number')
  return isRight ? undefined : 'must be an object of percents by prefix'
}

function valueProblem(value: Value, options: Options, inUnits: boolean): string | undefined {
  switch (value.kind) {
    case 'whole': case 'size': case 'count': case 'octal': {
      const number = options[value.field]
      const { min, max } = value
      if (Number.isInteger(number) && number >= min && number <= max) return undefined
      const print = inUnits ? printer(value) : String
      return `must be from ${print(min)} to ${print(max)}, not ${print(number)}`
    }
    case 'fraction': {
      const number = options[value.field]
      return isFraction(value, number) ? undefined : `${fractionBounds(value)}, not ${number}`
    }
    case 'choice': {
      const isOne = Object.values(value.choices).some(choice =>
        Object.entries(choice).every(([field, chosen]) => options[field as Field] === chosen))
      const names = inUnits ? Object.keys(value.choices) : Object.values(value.choices).flatMap(choice => Object.values(choice))
      return isOne ? undefined : `must be one of ${[...new Set(names)].join(', ')}`
    }
    case 'character':
      return /^[!-~]$/.test(options[value.field]) ? undefined : 'must be one printable ASCII character'
    case 'text':
      return value.field === 'socketPath' && Buffer.byteLength(options.socketPath ?? '') > SOCKET_PATH_BYTES
        ? `must be at most ${SOCKET_PATH_BYTES} bytes long` : undefined
    case 'addresses': case 'sizes': case 'quota': case 'shown':
      return undefined
  }
}

/** The function that prints a number of this kind as the command line writes it. */
function printer(value: Value): (number: number) => string {
  if (value.kind === 'octal') return number => number.toString(8)
  if (value.kind === 'size') return printSize
  return number => String(value.kind === 'whole' ? number / (value.unit ?? 1) : number)
}

/** The row that sets a field. */
function rowOf(field: Field): OptionRow {
  const byValue = optionRows.find(({ value }) => value !== undefined && fieldsOf(value).includes(field))
  return byValue ?? optionRows.find(({ sets }) => sets !== undefined && field in sets) ?? { name: field, help: [] }
}

/** The name of an option in a program. */
function fieldOrName(row: OptionRow): string {
  const fields = row.value === undefined ? Object.keys(row.sets ?? {}) : fieldsOf(row.value)
  return fields[0] ?? row.name ?? ''
}
