import t from 'tap'

import { startSessions } from '../support/session.js'
import { optionsOfOne, playable, playAll } from './play.js'

const files = playable('session')

void t.test('read by way of the input buffer', async t => {
  playAll(t, files, async (t, file) => await startSessions(t, optionsOfOne(file)))
})

void t.test('large values read into place', async t => {
  const large = files.filter(file => /bigvalues|items|evict|errors|pipeline/.test(file.name))
  playAll(t, large, async (t, file) => await startSessions(t, optionsOfOne(file), true))
})
