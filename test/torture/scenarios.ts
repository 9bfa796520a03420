// What servers are tortured with.

import type { Options } from '../../src/options/options.js'
import type { Scenario } from './torture.js'

export interface Trial {
  readonly title: string
  readonly options: Pick<Partial<Options>, 'maxbytes'>
  readonly scenario: Scenario
}

/** The last line of an answer: not one of a table. */
const END = /(^|\n)(?!STAT |PREFIX |key=)[^\n]+\r\n$/
/** Of a dump, which begins with OK, or of what it is refused with. */
const DUMP_END = /(^|\n)(END|[A-Z]+ [^\n]+)\r\n$/
const MIB = 2 ** 20

const FEW_KEYS: Scenario = {
  connections: 16, requests: 12_000, burstMax: 24,
  values: 5, locks: 3, numbers: 4, sizes: [1, 100, 100, 200, 200, 1000, 2000, 4000, 10_000, 40_960], largeOneIn: 0,
  expires: true, flushOneIn: 4000, canEvict: false,
  aside: lines('stats', 'stats reset', 'stats detail on', 'stats settings', 'stats detail dump', 'stats conns'),
}

export const TRIALS: readonly Trial[] = [
  { title: 'few keys', options: {}, scenario: FEW_KEYS },
  // Less at one time: fewer threads meet, but more can be told of the order of things.
  {
    title: 'short bursts', options: {},
    scenario: { ...FEW_KEYS, connections: 8, requests: 12_000, burstMax: 4, values: 24, locks: 6, numbers: 6 },
  },
  {
    title: 'large values', options: { maxbytes: 256 * MIB },
    scenario: { ...FEW_KEYS, connections: 9, requests: 1500, burstMax: 8, locks: 1, numbers: 2, largeOneIn: 3 },
  },
  {
    title: 'little memory', options: { maxbytes: 6 * MIB },
    scenario: {
      ...FEW_KEYS, requests: 14_000, values: 900, locks: 20, numbers: 80, sizes: [100, 1000, 10_000, 40_960, 40_960, 40_960],
      canEvict: true,
      aside: lines(
        'stats', 'stats items', 'stats slabs', 'stats settings', 'stats detail on', 'lru_crawler crawl all',
        'stats detail dump', 'slabs reassign -1 9', 'stats detail off', 'stats conns', 'stats sizes', 'verbosity 0',
        'slabs automove 1',
      ).concat([['lru_crawler metadump all', DUMP_END]]),
    },
  },
]

function lines(...texts: string[]): [string, RegExp][] {
  return texts.map(text => [text, END])
}
