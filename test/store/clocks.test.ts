// Threads read the clock for themselves, so one may be a second ahead of another.
import t from 'tap'
import { Mode } from '../../src/store/request.js'
import { bytesOf, StoreUnderTest } from '../support/store.js'

t.test('an item that a thread ahead has used is of no age for one that is behind', async t => {
  const behind = new StoreUnderTest({ shared: true, threads: 2 })
  const ahead = StoreUnderTest.attach(behind.store.share(), 1)
  ahead.clock.advance(1)
  ahead.put(Mode.Set, 'k', bytesOf(1, 10))
  const found = behind.find('k')
  t.equal(found.items.age(found.item, behind.store.context.now), 0)
  behind.clock.advance(3)
  behind.store.refreshTime()
  t.equal(found.items.age(found.item, behind.store.context.now), 2)
})
