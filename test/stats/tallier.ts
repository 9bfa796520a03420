// One of several threads that count prefixes at once, see prefixes.test.ts.
import { workerData } from 'node:worker_threads'
import { Lives } from '../../src/memory/lives.js'
import { Prefixes } from '../../src/stats/prefixes.js'
import { knownHash } from '../support/hash.js'
import { meet } from '../support/threads.js'

/** What a tallier works with. */
export interface TallierData {
  readonly memory: SharedArrayBuffer
  readonly gate: Int32Array
  /** Which of the threads live. */
  readonly lives: Int32Array
  /** The number of this one, from 1. */
  readonly thread: number
  readonly threads: number
  /** Counts a get, a hit for every second one, a set and a delete of each of the prefixes, so often. */
  readonly rounds: number
  readonly prefixes: number
}

const { memory, gate, lives, thread, threads, rounds, prefixes: count } = workerData as TallierData
const prefixes = new Prefixes(memory, ':', knownHash, new Lives(lives, thread))
const keys = Array.from({ length: count }, (_, index) => Buffer.from(`prefix${index}:key`))
meet(gate, threads)
for (let round = 0; round < rounds; round++) {
  for (const key of keys) {
    prefixes.recordGet(key, 0, key.length, round % 2 === 0)
    prefixes.recordSet(key, 0, key.length)
    prefixes.recordDelete(key, 0, key.length)
  }
}
