// Prometheus's text format, read strictly: what a scrape brings, as samples by name and labels.
import { strict as assert } from 'node:assert'

export interface Scrape {
  /** The type of each metric. */
  readonly types: ReadonlyMap<string, string>
  /** The value of each sample, by its name and labels as they are written. */
  readonly samples: ReadonlyMap<string, number>
}

const SAMPLE = /^([a-z][a-z0-9_]*)(\{[a-z]+="(?:[^"\\\n]|\\["\\n])*"(?:,[a-z]+="(?:[^"\\\n]|\\["\\n])*")*\})? (-?[\d.]+(?:e-?\d+)?)$/

export function scrapeOf(text: Uint8Array): Scrape {
  const lines = Buffer.from(text).toString().split('\n')
  assert.equal(lines.pop(), '', 'the last line ends')
  const types = new Map<string, string>()
  const samples = new Map<string, number>()
  let current = ''
  for (const [index, line] of lines.entries()) {
    const [, name, help] = /^# HELP (\S+) (\S.*)$/.exec(line) ?? []
    if (name !== undefined) {
      assert(!types.has(name), `${name} stands once`)
      assert(help !== undefined && !help.endsWith('.'), line)
      assert(lines[index + 1]?.startsWith(`# TYPE ${name} `), `the type of ${name} follows`)
      current = name
      continue
    }
    if (line.startsWith('# TYPE ')) {
      const [, type = ''] = /^# TYPE \S+ (counter|gauge|histogram)$/.exec(line) ?? []
      types.set(current, type)
      continue
    }
    const [, sample, labels = '', value] = SAMPLE.exec(line) ?? []
    assert(sample !== undefined, `a sample: ${line}`)
    assert(types.get(current) === 'histogram' ? sample.startsWith(current) : sample === current, `${line} belongs to ${current}`)
    assert(!samples.has(sample + labels), `${line} stands once`)
    samples.set(sample + labels, Number(value))
  }
  return { types, samples }
}
