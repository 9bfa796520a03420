import t from 'tap'

import { escape, unescape } from './bytes.js'
import { ManualClock } from './clock.js'
import { fill, literalOf, parseWireFile, patternsOf } from './conversation.js'
import { ExactBytes, Matching, Mismatch } from './peer.js'
import type { Peer } from './peer.js'
import { replay } from './replay.js'
import type { Host } from './replay.js'

t.test('escapes stand for bytes, and come back from them', async t => {
  t.equal(unescape('a\\r\\n\\t\\\\\\x41\\xff'), 'a\r\n\t\\A\xff')
  t.equal(unescape('\\*3{ab\\x20}c'), 'ab ab ab c')
  t.equal(unescape('\\*2{\\r\\n}'), '\r\n\r\n')
  t.throws(() => unescape('\\q'))
  const every = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code)).join('')
  t.equal(unescape(escape(every + 'x'.repeat(1000))), every + 'x'.repeat(1000))
})

t.test('a file is its server line and its blocks', async t => {
  const file = parseWireFile('f', [
    '# server: -m 64 -C', '# a comment', '## one [flush]', '> get a', '> \\r\\n', '< END\\r\\n', '', '## two [stops]', '@ 2',
      '~ 20', '<', '! closed',
  ].join('\n'))
  t.same(file.arguments, ['-m', '64', '-C'])
  t.match(file.blocks, [
    { name: 'one', flush: true, stops: false, steps: [{ kind: 'send', bytes: 'get a\\r\\n' }, { kind: 'answer' }] },
    { name: 'two', flush: false, stops: true,
      steps: [{ kind: 'connection', id: 2 }, { kind: 'wait', milliseconds: 20 }, { kind: 'silence' }, { kind: 'closed' }] },
  ])
  t.throws(() => parseWireFile('f', '## one\n+ nonsense'), { message: 'f.wire:2: cannot read "+ nonsense"' })
  t.throws(() => parseWireFile('f', '> early'), { message: 'f.wire:1: a step outside of a block' })
})

t.test('what a group matched takes its place in later lines', async t => {
  const kept = new Map([['id', '1.5']])
  t.equal(fill('cas a \\{id}\\r\\n', kept), 'cas a 1.5\r\n')
  t.throws(() => fill('\\{other}', kept), { message: 'nothing was kept as other' })
  t.equal(literalOf([{ isPattern: false, text: 'a' }, { isPattern: true, text: 'b' }], kept), undefined)
  const matching =
    new Matching(patternsOf([{ isPattern: true, text: '(?!\\{id})[0-9.]+\\r\\n' }, { isPattern: false, text: 'END' }], kept))
  t.equal(matching.judge(Buffer.from('1x5\r\nEND')), 'incomplete')
  t.equal(matching.judge(Buffer.from('125\r\nEND')), 'met')
  t.equal(matching.judge(Buffer.from('1.5\r\nEND')), 'incomplete')
})

t.test('an answer is right, wrong, or could still become right', async t => {
  const expected = new ExactBytes('END\r\n')
  t.equal(expected.judge(Buffer.from('END\r\n')), 'met')
  t.equal(expected.judge(Buffer.from('EN')), 'incomplete')
  t.equal(expected.judge(Buffer.from('ER')), 'wrong')
  t.equal(expected.judge(Buffer.from('END\r\n\r\n')), 'wrong')
})

/** Answers every write with the next of these. */
function scripted(answers: string[]): Host {
  const peer: Peer = {
    send: async () => {},
    answer: async () => Buffer.from(answers.shift() ?? ''),
    waiting: () => Buffer.alloc(0),
    closed: async () => false,
    pause: () => {},
    resume: () => {},
    hangUp: async () => Buffer.from(answers.join('')),
  }
  return { connect: async () => peer, settle: async () => {}, pass: async () => {}, stopped: async () => {} }
}

t.test('a replay notices wrong answers, more than was expected, and a connection left open', async t => {
  const [block, closing] = parseWireFile('f', '## one\n> a\n< b\n\n## two\n> a\n! closed').blocks
  if (block === undefined || closing === undefined) throw new Error('two blocks')
  t.equal(await replay(block, scripted(['b'])), 1)
  await t.rejects(replay(block, scripted(['x'])), Mismatch)
  await t.rejects(replay(block, scripted(['b', 'more'])), Mismatch)
  await t.rejects(replay(closing, scripted([])), Mismatch)
})

t.test('the manual clock runs what falls due, in order and at its own time', async t => {
  const clock = new ManualClock(0)
  const seen: string[] = []
  const stop = clock.every(1000, () => { seen.push(`a${clock.milliseconds()}`) })
  clock.every(700, () => { seen.push(`b${clock.milliseconds()}`) })
  clock.advance(1.5)
  t.same(seen, ['b700', 'a1000', 'b1400'])
  stop()
  clock.advance(1)
  t.same(seen.slice(3), ['b2100'])
  t.equal(clock.milliseconds(), 2500)
})
