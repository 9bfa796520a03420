// The short conversations again over TCP, with one write cut in two at one place each.

import t from 'tap'

import { Prng } from '../support/prng.js'
import { startLonelyServer } from '../support/server.js'
import { playCut, repeatable } from './cut.js'
import { optionsOfOne } from './play.js'

const SEED = 1

const prng = new Prng(SEED)
for (const file of repeatable('tcp')) {
  await t.test(file.name, async t => {
    const host = await startLonelyServer(t, optionsOfOne(file))
    for (const block of file.blocks) {
      await t.test(block.name, async () => { await playCut(file, block, host, sentBytes => [prng.between(1, sentBytes - 1)]) })
    }
  })
}
