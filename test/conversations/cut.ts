// Plays the short conversations again, with one write cut in two. cut.tcp.long.test.ts cuts each at one place, the others at all.

import type { Test } from 'tap'

import type { Block, WireFile } from '../support/conversation.js'
import { replay } from '../support/replay.js'
import type { Host } from '../support/replay.js'
import { startSessions } from '../support/session.js'
import { optionsOfOne, playable } from './play.js'
import type { Transport } from './transports.js'

/** Bytes that a block sends, at most. */
const SHORT = 200

/** Needs what the block before it stored, so it cannot be played alone. */
const NOT_ALONE = 'base64-text-after-the-padding'
/** These are answered otherwise in the same write as another command than in the next. */
const NOT_CUT = /(dump|watch)-after-another-command-in-one-write$|^(auth|http)-.*-in-one-write$/

/**
 * Plays a block whole, and if it is short again for each of the cuts, from an empty cache every time. What is only spoken to
 * in binary cannot be told to flush, and its blocks store nothing.
 */
export async function playCut(file: WireFile, block: Block, host: Host,
  cuts: (sentBytes: number) => Iterable<number>): Promise<void> {
  const again = { ...block, flush: optionsOfOne(file).protocol !== 'binary' }
  const sentBytes = await replay(again, host)
  if (sentBytes > SHORT) return
  for (const cut of cuts(sentBytes)) await replay(again, host, cut)
}

export function repeatable(transport: Transport): ReturnType<typeof playable> {
  return playable(transport)
    .filter(file => file.name !== 'stats.fresh' && file.name !== 'options.shutdown')
    .map(file => ({ ...file, blocks: file.blocks.filter(block => block.name !== NOT_ALONE && !NOT_CUT.test(block.name)) }))
}

/** On a bare session. There are too many for one test file, so that two share them. */
export async function cutEverywhere(t: Test, isMine: (name: string) => boolean): Promise<void> {
  for (const file of repeatable('session').filter(file => isMine(file.name))) {
    await t.test(file.name, async t => {
      const host = await startSessions(t, optionsOfOne(file))
      for (const block of file.blocks) await t.test(block.name, async () => { await playCut(file, block, host, everyPlace) })
    })
  }
}

/** Of a file that is cut by the first of the two. */
export function isFirst(name: string): boolean {
  return name < 'm'
}

function* everyPlace(sentBytes: number): Iterable<number> {
  for (let cut = 1; cut < sentBytes; cut++) yield cut
}
