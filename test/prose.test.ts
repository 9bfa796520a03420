// Rules for the text of src: lines that fit the screen, and comments without the words that hide who does something.
import t from 'tap'
import { sourceFiles, sourceOf } from './support/sources.js'

const COLUMNS_MAX = 130
/** Comments name the client, the thread or the caller instead. */
const RIDDLES = /\b(whoever|nobody|is told|goes by)\b/gi

const FILES = sourceFiles()

t.test(`no line of src has more than ${COLUMNS_MAX} columns`, async t => {
  const long = FILES.flatMap(file => linesOf(file).flatMap((line, index) =>
    line.length <= COLUMNS_MAX ? [] : [`${file}:${index + 1} has ${line.length} columns`]))
  t.same(long, [])
})

t.test('no comment of src hides who does something', async t => {
  const riddles = FILES.flatMap(file => commentsOf(file).flatMap(({ line, text }) =>
    [...text.matchAll(RIDDLES)].map(([word]) => `${file}:${line}: "${word}"`)))
  t.same(riddles, [])
})

function linesOf(file: string): string[] { return sourceOf(file).split('\n') }

/** The comments of a file, each with the number of its first line. Comments on consecutive lines are one. */
function commentsOf(file: string): { line: number, text: string }[] {
  const comments: { line: number, text: string }[] = []
  let last = -1
  for (const [index, line] of linesOf(file).entries()) {
    const [, whole, behind] = /^\s*(?:\/\/|\/?\*+)(.*)$|(?:^|\s)(?:\/\/|\/\*)(\s.*)$/.exec(line) ?? []
    const text = whole ?? behind
    if (text === undefined) continue
    if (whole !== undefined && last === index - 1 && comments.length > 0) comments.at(-1)!.text += ` ${text.trim()}`
    else comments.push({ line: index + 1, text: text.trim() })
    last = index
  }
  return comments
}
