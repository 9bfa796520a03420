// How far a run is, on a terminal and elsewhere.
import t from 'tap'
import { Progress } from '../../bench/progress.js'
import '../support/fresh.js'

function screenOf(isTTY: boolean): { isTTY: boolean, texts: string[], write: (text: string) => void } {
  const texts: string[] = []
  return { isTTY, texts, write: text => { texts.push(text) } }
}

t.test('a terminal has one line, with the time left by what the rows before took', async t => {
  const screen = screenOf(true)
  let now = 100
  const progress = new Progress(screen, false, [10, 30, 20], () => now)
  progress.begin(0, 'get')
  now += 20
  progress.begin(1, 'set')
  now += 30
  progress.tell('round 2 of 2', 0.5)
  progress.clear()
  progress.clear()
  t.same(screen.texts, [
    '\r\x1b[Krow 1 of 3, get',
    '\r\x1b[Krow 2 of 3, set, about 2 min left',
    '\r\x1b[Krow 2 of 3, set, round 2 of 2, about 70 s left',
    '\r\x1b[K',
  ], 'twice as long as expected, which is 50 of 60 more; then 2 for 1, and 35 more')
})

t.test('what is no terminal has nothing, or a line now and then', async t => {
  const screen = screenOf(false)
  let now = 0
  const run = (isAsked: boolean): void => {
    const progress = new Progress(screen, isAsked, [10, 10], () => now)
    progress.begin(0, 'get')
    progress.tell('round 1 of 2', 0)
    now += 9
    progress.tell('round 2 of 2', 0.5)
    now += 2
    progress.tell('round 2 of 2', 0.9)
    progress.clear()
    progress.begin(1, 'set')
  }
  run(false)
  t.same(screen.texts, [])
  run(true)
  t.same(screen.texts, [
    'row 1 of 2, get\n',
    'row 1 of 2, get, round 1 of 2\n',
    'row 1 of 2, get, round 2 of 2, about 14 s left\n',
    'row 2 of 2, set, about 11 s left\n',
  ])
})
