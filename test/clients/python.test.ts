// Python's memcached clients.

import t from 'tap'
import { PYTHON, runClientProgram } from './programs.js'

t.test('pymemcache', t => runClientProgram(t, {
  language: PYTHON, libraries: ['pymemcache'], file: 'pymemcache_client.py'
}))

t.test('pylibmc', t => runClientProgram(t, {
  language: PYTHON, libraries: ['pylibmc'], file: 'pylibmc_client.py'
}))

t.test('python-memcached', t => runClientProgram(t, {
  language: PYTHON, libraries: ['memcache'], file: 'python_memcached.py'
}))
