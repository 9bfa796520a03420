// The cacheHandler of Next.js, against the interface that Next.js documents, as versions 14 to 16 use it: a new handler for each
// request, tags of fetches and of pages, tags that expire at once and such that become stale first. It was tried by hand with
// `next build` and `next start` of the three versions, see src/adapters/next.ts.
import t, { type Test } from 'tap'
import MemslabCacheHandler, { createHandler, MemslabCacheHandler as byName } from '../../src/adapters/next.mjs'
import { ManualClock } from '../support/clock.js'
import { cacheOf } from './cache.js'

const TAGS = 'x-next-cache-tags'

const page = (html: string, tags?: string) => ({
  kind: 'APP_PAGE', html, rscData: Buffer.from('rsc'), postponed: undefined, status: 200,
  headers: tags === undefined ? {} : { [TAGS]: tags },
  segmentData: new Map([['/_tree', Buffer.from('segment')]]),
})

const fetched = (body: string, revalidate: number | false = 3600) =>
  ({ kind: 'FETCH', data: { headers: {}, body, status: 200, url: '' }, revalidate })

/** A handler over a cache whose clock the test moves. */
function moved(t: Pick<Test, 'teardown'>) {
  const clock = new ManualClock()
  const Handler = createHandler({ cache: cacheOf(t), clock })
  return { clock, handler: new Handler() }
}

t.test('what one handler sets, the next one gets, with buffers and maps', async t => {
  const clock = new ManualClock()
  const Handler = createHandler({ cache: cacheOf(t), clock })
  await new Handler({ revalidatedTags: [] }).set('/a', page('<p>'), { cacheControl: { revalidate: 60, expire: 100 } })
  const entry = await new Handler().get('/a', { tags: [] })
  t.same(entry!.value, page('<p>'))
  t.ok(Buffer.isBuffer((entry!.value as ReturnType<typeof page>).rscData))
  t.same(entry!.cacheControl, { revalidate: 60, expire: 100 })
  t.equal(entry!.lastModified, clock.milliseconds())
  t.equal(await new Handler().get('/none'), null)
  new Handler().resetRequestCache()
})

t.test('null is a value: a page that was not found', async t => {
  const handler = new (createHandler({ cache: cacheOf(t) }))()
  await handler.set('/a', null, { tags: [] })
  t.match(await handler.get('/a'), { value: null })
})

t.test('a revalidated tag makes entries outdated that have it, wherever it is named', async t => {
  const { clock, handler } = moved(t)
  const setAll = async () => {
    clock.advance(1)
    await handler.set('fetch', fetched('1'), { tags: ['a', 'b'] })
    await handler.set('/page', page('<p>', 'b,_N_T_/layout,_N_T_/page'))
    await handler.set('/other', page('<p>', '_N_T_/layout'))
    clock.advance(1)
  }
  const left = async () => {
    const found = []
    for (const [key, context] of [['fetch', { softTags: ['_N_T_/page'] }], ['/page', {}], ['/other', {}]] as const) {
      if (await handler.get(key, context) !== null) found.push(key)
    }
    return found
  }
  await setAll()
  t.same(await left(), ['fetch', '/page', '/other'])
  await handler.revalidateTag('a')
  t.same(await left(), ['/page', '/other'], 'a tag that was set with a fetch')
  await setAll()
  t.same(await left(), ['fetch', '/page', '/other'], 'until they are set again')
  await handler.revalidateTag(['none', 'b'])
  t.same(await left(), ['/other'], 'a tag in the header of a page')
  await setAll()
  await handler.revalidateTag(['_N_T_/page'])
  t.same(await left(), ['/other'], 'the tag of a path, which a fetch has from the request alone')
  await setAll()
  await handler.revalidateTag([])
  t.same(await left(), ['fetch', '/page', '/other'])
})

t.test('tags that are only given when an entry is got count too', async t => {
  const handler = new (createHandler({ cache: cacheOf(t) }))()
  await handler.set('fetch', fetched('1'))
  await handler.revalidateTag('late')
  t.not(await handler.get('fetch'), null)
  t.equal(await handler.get('fetch', { tags: ['late'] }), null)
})

