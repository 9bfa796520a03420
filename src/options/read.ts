// Reads one argument of the command line into the fields that it sets, as memcached reads it: text behind a number is ignored,
// with a warning. The bounds are those of the rows. A value beyond them is a problem, and sets nothing.
import { httpProblem, isHostName } from './http.js'
import { readFraction, readFractionStrictly, readOctal, readSize, readStrictly, readWhole, type Reading } from './numbers.js'
import { printSize, type FractionValue, type ShownValue, type Value, type WholeValue } from './rows.js'
import { type Options } from './values.js'

/** The result of reading an argument. With a problem, it has no fields. */
export interface Argument {
  readonly fields?: Partial<Options>
  /** The text that `stats settings` shows, if it is not the value of a field. */
  readonly shown?: string | undefined
  readonly warning?: string | undefined
  readonly problem?: string
}

/**
 * Reads the argument of an option.
 * @param text the argument; undefined if it is optional and missing
 * @param given the fields that the options before it have set
 */
export function readArgument(value: Value, text: string | undefined, given: Partial<Options>): Argument {
  switch (value.kind) {
    case 'count':
      return {
        fields: { [value.field]: Math.min((given[value.field] ?? 0) + 1, value.max) },
        warning: text === undefined ? undefined : `"${text}" is ignored; each -v raises the level by one`,
      }
    case 'whole': return readWholeValue(value, text)
    case 'size': return readSizeValue(value, text ?? '')
    case 'fraction': return readFractionValue(value, text ?? '')
    case 'octal': return readMask(text ?? '')
    case 'shown': return readShown(value, text ?? '')
    case 'choice': return readChoice(value.choices, text ?? '')
    case 'addresses': return readAddresses(given, text ?? '')
    case 'sizes': return readSizes(text ?? '')
    case 'quota': return readQuota(given, text ?? '')
    case 'character': return readCharacter(text ?? '')
    case 'http': return readHttp(text)
    case 'names': return readName(given, text ?? '')
    case 'text':
      return text === undefined || text === '' ? { problem: 'must not be empty' } : { fields: { [value.field]: text } }
  }
}

function readWholeValue(value: WholeValue, text: string | undefined): Argument {
  const { field, unit = 1, least = value.min / unit, max } = value
  if (text === undefined) return value.absent === undefined ? {} : { fields: { [field]: value.absent } }
  const reading = value.isStrict ? readStrictly(text) : readLetters(value.letters, text) ?? readWhole(text)
  if (reading === undefined) return { problem: `"${text}" is not a whole number` }
  const number = value.isUnsigned ? reading.value >>> 0 : reading.value
  const greatest = max / unit
  const isTooMuch = number > greatest
  if (isTooMuch || number < least) {
    // memcached refuses a 0, and so a text that is read as 0
    const isNear = value.isOurBound === true && (isTooMuch || value.isStrict === true)
    if (!isNear) return { problem: `must be from ${least} to ${greatest}, not ${asRead(text, number, reading.isPlain)}` }
    const nearest = isTooMuch ? greatest : least
    return { fields: { [field]: nearest * unit }, warning: `${number} is ${isTooMuch ? 'lowered' : 'raised'} to ${nearest}` }
  }
  return { fields: { [field]: number * unit }, warning: reading.isPlain ? undefined : doubt(text, number) }
}

/** Reads a number with a unit, such as 2g; undefined if there is no unit of `letters`. */
function readLetters(letters: WholeValue['letters'], text: string): Reading | undefined {
  const [, digits, letter] = /^\s*\+?(\d+(?:\.\d+)?)\s*([a-z])/i.exec(text) ?? []
  const unit = letter === undefined ? undefined : letters?.[letter.toLowerCase()]
  if (digits === undefined || unit === undefined) return undefined
  const value = Math.floor(Number(digits) * unit)
  return { value, isPlain: readWhole(text).value === value }
}

/** The warning that a text is read as a number, and as which number memcached reads it if that differs. */
function doubt(text: string, number: number): string {
  const theirs = readWhole(text).value
  return `"${text}" is read as ${number}${(theirs | 0) === (number | 0) ? '' : `; memcached reads ${theirs}`}`
}

function asRead(text: string, number: number | string, isPlain: boolean): string {
  return isPlain ? String(number) : `"${text}", which is read as ${number}`
}

function readSizeValue({ field, min, max }: Extract<Value, { kind: 'size' }>, text: string): Argument {
  const { value, isPlain } = readSize(text)
  if (value < min || value > max) {
    return { problem: `must be from ${printSize(min)} to ${printSize(max)}, not ${asRead(text, printSize(value), isPlain)}` }
  }
  return { fields: { [field]: value }, warning: isPlain ? undefined : `"${text}" is read as ${printSize(value)}` }
}

