// The recorded conversations over TCP once more, each read of which is kept for a round.
import t from 'tap'
import { alwaysInRounds } from '../support/rounds.js'
import { startLonelyServer } from '../support/server.js'
import { optionsOfOne, playable, playAll } from './play.js'

const rounds = alwaysInRounds()
playAll(t, playable('tcp'), async (t, file) => await startLonelyServer(t, { ...optionsOfOne(file), over: 'tcp' }))
t.teardown(() => { if (rounds() === 0) throw new Error('there was no round') })
