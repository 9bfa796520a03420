// Everything at once from many connections, served by several threads: no answer may contradict another one, no value
// may be torn or belong to another key, and when all clients have gone the store is whole.

import t from 'tap'

import { startVictim } from './host.js'
import { TRIALS } from './scenarios.js'
import { torture } from './torture.js'

for (const { title, options, scenario } of TRIALS) {
  t.test(`torture: ${title}`, async t => {
    const victim = await startVictim(t, options)
    await torture(t, victim.port, scenario)
    if (scenario.canEvict) t.ok(await victim.stat('evictions') > 0, 'items were evicted')
    await victim.verify()
  })
}
