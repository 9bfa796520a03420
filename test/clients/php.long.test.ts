// PHP's memcached extension.

import t from 'tap'
import { PHP, runClientProgram } from './programs.js'

for (const protocol of ['text', 'binary']) {
  t.test(`memcached, ${protocol} protocol`, t => runClientProgram(t, {
    language: PHP, libraries: ['memcached'], file: 'php_memcached.php', args: [protocol]
  }))
}
