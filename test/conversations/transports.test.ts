import t from 'tap'

import { playable, wireFiles } from './play.js'
import '../support/fresh.js'
import { uselessRows } from './transports.js'

t.test('every row of transports.ts keeps some block from being played', async t => {
  t.same(uselessRows(wireFiles.flatMap(file => file.blocks)).map(row => row.reason), [])
})

t.test('nearly all blocks are played everywhere', async t => {
  const count = (files: typeof wireFiles): number => files.reduce((sum, file) => sum + file.blocks.length, 0)
  for (const transport of ['session', 'tcp', 'tls', 'unix', 'threads'] as const) {
    t.ok(count(playable(transport)) > count(wireFiles) * 0.9,
      `${transport}: ${count(playable(transport))} of ${count(wireFiles)}`)
  }
})
