import t from 'tap'

import { startLonelyServer } from '../support/server.js'
import { optionsOf, playable, playAll } from './play.js'

playAll(t, playable('tls'), async (t, file) => await startLonelyServer(t, { ...optionsOf(file), over: 'tls' }))
