// The same as conversations.test.ts with two threads, of which each has a tap.
import t from 'tap'
import { FaultControl } from '../../dist/faults/control.js'
import { optionsOf, playable, playAll } from '../conversations/play.js'
import { startThreads } from '../support/workers.js'

playAll(t, playable('threads'), async (t, file) =>
  await startThreads(t, { ...optionsOf(file), port: -1, listen: ['127.0.0.1'], threads: 2 }, new FaultControl()))
