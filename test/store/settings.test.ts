// What a store is told at its start, or by commands, is kept as it was told: no setting changes another.
import t from 'tap'
import { Mode } from '../../src/store/request.js'
import { bytesOf, StoreUnderTest } from '../support/store.js'

const LISTS = { hotLruPct: 11, warmLruPct: 22, hotMaxFactor: 0.33, warmMaxFactor: 4.4, temporaryTtl: 55 }

/** All that commands can change. */
function settingsOf({ store: { automove, tuning } }: StoreUnderTest) {
  const { mode, window, ratio, freeRatio } = automove
  const { lruSegmented, tempLru, hotLruPct, warmLruPct, hotMaxFactor, warmMaxFactor, temporaryTtl } = tuning
  return {
    mode, window, ratio, freeRatio,
    lruSegmented, tempLru, hotLruPct, warmLruPct, hotMaxFactor, warmMaxFactor, temporaryTtl,
  }
}

for (const [lruSegmented, tempLru] of [[false, true], [true, false]] as const) {
  t.test(`it is as the options say, with lruSegmented ${lruSegmented} and tempLru ${tempLru}`, async t => {
    const subject = new StoreUnderTest({
      ...LISTS, lruSegmented, tempLru,
      slabAutomove: 2, slabAutomoveWindow: 66, slabAutomoveRatio: 0.77, slabAutomoveFreeratio: 0.088,
    })
    t.same(settingsOf(subject), { mode: 2, window: 66, ratio: 0.77, freeRatio: 0.088, lruSegmented, tempLru, ...LISTS })
  })
}

t.test('what is changed changes alone', async t => {
  const subject = new StoreUnderTest({ ...LISTS, lruSegmented: true, tempLru: false })
  const before = settingsOf(subject)
  const { automove, tuning } = subject.store
  automove.ratio = 0.5
  t.same(settingsOf(subject), { ...before, ratio: 0.5 })
  automove.freeRatio = 0.25
  t.same(settingsOf(subject), { ...before, ratio: 0.5, freeRatio: 0.25 })
  tuning.tempLru = true
  t.same(settingsOf(subject), { ...before, ratio: 0.5, freeRatio: 0.25, tempLru: true })
  tuning.temporaryTtl = 5
  t.same(settingsOf(subject), { ...before, ratio: 0.5, freeRatio: 0.25, tempLru: true, temporaryTtl: 5 })
})

t.test('there is room for as many stripes as are wanted', async t => {
  const subject = new StoreUnderTest({ stripes: 2 ** 20 })
  for (let count = 0; count < 1000; count++) subject.put(Mode.Set, `k${count}`, bytesOf(count, 100))
  for (let count = 0; count < 1000; count++) {
    if (!subject.get(`k${count}`)?.value.equals(bytesOf(count, 100))) t.fail(`k${count} has changed`)
  }
  subject.verify()
})
