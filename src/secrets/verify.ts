// How a listener treats certificates of clients. By itself, as listeners open before what TLS needs is loaded.
import { type Options } from '../options/options.js'
import { type Address } from '../options/address.js'

/** Certificates of clients: not asked for; asked for, and good if there is one; required. */
export type Verify = 'none' | 'request' | 'require'

/** By `ssl_verify_mode`. The last two differ only in what happens when a connection is renegotiated, which none is. */
const VERIFY_MODES: readonly Verify[] = ['none', 'request', 'require', 'require']

/** How a listener treats certificates of clients; undefined if it does not encrypt. */
export function verifyOf({ sslEnabled, sslVerifyMode }: Options, tls: Address['tls']): Verify | undefined {
  if (!sslEnabled || tls === 'none') return undefined
  if (tls === 'basic') return 'none'
  return tls === 'mutual' ? 'require' : VERIFY_MODES[sslVerifyMode] ?? 'require'
}
