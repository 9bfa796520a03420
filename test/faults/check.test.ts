// Wrong faults, options and matches: all that is wrong is told at once, before anything is done.
import t from 'tap'
import '../support/fresh.js'
import { MemslabError } from '../../src/errors.js'
import { FaultControl } from '../../src/faults/control.js'
import * as faults from '../../src/faults/faults.js'

/** As JavaScript, which no compiler checks, would give them. */
function problemsOf(fault: unknown, options?: unknown): readonly string[] {
  const control = new FaultControl()
  try {
    Reflect.apply(control.use, control, [fault, options])
  } catch (error) {
    if (error instanceof MemslabError && error.code === 'EUSAGE') return error.problems
    throw error
  }
  return []
}

t.test('what is right has no problems', async t => {
  const all = [
    faults.latency({ latency: 1, jitter: 0.5 }, { stream: 'upstream', toxicity: 0.5, name: 'x' }), faults.bandwidth({ rate: 0.5 }),
    faults.slowClose({ delay: 0 }), faults.timeout(), faults.timeout({ timeout: 5 }), faults.resetPeer(), faults.limitData({ bytes: 0 }),
    faults.slicer({ average_size: 2, size_variation: 1, delay: 10 }), faults.reply('x'), faults.reply(new Uint8Array(0)), faults.drop(),
    faults.miss(), faults.evict(), faults.tear(), faults.late(0), faults.late('1h30m'), faults.refuse(), faults.refuse('too many'),
    faults.down(), { type: 'timeout' },
  ]
  for (const fault of all) t.same(problemsOf(fault, {}), [], fault.type)
  t.same(problemsOf(faults.drop(), { verb: 'GET', key: 'k', protocol: 'meta', connection: 1, nth: 2, times: 3, toxicity: 0, seed: -1 }), [])
  t.same(problemsOf(faults.drop(), { verb: ['get', '0x60'], key: { prefix: '' }, once: true, times: undefined }), [])
})

t.test('what is no fault', async t => {
  t.same(problemsOf(undefined), ['the fault must be an object, as the functions of `faults` make it, not undefined'])
  t.same(problemsOf('drop'), ['the fault must be an object, as the functions of `faults` make it, not a string'])
  t.same(problemsOf({ type: 'latnecy' }), ["type: there is no fault 'latnecy'; is it latency?"])
  t.same(problemsOf({}), ['type: there is no fault undefined'])
})

t.test('attributes', async t => {
  t.same(problemsOf({ type: 'latency' }), ['latency.attributes.latency: must be given'])
  t.same(problemsOf({ type: 'latency', latency: 5, attributes: { latency: -1, jitter: '1' }, stream: 'down', toxicity: 2 }), [
    'latency: there is no such field in latency',
    "stream: must be 'upstream' or 'downstream', not 'down'",
    'toxicity: must be a share, from 0 to 1, not 2',
    'latency: must be milliseconds, from 0, not -1',
    "jitter: must be milliseconds, from 0, not '1'",
  ])
  t.same(problemsOf({ type: 'bandwidth', attributes: { rate: 0 } }),
    ['rate: must be kilobytes a second, from 0 on, but not that, not 0'])
  t.same(problemsOf({ type: 'slicer', attributes: { average: 4, size_variation: 4 } }), [
    'average: there is no such field in slicer.attributes; is it average_size?',
    'slicer.attributes.average_size: must be given',
  ])
  t.same(problemsOf({ type: 'slicer', attributes: { average_size: 4, size_variation: 4 } }),
    ['slicer.attributes.size_variation: must be less than average_size, 4'])
  t.same(problemsOf({ type: 'reply' }), ['reply.answer: must be given'])
  t.same(problemsOf({ type: 'reply', answer: '' }), ["answer: must be a line such as 'SERVER_ERROR out of memory', or bytes, not ''"])
  t.same(problemsOf({ type: 'late', delay: '2 hours' }),
    ["delay: must be milliseconds, or a text such as '31d', '12h', '5m', '90s' or '250ms', not '2 hours'"])
  t.same(problemsOf({ type: 'refuse', with: 'error' }), ["with: must be 'close' or 'too many', not 'error'"])
})

t.test('options', async t => {
  t.same(problemsOf(faults.drop(), { verbs: 'get', once: 1, times: 0, nth: 1.5, seed: 'x', connection: 0, protocol: 'udp', key: 5 }), [
    'verbs: there is no such field in the options; is it verb?',
    'once: must be true or false, not 1',
    'times: must be a number of times, a whole number from 1, not 0',
    'nth: must be a number, a whole number from 1, not 1.5',
    "seed: must be a seed, a whole number from -2147483648, not 'x'",
    'connection: must be the number of a connection, a whole number from 1, not 0',
    "protocol: must be 'text' or 'meta' or 'binary', not 'udp'",
    'key: must be a key, a regular expression or { prefix }, not 5',
  ])
  t.same(problemsOf(faults.drop(), { verb: 'gte' }), ["verb: there is no command 'gte'; is it get?"])
  t.same(problemsOf(faults.drop(), { verb: [] }), ['verb: must be the name of a command, or an array of names, not an array'])
  t.same(problemsOf(faults.drop(), { once: true, times: 2 }), ['once: means times: 1; give one of them'])
  t.same(problemsOf(faults.refuse(), { verb: 'get', key: 'k' }),
    ['verb: refuse concerns a connection, whatever is asked on it', 'key: refuse concerns a connection, whatever is asked on it'])
  t.same(problemsOf(faults.down(), { times: 1 }), ['times: the whole server is down, not a part of it'])
  t.same(problemsOf(faults.drop(), null), ['the options must be an object, not null'])
})

t.test('matches and what waits', async t => {
  const control = new FaultControl()
  t.throws(() => Reflect.apply(control.calls, control, [{ verb: 'gett', kye: 'k' }]), {
    code: 'EUSAGE', problems: ["verb: there is no command 'gett'; is it get or gets?", 'kye: there is no such field in the match; is it key?'],
  })
  await t.rejects(control.waitForCall({ verb: 'get' }, { timeout: -1, count: 0 }), { code: 'EUSAGE', problems: [
    "timeout: must be milliseconds, or a text such as '31d', '12h', '5m', '90s' or '250ms', not -1",
    'count: must be a number of calls, a whole number from 1, not 0',
  ] })
})
