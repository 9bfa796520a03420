// How much of what explore.ts can do is done. What can be set:
//
//   MEMSLAB_SEED        which of it, and which keys share a lock
//   MEMSLAB_SCHEDULES   how many schedules, or `all`: each pair in each place, stopped at each point. That takes an hour.
//   MEMSLAB_SIMULATE    a line of a failure: only that is run

import type { Test } from 'tap'

import { Prng } from '../support/prng.js'
import { Explorer, pairsFor, parseTrial, places, threeOf } from './explore.js'

export const SEED = Number(process.env['MEMSLAB_SEED'] ?? 20261128)
const ASKED = process.env['MEMSLAB_SCHEDULES']
const AGAIN = process.env['MEMSLAB_SIMULATE']
/** Of one pair, unless all are asked for. */
const SCHEDULES_PER_PAIR = 6
const RANDOM_PER_PAIR = 2
const RANDOM_PER_PAIR_MOST = 10
/** Three at once are a part of all. */
const THREES_SHARE = 0.25
const RANDOM_PER_THREE = 5

/** Whether one line of a failure is to be run, and nothing else. */
export const isReplay = AGAIN !== undefined

/** Runs what MEMSLAB_SIMULATE says. */
export async function replay(t: Test): Promise<void> {
  const { trial, seed, schedule } = parseTrial(AGAIN!)
  await explore(t, seed, explorer => explorer.replay(trial, schedule))
}

/** Pairs and threes of operations in all places, with so many schedules unless MEMSLAB_SCHEDULES says how many. */
export async function simulate(t: Test, schedules: number, seed: number): Promise<void> {
  const isWhole = ASKED === 'all'
  const most = isWhole ? Infinity : Number(ASKED ?? schedules)
  const random = new Prng(seed)
  await explore(t, SEED, explorer => {
    const all = places()
    for (const [index, place] of all.entries()) {
      const until = most * (index + 1 - THREES_SHARE) / all.length
      for (const operations of random.shuffled(pairsFor(place))) {
        if (explorer.tally.runs >= until) break
        explorer.explore({ ...place, operations }, isWhole ? Infinity : SCHEDULES_PER_PAIR, isWhole ? RANDOM_PER_PAIR_MOST
          : RANDOM_PER_PAIR)
      }
      const end = isWhole ? explorer.tally.runs * (1 + THREES_SHARE / all.length) : most * (index + 1) / all.length
      while (explorer.tally.runs < end) {
        explorer.exploreAtRandom({ ...place, operations: threeOf(place, random) }, RANDOM_PER_THREE)
      }
    }
  })
}

/** With threads that are ended afterwards. */
export async function explore(t: Test, seed: number, work: (explorer: Explorer) => void): Promise<void> {
  const explorer = await Explorer.start(seed)
  try {
    work(explorer)
    const { trials, runs, waits, refusals } = explorer.tally
    t.pass(`${runs} schedules of ${trials} trials, seed ${seed}: a thread waited ${waits} times; ` +
      `memory was refused ${refusals} times`)
  } finally { await explorer.end() }
}
