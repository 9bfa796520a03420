// The same random requests of all protocols to the memcached of this machine and to memslab.
// MEMSLAB_SEED chooses the stream, MEMSLAB_DIFF_SECONDS has it go on for longer.

import t from 'tap'

import { wireFiles } from '../conversations/play.js'
import { lasting } from '../support/length.js'
import { Prng } from '../support/prng.js'
import { realVersion, startReal } from '../support/real.js'
import { replay } from '../support/replay.js'
import { startLonelyServer } from '../support/server.js'
import { shrink } from '../support/shrink.js'
import { describe, disagree, Side } from './compare.js'
import type { Disagreement } from './compare.js'
import { differences, OLDER_VERSION } from './differences.js'
import { Stream } from './stream.js'
import type { Batch } from './stream.js'

const SEED = Number(process.env['MEMSLAB_SEED'] ?? 20260115)
/** Some 40,000 requests. */
const BATCHES = 10_000
const MEMORY_MIB = 512
/** Without threads that hold on to items for a moment, memcached answers the same stream the same way every time. */
const ALONE = 'no_lru_crawler,no_lru_maintainer,no_slab_reassign'

const skip = realVersion === OLDER_VERSION ? false : `needs memcached ${OLDER_VERSION}, installed is ${realVersion ?? 'none'}`

t.test('memcached does not pass the conversations that show how it differs', { skip }, async t => {
  const real = await startReal(t, [], 300)
  const blocks = wireFiles.flatMap(file => file.blocks)
  for (const name of new Set(differences.flatMap(row => row.block ?? []))) {
    const block = blocks.find(block => block.name === name)
    if (block === undefined) t.fail(`there is no block ${name}`)
    else await t.rejects(replay(block, real), { name: 'Mismatch' }, name)
  }
})

t.test('memslab answers random requests as memcached does', { skip }, async t => {
  const real = await startReal(t, ['-t', '1', '-m', String(MEMORY_MIB), '-o', ALONE])
  const memslab = await startLonelyServer(t, { maxbytes: MEMORY_MIB * 2 ** 20 })

  /** Plays batches from an empty cache; the last disagreement counts. */
  const play = async (batches: Iterable<Batch>, seed: number): Promise<Disagreement | undefined> => {
    const prng = new Prng(seed)
    const sides = [new Side('memcached', real), new Side('memslab', memslab)] as const
    try {
      await disagree(FLUSH, ...sides, prng)
      for (const batch of batches) {
        const disagreement = await disagree(batch, ...sides, prng)
        if (disagreement !== undefined) return disagreement
      }
      return undefined
    } finally {
      await Promise.all(sides.map(async side => { await side.end() }))
    }
  }

  const history: Batch[] = []
  const generator = new Stream(new Prng(SEED))
  const goesOn = lasting(BATCHES, 'MEMSLAB_DIFF_SECONDS')
  function* stream(): Iterable<Batch> {
    while (goesOn(history.length)) {
      const batch = generator.next()
      history.push(batch)
      yield batch
    }
  }
  const disagreement = await play(stream(), SEED)
  t.comment(`seed ${SEED}: ${history.length} batches, ` +
    `${history.reduce((sum, { requests }) => sum + requests.length, 0)} requests`)
  if (disagreement === undefined) return
  const fails = async (batches: readonly Batch[]): Promise<boolean> => await play(batches, SEED) !== undefined
  const shortest = await shrink(history, fails)
  throw describe(SEED, shortest, await play(shortest, SEED) ?? disagreement)
})

const FLUSH: Batch = { connection: 0, requests: [{ line: 'flush_all\r', text: 'flush_all\r\n' }] }
