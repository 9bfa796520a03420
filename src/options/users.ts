// The file from which a server reads its users.
import { type Options } from './values.js'

/** The file of -Y; with -S and without -Y, the file that the environment names. Undefined if clients need no password. */
export function usersFileOf({ sasl, authFile, saslPwdb }: Options): string | undefined {
  return authFile ?? (sasl ? saslPwdb : undefined)
}
