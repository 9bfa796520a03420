// A server that is used by everybody in every way for a while still holds what it was given and nothing else, is whole, and
// takes no more memory than in the beginning. Some seconds here; MEMSLAB_SOAK_MINUTES makes it as long as one likes.

import t from 'tap'

import { soak } from './soak.js'

t.test('a soak: all protocols, shifting sizes, expiry, flushes, reconnects, four threads', soak)
