// Clients that show a name and a password by SASL: right ones, wrong ones and none.

import t from 'tap'
import { PHP, PYTHON, RUBY, runClientProgram, type ClientProgram } from './programs.js'
import { saslOptions, skipWithoutUsers } from './users.js'

const programs: readonly ClientProgram[] = [
  { language: PYTHON, libraries: ['pylibmc'], file: 'sasl_client.py', args: ['pylibmc'] },
  { language: PYTHON, libraries: ['bmemcached'], file: 'sasl_client.py', args: ['bmemcached'] },
  { language: RUBY, libraries: ['dalli'], file: 'sasl_dalli.rb' },
  { language: PHP, libraries: ['memcached'], file: 'sasl_memcached.php' }
]

for (const program of programs) {
  t.test(program.libraries.join(), { skip: skipWithoutUsers }, t =>
    runClientProgram(t, { ...program, server: saslOptions(t), tcpOnly: true }))
}
