// Ruby's memcached client.

import t from 'tap'
import { RUBY, runClientProgram } from './programs.js'

t.test('Dalli', t => runClientProgram(t, {
  language: RUBY, libraries: ['dalli'], file: 'dalli_client.rb'
}))
