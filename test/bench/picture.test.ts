// Ratios of runs that were saved, as a picture and as a table.
import t from 'tap'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pictureOf } from '../../bench/picture.js'
import type { Ratio } from '../../bench/ratios.js'
import { readSeries, withRows, type SavedRun, type Series } from '../../bench/saved.js'
import { ratioTableOf } from '../../bench/table.js'
import '../support/fresh.js'

const CPU = 'CPU time a request, µs'
const MS = 'start to first answer, ms'
const before = seriesOf('the build before', 'other1', [['get', CPU, 0.5], ['set', CPU, 1.25], ['start', MS, 0.75]])
const memcached = seriesOf('memcached 1.6.45', 'memcached', [['get', CPU, 1.5], ['set', CPU, 7.5]])

t.test('a bar is as long as its ratio says, up to twice that of 1', async t => {
  const picture = pictureOf([memcached, before])
  const lengthOfOne = Number(/<path class="one" d="M(\S+) /.exec(picture)![1]) - barsOf(picture, 0)[0]!.x
  const ratios = (index: number): number[] => barsOf(picture, index).map(({ width }) => width / lengthOfOne)
  t.same(ratios(0), [1.5, 2])
  t.same(ratios(1), [0.5, 1.25, 0.75])
  t.same(textsOf(picture, 'number'), ['1.50', '0.50', '7.50', '1.25', '0.75'], 'and its number behind it')
})

t.test('rows stand in groups by what was measured, bars of a row below each other, in the order of the legend', async t => {
  const picture = pictureOf([memcached, before])
  t.same(textsOf(picture, 'title').slice(1), [CPU, MS])
  t.ok(picture.indexOf('other: memcached 1.6.45') < picture.indexOf('other: the build before'))
  const [[get, set], [getBefore, setBefore, start]] = [barsOf(picture, 0), barsOf(picture, 1)]
  const places = [get, getBefore, set, setBefore, start].map(bar => bar!.y)
  t.same(places, [...places].sort((a, b) => a - b))
})

t.test('whatever words are in it, a picture is well-formed and has room for them', async t => {
  const words = 'a < b & "c" > d'
  const long = 'a row with a very long name, '.repeat(4)
  const picture = pictureOf([seriesOf(words, 'x', [[words, words, 1], [long, words, 1]])])
  t.same(faultsOf(picture), [])
  t.match(textsOf(picture, ''), [`the other: ${words}`], 'a reader sees the words as they are')
  const width = Number(/ width="(\d+)"/.exec(picture)![1])
  const [bar] = barsOf(picture, 0)
  t.ok(bar!.x > long.length * 7 && width > bar!.x + 400)
  t.same(faultsOf('<svg><text>a & b</svg>'), ['a bare &', '</svg> ends text'], 'faults are found')
})

t.test('a picture is readable on a light and on a dark ground', async t => {
  const picture = pictureOf([before])
  const [light = '', dark = ''] = /<style>([^]*)<\/style>/.exec(picture)![1]!.split('@media (prefers-color-scheme: dark)')
  for (const [style, ground] of [[light, '#ffffff'], [dark, '#0d1117']] as const) {
    t.match(style, `.ground { fill: ${ground};`)
    for (const name of ['text', '.quiet', '.bar0', '.bar1', '.bar2', '.bar3']) {
      const color = new RegExp(`${name} {[^}]*fill: (#\\w+)`).exec(style)?.[1]
      t.ok(contrast(color!, ground) > 3, `${name} is ${color} on ${ground}`)
    }
  }
})

t.test('a table has both servers’ costs and the ratio in columns of each run', async t => {
  t.equal(ratioTableOf([memcached, before]), [
    '|  | cost | memslab / memcached 1.6.45 | ratio | memslab / the build before | ratio |',
    '| --- | --: | --: | --: | --: | --: |',
    `| get | ${CPU} | 3.00 / 2.00 | 1.50 | 1.00 / 2.00 | 0.50 |`,
    `| set | ${CPU} | 15.0 / 2.00 | 7.50 | 2.50 / 2.00 | 1.25 |`,
    `| start | ${MS} |  |  | 1.50 / 2.00 | 0.75 |`,
  ].join('\n'))
})

t.test('a saved run is read again, under its own label or another', async t => {
  const file = join(t.testdir({}), 'run.json')
  writeFileSync(file, JSON.stringify(memcached.run))
  t.same(readSeries(file), memcached)
  t.same(readSeries(`C’s=${file}`), { ...memcached, label: 'C’s' })
  writeFileSync(file, JSON.stringify(before.run))
  t.equal(readSeries(file).label, 'other1')
  writeFileSync(file, JSON.stringify({ ...before.run, format: 0 }))
  t.throws(() => readSeries(file), /was not written by --json/)
})

t.test('rows are chosen, and ratios to the bare responder are left out', async t => {
  const ratios = [ratioOf('memslab', 'responder', 'bare', CPU, 1), ...before.run.ratios]
  const series = { ...before, run: { ...before.run, ratios } }
  const rows = (main: boolean, only?: RegExp): string[] => withRows(series, main, only).run.ratios.map(({ row }) => row)
  t.same(rows(false), ['get', 'set', 'start'])
  t.same(rows(false, /^s/), ['set', 'start'])
  t.same(rows(true), [], 'none of these is a main row')
})

type Row = readonly [row: string, cost: string, ratio: number]

function seriesOf(label: string, other: string, ratios: readonly Row[]): Series {
  const run: SavedRun = {
    format: 1,
    facts: { machine: '2 x some core', node: 'v20.0.0', date: '2026-11-29T10:00:00.000Z' },
    servers: [{ name: 'memslab', command: 'node a.js', version: '1.6.45' }, { name: other, command: other, version: '1.6.45' }],
    ratios: ratios.map(([row, cost, ratio]) => ratioOf('memslab', other, row, cost, ratio)),
  }
  return { label, run }
}

function ratioOf(subject: string, other: string, row: string, cost: string, ratio: number): Ratio {
  return { row, cost, servers: [subject, other], costs: [2 * ratio, 2], ratio }
}

/** Those of a series, from the top; the first of all is that of the legend. */
function barsOf(picture: string, index: number): { x: number, y: number, width: number }[] {
  const bars = picture.matchAll(new RegExp(`<rect class="bar${index}" x="(\\S+)" y="(\\S+)" width="(\\S+)"`, 'g'))
  return [...bars].slice(1).map(([, x, y, width]) => ({ x: Number(x), y: Number(y), width: Number(width) }))
}

function textsOf(picture: string, kind: string): string[] {
  return [...picture.matchAll(new RegExp(`<text class="${kind}"[^>]*>([^<]*)<`, 'g'))].map(([, words]) => unescaped(words!))
}

function unescaped(words: string): string {
  return words.replace(/&#(\d+);/g, (_, code) => String.fromCharCode(Number(code)))
}

/** What is wrong with the form of this XML. */
function faultsOf(xml: string): string[] {
  const faults: string[] = []
  const open: string[] = []
  const text = xml.replace(/<(\/?)(\w+)((?: [\w:-]+="[^"<]*")*)(\/?)>/g, (_, ends: string, name: string, __, isEmpty: string) => {
    if (ends === '' && isEmpty === '') open.push(name)
    const last = ends === '' ? name : open.pop()
    if (last !== name) faults.push(`</${name}> ends ${last}`)
    return ''
  })
  if (/&(?!#\d+;)/.test(xml)) faults.unshift('a bare &')
  if (/[<>]/.test(text)) faults.push(`what is no tag: ${/[<>].*/.exec(text)![0]}`)
  return faults.concat(open.length > 0 && faults.length === 0 ? [`${open.join(', ')} without an end`] : [])
}

/** As the W3C defines it: 21 of black and white. */
function contrast(one: string, other: string): number {
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b)
  return (high! + 0.05) / (low! + 0.05)
}

function luminance(color: string): number {
  const [red, green, blue] = [1, 3, 5].map(at => {
    const share = parseInt(color.slice(at, at + 2), 16) / 255
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!
}