t.test('tags that the request under way has revalidated count at once', async t => {
  const Handler = createHandler({ cache: cacheOf(t) })
  await new Handler().set('fetch', fetched('1'), { tags: ['a'] })
  t.equal(await new Handler({ revalidatedTags: ['a'] }).get('fetch', {}), null)
  t.not(await new Handler().get('fetch', {}), null)
})

t.test('an entry of a stale tag is returned as older than its time, so that Next.js shows it and renders it anew', async t => {
  const { clock, handler } = moved(t)
  const ageOf = async (key: string) => {
    const entry = await handler.get(key)
    return entry === null ? undefined : (clock.milliseconds() - entry.lastModified) / 1000
  }
  await handler.set('/page', page('<p>', 'a'), { cacheControl: { revalidate: 3600, expire: 10_000 } })
  await handler.set('fetch', fetched('1', 900), { tags: ['a'] })
  await handler.set('/static', page('<p>', 'a'), { cacheControl: { revalidate: false } })
  clock.advance(10)
  t.equal(await ageOf('/page'), 10)
  await handler.revalidateTag('a', { expire: 1000 })
  t.equal(await ageOf('/page'), 3601)
  t.equal(await ageOf('fetch'), 901)
  t.equal(await ageOf('/static'), undefined, 'a page without a time is rendered at once')
  clock.advance(5)
  await handler.set('/page', page('<b>', 'a'), { cacheControl: { revalidate: 3600 } })
  t.equal(await ageOf('/page'), 0, 'a new one is fresh')
  clock.advance(994)
  t.equal(await ageOf('fetch'), 1009, 'an entry that is older by itself keeps its age')
  clock.advance(1)
  t.equal(await ageOf('fetch'), undefined, 'the time is over')
  t.equal(await ageOf('/page'), 995)
  await handler.revalidateTag('a', {})
  t.equal(await ageOf('/page'), 3601, 'without a limit')
  await handler.revalidateTag('a', { expire: 0 })
  t.equal(await ageOf('/page'), undefined)
})

t.test('classes over one cache share entries and tags, as other threads do', async t => {
  const cache = cacheOf(t)
  const clock = new ManualClock()
  const [One, Two] = [createHandler({ cache, clock }), createHandler({ cache, clock })]
  await new One().set('fetch', fetched('1'), { tags: ['a'] })
  t.not(await new Two().get('fetch'), null)
  await new One().revalidateTag('a')
  t.equal(await new Two().get('fetch'), null)
  clock.advance(1)
  await new Two().set('fetch', fetched('2'), { tags: ['a'] })
  t.not(await new One().get('fetch'), null)
  await new One().set('long'.repeat(1000), fetched('3'), { tags: ['a'.repeat(1000)] })
  t.not(await new Two().get('long'.repeat(1000)), null, 'keys and tags may be long')
})

t.test('a tag stays revalidated in this process though the cache has evicted it', async t => {
  const cache = cacheOf(t)
  const handler = new (createHandler({ cache }))()
  await handler.set('fetch', fetched('1'), { tags: ['a'] })
  await handler.revalidateTag('a')
  for (const key of cache.keys('next:tag:')) cache.delete(key)
  t.equal(await handler.get('fetch'), null)
})

t.test('what is too large is not kept, and no error', async t => {
  const Handler = createHandler({ memory: '2m' })
  t.teardown(() => Handler.cache.close())
  const handler = new Handler()
  await handler.set('/a', page('small'))
  await handler.set('/a', page('x'.repeat(3e6)))
  t.equal(await handler.get('/a'), null)
  await handler.set('/a', page('x'.repeat(900_000)))
  t.not(await handler.get('/a'), null)
})

t.test('the default class is there for require and for import, and makes its cache when it is needed', async t => {
  t.equal(MemslabCacheHandler, byName)
  await new MemslabCacheHandler({}).set('/a', page('<p>'))
  t.match(await new MemslabCacheHandler({}).get('/a'), { value: { html: '<p>' } })
  MemslabCacheHandler.cache.close()
})

t.test('wrong options are found when the cache is made', async t => {
  const Handler = createHandler({ memory: 'much' })
  t.throws(() => new Handler(), { code: 'EUSAGE', problems: [/^memory/] })
})
