// Reads the option `memory` of the programming interfaces: a number of megabytes, as -m takes it, or a text with a unit.

const MIB = 1024 * 1024
const UNITS: Readonly<Record<string, number>> = { k: 1024, m: MIB, g: 1024 * MIB, t: 1024 * 1024 * MIB }

/** The bytes, a whole number of MiB; or the problem in words. */
export function readMemory(value: unknown): number | string {
  const [, digits, unit = 'm'] = /^\s*(\d+(?:\.\d+)?)\s*([kmgt])?(?:i?b)?\s*$/i.exec(String(value)) ?? []
  const isRight = digits !== undefined && (typeof value === 'string' || typeof value === 'number')
  if (isRight) return Math.floor(Number(digits) * UNITS[unit.toLowerCase()]!)
  const shown = typeof value === 'string' ? `'${value}'` : String(value)
  return `must be a number of megabytes, or a text such as '256m' or '2g', not ${shown}`
}
