// The short conversations over a tapped server, over TLS and a Unix socket too, with one write cut in two: over TCP at every byte
// for some of them, and at one place each for the others.
import t from 'tap'
import { playCut, repeatable } from '../conversations/cut.js'
import { optionsOfOne, playable, playAll } from '../conversations/play.js'
import { FaultControl } from '../../src/faults/control.js'
import { Prng } from '../support/prng.js'
import { startLonelyServer } from '../support/server.js'

const SEED = 1
/** The files that are cut at every byte. */
const EVERYWHERE = /^(pipeline|storage.basic|meta.get|binary.get|own.auth)$/

const prng = new Prng(SEED)
for (const file of repeatable('tcp')) {
  await t.test(file.name, async t => {
    const host = await startLonelyServer(t, { ...optionsOfOne(file), faults: new FaultControl() })
    const places = EVERYWHERE.test(file.name) ? everyPlace : (sentBytes: number) => [prng.between(1, sentBytes - 1)]
    for (const block of file.blocks) await t.test(block.name, async () => { await playCut(file, block, host, places) })
  })
}

for (const over of ['tls', 'unix'] as const) {
  await t.test(`whole, over ${over}`, async t => {
    const files = playable(over).filter(({ name }) => /^(pipeline|bigvalues|storage|meta|binary|watch|crawler|own)/.test(name))
    playAll(t, files, async (t, file) => await startLonelyServer(t, { ...optionsOfOne(file), over, faults: new FaultControl() }))
  })
}

function* everyPlace(sentBytes: number): Iterable<number> {
  for (let cut = 1; cut < sentBytes; cut++) yield cut
}
