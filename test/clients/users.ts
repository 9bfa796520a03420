// A server with users: anna has the password secret, nobody else has any.

import type { Test } from 'tap'
import { isForeign } from './server.js'

/** For a test's `skip`. memcached takes the users of SASL from a database of its own, which SASL_CONF_PATH leads to. */
export const skipWithoutUsers = isForeign && process.env['SASL_CONF_PATH'] === undefined
  ? 'the users of another server are not ours to make' : false

/** Options of a server that asks for SASL. */
export function saslOptions(t: Test): string[] {
  return isForeign ? ['-S'] : ['-S', ...passwordOptions(t)]
}

/** Options of a server that asks for a name and a password in the text protocol. */
export function passwordOptions(t: Test): string[] {
  return ['-Y', `${t.testdir({ users: 'anna:secret\n' })}/users`]
}
