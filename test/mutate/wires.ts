// Plays recorded conversations on bare sessions, up to the first answer that is another, without what the test of the same
// says about each: a change is noticed in a fraction of the time. The names of the conversations are the arguments; without
// any all are played. After each its name and its processor time are told, and what has run is written down where V8 counts.

import { takeCoverage } from 'node:v8'

import { optionsOfOne, playable } from '../conversations/play.js'
import type { WireFile } from '../support/conversation.js'
import { replay } from '../support/replay.js'
import { startSessions } from '../support/session.js'

const names = process.argv.slice(2)

/** Whether large values are read into place goes by turns. */
async function play(file: WireFile, isDirect: boolean): Promise<void> {
  const ends: (() => unknown)[] = []
  const start = async () => await startSessions({ teardown: end => { ends.push(end) } }, optionsOfOne(file), isDirect)
  let host = await start()
  for (const block of file.blocks) {
    await replay(block, host)
    if (block.stops) host = await start()
  }
  for (const end of ends) await end()
}

takeCoverage()
let isDirect = false
for (const file of playable('session')) {
  isDirect = !isDirect
  if (names.length > 0 && !names.includes(file.name)) continue
  const before = process.cpuUsage()
  try {
    await play(file, isDirect)
  } catch (cause) {
    console.log(`not ok - ${file.name}: ${String(cause)}`)
    process.exit(1)
  }
  const { user, system } = process.cpuUsage(before)
  takeCoverage()
  console.log(`ok - ${file.name} ${Math.ceil((user + system) / 1000)}`)
}
process.exit(0)
