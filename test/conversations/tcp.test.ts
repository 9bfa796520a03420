import t from 'tap'

import { startLonelyServer } from '../support/server.js'
import { optionsOf, playable, playAll } from './play.js'

playAll(t, playable('tcp'), async (t, file) => await startLonelyServer(t, { ...optionsOf(file), over: 'tcp' }))
