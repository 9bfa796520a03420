// What is read in the output of a test file.

import t from 'tap'

import './fresh.js'
import { TapReader } from './tap.js'

function read(text: string): TapReader {
  const tap = new TapReader()
  // in pieces, as it comes from a pipe
  for (let at = 0; at < text.length; at += 7) tap.read(text.slice(at, at + 7))
  tap.end()
  return tap
}

const OUTPUT = `TAP version 14
# Subtest: outer
    ok 1 - a \\# in the name
    # Subtest: inner
        not ok 1 - boo
          ---
          at: here
          diff: |
            ok 7 - not a line of its own
          ...
        
        1..1
    not ok 2 - inner # time=1.2ms
      ---
      at: there
      ...
    
    # Subtest: empty
        1..0
    ok 3 - empty # time=1ms
    
    # MEMSLAB_SEED=7
    ok 4 - one that cannot be # SKIP no such program
    1..4
not ok 1 - outer # time=30.6ms
  ---
  at: outside
  ...

ok 2 - left out # SKIP
ok 3 - later # TODO some day
not ok 4
not ok 5 - no details
1..5
# { total: 9 }
`

t.test('checks are counted, subtests are not, unless they are empty', t => {
  const { passed, failures, skips, comments } = read(OUTPUT)
  t.equal(passed, 2)
  t.same(failures.map(({ name }) => name), ['outer > inner > boo', '', 'no details'])
  t.equal(failures[0]?.details, 'at: here\ndiff: |\n  ok 7 - not a line of its own')
  t.same(comments, ['MEMSLAB_SEED=7'])
  t.same(skips, [
    { name: 'outer > one that cannot be', reason: 'no such program' }, { name: 'left out', reason: 'SKIP' },
      { name: 'later', reason: 'some day' },
  ])
  t.end()
})

t.test('a subtest that fails for a reason of its own is told', t => {
  const { failures } =
    read('# Subtest: outer\n    ok 1 - a\n    1..2\nnot ok 1 - outer\n  ---\n  message: too few\n  ...\n1..1\n')
  t.same(failures, [{ name: 'outer', details: 'message: too few' }])
  t.end()
})

t.test('a file that is left out as a whole', t => {
  t.same(read('TAP version 14\n1..0 # SKIP not here\n').skips, [{ name: '', reason: 'not here' }])
  t.end()
})

t.test('what broke off is seen', t => {
  t.equal(read('ok 1 - a\n1..1\n').problem(), undefined)
  t.equal(read('ok 1 - a\n1..2\n').problem(), 'it said that it has 2 tests, and had 1')
  t.equal(read('ok 1 - a\n# Subtest: b\n    # Subtest: c\n        ok 1 - x\n').problem(), 'it broke off after 1 tests, in: b > c')
  t.match(read('ok 1 - a\nBail out! no server\n').failures, [{ name: 'Bail out! no server' }])
  t.end()
})
