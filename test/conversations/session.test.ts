import t from 'tap'

import { startSessions } from '../support/session.js'
import { optionsOf, playAll } from './play.js'

void t.test('read by way of the input buffer', async t => {
  playAll(t, 'session', async (t, file) => await startSessions(t, optionsOf(file)))
})

void t.test('large values read into place', async t => {
  playAll(t, 'session', async (t, file) => await startSessions(t, optionsOf(file), true))
})
