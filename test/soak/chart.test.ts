import t from 'tap'

import '../support/fresh.js'
import { draw, ticks } from './chart.js'

t.test('lines are at round numbers and reach as far as what is drawn', async t => {
  t.same(ticks(0, 4), [0])
  t.same(ticks(1, 4), [0, 0.5, 1])
  t.same(ticks(93, 4), [0, 50, 100])
  t.same(ticks(200, 4), [0, 50, 100, 150, 200])
  t.same(ticks(0.3, 4), [0, 0.1, 0.2, 0.3])
})

t.test('a picture names what it shows, its units and its time', async t => {
  const picture = draw({
    title: 'a < b', minutes: [0, 60, 120],
    rows: [{ name: 'memory', unit: 'MiB', values: [0, 50, 100] }, { name: 'wait', unit: 'ms', values: [1, 2, 3] }],
  })
  t.match(picture, '<text x="90" y="20" font-size="16">a &lt; b</text>')
  t.match(picture, 'memory (MiB)</text>')
  t.match(picture, 'wait (ms)</text>')
  t.equal(picture.match(/>minutes</g)?.length, 2, 'each panel says what its time is')
  const [memory] = Array.from(picture.matchAll(/<polyline points="([^"]*)"/g), ([, points]) => points!.split(' '))
  t.same(memory?.map(point => point.split(',')[0]), ['90.0', '515.0', '940.0'], 'times are as far from each other as they were')
  const heights = memory!.map(point => Number(point.split(',')[1]))
  t.equal(heights[0]! - heights[1]!, heights[1]! - heights[2]!, 'and so are numbers')
  t.ok(heights[0]! > heights[2]!, 'more is higher')
})
