// The file from which a server reads its users.
import { type Options } from './values.js'

/** -S takes its users from the file of -Y, or where there is none from that of the environment; undefined: there are none. */
export function usersFileOf({ sasl, authFile, saslPwdb }: Options): string | undefined {
  return authFile ?? (sasl ? saslPwdb : undefined)
}
