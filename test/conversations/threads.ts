// Plays conversations against a server with two threads. They are too many for one test file, so that two share them.

import type { Test } from 'tap'

import { startThreads } from '../support/workers.js'
import { optionsOf, playable, playAll } from './play.js'

export function playWithThreads(t: Test, isMine: (name: string) => boolean): void {
  const files = playable('threads').filter(file => isMine(file.name))
  playAll(t, files, async (t, file) => await startThreads(t, { ...optionsOf(file), port: -1, listen: ['127.0.0.1'], threads: 2 }))
}

/** Of a file that is played by the first of the two. */
export function isFirst(name: string): boolean {
  return name < 'own'
}
