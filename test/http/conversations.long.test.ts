// All that clients of memcached say, to a server that answers HTTP, too: it changes no answer.
import t from 'tap'
import { optionsOfOne, playable, playAll } from '../conversations/play.js'
import { startLonelyServer } from '../support/server.js'

/** They show all settings, of which -o http is one; or they ask by HTTP, for which memcached ends the connection. */
const OTHERS = /^stats-settings|^http-get$|^watch-connevents-close-by-error$/
const SETTINGS = /^(stats\.settings|stats\.options|own\.options)$/

const files = playable('tcp').filter(({ name }) => !SETTINGS.test(name))
  .map(file => ({ ...file, blocks: file.blocks.filter(({ name }) => !OTHERS.test(name)) }))

playAll(t, files, async (t, file) => await startLonelyServer(t, { ...optionsOfOne(file), over: 'tcp', http: true }))
