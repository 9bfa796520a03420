// PHP's memcached extension.

import t from 'tap'
import { PHP, runClientProgram } from './programs.js'

t.test('memcached', t => runClientProgram(t, {
  language: PHP, libraries: ['memcached'], file: 'php_memcached.php'
}))
