// Django's cache framework over each of its memcached backends. MemcachedCache is gone from Django 4.1.

import t from 'tap'
import { PYTHON, runClientProgram } from './programs.js'

const backends = [
  { backend: 'PyMemcacheCache', library: 'pymemcache' },
  { backend: 'PyLibMCCache', library: 'pylibmc' },
  { backend: 'MemcachedCache', library: 'memcache' }
]

for (const { backend, library } of backends) {
  t.test(backend, t => runClientProgram(t, {
    language: PYTHON,
    libraries: [library, `django, django.core.cache.backends.memcached as backends; backends.${backend}`],
    file: 'django_cache.py',
    args: [backend]
  }))
}
