// What `stats sizing` says of real programs' requests, beside the hit ratios of stores that have that much memory.
import t from 'tap'
import '../support/fresh.js'
import { Prng, Zipf } from '../../bench/random.js'
import { errorsOf, replay, traceOf } from './replay.js'

const POINTS_MAX = 2
const OTHER_SIZES = [0.25, 0.5, 2, 4]
const MANY_KEYS = 200_000
const MANY_REQUESTS = 400_000

for (const { name, valueBytes, megabytes } of [
  { name: 'web07', valueBytes: 4000, megabytes: 16 },
  { name: 'orm-busy', valueBytes: 1000, megabytes: 8 },
  { name: 'disk-w106', valueBytes: 1000, megabytes: 8 },
]) {
  t.test(`stats sizing is within ${POINTS_MAX} points of what happens with other sizes: ${name}`, async t => {
    const errors = errorsOf(traceOf(name), { megabytes, valueBytes: () => valueBytes }, OTHER_SIZES)
    for (const [factor, points] of errors) t.ok(Math.abs(points) < POINTS_MAX, `${factor}: off by ${points.toFixed(2)}`)
  })
}

t.test('a small sample of many keys says as much', async t => {
  const zipf = new Zipf(MANY_KEYS, 0.9, new Prng(7))
  const keys = Uint32Array.from({ length: MANY_REQUESTS }, () => zipf.next())
  const subject = { megabytes: 16, valueBytes: () => 500 }
  const { sizing } = replay(keys, subject)
  t.ok(sizing['sample_rate']! <= 1 / 4, `a rate of ${sizing['sample_rate']}`)
  t.ok(sizing['sampled_keys']! >= 4000, `${sizing['sampled_keys']} keys`)
  const errors = errorsOf(keys, subject, OTHER_SIZES)
  for (const [factor, points] of errors) t.ok(Math.abs(points) < POINTS_MAX, `${factor}: off by ${points.toFixed(2)}`)
})
