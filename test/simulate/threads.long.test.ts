// More of what threads.test.ts does.

import t from 'tap'

import { isReplay, replay, SEED, simulate } from './threads.js'

/** Some thirty seconds of processor time. */
const SCHEDULES = 4500

if (isReplay) t.test('the schedule that MEMSLAB_SIMULATE says', replay)
else t.test('more pairs and threes of operations', async t => { await simulate(t, SCHEDULES, SEED + 1) })
