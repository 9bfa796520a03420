// What `stats sizes` shows, of items of any size that come and go.
import t from 'tap'
import { Sizes } from '../../src/store/sizes.js'

const ITEM_SIZE_MAX = 1024 * 1024 * 1024

t.test('each size that there is is shown, rounded up to 32 bytes, with its number of items', async t => {
  const bytes = Sizes.bytesFor(ITEM_SIZE_MAX)
  const sizes = new Sizes(new ArrayBuffer(bytes), 0, ITEM_SIZE_MAX)
  t.same([...sizes.entries()], [])
  for (const size of [33, 64, 65, 8192, 8193, 1_000_000, ITEM_SIZE_MAX]) sizes.count(size, 1)
  sizes.count(8192, 1)
  sizes.count(1_000_000, -1)
  t.same([...sizes.entries()], [[64, 2], [96, 1], [8192, 2], [8224, 1], [ITEM_SIZE_MAX, 1]])
  for (const size of [33, 64, 65, 8192, 8192, 8193, ITEM_SIZE_MAX]) sizes.count(size, -1)
  t.same([...sizes.entries()], [])
})
