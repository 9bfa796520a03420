// The way a listener treats client certificates. A file of its own, as listeners open before the code of TLS is loaded.
import { type Options } from '../options/options.js'
import { type Address } from '../options/address.js'

/** The check of client certificates: none is asked for; one is asked for and, if given, must be valid; one is required. */
export type Verify = 'none' | 'request' | 'require'

/** The check by `ssl_verify_mode`. The last two modes differ only in renegotiation, which is disabled. */
const VERIFY_MODES: readonly Verify[] = ['none', 'request', 'require', 'require']

/** The check of client certificates at a listener; undefined if it does not encrypt. */
export function verifyOf({ sslEnabled, sslVerifyMode }: Options, tls: Address['tls']): Verify | undefined {
  if (!sslEnabled || tls === 'none') return undefined
  if (tls === 'basic') return 'none'
  return tls === 'mutual' ? 'require' : VERIFY_MODES[sslVerifyMode] ?? 'require'
}
