// Checks the faults and matches that a test gives, which may be JavaScript, where no compiler checks types. All problems are told
// at once.
import { MemslabError } from '../errors.js'
import { DURATION_FORM, readDuration } from '../options/durations.js'
import { isBytes, kindOf } from '../options/embedded.js'
import { guess } from '../options/guess.js'
import { type Fault } from './faults.js'
import { KNOWN_VERBS } from './requests.js'

/** The fields of an object, by name, each with its check: it returns what is wrong with a value. */
type Checks = Readonly<Record<string, (value: unknown) => string | undefined>>

const ms = number('milliseconds', 0)

/** The attributes of each toxic; those that may not be left out. */
const TOXICS: Readonly<Record<string, { readonly attributes: Checks, readonly needed: readonly string[] }>> = {
  latency: { attributes: { latency: ms, jitter: ms }, needed: ['latency'] },
  bandwidth: { attributes: { rate: number('kilobytes a second', 0, false) }, needed: ['rate'] },
  slow_close: { attributes: { delay: ms }, needed: ['delay'] },
  timeout: { attributes: { timeout: ms }, needed: [] },
  reset_peer: { attributes: { timeout: ms }, needed: [] },
  slicer: {
    attributes: { average_size: whole('bytes', 1), size_variation: whole('bytes', 0), delay: number('microseconds', 0) },
    needed: ['average_size'],
  },
  limit_data: { attributes: { bytes: whole('bytes', 0) }, needed: ['bytes'] },
}

/** The fields of the other faults. */
const OTHERS: Readonly<Record<string, { readonly fields: Checks, readonly needed: readonly string[] }>> = {
  down: { fields: {}, needed: [] },
  reply: { fields: { answer: isAnswer }, needed: ['answer'] },
  drop: { fields: {}, needed: [] },
  miss: { fields: {}, needed: [] },
  evict: { fields: {}, needed: [] },
  tear: { fields: {}, needed: [] },
  late: { fields: { delay: isDelay }, needed: ['delay'] },
  refuse: { fields: { with: oneOf('close', 'too many') }, needed: [] },
}

const SHARE = number('a share', 0, true, 1)

const CHOICE: Checks = {
  verb: isVerb, key: isKey, protocol: oneOf('text', 'meta', 'binary'), connection: whole('the number of a connection', 1),
}
const AMOUNT: Checks = { times: whole('a number of times', 1), once: isBoolean, nth: whole('a number', 1), toxicity: SHARE,
  seed: whole('a seed', -0x80000000) }

/** Throws if a fault, or what it is used for, is wrong. @throws MemslabError with code 'EUSAGE' and all problems */
export function checkFault(fault: unknown, options: unknown): asserts fault is Fault {
  throwIfAny([...faultProblems(fault), ...optionProblems(options, fault)])
}

/** Throws if a match is wrong. @param more the fields that may be beside it */
export function checkMatch(match: unknown): void { throwIfAny(problemsOf('the match', match, CHOICE)) }

/** Throws if the options of `waitForCall` are wrong. @throws MemslabError with code 'EUSAGE' and all problems */
export function checkWait(match: unknown, options: unknown): void {
  throwIfAny([
    ...problemsOf('the match', match, CHOICE),
    ...problemsOf('the options', options, { timeout: isDelay, count: whole('a number of calls', 1) }),
  ])
}

function isDelay(value: unknown): string | undefined {
  const milliseconds = readDuration(value)
  return milliseconds === undefined || milliseconds < 0 ? `must be ${DURATION_FORM}, not ${shown(value)}` : undefined
}

function throwIfAny(problems: readonly string[]): void {
  if (problems.length > 0) throw new MemslabError('EUSAGE', problems.join('\n'), problems)
}

function faultProblems(fault: unknown): string[] {
  if (!isObject(fault)) return [`the fault must be an object, as the functions of \`faults\` make it, not ${kindOf(fault)}`]
  const { type } = fault
  const types = [...Object.keys(TOXICS), ...Object.keys(OTHERS)]
  if (typeof type !== 'string' || !types.includes(type)) {
    return [`type: there is no fault ${shown(type)}${typeof type === 'string' ? guess(type, types) : ''}`]
  }
  const toxic = TOXICS[type]
  if (toxic === undefined) {
    const { fields, needed } = OTHERS[type]!
    return [...problemsOf(type, fault, { type: () => undefined, ...fields }), ...missing(type, fault, needed)]
  }
  const fields = { type: () => undefined, attributes: () => undefined, stream: oneOf('upstream', 'downstream'), toxicity: SHARE,
    name: isString }
  const { attributes = {} } = fault
  return [
    ...problemsOf(type, fault, fields),
    ...problemsOf(`${type}.attributes`, attributes, toxic.attributes),
    ...isObject(attributes) ? missing(`${type}.attributes`, attributes, toxic.needed) : [],
    ...variationProblems(attributes),
  ]
}

