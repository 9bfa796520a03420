// Plays every .wire file of this folder against a server that the caller starts.

import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'

import { parseArguments } from '../../src/options/options.js'
import type { Options } from '../../src/options/options.js'
import { readWireFile } from '../support/conversation.js'
import type { WireFile } from '../support/conversation.js'
import { inProject } from '../support/places.js'
import { replay } from '../support/replay.js'
import type { Host } from '../support/replay.js'
import { isNotFor } from './transports.js'
import type { Transport } from './transports.js'

const FOLDER = inProject('test/conversations')

export const wireFiles: readonly WireFile[] = readdirSync(FOLDER)
  .filter(name => name.endsWith('.wire')).sort()
  .map(name => readWireFile(join(FOLDER, name)))

/** The files with those of their blocks that can be played over this transport; files without any are left out. */
export function playable(transport: Transport): readonly WireFile[] {
  return wireFiles
    .map(file => ({
      ...file,
      blocks: file.blocks.filter(block => isNotFor(transport, block) === undefined),
    }))
    .filter(file => file.blocks.length > 0)
}

/** What a file's `# server:` line asks for. */
export function optionsOf(file: WireFile): Options {
  const { options, problems } =
    parseArguments(file.arguments.map(word => word.replace(/\{(\w+)\}/, (_, name: string) => pathOf(file, name))), {})
  if (problems.length > 0) throw new Error(`${file.name}.wire: ${problems.join('; ')}`)
  return options
}

/** The same with one thread, whatever it says: the other transports have a server in this process alone. */
export function optionsOfOne(file: WireFile): Options {
  return { ...optionsOf(file), threads: 1 }
}

/** Writes a file that the command line names, once for this process; answers where it is. */
function pathOf(file: WireFile, name: string): string {
  const folder = join(tmpdir(), `memslab-${process.pid}`)
  const isNew = mkdirSync(folder, { recursive: true }) !== undefined
  if (isNew) process.once('exit', () => { rmSync(folder, { recursive: true, force: true }) })
  const path = join(folder, name)
  writeFileSync(path, file.files.get(name) ?? '', 'latin1')
  return path
}

/** One test a block; a fresh server for each file, and for what follows a block that stops it. */
export function playAll(t: Test, files: readonly WireFile[], start: (t: Test, file: WireFile) => Promise<Host>): void {
  for (const file of files) {
    void t.test(file.name, async t => {
      let host = await start(t, file)
      for (const block of file.blocks) {
        await t.test(block.name, async () => {
          await replay(block, host)
        })
        if (block.stops) host = await start(t, file)
      }
    })
  }
}
