// The regions of an arena: places and sizes follow from their rows, and each has one user.
import { readFileSync } from 'node:fs'
import t from 'tap'
import { Arena, ARENA_PAGES_MAX } from '../../src/memory/arena.js'
import { Regions } from '../../src/memory/regions.js'
import { defaultOptions } from '../../src/options/options.js'
import { Room } from '../../src/embed/room.js'
import { IO_BYTES } from '../../src/server/engine.js'
import { Table } from '../../src/store/index/table.js'
import { SlabClasses } from '../../src/store/slabs/classes.js'
import { drawRegions, regionsFor, type RegionFacts } from '../../src/store/regions.js'
import { Store } from '../../src/store/store.js'
import { ManualClock } from '../support/clock.js'
import { inProject } from '../support/places.js'

const MIB = 1024 * 1024

const SMALL = new Regions([
  { name: 'nothing', bytes: 64, alignment: 64 }, { name: 'odd', bytes: 5, alignment: 64 },
  { name: 'next', bytes: 64, alignment: 64 }, { name: 'pages', bytes: 2 * MIB, alignment: MIB },
])

/** What the regions of a server with four threads and these options follow from; a fifth thread takes the connections. */
function factsWith(options: { trackSizes: boolean, chunkSize: number }): RegionFacts {
  const { chunkBytesMin } = new SlabClasses({ ...defaultOptions(), ...options })
  return { ...defaultOptions(), ...options, threads: 5, stripeCount: 1024, ioBytes: IO_BYTES + Room.Bytes, chunkBytesMin,
    bucketsMax: 2 ** 20, pages: 100 }
}

t.test('a region begins where the one before it ends, on the next multiple of its alignment', async t => {
  t.same(['nothing', 'odd', 'next', 'pages'].map(name => SMALL.startOf(name as 'odd')), [0, 64, 128, MIB])
  t.equal(SMALL.end, 3 * MIB)
})

t.test('an arena is as large as its regions, and each of them has one user', async t => {
  const arena = new Arena<'odd' | 'next'>({ whole: SMALL, least: SMALL }, false, new ArrayBuffer(SMALL.end))
  t.equal(arena.take('odd'), 64)
  t.throws(() => arena.take('odd'), { message: 'the region odd has a user already' })
  t.throws(() => arena.assertTaken(), { message: 'regions without a user: next' })
  t.equal(arena.takeWords('next').length, 16)
  arena.assertTaken()
  t.throws(() => new Arena({ whole: SMALL, least: SMALL }, false, new ArrayBuffer(SMALL.end - MIB)),
    { message: 'memory too small for its regions' })
})

t.test('whatever the options are, no two regions of a store overlap or have a gap that no alignment asks for', async t => {
  for (const trackSizes of [false, true]) for (const chunkSize of [1, 48, 1000]) for (const isFirst of [true, false]) {
    const regions = regionsFor(isFirst, factsWith({ trackSizes, chunkSize }))
    let end = 0
    for (const { name, bytes, alignment } of regions.rows) {
      const start = regions.startOf(name)
      t.ok(start >= end && start - end < alignment && start % alignment === 0, `${name} begins at ${start}, behind ${end}`)
      end = start + bytes
    }
    t.equal(end, regions.end)
  }
})

t.test('a store uses every region of each of its arenas', async t => {
  for (const maxbytes of [8 * MIB, 5000 * MIB]) for (const trackSizes of [false, true]) {
    const options = { ...defaultOptions(), maxbytes, trackSizes, ioBytes: IO_BYTES, shared: false, threads: 1 }
    t.doesNotThrow(() => new Store(options, new ManualClock()))
  }
})

t.test('memory/README.md shows the regions of a server with the defaults as their rows have them', async t => {
  const shown = readFileSync(inProject('src/memory/README.md'), 'utf8')
  const facts = { ...factsWith({ trackSizes: false, chunkSize: 48 }), bucketsMax: Table.bucketCountFor(ARENA_PAGES_MAX),
    pages: 0 }
  const pages = ARENA_PAGES_MAX - regionsFor(true, facts).startOf('pages') / MIB
  const drawn = drawRegions({ ...facts, pages })
  t.ok(shown.includes(drawn), `the table should be\n${drawn}`)
})