/** A piece of a slicer has at least a byte. */
function variationProblems(attributes: unknown): string[] {
  if (!isObject(attributes)) return []
  const { average_size: average, size_variation: variation } = attributes
  if (typeof average !== 'number' || typeof variation !== 'number' || variation < average) return []
  return [`slicer.attributes.size_variation: must be less than average_size, ${average}`]
}

function optionProblems(options: unknown, fault: unknown): string[] {
  const problems = problemsOf('the options', options, { ...CHOICE, ...AMOUNT })
  if (!isObject(options) || !isObject(fault)) return problems
  if (options['once'] === true && options['times'] !== undefined) problems.push('once: means times: 1; give one of them')
  const { type } = fault
  if (type === 'down') {
    const given = Object.keys({ ...CHOICE, ...AMOUNT }).filter(name => options[name] !== undefined)
    problems.push(...given.map(name => `${name}: the whole server is down, not a part of it`))
  } else if (typeof type === 'string' && (type in TOXICS || type === 'refuse')) {
    problems.push(...['verb', 'key', 'protocol'].filter(name => options[name] !== undefined)
      .map(name => `${name}: ${type} concerns a connection, whatever is asked on it`))
  }
  return problems
}

function missing(of: string, object: Readonly<Record<string, unknown>>, needed: readonly string[]): string[] {
  return needed.filter(name => object[name] === undefined).map(name => `${of}.${name}: must be given`)
}

function problemsOf(of: string, object: unknown, checks: Checks): string[] {
  if (!isObject(object)) return [`${of} must be an object, not ${kindOf(object)}`]
  return Object.entries(object).flatMap(([name, value]) => {
    const check = checks[name]
    if (check === undefined) return [`${name}: there is no such field in ${of}${guess(name, Object.keys(checks))}`]
    const problem = value === undefined ? undefined : check(value)
    return problem === undefined ? [] : [`${name}: ${problem}`]
  })
}

// Checks of values

function number(what: string, min: number, mayBeMin = true, max = Infinity): (value: unknown) => string | undefined {
  const bounds = max === Infinity ? `from ${min}${mayBeMin ? '' : ' on, but not that'}` : `from ${min} to ${max}`
  return value => typeof value === 'number' && value >= min && value <= max && value !== Infinity && (mayBeMin || value > min)
    ? undefined : `must be ${what}, ${bounds}, not ${shown(value)}`
}

function whole(what: string, min: number): (value: unknown) => string | undefined {
  return value => Number.isSafeInteger(value) && Number(value) >= min ? undefined
    : `must be ${what}, a whole number from ${min}, not ${shown(value)}`
}

function oneOf(...words: readonly string[]): (value: unknown) => string | undefined {
  const quoted = words.map(word => `'${word}'`).join(' or ')
  return value => typeof value === 'string' && words.includes(value) ? undefined : `must be ${quoted}, not ${shown(value)}`
}

function isBoolean(value: unknown): string | undefined {
  return typeof value === 'boolean' ? undefined : `must be true or false, not ${shown(value)}`
}

function isString(value: unknown): string | undefined {
  return typeof value === 'string' ? undefined : `must be a text, not ${kindOf(value)}`
}

function isAnswer(value: unknown): string | undefined {
  if (isBytes(value) || (typeof value === 'string' && value !== '')) return undefined
  return `must be a line such as 'SERVER_ERROR out of memory', or bytes, not ${shown(value)}`
}

function isVerb(value: unknown): string | undefined {
  const verbs: readonly unknown[] = Array.isArray(value) ? value : [value]
  const wrong = verbs.find(verb => typeof verb !== 'string' || !isKnownVerb(verb.toLowerCase()))
  if (verbs.length > 0 && wrong === undefined) return undefined
  if (typeof wrong !== 'string') return `must be the name of a command, or an array of names, not ${shown(value)}`
  return `there is no command '${wrong}'${guess(wrong, KNOWN_VERBS)}`
}

/** True for the name of a command, or an opcode without a name. */
function isKnownVerb(verb: string): boolean { return KNOWN_VERBS.includes(verb) || /^0x[0-9a-f]{2}$/.test(verb) }

function isKey(value: unknown): string | undefined {
  if (typeof value === 'string' || value instanceof RegExp) return undefined
  if (isObject(value) && typeof value['prefix'] === 'string' && Object.keys(value).length === 1) return undefined
  return `must be a key, a regular expression or { prefix }, not ${shown(value)}`
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function shown(value: unknown): string {
  if (typeof value === 'string') return `'${value}'`
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : kindOf(value)
}
