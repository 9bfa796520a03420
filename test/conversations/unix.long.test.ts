import t from 'tap'

import { startLonelyServer } from '../support/server.js'
import { optionsOfOne, playable, playAll } from './play.js'

playAll(t, playable('unix'), async (t, file) => await startLonelyServer(t, { ...optionsOfOne(file), over: 'unix' }))
