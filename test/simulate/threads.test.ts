// Threads on one store whose turns are decided by a seed, see explore.ts: whatever they do to the same key, page or class, and
// wherever one of them is stopped, the store is whole afterwards and nobody sees what no order of their operations explains.

import t, { type Test } from 'tap'

import { parseTrial, trialOf } from './explore.js'
import { explore, isReplay, replay, SEED, simulate } from './threads.js'

/** Some ten seconds of processor time. */
const SCHEDULES = 1000

if (isReplay) t.test('the schedule that MEMSLAB_SIMULATE says', replay)
else {
  t.test('pairs and threes of operations on the same key, chain, page and class',
    async t => { await simulate(t, SCHEDULES, SEED) })
  t.test('a lost update is found, and found again by the line that tells of it', findsLostUpdate)
  t.test('a deadlock is found', findsDeadlock)
}

async function findsLostUpdate(t: Test): Promise<void> {
  const trial = trialOf('number', 'same key', ['careless count', 'incr'])
  let line = ''
  await explore(t, SEED, explorer => { line = complaintOf(() => explorer.explore(trial, Infinity, 0)) })
  t.match(line, /^number\/same key\/careless count\+incr\/\d+\/[01],[01]:\d+>[01]$/)
  const again = parseTrial(line)
  await explore(t, again.seed, explorer => {
    t.equal(complaintOf(() => explorer.replay(again.trial, again.schedule)), line)
  })
}

async function findsDeadlock(t: Test): Promise<void> {
  const trial = trialOf('number', 'same key', ['locks upwards', 'locks downwards'])
  await explore(t, SEED, explorer => {
    t.throws(() => explorer.explore(trial, Infinity, 0), { message: /^deadlock: thread 0 waits .*, thread 1 waits/ })
  })
}

/** What has to be said so that it is run again. */
function complaintOf(run: () => void): string {
  try {
    run()
    return 'nothing was found'
  } catch (error) {
    return /MEMSLAB_SIMULATE='(.*)'/.exec(String(error))?.[1] ?? String(error)
  }
}
