// Checks the arguments of createServer, before check.ts checks their values: they must be objects, and must not set options that
// are only for the command line. A program may be JavaScript, where no compiler checks types.
import { isUint8Array } from 'node:util/types'
import { guess } from './guess.js'
import { type Options } from './values.js'

/** Settings that concern the whole process, and the reason why a server in a program cannot have them. */
const OF_THE_PROCESS: Readonly<Partial<Record<keyof Options, string>>> = {
  nodes: 'is only for the command line, a program makes each server itself, or a TestCluster of memslab/testing',
  daemonize: 'is only for the command line, a program leaves its terminal itself',
  user: 'is only for the command line, a program changes its user itself',
  pidFile: 'is only for the command line, a program writes its process id itself',
}

export const CLOCK_PROBLEM = 'must have milliseconds() and every(), and may have timeOfDay()'

/** The most threads that may be attached to a cache at a time. */
const ATTACHABLE_MAX = 256
export const ATTACHABLE_PROBLEM = `must be a whole number from 0 to ${ATTACHABLE_MAX}`

/** Returns all problems, one sentence each. */
export function embeddingProblems(options: unknown, parts: unknown): string[] {
  if (!isRecord(options)) return [`the options must be an object, not ${kindOf(options)}`]
  const problems = Object.entries(OF_THE_PROCESS).flatMap(([field, why]) => isGiven(options[field]) ? [`${field}: ${why}`] : [])
  return [...problems, ...partProblems(parts)]
}

/** True if so many threads may be attached to a cache. */
export function isAttachable(attachable: unknown): boolean {
  return Number.isInteger(attachable) && attachable as number >= 0 && attachable as number <= ATTACHABLE_MAX
}

const PARTS: readonly string[] = ['clock', 'attachable', 'log', 'failed']

function isGiven(value: unknown): boolean { return value !== undefined && value !== false && value !== 0 }

function partProblems(parts: unknown): string[] {
  if (!isRecord(parts)) return [`the parts must be an object, not ${kindOf(parts)}`]
  const { clock, attachable = 0, log, failed } = parts
  const unknown = Object.keys(parts).filter(name => !PARTS.includes(name))
  return [
    ...unknown.map(name => `unknown part "${name}"${guess(name, PARTS)}`),
    ...clock === undefined || isClock(clock) ? [] : [`clock: ${CLOCK_PROBLEM}`],
    ...isAttachable(attachable) ? [] : [`attachable: ${ATTACHABLE_PROBLEM}`],
    ...Object.entries({ log, failed }).flatMap(([name, part]) =>
      part === undefined || typeof part === 'function' ? [] : [`${name}: must be a function, not ${kindOf(part)}`]),
  ]
}

/** True if a part can be used as a Clock. */
export function isClock(part: unknown): boolean {
  if (!isRecord(part)) return false
  const { milliseconds, timeOfDay, every } = part
  return typeof milliseconds === 'function' && typeof every === 'function' && ['undefined', 'function'].includes(typeof timeOfDay)
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The kind of a value, for a message: `a number`, `an object`, `null`. */
export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  if (Array.isArray(value)) return 'an array'
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}

/** True for bytes, also for those of another realm: with jest in jsdom, a Buffer is no instance of the global Uint8Array. */
export function isBytes(value: unknown): value is Uint8Array { return value instanceof Uint8Array || isUint8Array(value) }
