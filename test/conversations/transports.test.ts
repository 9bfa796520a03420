import t from 'tap'

import { uselessRows } from './transports.js'
import { playable, wireFiles } from './play.js'

t.test('every row of later.ts keeps some block from being played', async t => {
  t.same(uselessRows(wireFiles.flatMap(file => file.blocks)).map(row => row.reason), [])
})

t.test('most blocks are played', async t => {
  const count = (files: typeof wireFiles): number => files.reduce((sum, file) => sum + file.blocks.length, 0)
  t.ok(count(playable('tcp')) > count(wireFiles) / 2, `${count(playable('tcp'))} of ${count(wireFiles)}`)
})
