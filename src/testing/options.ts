// The options of a TestServer: those of `createServer`, with defaults for tests, and some of its own.
import { MemslabError } from '../errors.js'
import {
  checkOptions, completeOptions, embeddingProblems, readMemory, type Options, type ServerOptions,
} from '../options/options.js'

/** The options of a TestServer. All of `createServer` are allowed; only these have another meaning or another default. */
export interface TestServerOptions extends ServerOptions {
  /** TCP port. Default 0: any free port, which the server keeps while it restarts. -1 means the same. */
  port?: number
  /** Addresses to listen on. Default `['127.0.0.1']`. */
  listen?: readonly string[]
  /** Threads that serve clients, 1 to 256. Default 1: the test's own thread serves. */
  threads?: number
  /** Called with each line that the command line would print on stderr, without its line end. Default: the lines are dropped. */
  log?: (line: string) => void
  /** The most calls that `calls()` has: the last ones. Default 10,000. */
  callsMax?: number
  /** The seed of what faults leave to chance. Default: a random one, which is printed when there is such a fault. */
  seed?: number
}

/** The options of a TestServer, checked and split into those of a server and the others. */
export interface ReadOptions {
  readonly options: Options
  readonly log: ((line: string) => void) | undefined
  readonly faults: Pick<TestServerOptions, 'callsMax' | 'seed'>
}

/** The options that a server does not have. */
const OWN: readonly (keyof TestServerOptions)[] = ['log', 'callsMax', 'seed']

const LISTEN: readonly string[] = ['127.0.0.1']

/** @throws MemslabError with code 'EUSAGE' and all `problems` if an option is wrong */
export function readOptions(given: TestServerOptions): ReadOptions {
  const shape = embeddingProblems(given, {})
  if (typeof given !== 'object' || given === null || Array.isArray(given)) throw usage(shape)
  const { log, callsMax, seed, ...others } = given
  const port = others.port === undefined || others.port === 0 ? -1 : others.port
  const memory = readMemory({ ...others, port, listen: others.listen ?? LISTEN })
  const options = completeOptions(memory.options)
  const problems = [
    ...shape, ...memory.problems, ...checkOptions(options, undefined, OWN), ...embeddingProblems({}, { log }),
    ...numberProblems({ callsMax, seed }),
  ]
  if (problems.length > 0) throw usage(problems)
  return { options, log, faults: { callsMax, seed } }
}

function numberProblems(numbers: Readonly<Record<string, unknown>>): string[] {
  const isRight = (value: unknown): boolean => value === undefined || (Number.isSafeInteger(value) && Number(value) >= 0)
  return Object.entries(numbers).flatMap(([name, value]) => isRight(value) ? [] : [`${name}: must be a whole number from 0`])
}

function usage(problems: readonly string[]): MemslabError { return new MemslabError('EUSAGE', problems.join('\n'), problems) }
