// Waiting for a call, of a server or of several.
import { MemslabError } from '../errors.js'
import { readDuration } from '../options/durations.js'
import { clearTimeout, setTimeout } from '../timers.js'
import { choiceOf, fits, type Call } from './calls.js'
import { checkWait } from './check.js'
import { type Match, type WaitOptions } from './faults.js'
import { type CallListener } from './record.js'

const WAIT_MS = 5000
/** The longest interval of a timer of Node.js. */
const TIMER_MS_MAX = 2 ** 31 - 1

/** Where calls come from. */
export interface CallSource {
  calls(match: Match): Call[]
  on(listener: CallListener): void
  off(listener: CallListener): void
}

/**
 * Resolves with the n-th call that fits, which may have been before. Rejects with a MemslabError when the time is over, or if the
 * match or the options are wrong.
 */
export async function waitFor(source: CallSource, match: Match, options: WaitOptions): Promise<Call> {
  checkWait(match, options)
  const { timeout = WAIT_MS, count = 1 } = options
  const timeoutMs = readDuration(timeout)!
  const choice = choiceOf(match)
  const before = source.calls(match)
  if (before.length >= count) return before[count - 1]!
  return await new Promise((resolve, reject) => {
    let leftCount = count - before.length
    const finish = (): void => {
      clearTimeout(timer)
      source.off(listener)
    }
    const listener = (call: Call): void => {
      if (!fits(choice, call) || --leftCount > 0) return
      finish()
      resolve(call)
    }
    // it keeps the process alive, as nothing else may
    const timer = setTimeout(() => {
      finish()
      reject(new MemslabError('ETIMEDOUT', `no call came within ${timeoutMs} ms that fits ${shown(match)}`))
    }, Math.min(timeoutMs, TIMER_MS_MAX))
    source.on(listener)
  })
}

function shown(match: Match): string {
  const fields = Object.entries(match).map(([name, value]) =>
    `${name}: ${value instanceof RegExp ? value : JSON.stringify(value)}`)
  return fields.length === 0 ? 'anything' : `{ ${fields.join(', ')} }`
}
