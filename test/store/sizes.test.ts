// What `stats sizes` shows, of items of any size that come and go.
import t from 'tap'
import { Sizes } from '../../src/store/items/sizes.js'
import { startServer } from '../support/server.js'

const ITEM_SIZE_MAX = 1024 * 1024 * 1024

t.test('each size that there is is shown, rounded up to 32 bytes, with its number of items', async t => {
  const bytes = Sizes.bytesFor(ITEM_SIZE_MAX)
  const sizes = new Sizes(new ArrayBuffer(bytes), 0, ITEM_SIZE_MAX)
  t.same([...sizes.parts()].flat(), [])
  for (const size of [33, 64, 65, 8192, 8193, 1_000_000, ITEM_SIZE_MAX]) sizes.count(size, 1)
  sizes.count(8192, 1)
  sizes.count(1_000_000, -1)
  t.same([...sizes.parts()].flat(), [[64, 2], [96, 1], [8192, 2], [8224, 1], [ITEM_SIZE_MAX, 1]])
  for (const size of [33, 64, 65, 8192, 8192, 8193, ITEM_SIZE_MAX]) sizes.count(size, -1)
  t.same([...sizes.parts()].flat(), [])
})

t.test('they are shown in parts, none of which has many, nor is long looked for', async t => {
  const sizes = new Sizes(new ArrayBuffer(Sizes.bytesFor(ITEM_SIZE_MAX)), 0, ITEM_SIZE_MAX)
  t.ok([...sizes.parts()].length > 20, 'so much is nothing')
  for (let step = 1; step <= 1000; step++) sizes.count(step * 32, 1)
  const parts = [...sizes.parts()].map(({ length }) => length).filter(length => length > 0)
  t.same(parts, [255, 256, 256, 233])
})

t.test('`stats sizes` of many sizes is one answer, with what follows it behind it', async t => {
  const { client } = await startServer(t, { trackSizes: true })
  let sets = ''
  for (let key = 100; key < 500; key++) sets += `set ${key} 0 0 ${key * 32} noreply\r\n${'v'.repeat(key * 32)}\r\n`
  await client.says(`${sets}mn\r\n`, 'MN\r\n')
  await client.says('stats sizes\r\nmn\r\n', /^(STAT \d+ 1\r\n){400}END\r\nMN\r\n$/)
})
