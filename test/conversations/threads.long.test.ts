import t from 'tap'

import { startThreads } from '../support/workers.js'
import { optionsOf, playable, playAll } from './play.js'

playAll(t, playable('threads'), async (t, file) => await startThreads(t, { ...optionsOf(file), port: -1, listen: ['127.0.0.1'], threads: 2 }))
