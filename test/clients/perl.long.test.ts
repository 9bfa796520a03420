// Perl's memcached clients.

import t from 'tap'
import { PERL, runClientProgram } from './programs.js'

for (const library of ['Cache::Memcached', 'Cache::Memcached::Fast']) {
  t.test(library, t => runClientProgram(t, {
    language: PERL, libraries: [library], file: 'cache_memcached.pl', args: [library]
  }))
}
