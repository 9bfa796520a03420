// Random and spoiled streams of every protocol: whatever comes, the server goes on, its answers are well-formed, its
// memory is bounded and nothing is left behind. MEMSLAB_SEED chooses the streams, MEMSLAB_FUZZ_SECONDS has it go on for longer.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t, { type Test } from 'tap'

import type { Options } from '../../src/options/options.js'
import { escape } from '../support/bytes.js'
import { lasting } from '../support/length.js'
import { Prng } from '../support/prng.js'
import { shrink } from '../support/shrink.js'
import { binaryFrames, configFrames, configPackets, SASL_TOKEN, saslFrames, textFrames, TOKEN, tokenFrames, USER } from './frames.js'
import type { Frames } from './frames.js'
import { STAYING_MAX, Steps } from './steps.js'
import type { Source } from './steps.js'
import { World } from './world.js'
import type { Step } from './world.js'

const SEED = Number(process.env['MEMSLAB_SEED'] ?? 20261122)
/** Of each kind. */
const STREAMS = 1000
/** What connections may hold on to that wait for the rest of something, all together. */
const HELD_BYTES_MAX = STAYING_MAX * 64 * 1024
/** What may be allocated for good while a few thousand streams go by, most of it compiled code. */
const GROWTH_BYTES_MAX = 8 * 2 ** 20
const COLLECTIONS = 3
/** On a busy machine what happens in the background may take its time. */
const LOOKS_MAX = 20
const SHOWN_STEPS = 10
const SHOWN_BYTES = 500

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

interface Kind {
  readonly title: string
  readonly options: Partial<Options>
  /** Whether large values are read straight into their items. */
  readonly isDirect: boolean
  readonly sources: readonly (Omit<Source, 'frames'> & { readonly makeFrames: (prng: Prng) => Frames })[]
}

const TEXT = { isBinary: false, makeFrames: textFrames }
const BINARY = { isBinary: true, makeFrames: binaryFrames }
const CONFIG = { isBinary: false, makeFrames: configFrames }
const CONFIG_PACKETS = { isBinary: true, makeFrames: configPackets }
const TOKENS = { isBinary: false, makeFrames: tokenFrames, greeting: TOKEN }
const SASL = { isBinary: true, makeFrames: saslFrames, greeting: SASL_TOKEN }
const authFile = writeUsers()
const memory = { maxbytes: 8 * 2 ** 20 }

const KINDS: readonly Kind[] = [
  { title: 'text', options: { ...memory, protocol: 'ascii' }, isDirect: false, sources: [TEXT] },
  { title: 'binary', options: { ...memory, protocol: 'binary' }, isDirect: true, sources: [BINARY] },
  { title: 'text and binary', options: memory, isDirect: true, sources: [TEXT, BINARY] },
  { title: 'text and binary, three requests a turn', options: { ...memory, reqsPerEvent: 3 }, isDirect: false,
    sources: [TEXT, BINARY] },
  { title: 'text with a password', options: { ...memory, protocol: 'ascii', authFile }, isDirect: false, sources: [TOKENS] },
  { title: 'binary with a password', options: { ...memory, protocol: 'binary', sasl: true, authFile }, isDirect: false,
    sources: [SASL] },
  { title: 'discovery', options: { ...memory, discovery: true }, isDirect: true, sources: [CONFIG, CONFIG_PACKETS] },
]

for (const kind of KINDS) {
  t.test(`spoiled streams: ${kind.title}`, t => endure(t, kind))
}

async function endure(t: Test, kind: Kind): Promise<void> {
  const { bytes } = await measureMemory()
  const goesOn = lasting(STREAMS, 'MEMSLAB_FUZZ_SECONDS', 1 / KINDS.length)
  let count = 0
  function* untilTheEnd(): Iterable<Step> {
    for (const step of stepsOf(kind)) {
      if (!goesOn(count)) return
      count++
      yield step
    }
  }
  const failure = await play(kind, untilTheEnd())
  t.comment(`MEMSLAB_SEED=${SEED}: ${count} streams`)
  if (failure === undefined) {
    let growth = Infinity
    for (let looks = 0; growth > GROWTH_BYTES_MAX && looks < LOOKS_MAX; looks++) growth = (await measureMemory()).bytes - bytes
    t.ok(growth <= GROWTH_BYTES_MAX, `memory grew by no more than ${GROWTH_BYTES_MAX} bytes (${growth})`)
    return
  }
  const shortest = await shrink(take(stepsOf(kind), count), async steps => await play(kind, steps) !== undefined)
  throw Object.assign(await play(kind, shortest) ?? failure, { seed: SEED, steps: shortest.slice(-SHOWN_STEPS).map(describe) })
}

/** The same steps every time. */
function* stepsOf({ sources }: Kind): Iterable<Step> {
  const prng = new Prng(SEED)
  const steps = new Steps(prng, sources.map(({ makeFrames, ...source }) => ({ ...source, frames: makeFrames(prng) })))
  for (;;) yield steps.next()
}

function take<T>(things: Iterable<T>, count: number): T[] {
  const taken: T[] = []
  for (const thing of things) {
    if (taken.length === count) break
    taken.push(thing)
  }
  return taken
}

/** Takes the steps in a new world; answers what went wrong. */
async function play(kind: Kind, steps: Iterable<Step>): Promise<Error | undefined> {
  const world = await World.start(kind.options, kind.isDirect)
  try {
    for (const step of steps) await world.take(step)
    const { bufferBytes } = await measureMemory()
    await world.hangUp(0)
    const held = bufferBytes - (await measureMemory()).bufferBytes
    if (held > HELD_BYTES_MAX) throw new Error(`${held} bytes were held for ${STAYING_MAX} connections`)
    await world.close()
    return undefined
  } catch (error) {
    return error as Error
  }
}

/** What lives in memory, and the part of it that is buffers. These are given back in the background, after a collection. */
async function measureMemory(): Promise<{ readonly bytes: number, readonly bufferBytes: number }> {
  for (let count = 0; count < COLLECTIONS; count++) {
    collectGarbage()
    await sleep(10)
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return { bytes: heapUsed + arrayBuffers, bufferBytes: arrayBuffers }
}

function describe({ pieces, ...rest }: Step): string {
  return `${JSON.stringify(rest)} ${pieces.map(piece => escape(piece.subarray(0, SHOWN_BYTES))).join(' | ')}`
}

function writeUsers(): string {
  const folder = mkdtempSync(join(tmpdir(), 'memslab-'))
  t.teardown(() => { rmSync(folder, { recursive: true, force: true }) })
  const file = join(folder, 'users')
  writeFileSync(file, `${USER.name}:${USER.password}\n`)
  return file
}
