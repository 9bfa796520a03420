// The delays of event loops: what a timer of each thread notices, and how often it wakes a thread that has nothing to do.
import t from 'tap'
import { Loops, LOOP_BUCKETS, LoopWatch } from '../../src/insight/loops.js'
import { Counter, Counters } from '../../src/stats/counters.js'
import { ManualClock } from '../support/clock.js'

/** A thread of two, whose timers are late by `lateMs`. */
function start(thread = 0, memory = new ArrayBuffer(Loops.bytesFor(2))) {
  const clock = new ManualClock()
  const begun = clock.milliseconds()
  const counters = new Counters(new ArrayBuffer(Counters.bytesFor(2)), 0, 2, thread)
  const loops = new Loops(memory, 0, 2, thread)
  const late = { ms: 0 }
  const watch = new LoopWatch(clock, loops, counters, () => clock.milliseconds() - begun + late.ms)
  watch.start()
  /** The sum of the counts of a thread. */
  const ticks = (): number => [...loops.histograms()].flatMap(({ counts }) => counts).reduce((sum, count) => sum + count, 0)
  /** Its clients send something every 20 ms. */
  const serve = (seconds: number): void => {
    for (let step = 0; step < seconds * 50; step++) {
      counters.add(Counter.BytesRead, 10)
      clock.advance(0.02)
    }
  }
  return { clock, loops, late, watch, ticks, serve }
}

t.test('a thread that serves notes its delay fifty times a second, in its bucket', async t => {
  const { loops, late, serve } = start(1)
  serve(1)
  late.ms = 30
  serve(1)
  const [histogram, ...others] = [...loops.histograms()]
  t.same(others, [])
  if (histogram === undefined) return t.fail('there is none')
  t.equal(histogram.thread, 1)
  t.equal(histogram.counts.reduce((sum, count) => sum + count), 100)
  t.equal(histogram.counts[LOOP_BUCKETS.indexOf(0.05)], 1, '30 ms, once, as the next timer counts from when this one ran')
  t.equal(histogram.counts[0], 99)
  t.ok(Math.abs(histogram.sum - 0.03) < 1e-9)
})

t.test('a thread that serves no client wakes up once a second, and one that serves again soon notes more', async t => {
  const { clock, ticks, serve } = start()
  clock.advance(1)
  const before = ticks()
  clock.advance(60)
  t.equal(ticks() - before, 60)
  serve(1)
  const again = ticks()
  serve(1)
  t.equal(ticks() - again, 50)
})

t.test('one that has stopped notes nothing, and what others have noted is seen', async t => {
  const memory = new ArrayBuffer(Loops.bytesFor(2))
  const [one, other] = [start(0, memory), start(1, memory)]
  one.clock.advance(0.02)
  other.clock.advance(0.02)
  t.same([...one.loops.histograms()].map(({ thread }) => thread), [0, 1])
  one.watch.stop()
  const before = one.ticks()
  one.clock.advance(100)
  t.equal(one.ticks(), before)
})

t.test('a delay above all bounds has its count', async t => {
  const { loops } = start()
  loops.note(100)
  t.equal([...loops.histograms()][0]?.counts.at(-1), 1)
})
