// The options of a Cache: those of a server that concern the store, and a few of its own. All problems are found at once.
import { type Clock } from '../clock.js'
import { MemslabError } from '../errors.js'
import { checkOptions } from '../options/check.js'
import { ATTACHABLE_PROBLEM, CLOCK_PROBLEM, isAttachable, isClock, kindOf } from '../options/embedded.js'
import { guess } from '../options/guess.js'
import { readMemory, type ServerOptions } from '../options/memory.js'
import { completeOptions, defaultOptions, type Options } from '../options/values.js'

/** The options of a server that a Cache has too. */
const OF_THE_STORE = [
  'maxbytes', 'evictions', 'factor', 'chunkSize', 'prefixDelimiter', 'useCas', 'itemSizeMax', 'slabChunkMax', 'slabSizes',
  'trackSizes', 'trackPrefixes', 'prefixQuotas', 'lruSegmented', 'lruMaintainer', 'lruCrawler', 'lruCrawlerSleep',
  'lruCrawlerTocrawl', 'hotLruPct', 'warmLruPct',
  'hotMaxFactor', 'warmMaxFactor', 'tempLru', 'temporaryTtl', 'slabReassign', 'slabAutomove', 'slabAutomoveRatio',
  'slabAutomoveWindow', 'slabAutomoveFreeratio', 'workerLogbufSize',
] as const satisfies readonly (keyof Options)[]

type StoreField = (typeof OF_THE_STORE)[number]

/** The number of other threads that may be attached by default. */
const ATTACHABLE = 16

/** Options of a Cache. Those from `Options` mean there what they mean here, and have the same bounds and defaults. */
export interface CacheOptions extends Partial<Pick<Options, StoreField>> {
  /**
   * Memory for items: a number of megabytes, or a text with a unit such as '256m' or '2g'. It is reserved at once, and taken from
   * the system as items fill it. From 1 megabyte to 256 GiB. Default '64m'. `maxbytes` gives it in bytes instead.
   */
  memory?: ServerOptions['memory']
  /**
   * The number of other threads that may be attached at a time, 0 to 256. With 0 there is no `handle`, and every operation saves
   * the cost of a lock. Default 16.
   */
  attachable?: number
  /** The clock that gives the cache its time. Default: the machine's monotonic clock, which fake timers of tests do not move. */
  clock?: Clock
}

/** The options of a Cache, complete and checked. */
export interface CompleteCacheOptions {
  readonly options: Options
  readonly attachable: number
  readonly clock: Clock | undefined
}

const OWN = ['memory', 'attachable', 'clock', 'values'] as const

/**
 * Completes and checks options. @param more problems that the caller has found
 * @throws MemslabError with code 'EUSAGE' and all `problems`
 */
export function completeCacheOptions(given: unknown, more: readonly string[] = []): CompleteCacheOptions {
  if (typeof given !== 'object' || given === null) throw usage([`the options must be an object, not ${kindOf(given)}`])
  const record = given as Readonly<Record<string, unknown>>
  const { attachable = ATTACHABLE, clock } = record
  const problems = [...more]
  const known: readonly string[] = [...OWN, ...OF_THE_STORE]
  for (const name of Object.keys(record)) if (!known.includes(name)) problems.push(unknownOption(name, known))
  const fields = readMemory(Object.fromEntries(['memory', ...OF_THE_STORE].map(field => [field, record[field]])))
  problems.push(...fields.problems)
  if (!isAttachable(attachable)) problems.push(`attachable: ${ATTACHABLE_PROBLEM}`)
  if (clock !== undefined && !isClock(clock)) problems.push(`clock: ${CLOCK_PROBLEM}`)
  const options = completeOptions(fields.options)
  problems.push(...checkOptions(options))
  if (problems.length > 0) throw usage(problems)
  return { options, attachable: attachable as number, clock: clock as Clock | undefined }
}

function unknownOption(name: string, known: readonly string[]): string {
  const isServers = Object.hasOwn(defaultOptions(), name)
  return isServers ? `${name}: is an option of a server, which a Cache does not have`
    : `unknown option "${name}"${guess(name, known)}`
}

/** An error for these problems. */
export function usage(problems: readonly string[]): MemslabError {
  return new MemslabError('EUSAGE', problems.join('\n'), problems)
}
