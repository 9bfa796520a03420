// The page in a real browser: what it shows, what it does with keys that are meant to harm it, and who can use it.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { Page, whyNoBrowser } from '../support/chromium.js'
import { Client } from '../support/client.js'
import { folder, start } from '../support/command.js'
import '../support/fresh.js'
import { until } from '../support/patience.js'
import { inProject } from '../support/places.js'

const SOURCE = readFileSync(inProject('src/http/page.html'), 'utf8')
const SCRIPT = '<script>globalThis.hacked=1</script>'
const IMAGE = '<img/src=x/onerror=globalThis.hacked=2>'
/** The sections of the page that show keys, and the reports that they show. */
const SHOWING_KEYS = {
  ask: 'explain', reads: 'hotkeys', writes: 'hotkeys', big: 'bigkeys', prefixes: 'prefixes', refused: 'refused',
}
/** The page has had an event. */
const IS_SHOWN = "document.body.dataset.time !== undefined"

t.test('the page that is sent is the one of the source', async t => {
  t.equal(readFileSync(inProject('dist/http/page.html'), 'utf8'), SOURCE)
})

t.test('the page takes nothing from elsewhere, and makes no HTML of texts', async t => {
  t.same(SOURCE.match(/<(script|style)[^>]*>/g), ['<style>', '<script>'], 'one of each, whose digests the policy names')
  t.notMatch(SOURCE.replace(/'http:\/\/www\.w3\.org\/2000\/svg'/g, ''), /https?:|\/\/[a-z]+\.|@import|url\(/)
  t.notMatch(SOURCE, /\s(on\w+|style)=/, 'no attributes that the policy forbids')
  t.notMatch(SOURCE, /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|DOMParser|srcdoc/)
})

t.test('in Chromium', { skip: whyNoBrowser ?? false }, async t => {
  const page = await Page.start(t)

  t.test('what it shows equals what stats says', async t => {
    const { client, url } = await serve(t)
    for (let i = 0; i < 40; i++) await client.says(`set user:${i} 0 0 ${i * 50}\r\n${'v'.repeat(i * 50)}\r\n`, 'STORED\r\n')
    for (let i = 0; i < 10; i++) await client.says(`get none:${i}\r\n`, 'END\r\n')
    for (let i = 0; i < 30; i++) await client.says('get user:0\r\n', 'VALUE user:0 0 0\r\n\r\nEND\r\n')
    await client.says('incr none 1\r\ndelete none\r\ntouch none 1\r\n', 'NOT_FOUND\r\nNOT_FOUND\r\nNOT_FOUND\r\n')
    await page.look({})
    await page.open(url)
    await page.until(IS_SHOWN)
    await until('the numbers are the same', async () => {
      const shown = await shownBy(page)
      const wrong = await differences(client, shown)
      return wrong.length === 0 && shown.some(([stat, value]) => stat === 'cmd_get' && value === '40')
    }).catch(async () => t.same(await differences(client, await shownBy(page)), []))
    const shown = (await shownBy(page)).map(([stat]) => stat)
    for (const stat of ['get_hits', 'cmd_get', 'cmd_set', 'cmd_touch', 'curr_items', 'bytes', 'evictions', 'curr_connections']) {
      t.ok(shown.includes(stat), stat)
    }
    t.ok(shown.some(stat => stat.startsWith('items ')) && shown.some(stat => stat.startsWith('slabs ')))
    t.match(await page.text('#tiles'), /75\.0 %/, 'the hit ratio')
    t.match(await page.text('#verdict'), /75\.0 % of reads hit/)
    t.ok(await page.run<number>("document.querySelectorAll('#map .cells i').length") >= 16, 'a square for each page')
  })

  t.test('all settings and counters are there, as stats settings says them', async t => {
    const { client, url } = await serve(t)
    await page.open(url)
    await page.until(IS_SHOWN)
    await page.run("document.querySelector('#settings summary').click()")
    await page.until("document.querySelectorAll('#setting-rows tr').length > 100")
    const rows = await page.run<string[][]>(
      "[...document.querySelectorAll('#setting-rows tr')].map(row => [...row.children].map(cell => cell.textContent))")
    const settings = await reportOf(client, 'settings')
    const shown = rows.filter(([, , report]) => report === 'settings')
    t.same(Object.fromEntries(shown.map(([name, value]) => [name, value])), settings)
    await page.run("byId('filter').value = 'maxbytes'; byId('filter').dispatchEvent(new Event('input'))")
    t.equal(await page.run("document.querySelectorAll('#setting-rows tr').length"),
      rows.filter(([name]) => name!.includes('maxbytes')).length)
  })

  t.test('latency is that of the sampled requests', async t => {
    const { client, url } = await serve(t, ['-o', 'hotkeys=1'])
    for (let i = 0; i < 50; i++) await client.says('get none\r\n', 'END\r\n')
    await page.open(url)
    await page.until("document.querySelectorAll('#latency-rows tr').length > 0")
    t.match(await page.text('#latency'), /get\s+\d/)
    t.match(await page.text('#tiles'), /99th percentile\s+[\d.]+ [µm]?s\s+median [\d.]+ [µm]?s/)
    t.equal(await page.run('event.latency.commands.get.counts.reduce((sum, count) => sum + count)'), 50)
    t.equal(await page.run('event.latency.commands.get.counts.length'), await page.run('event.latency.bounds.length + 1'))
    // half of ten requests stay below the bound of their bucket, or in its middle
    t.same(await page.run('[[10, 0, 0], [0, 10, 0], [0, 0, 5]].map(counts => quantile(counts, [1, 2], 0.5))'), [0.5, 1.5, 2])
  })

  t.test('a refused write is there, though its client was not told', async t => {
    const { client, url } = await serve(t)
    await client.says(`set large:1 0 0 2000000 noreply\r\n${'v'.repeat(2_000_000)}\r\nmn\r\n`, 'MN\r\n')
    await page.open(url)
    await page.until("document.querySelectorAll('#refused-rows tr').length > 0")
    t.match(await page.text('#refused-rows'), /^large:1\s+too large\s+1\.9 MiB\s+tcp:127\.0\.0\.1:\d+\s+(just now|\d+ s ago)$/)
    t.match(await page.text('#verdict'), /Writes are refused\s+1 in the last minute/)
  })

  t.test('sizing is a curve and a table, prefixes are by their memory, and what is off says so', async t => {
    const { url } = await serve(t)
    await page.open(url)
    await page.until(IS_SHOWN)
    const ratios = { 0.25: 0.5, 0.5: 0.625, 1: 0.75, 2: 0.8, 4: 0.81 }
    const sizing = { sample_rate: 0.1, sampled_keys: 4100, requests: 123_456, ...Object.fromEntries(Object.entries(ratios)
      .flatMap(([factor, ratio]) => [[`${factor}:bytes`, Number(factor) * 2 ** 26], [`${factor}:hit_ratio`, ratio]])) }
    const prefixes = { status: 'on', delimiter: ':', count: 1, '1:prefix': 'user', '1:items': 3, '1:bytes': 2048, '1:hits': 9,
      '1:misses': 1, '1:evictions': 0, '1:quota': 4096, 'other:items': 5, 'other:bytes': 512, 'other:hits': 0, 'other:misses': 0 }
    const show = (own: object) => page.run(`isPaused = true, event = { ...event, own: ${JSON.stringify(own)} }, show()`)
    await show({ sizing, prefixes })
    const table = await page.text('#sizing-rows')
    t.match(table, /16 MiB\s+a quarter\s+50\.0 %\s+−25\.0 points/)
    t.match(table, /256 MiB\s+four times\s+81\.0 %\s+\+6\.0 points/)
    t.equal(await page.run("document.querySelectorAll('#curve circle').length"), 5)
    t.match(await page.run<string>("byId('curve').ariaLabel"), /75\.0 % with 64 MiB/)
    t.match(await page.text('#prefix-rows'), /user\s+2 KiB\s+3\s+9\s+1\s+90\.0 %\s+0\s+4 KiB\s+all others\s+512 B\s+5/)
    await show({ sizing: { sample_rate: 0, sampled_keys: 0, requests: 0 }, prefixes: { status: 'off', count: 0 } })
    t.match(await page.text('#sizing'), /Not measured/)
    t.match(await page.text('#prefixes'), /Not counted: start the server with -o track_prefixes or -D/)
  })

  t.test('the age of what is evicted is that of the class that evicts most', async t => {
    const ageOf = (before: object, now: object) => page.run(`(() => {
      samples = [{ at: 0, evicted: ${JSON.stringify(before)} }, { at: 70, evicted: {} }]
      return evictedAge({ items: ${JSON.stringify(now)} }) ?? 'none'
    })()`)
    const items = { 'items:3:evicted': 100, 'items:3:evicted_time': 9, 'items:5:evicted': 40, 'items:5:evicted_time': 300 }
    t.equal(await ageOf({}, { 'items:3:evicted': 0, 'items:3:evicted_time': 0 }), 'none')
    t.equal(await ageOf({ 3: 100, 5: 40 }, items), 9, 'none lately: most of all')
    t.equal(await ageOf({ 3: 90, 5: 10 }, items), 300, 'most of late')
  })

  t.test('the most read, most written and biggest keys are there, and lead to the question why', async t => {
    const { client, url } = await serve(t, ['-o', 'hotkeys=1'])
    await client.says(`set ${SCRIPT} 0 0 5000\r\n${'v'.repeat(5000)}\r\n`, 'STORED\r\n')
    for (let i = 0; i < 3; i++) await client.says('set other 0 0 1\r\nv\r\n', 'STORED\r\n')
    for (let i = 0; i < 20; i++) await client.says(`get ${SCRIPT}\r\n`, /VALUE .*\r\nv+\r\nEND\r\n/)
    await client.says('get other\r\n', 'VALUE other 0 1\r\nv\r\nEND\r\n')
    await page.open(url)
    await page.until("byId('read-rows').children.length === 2")
    const keys = "[...document.querySelectorAll('#reads button.key')].map(({ textContent }) => textContent)"
    t.same(await page.run(keys), [SCRIPT, 'other'])
    t.match(await page.text('#read-rows'), /^\S+\s+20\s+95\.2 %\s+other\s+1\s+4\.8 %$/)
    t.match(await page.text('#write-rows'), /^other\s+3\s+75\.0 %/)
    t.match(await page.text('#big-rows'), /^\S+\s+\d+\s+4\.9 KiB/)
    await page.run("document.querySelector('#reads button.key').click()")
    t.equal(await page.run("byId('key').value"), SCRIPT)
    await page.until("byId('answer').textContent !== ''")
    t.equal(await page.run("globalThis.hacked ?? 'not hacked'"), 'not hacked')
  })

  t.test('a key that is no text is the one that is asked about', async t => {
    const { client, url } = await serve(t, ['-o', 'hotkeys=1'])
    await client.says('set \xff 0 0 1\r\nv\r\nget \xff\r\n', 'STORED\r\nVALUE \xff 0 1\r\nv\r\nEND\r\n')
    await page.open(url)
    await page.until("byId('read-rows').children.length === 1")
    await page.run("document.querySelector('#reads button.key').click()")
    await page.until("byId('answer').textContent !== ''")
    t.match(await page.text('#answer'), /^It is there/)
  })

  t.test('what clients have chosen is text, whatever is in it', async t => {
    const { url } = await serve(t)
    await page.open(url)
    await page.until(IS_SHOWN)
    const bad = [SCRIPT, IMAGE].map(encodeURIComponent)
    const list = (prefix: string, row: (text: string) => Record<string, unknown>) => Object.fromEntries(
      bad.flatMap((text, index) => Object.entries(row(text)).map(([name, value]) => [`${prefix}${index + 1}:${name}`, value])))
    const own = {
      hotkeys: { sample_rate: 1, ...list('reads:', key => ({ key, count: 5 })), ...list('writes:', key => ({ key, count: 5 })) },
      bigkeys: list('12:', key => ({ key, bytes: 1000 })),
      refused: { total: 2, too_large: 2, ...list('', key => ({ key, reason: SCRIPT, bytes: 1, client: IMAGE, time: 1 })) },
      prefixes: { status: 'on', delimiter: SCRIPT, count: 2, ...list('', prefix => ({ prefix, items: 1, quota: IMAGE })) },
      advice: list('', () => ({ advice: SCRIPT, text: IMAGE })),
    }
    const said = { own, forbidden: [], settings: { [SCRIPT]: IMAGE } }
    await page.run(`(() => {
      isPaused = true
      document.querySelector('#settings details').open = true
      event = { ...event, ...${JSON.stringify(said)} }
      show()
      showAnswer({ answer: ${JSON.stringify(SCRIPT)}, client: ${JSON.stringify(IMAGE)} })
    })()`)
    for (const section of ['reads', 'writes', 'big', 'refused', 'prefixes', 'advice', 'answer', 'settings']) {
      const text = await page.text(`#${section}`)
      t.ok(text.includes(SCRIPT) && text.includes(IMAGE), `${section} shows it`)
    }
    t.equal(await page.run("globalThis.hacked ?? 'not hacked'"), 'not hacked')
    t.equal(await page.run("document.querySelectorAll('script').length + document.querySelectorAll('main img').length"), 1)
  })

  t.test('numbers are as people read them', async t => {
    const of = (name: string, values: readonly number[]) => (
      page.run<string[]>(`${JSON.stringify(values)}.map(value => ${name}(value))`))
    t.same(await of('short', [0, 0.44, 9, 1234, 56_700, 3.24e6]), ['0', '0.4', '9', '1,234', '56.7 k', '3.2 M'])
    t.same(await of('bytes', [0, 1023, 1024, 1.5 * 2 ** 20, 64 * 2 ** 30]), ['0 B', '1,023 B', '1 KiB', '1.5 MiB', '64 GiB'])
    t.same(await of('duration', [0, 5e-6, 0.0031, 0.25, 90, 2400, 90_000, 864_000]),
      ['0 s', '5 µs', '3.1 ms', '250 ms', '90 s', '40 min', '25 h', '10 days'])
    t.same(await of('percent', [0, 0.0004, 0.5, 0.9999, 1]), ['0.0 %', '< 0.1 %', '50.0 %', '> 99.9 %', '100.0 %'])
    t.same(await of('ago', [-1, 0, 12]), ['just now', 'just now', '12 s ago'])
  })

  t.test('a key that would turn around the text beside it stays encoded', async t => {
    const shown = await page.run<string[]>("['a%20b', '%E2%80%AEgnp', '%0A', '%ff', 'caf%C3%A9'].map(readable)")
    t.same(shown, ['a b', '%E2%80%AEgnp', '%0A', '%ff', 'café'])
  })

  t.test('a key is asked about with the keyboard alone', async t => {
    const { client, url } = await serve(t)
    await client.says('set gone 0 0 1\r\nv\r\ndelete gone\r\n', 'STORED\r\nDELETED\r\n')
    await page.open(url)
    await page.until(IS_SHOWN)
    const focused = "document.activeElement.id || document.activeElement.className || document.activeElement.tagName"
    const order: string[] = []
    while (order.at(-1) !== 'key' && order.length < 10) {
      await page.press('Tab')
      order.push(await page.run<string>(focused))
    }
    t.same(order, ['skip', 'pause', 'theme', 'key'])
    const isRinged = "getComputedStyle(document.activeElement).outlineStyle !== 'none'"
    t.ok(await page.run(isRinged), 'where the keyboard is can be seen')
    await page.press(...'gone', 'Enter')
    await page.until("document.querySelector('#answer').textContent !== ''")
    t.match(await page.text('#answer p'), /^It was deleted .* by /)
    t.match(await page.text('#answer dl'), /class\s+\d+/)
    t.equal(await page.run(focused), 'key', 'the next question can be asked at once')
  })

  t.test('each control has a name, each drawing a text, and the landmarks are there', async t => {
    const { url } = await serve(t)
    await page.open(url)
    await page.until(IS_SHOWN)
    const { nodes } = await page.command('Accessibility.getFullAXTree') as { nodes: AccessibleNode[] }
    const heard = nodes.filter(({ ignored }) => !ignored)
    const named = heard.map(({ role, name }) => ({ role: role?.value ?? '', name: name?.value ?? '' }))
    for (const landmark of ['banner', 'main', 'contentinfo']) t.ok(named.some(({ role }) => role === landmark), landmark)
    const nameless = named.filter(({ role, name }) => name === '' && /^(button|textbox|image|region|heading|link)$/.test(role))
    t.same(nameless, [])
    t.ok(named.some(({ role }) => role === 'image'), 'drawings are there')
    t.ok(named.filter(({ role }) => role === 'heading').length > 8)
    const aloud = "document.querySelectorAll('[aria-live=polite], [role=status]').length"
    t.equal(await page.run(aloud), 3, 'little is read aloud by itself')
  })

  t.test('light and dark follow the system, or the button, and both can be read', async t => {
    const { client, url } = await serve(t)
    await client.says('set a:1 0 0 1\r\nv\r\nget a:1 b\r\n', 'STORED\r\nVALUE a:1 0 1\r\nv\r\nEND\r\n')
    const ground = 'getComputedStyle(document.body).backgroundColor'
    for (const dark of [false, true]) {
      await page.look({ dark })
      await page.open(url)
      await page.until(IS_SHOWN)
      const [red = 0] = (/\d+/.exec(await page.run<string>(ground)) ?? []).map(Number)
      t.equal(red < 128, dark)
      t.same(await page.run(`(${faintTexts})()`), [], `all texts stand out, ${dark ? 'dark' : 'light'}`)
    }
    const dark = await page.run<string>(ground)
    await page.run("document.querySelector('#theme').click()")
    t.not(await page.run<string>(ground), dark)
    t.equal(await page.text('#theme'), 'Theme: light')
    await page.open(url)
    t.equal(await page.text('#theme'), 'Theme: light', 'it stays so')
    await page.run('localStorage.clear()')
    await page.look({})
  })

  t.test('it fits a telephone', async t => {
    const { url } = await serve(t)
    await page.look({ width: 360, height: 740 })
    await page.open(url)
    await page.until(IS_SHOWN)
    t.equal(await page.run('document.documentElement.scrollWidth'), 360)
    const small = await page.run("[...document.querySelectorAll('header button, form.ask > :not(.hidden)')]" +
      '.filter(({ offsetHeight }) => offsetHeight < 36).map(({ textContent }) => textContent)')
    t.same(small, [], 'buttons are large enough for a finger')
    await page.look({})
  })

  t.test('it finds the server again after a restart, and begins a new history', async t => {
    const first = await serve(t)
    await first.client.says('set a 0 0 1\r\nv\r\n', 'STORED\r\n')
    await page.open(first.url)
    await page.until("document.querySelector('[data-stat=cmd_set]')?.dataset.value === '1'")
    first.child.kill('SIGKILL')
    await page.until("document.querySelector('#status').dataset.state === 'lost'")
    t.match(await page.text('#status'), /lost|no news/)
    await serve(t, [], first.port)
    await page.until("document.querySelector('#status').dataset.state === 'live'")
    await page.until("document.querySelector('[data-stat=cmd_set]').dataset.value === '0'")
    t.ok(await page.run('samples.length < 60 && samples.every(({ counts }) => counts.cmd_set === 0)'))
  })

  t.test('what -X forbids is not there, with the reason', async t => {
    const { client, url } = await serve(t, ['-X'])
    await client.says('set secret:1 0 0 1\r\nv\r\nget secret:1\r\n', 'STORED\r\nVALUE secret:1 0 1\r\nv\r\nEND\r\n')
    await page.open(url)
    await page.until("document.querySelector('[data-stat=cmd_set]')?.dataset.value === '1'")
    const text = await page.run<string>('document.body.innerText')
    t.notMatch(text, /secret/)
    t.same((await page.run<string[]>('event.forbidden')).sort(), [...new Set(Object.values(SHOWING_KEYS))].sort())
    for (const [section, report] of Object.entries(SHOWING_KEYS)) {
      t.match(await page.text(`#${section}`), /Not shown: this server was started with -X/, section)
      t.equal(await page.run(`document.querySelector('#${section} [data-shows-keys]').offsetParent === null`), true, report)
    }
  })

  t.test('a user of -Y has all of it with the password', async t => {
    const users = join(folder(t), 'users')
    writeFileSync(users, 'anna:secret\n')
    const { port } = await serve(t, ['-Y', users])
    await page.open(`http://anna:secret@127.0.0.1:${port}/`)
    await page.until(IS_SHOWN)
    t.equal(await page.text('#status'), 'live')
    await page.run("byId('key').value = 'none', document.querySelector('form.ask button').click()")
    await page.until("byId('answer').textContent !== ''")
    t.notMatch(await page.text('#answer'), /does not answer|password/)
  })

  t.test('a page that pauses stays as it is', async t => {
    const { client, url } = await serve(t)
    await page.open(url)
    await page.until(IS_SHOWN)
    await page.run("document.querySelector('#pause').click()")
    const time = await page.run('document.body.dataset.time')
    await client.says('set a 0 0 1\r\nv\r\n', 'STORED\r\n')
    await page.until('samples.at(-1).counts.cmd_set === 1')
    t.equal(await page.run('document.body.dataset.time'), time)
    t.equal(await page.text('#status'), 'paused')
    await page.run("document.querySelector('#pause').click()")
    await page.until("document.querySelector('[data-stat=cmd_set]').dataset.value === '1'")
  })

  t.test('the browser asked for nothing from elsewhere, and had nothing to complain of', async t => {
    t.same(page.requests.filter(url => !/^(http:\/\/(anna:secret@)?127\.0\.0\.1:|data:|about:)/.test(url)), [])
    // those of the restart
    const expected = /ERR_(CONNECTION_REFUSED|INCOMPLETE_CHUNKED_ENCODING|CONNECTION_RESET|EMPTY_RESPONSE)/
    t.same(page.complaints.filter(complaint => !expected.test(complaint)), [])
  })
})

interface AccessibleNode {
  readonly ignored: boolean
  readonly role?: { readonly value: string }
  readonly name?: { readonly value: string }
}

/** A server in a process of its own with its page, and a client of it. @param port that it listens on; -1 for any free one */
async function serve(t: Test, options: readonly string[] = [], port = -1) {
  const { child, port: found } = await start(t, ['-l', '127.0.0.1', '-m', '16', '-o', 'http', '-p', String(port), ...options])
  const client = await Client.connect({ host: '127.0.0.1', port: found })
  return { child, client, port: found, url: `http://127.0.0.1:${found}/` }
}

/** The statistics that the page shows, by their names, with their values. */
async function shownBy(page: Page): Promise<(readonly [string, string])[]> {
  return await page.run("[...document.querySelectorAll('[data-stat]')].map(({ dataset }) => [dataset.stat, dataset.value])")
}

/** Where the page and `stats` differ. A statistic that is not of `stats` itself has the name of its report in front. */
async function differences(client: Client, shown: readonly (readonly [string, string])[]): Promise<string[]> {
  const reports = new Map<string, Record<string, string>>()
  const wrong: string[] = []
  for (const [stat, value] of shown) {
    const [, report = '', name = ''] = /^(?:(\w+) )?(\S+)$/.exec(stat) ?? []
    if (!reports.has(report)) reports.set(report, await reportOf(client, report))
    const said = reports.get(report)![name]
    if (said !== value) wrong.push(`${stat}: the page shows ${value}, stats says ${said}`)
  }
  return wrong
}

async function reportOf(client: Client, name: string): Promise<Record<string, string>> {
  const answer = String(await client.says(`stats ${name}\r\n`.replace(' \r', '\r'), /(STAT [^\r]*\r\n)*END\r\n/))
  return Object.fromEntries(Array.from(answer.matchAll(/^STAT (\S+) (.*)\r$/gm), ([, stat, value]) => [stat!, value!]))
}

/** For the page: texts with less contrast than 4.5 to 1 against what is behind them. */
const faintTexts = `() => {
  const channels = color => (/^rgba?\\(([^)]+)\\)$/.exec(color)?.[1] ?? '').split(',').map(Number)
  const light = color => {
    const [r, g, b] = channels(color).map(value => value / 255).map(c => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }
  const behind = place => {
    for (let at = place; at !== null; at = at.parentElement) {
      const color = getComputedStyle(at).backgroundColor
      if (channels(color).length === 3) return color
    }
    return 'rgb(255, 255, 255)'
  }
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  const faint = []
  while (walker.nextNode()) {
    const { textContent, parentElement: place } = walker.currentNode
    if (textContent.trim() === '' || place.offsetParent === null) continue
    if (place.closest('script, style, noscript, .hidden, svg, .skip')) continue
    const [a, b] = [light(getComputedStyle(place).color), light(behind(place))]
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)
    if (!(contrast >= 4.5)) faint.push(textContent.trim() + ' ' + contrast.toFixed(2))
  }
  return faint
}`
