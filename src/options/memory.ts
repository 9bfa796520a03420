// The memory of a server or a cache as programs may write it, beside `maxbytes`: in megabytes, or as a text with a unit.
import { kindOf } from './embedded.js'
import { MEMORY_MAX, MEMORY_MIN, type Options } from './values.js'

/** The options that a program gives a server: all of `Options`, each of which may be left out, and `memory`. */
export interface ServerOptions extends Partial<Options> {
  /**
   * Memory for items, in place of `maxbytes`: a number is MiB, as for `-m`, and a text may have a unit: `'256m'`, `'2g'`. From
   * 1 MiB to 256 GiB. Default 64.
   */
  memory?: number | string | undefined
}

const MIB = 1024 * 1024
const TEXT = /^\s*(\d+(?:\.\d+)?)\s*(?:([mg])(?:i?b)?)?\s*$/i

/**
 * Puts `maxbytes` in the place of `memory`.
 * @returns also the problems, one sentence each; if there are any, the options have neither of both
 */
export function readMemory({ memory, ...options }: ServerOptions): { options: Partial<Options>, problems: string[] } {
  if (memory === undefined) return { options, problems: [] }
  const { maxbytes, ...others } = options
  const read = maxbytes === undefined ? bytesOf(memory) : 'means the same as maxbytes, so only one of them can be given'
  return typeof read === 'number' ? { options: { ...others, maxbytes: read }, problems: [] }
    : { options: others, problems: [`memory: ${read}`] }
}

/** The bytes; or a problem. */
function bytesOf(memory: unknown): number | string {
  if (typeof memory !== 'number' && typeof memory !== 'string') return `must be a number or a text, not ${kindOf(memory)}`
  const [, digits, unit] = TEXT.exec(String(memory)) ?? []
  if (digits === undefined) return `must be a number of megabytes or a text such as '256m' or '2g', not ${shown(memory)}`
  const bytes = Math.floor(Number(digits) * (unit?.toLowerCase() === 'g' ? 1024 : 1) * MIB)
  return bytes >= MEMORY_MIN && bytes <= MEMORY_MAX ? bytes : `must be from 1 megabyte to 262144 (256g), not ${shown(memory)}`
}

function shown(memory: number | string): string { return typeof memory === 'string' ? `'${memory}'` : String(memory) }
