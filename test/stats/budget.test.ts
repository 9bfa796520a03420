// A text is made as often as it is asked for, as long as that takes little of the thread's time.
import t from 'tap'
import { Budget } from '../../src/stats/budget.js'
import '../support/fresh.js'

/** A text that takes so many milliseconds, and says when it was made. */
function start(costMs: number) {
  let now = 1000
  const budget = new Budget(() => now)
  const make = (): string => {
    const text = String(now)
    now += costMs
    return text
  }
  return { pass: (ms: number) => { now += ms }, now: () => now, get: () => Number(budget.get(make).toString()) }
}

t.test('who asks now and then gets a new text each time', async t => {
  const { pass, now, get } = start(0.2)
  let old = 0
  for (let scrape = 0; scrape < 1000; scrape++) {
    pass(200)
    const asked = now()
    if (get() !== asked) old++
  }
  t.equal(old, 0)
})

t.test('a hundred in a row are new as well', async t => {
  const { now, get } = start(0.2)
  let old = 0
  for (let scrape = 0; scrape < 100; scrape++) {
    const asked = now()
    if (get() !== asked) old++
  }
  t.equal(old, 0)
})

t.test('who asks all the time takes a quarter of a percent, and gets texts that are no older than that needs', async t => {
  const { pass, now, get } = start(0.2)
  const [begun, texts] = [now(), new Set<number>()]
  let oldest = 0
  for (let scrape = 0; scrape < 100_000; scrape++) {
    pass(1)
    const asked = now()
    const text = get()
    texts.add(text)
    oldest = Math.max(oldest, asked - text)
  }
  const share = texts.size * 0.2 / (now() - begun)
  t.ok(share > 0.0024 && share < 0.0028, `${share}`)
  t.ok(oldest <= 82, `${oldest} ms`)
})

t.test('a text that takes long, as the first one does, counts like others, and none is ever older than 0.4 s', async t => {
  const { pass, now, get } = start(50)
  let [made, last] = [0, 0]
  for (let asked = now(); get() === asked; asked = now()) [made, last] = [made + 1, asked]
  t.ok(made >= 20 && made < 25, `${made} in a row`)
  const second = now()
  while (get() === last) pass(1)
  t.ok(now() - 50 - second <= 400, `the next one after ${now() - 50 - second} ms`)
})
