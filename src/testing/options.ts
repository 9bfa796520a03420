// The options of a TestServer: those of `createServer`, with defaults for tests, and some of its own.
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MemslabError } from '../errors.js'
import { kindOf } from '../options/embedded.js'
import { checkOptions, completeOptions, embeddingProblems, readMemory, type Options } from '../options/options.js'
import { guess } from '../options/guess.js'
import { PROFILES } from '../options/profiles.js'
import { type ProfileName } from '../options/values.js'
import { type TestServerOptions } from './interface.js'
import { type TestSecrets } from './secrets.js'

/** The options of a TestServer, checked and split into those of a server and the others. */
export interface ReadOptions {
  readonly options: Options
  readonly log: ((line: string) => void) | undefined
  /** Undefined if it has neither users nor certificates. */
  readonly secrets: TestSecrets | undefined
  readonly faults: Pick<TestServerOptions, 'callsMax' | 'seed'>
}

/** The options that a server does not have. */
const OWN: readonly (keyof TestServerOptions)[] = ['log', 'tls', 'users', 'callsMax', 'seed']

/** The names, in `stats settings`, of files in whose place there is something else. They look like no path. */
const USERS_NAME = '(the users of the test)'
const CERTIFICATE_NAME = '(a throw-away certificate)'

const LISTEN: readonly string[] = ['127.0.0.1']

/** @throws MemslabError with code 'EUSAGE' and all `problems` if an option is wrong */
export function readOptions(given: TestServerOptions): ReadOptions {
  const shape = embeddingProblems(given, {})
  if (typeof given !== 'object' || given === null || Array.isArray(given)) throw usage(shape)
  const { log, tls: givenTls, users, callsMax, seed, socketPath, ...others } = given
  const hasOwnTls = others.sslEnabled !== undefined || others.sslChainCert !== undefined
  const tls = givenTls ?? (!hasOwnTls && hasOnlyTls(others.profile))
  const port = others.port === undefined || others.port === 0 ? -1 : others.port
  const memory = readMemory({
    ...others, port, listen: others.listen ?? LISTEN,
    ...socketPath !== undefined && { socketPath: socketPath === true ? freePath() : socketPath },
    ...users !== undefined && { authFile: USERS_NAME },
    ...tls === true && { sslEnabled: true, sslChainCert: CERTIFICATE_NAME },
  })
  const options = completeOptions(memory.options)
  const problems = [
    ...shape, ...memory.problems, ...checkOptions(options, undefined, OWN), ...embeddingProblems({}, { log }),
    ...secretProblems(given), ...numberProblems({ callsMax, seed }),
  ]
  if (problems.length > 0) throw usage(problems)
  return { options, log, faults: { callsMax, seed }, secrets: secretsOf(options, tls === true, users) }
}

/** @throws MemslabError with code 'EUSAGE' and all `problems` if an option of `restart` is wrong */
export function checkRestart(given: unknown): void {
  if (typeof given !== 'object' || given === null) throw usage([`the options must be an object, not ${kindOf(given)}`])
  const problems = Object.entries(given).flatMap(([name, value]) => {
    if (name !== 'keepItems') return [`unknown option "${name}"${guess(name, ['keepItems'])}`]
    return value === undefined || typeof value === 'boolean' ? [] : [`keepItems: must be a boolean, not ${kindOf(value)}`]
  })
  if (problems.length > 0) throw usage(problems)
}

/** Most servers have no secrets, so the code is loaded by those that do. */
function secretsOf(options: Options, isThrowAway: boolean, users: TestServerOptions['users']): TestSecrets | undefined {
  if (!options.sslEnabled && options.authFile === undefined && !options.sasl) return undefined
  const { secretsOf } = require('./secrets.js') as typeof import('./secrets.js')
  return secretsOf(options, isThrowAway, users)
}

/** True for a profile whose servers have only TLS. */
function hasOnlyTls(profile: unknown): boolean {
  return typeof profile === 'string' && Object.hasOwn(PROFILES, profile) && PROFILES[profile as ProfileName].isTlsTextOnly
}

function freePath(): string { return join(tmpdir(), `memslab-${process.pid}-${Math.random().toString(36).slice(2)}`) }

function secretProblems({ tls, users, authFile, sslChainCert, sslKey }: TestServerOptions): string[] {
  const problems: string[] = []
  if (tls !== undefined && typeof tls !== 'boolean') problems.push(`tls: must be a boolean, not ${kindOf(tls)}`)
  if (tls === true && (sslChainCert !== undefined || sslKey !== undefined)) {
    problems.push('tls: makes a certificate; for one of your own, give sslEnabled instead')
  }
  if (users === undefined) return problems
  const areTexts = typeof users === 'object' && users !== null && Object.values(users).every(value => typeof value === 'string')
  if (!areTexts || Object.keys(users).length === 0) {
    problems.push("users: must be an object of names and passwords: { anna: 'secret' }")
  }
  if (authFile !== undefined) problems.push('users: is in place of authFile, so only one of them can be given')
  return problems
}

function numberProblems(numbers: Readonly<Record<string, unknown>>): string[] {
  const isRight = (value: unknown): boolean => value === undefined || (Number.isSafeInteger(value) && Number(value) >= 0)
  return Object.entries(numbers).flatMap(([name, value]) => isRight(value) ? [] : [`${name}: must be a whole number from 0`])
}

function usage(problems: readonly string[]): MemslabError { return new MemslabError('EUSAGE', problems.join('\n'), problems) }
