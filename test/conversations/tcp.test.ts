import t from 'tap'

import { startServer } from '../support/server.js'
import { optionsOf, playAll } from './play.js'

playAll(t, 'tcp', async (t, file) => await startServer(t, { ...optionsOf(file), over: 'tcp' }))
