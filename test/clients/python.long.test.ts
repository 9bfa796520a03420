// Python's memcached clients.

import t from 'tap'
import { PYTHON, runClientProgram } from './programs.js'

t.test('pymemcache', t => runClientProgram(t, {
  language: PYTHON, libraries: ['pymemcache'], file: 'pymemcache_client.py'
}))

for (const protocol of ['text', 'binary']) {
  t.test(`pylibmc, ${protocol} protocol`, t => runClientProgram(t, {
    language: PYTHON, libraries: ['pylibmc'], file: 'pylibmc_client.py', args: [protocol]
  }))
}

t.test('python-memcached', t => runClientProgram(t, {
  language: PYTHON, libraries: ['memcache'], file: 'python_memcached.py'
}))

t.test('python-binary-memcached', t => runClientProgram(t, {
  language: PYTHON, libraries: ['bmemcached'], file: 'bmemcached_client.py'
}))
