// With no fault in force, a client sees byte for byte what it would see without the tap.
import t from 'tap'
import { optionsOfOne, playable, playAll } from '../conversations/play.js'
import { FaultControl } from '../../src/faults/control.js'
import { startLonelyServer } from '../support/server.js'

playAll(t, playable('tcp'), async (t, file) => await startLonelyServer(t, { ...optionsOfOne(file), faults: new FaultControl() }))
