// The store has one door: what is above it asks for whole operations, and knows nothing of locks and of how an item is kept.
import t from 'tap'
import { codeOf, importsOf, sourceFiles, sourceOf } from './support/sources.js'

const ABOVE = sourceFiles().filter(file => /^(protocol|net)\//.test(file))

/** What only the store may name: its locks, and the steps of its operations. */
const INSIDE: readonly RegExp[] = [
  /\b(stripes?|Stripes|shards?|Shard|ItemId|NO_ITEM|allocator)\b/,
  /\b\w+(Stripe|Class|Page|Store|AllStripes)Locked\b/,
  /\bState\.(Stale|Won|Active|Fetched|Linked|Refs|Large|HasFlags|BinaryKey|Piece)\b/,
  /\b(bump|refuse|abandon)\w*\(/,
  /\b(tryPin|unpin|addRef|dropRef)\w*\(/,
]

t.test('no file of protocol/ or net/ names what is inside the store', async t => {
  t.ok(ABOVE.length > 50, 'the files were found')
  for (const file of ABOVE) {
    for (const name of INSIDE) t.notMatch(codeOf(file), name, `${name.source} in ${file}`)
  }
})

t.test('of the rooms inside the store, they import only what a client asks for by name', async t => {
  const rooms = /^store\/(index|items|slabs|walks|shard|context|assemble|regions|reporter|verify|departures)/
  const imported = ABOVE.flatMap(file => importsOf(file).filter(to => rooms.test(to)).map(to => `${file} imports ${to}`))
  t.same(imported, [
    'protocol/binary/parse.ts imports store/index/hash.ts',        // the hash of a key is made where the key is read
    'protocol/line.ts imports store/index/hash.ts',
    'protocol/text/crawler.ts imports store/walks/crawler.ts',     // lru_crawler
    'protocol/text/crawler.ts imports store/walks/dump.ts',
    'protocol/text/prefixes.ts imports store/walks/dump.ts',       // keys
    'protocol/text/prefixes.ts imports store/walks/keys.ts',
    'protocol/text/prefixes.ts imports store/walks/scan.ts',
    'protocol/text/slabs.ts imports store/slabs/rebalance.ts',     // slabs reassign
  ])
})

t.test('a value is copied or lent, and taken or reserved or failed, in one place', async t => {
  const users = (call: RegExp) => ABOVE.filter(file => call.test(codeOf(file)))
  t.same(users(/\.copyValue\(|\.lend\(\)/), ['protocol/retrieval.ts'])
  t.same(users(/[sS]tore\.(set|begin)\(|\.commit\(/), ['protocol/storage.ts'])
})

t.test('session.ts alone writes the phase of a session', async t => {
  const writers = ABOVE.filter(file => /\bphase\s*=[^=]/.test(codeOf(file)))
  t.same(writers, ['protocol/session.ts'])
  t.match(sourceOf('protocol/session.ts'), 'private phase')
})
