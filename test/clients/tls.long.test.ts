// Clients that speak TLS: everything they do without it, and a server they must not trust. (Dalli 3.0.6 speaks TLS, too,
// but its get_multi fails then before anything is read. memcached 1.6.18 leaves the end of a long pipeline unread in its
// TLS buffers, so bmemcached's set_multi fails there.)

import t from 'tap'
import { stranger, writeCertificates } from '../support/certificates.js'
import { PYTHON, runClientProgram, type ClientProgram } from './programs.js'

const programs: readonly ClientProgram[] = [
  { language: PYTHON, libraries: ['pymemcache'], file: 'pymemcache_client.py' },
  { language: PYTHON, libraries: ['bmemcached'], file: 'bmemcached_client.py' }
]

for (const program of programs) {
  t.test(program.libraries.join(), t => {
    const { chain, key, authority } = writeCertificates(t)
    const server = ['-Z', '-o', `ssl_chain_cert=${chain},ssl_key=${key}`]
    return runClientProgram(t, { ...program, args: [authority], server, tcpOnly: true })
  })
}

t.test('a server that nobody vouches for is not trusted', t => {
  const { chain, key, authority, renew } = writeCertificates(t)
  renew(stranger)
  return runClientProgram(t, {
    language: PYTHON, libraries: ['pymemcache'], file: 'tls_refused.py', args: [authority],
    server: ['-Z', '-o', `ssl_chain_cert=${chain},ssl_key=${key}`], tcpOnly: true
  })
})
