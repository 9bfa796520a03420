// Takes the picture of the page that is in README.md: of a server with some tenants, after a minute of requests.
//
//   npm test -- http/page && node dist-test/test/http/picture.js src/http/page.webp
import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { Page } from '../support/chromium.js'
import { start } from '../support/command.js'
import { Prng } from '../support/prng.js'

const SECONDS = 100
const BATCHES_PER_SECOND = 20

/** The kinds of keys: how many there are, how large their values are at least and at most, and how long they live. */
const KINDS = [
  { name: 'session', keys: 30_000, least: 200, most: 500, ttl: 60 },
  { name: 'user', keys: 60_000, least: 100, most: 900, ttl: 0 },
  { name: 'page', keys: 2500, least: 2000, most: 20_000, ttl: 0 },
]

t.setTimeout(0)
t.test('the picture', { timeout: 0 }, async t => {
  const prng = new Prng(1)
  const { port } = await start(t, ['-l', '127.0.0.1', '-m', '40', '-o', 'http,hotkeys=0.1', '-D', ':'])
  const client = connect(port, '127.0.0.1').resume()
  t.teardown(() => client.destroy())
  const page = await Page.start(t)
  await page.look({ width: 1280, height: 1400 })
  for (let batch = 0; batch < SECONDS * BATCHES_PER_SECOND; batch++) {
    client.write(batchOf(prng))
    if (batch === 20 * BATCHES_PER_SECOND) await page.open(`http://127.0.0.1:${port}/`)
    await sleep(1000 / BATCHES_PER_SECOND)
  }
  await page.run("byId('key').value = 'user:120', document.querySelector('form.ask button').click()")
  await page.until("byId('answer').textContent !== ''")
  writeFileSync(process.argv[2] ?? 'page.webp', await page.picture('webp'))
})

/** Some hundred gets, and sets of what is missing: more often of what is popular. */
function batchOf(prng: Prng): string {
  let lines = ''
  for (let i = 0; i < 400; i++) {
    const { name, keys, least, most, ttl } = KINDS[i % 7 === 0 ? 2 : i % 2]!
    const number = Math.floor(keys * chance(prng) ** 8)
    lines += `get ${name}:${number}\r\n`
    if (chance(prng) > 0.06) continue
    const bytes = least + Math.floor((most - least) * ((number * 7919) % 1000) / 1000)
    lines += `set ${name}:${number} 0 ${ttl} ${bytes} noreply\r\n${'v'.repeat(bytes)}\r\n`
  }
  return `${lines}delete user:120 noreply\r\n`
}

/** 0 <= result < 1 */
function chance(prng: Prng): number { return prng.next() / 2 ** 32 }
