// The statistics as rows: whatever is counted is shown, once, with a kind and a help text that those can use who export them.
import { readFileSync } from 'node:fs'
import t from 'tap'
import {
  generalRows, hashRows, itemRows, ownRows, refusedRows, slabRows, slabTotalRows, type ClassStatistic, type Statistic,
} from '../../src/stats/rows.js'
import '../support/fresh.js'
import { inProject } from '../support/places.js'

const TABLES: Readonly<Record<string,
  readonly (Statistic | ClassStatistic)[]>> = { generalRows, hashRows, ownRows, itemRows, refusedRows, slabRows, slabTotalRows }

/** What there is now, which the rows about buffers and references are computed from. */
const FIRST_OF_THE_PRESENT = 'RefsHeld'

t.test('each counter has a row, and each class counter', async t => {
  const rows = Object.values(TABLES).flat()
  const counters = new Set(rows.flatMap(row => row.scope === 'thread' ? [row.counter as number] : []))
  const classCounters = new Set(rows.flatMap(row => row.scope === 'class' ? row.counters as readonly number[] : []))
  const names = membersOf('Counter')
  t.same(names.slice(0, names.indexOf(FIRST_OF_THE_PRESENT)).filter((_, counter) => !counters.has(counter)), [])
  t.same(membersOf('ClassCounter').filter((_, counter) => !classCounters.has(counter)), [])
})

for (const [table, rows] of Object.entries(TABLES)) {
  t.test(`${table}: names are memcached's in form and stand once, each has a help text of one line`, async t => {
    const names = rows.map(({ name }) => name)
    t.same(names, [...new Set(names)])
    t.same(names.filter(name => !/^[a-z][a-z_]*$/.test(name)), [])
    t.same(rows.filter(({ help }) => !/^[A-Z0-9].*[^.]$/.test(help)).map(({ name }) => name), [])
  })
}

t.test('what a thread or a class counts is a counter, unless it is computed', async t => {
  const wrong = Object.values(TABLES).flat().filter(({ scope, kind }) => (scope === 'thread' || scope === 'class') &&
    kind !== 'counter')
  t.same(wrong.map(({ name }) => name), [])
})

/** The names of an enum of counters.ts, in order, without the number of them. */
function membersOf(name: string): string[] {
  const source = readFileSync(inProject('src/stats/counters.ts'), 'utf8').replace(/^ *(\/\*\*.*\*\/|\/\/.*)$/gm, '')
  const [, body] = new RegExp(`const enum ${name} \\{([^}]*)\\}`).exec(source)!
  return body!.split(',').map(member => member.trim()).filter(member => /^\w+$/.test(member))
}