function readFractionValue(value: FractionValue, text: string): Argument {
  const reading = value.isStrict ? readFractionStrictly(text) : readFraction(text)
  if (reading === undefined) return { problem: `"${text}" is not a number` }
  const { value: number, isPlain } = reading
  if (!isFraction(value, number)) {
    return { problem: `${fractionBounds(value)}, not ${asRead(text, number, isPlain)}` }
  }
  return { fields: { [value.field]: number }, warning: isPlain ? undefined : `"${text}" is read as ${number}` }
}

/** True if a number is within the bounds of a fraction. */
export function isFraction({ above, max, orZero }: FractionValue, number: number): boolean {
  return (number > above || (orZero === true && number === 0)) && number <= max
}

/** The bounds of a fraction in words. */
export function fractionBounds({ above, max, orZero }: FractionValue): string {
  if (above === -Infinity) return 'must be a number'
  if (orZero === true) return `must be from 0 to ${max}`
  return `must be greater than ${above}${max === Infinity ? '' : ` and at most ${max}`}`
}

/** Reads an access mask. Only its last nine bits count, but memcached shows all of them. */
function readMask(text: string): Argument {
  const { value, isPlain } = readOctal(text)
  const umask = value & 0o777
  return {
    fields: { umask },
    shown: umask === value ? undefined : (value >>> 0).toString(8),
    warning: isPlain && umask === value ? undefined : `"${text}" is read as ${umask.toString(8)}, in octal`,
  }
}

function readShown({ min, unit = 1, digits, isStrict }: ShownValue, text: string): Argument {
  const strictly = digits === undefined ? readStrictly : readFractionStrictly
  const reading = isStrict ? strictly(text) : readWhole(text)
  if (reading === undefined) return { problem: `"${text}" is not a number` }
  const { value, isPlain } = reading
  if (value < min) return { problem: `must be at least ${min}, not ${asRead(text, value, isPlain)}` }
  const shown = digits === undefined ? String(value * unit) : value.toFixed(digits)
  return { shown, warning: isPlain ? undefined : doubt(text, value) }
}

function readChoice(choices: Readonly<Record<string, Partial<Options>>>, text: string): Argument {
  const choice = Object.hasOwn(choices, text) ? choices[text] : undefined
  if (choice !== undefined) return { fields: choice }
  return { problem: `must be one of ${Object.keys(choices).join(', ')}, not "${text}"` }
}

/**
 * Reads addresses, which are separated by commas or semicolons; empty ones are skipped. As in memcached, an argument is ignored
 * if its text is part of the arguments of earlier -l.
 */
function readAddresses({ listen, shown }: Partial<Options>, text: string): Argument {
  const before = shown?.['inter'] ?? listen?.join(',')
  if (listen !== undefined && before?.includes(text)) {
    const isSame = text === '' || listen.includes(text)
    return { shown: shown?.['inter'], warning: isSame ? undefined : `"${text}" is ignored, as it is part of ${before}` }
  }
  const addresses = [...listen ?? [], ...text.split(/[,;]/).filter(part => part !== '')]
  const inter = before === undefined ? text : `${before},${text}`
  return { fields: { listen: addresses }, shown: inter === addresses.join(',') ? undefined : inter }
}

/** Reads numbers with hyphens between them. As in memcached, there may be several hyphens between two numbers. */
function readSizes(text: string): Argument {
  const sizes = text.split('-').filter(part => part !== '').map(readStrictly)
  const slabSizes = sizes.flatMap(reading => reading === undefined ? [] : [reading.value])
  if (slabSizes.length === 0 || slabSizes.length < sizes.length) {
    return { problem: `"${text}" is not a list of sizes in bytes, such as 100-200-300` }
  }
  return { fields: { slabSizes } }
}

/** Reads the place where a server answers HTTP. Without an argument it is the port of its other clients. */
function readHttp(text: string | undefined): Argument {
  const http = text ?? true
  const problem = httpProblem(http)
  return problem === undefined ? { fields: { http } } : { problem }
}

/** Reads one more name of the server. */
function readName({ httpHosts = [] }: Partial<Options>, text: string): Argument {
  return isHostName(text) ? { fields: { httpHosts: [...httpHosts, text] } } : { problem: `"${text}" is not a name` }
}

/** Reads a prefix and its quota in percent, and adds it to those before it. Of two for the same prefix the last counts. */
function readQuota({ prefixQuotas }: Partial<Options>, text: string): Argument {
  const [, prefix, percent] = /^(.+):(\d+(?:\.\d+)?)%$/.exec(text) ?? []
  if (prefix === undefined) return { problem: `"${text}" is not a prefix and its percents, such as app1:25%` }
  return { fields: { prefixQuotas: { ...prefixQuotas, [prefix]: Number(percent) } } }
}

function readCharacter(text: string): Argument {
  const [character = ''] = text
  if (!/^[!-~]$/.test(character)) return { problem: `must be one printable ASCII character, not "${text}"` }
  const fields = { prefixDelimiter: character, detailEnabled: true }
  return { fields, warning: text === character ? undefined : `"${text}" is read as "${character}"` }
}
