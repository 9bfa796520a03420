// The example of src/faults/README.md.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import t from 'tap'
import '../support/fresh.js'
import { inProject } from '../support/places.js'

t.test('the example prints what the README says', async t => {
  const text = readFileSync(inProject('src/faults/README.md'), 'utf8')
  const [, example, printed] = /<!-- a test runs this -->\n```js\n([^]*?)```\n\nIt prints\n\n```\n([^]*?)```/.exec(text) ?? []
  const code = example!.replace("'memslab/testing'", `'${inProject('dist/testing/index.mjs')}'`)
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8' })
  t.equal(stderr, '')
  t.equal(stdout, printed)
})
