// Reads what a test file prints, line by line: TAP 14, whose subtests are indented by four blanks each. A check is a line
// without subtests of its own, or a subtest without a check. Kept are the counts, and what failed or was skipped, with
// the names of all the tests around it, and comments.

/** What failed, and what is said about it. */
export interface Failure {
  readonly name: string
  readonly details: string
}

export interface Skip {
  readonly name: string
  readonly reason: string
}

const INDENT = 4
const POINT = /^(?<not>not )?ok\b(?: \d+)?(?: -)?(?<name>.*?)(?: # time=\S+)?(?<opens> \{)?$/
const DIRECTIVE = /(?<!\\)#\s*(?<word>skip|todo)\b\s*(?<reason>.*)$/i
const PLAN = /^1\.\.(?<count>\d+)(?: *# *skip\S* *(?<reason>.*))?$/i

/** A test under way: the file, or a subtest. */
class Level {
  checks = 0
  failures = 0
  points = 0

  constructor(readonly name: string) {}
}

/** Lines of YAML behind a line that failed. */
interface Details {
  readonly indent: string
  readonly name: string
  readonly lines: string[]
}

export class TapReader {
  passed = 0
  readonly failures: Failure[] = []
  readonly skips: Skip[] = []
  /** What tests tell besides, such as their seeds. */
  readonly comments: string[] = []
  /** How many tests the file said that it has; undefined until it does. */
  planned: number | undefined
  private readonly levels: Level[] = [new Level('')]
  private details: Details | undefined
  private unfinished = ''

  read(text: string): void {
    const lines = (this.unfinished + text).split('\n')
    this.unfinished = lines.pop() ?? ''
    for (const line of lines) this.readLine(line)
  }

  get failed(): number {
    return this.failures.length
  }

  /** Why the output is not that of a file that ran to its end; undefined if it is. */
  problem(): string | undefined {
    const { points } = this.levels[0]!
    if (this.planned === undefined) return `it broke off after ${points} tests${this.where()}`
    return points === this.planned ? undefined : `it said that it has ${this.planned} tests, and had ${points}`
  }

  private where(): string {
    const names = this.levels.slice(1).map(level => level.name)
    return names.length === 0 ? '' : `, in: ${names.join(' > ')}`
  }

  private readLine(line: string): void {
    if (this.details !== undefined && this.readDetails(this.details, line)) return
    const text = line.trimStart()
    const depth = (line.length - text.length) / INDENT
    if (text.startsWith('# Subtest: ')) return this.open(depth, text.slice('# Subtest: '.length))
    if (/^# (?!\{ total: |time=)/.test(text)) return void this.comments.push(text.slice(2))
    if (text.startsWith('Bail out!')) return void this.failures.push({ name: text, details: '' })
    const point = POINT.exec(text)
    if (point !== null) return this.readPoint(line, depth, point.groups ?? {})
    const plan = PLAN.exec(text)
    if (plan !== null && depth === 0) this.readPlan(Number(plan.groups?.['count']), plan.groups?.['reason'])
  }

  private readPlan(count: number, reason: string | undefined): void {
    this.planned = count
    if (count === 0 && reason !== undefined) this.skips.push({ name: '', reason })
  }

  /** The subtest's own lines follow, deeper by one. */
  private open(depth: number, name: string): void {
    this.levels.length = Math.min(this.levels.length, depth + 1)
    this.levels.push(new Level(name))
  }

  private readPoint(line: string, depth: number, { not, name = '', opens }: Record<string, string | undefined>): void {
    const level = this.levels[depth]
    if (level === undefined) return  // something that a program printed
    const inside = this.levels.length > depth + 1 ? this.levels[depth + 1] : undefined
    this.levels.length = depth + 1
    level.points++
    const directive = DIRECTIVE.exec(name)?.groups
    const full = [...this.levels.slice(1).map(({ name }) => name), unescape(name.replace(DIRECTIVE, ''))].join(' > ')
    if (directive !== undefined) this.skips.push({ name: full, reason: directive['reason'] || directive['word'] || '' })
    else if (not !== undefined) this.fail(line, full, inside)
    else if (opens === undefined && (inside === undefined || inside.checks === 0)) this.passed++
    level.checks++
    level.failures += not !== undefined && directive === undefined ? 1 : 0
    if (opens !== undefined) this.open(depth, unescape(name))
  }

  /** A subtest that failed for nothing but what failed in it is not told twice. */
  private fail(line: string, name: string, inside: Level | undefined): void {
    if (inside !== undefined && inside.failures > 0) return
    this.details = { indent: line.slice(0, line.length - line.trimStart().length) + '  ', name, lines: [] }
  }

  /** Whether the line belongs to what is said about a failure. */
  private readDetails({ indent, name, lines }: Details, line: string): boolean {
    const isFirst = lines.length === 0
    const isOne = isFirst ? line === `${indent}---` : line !== `${indent}...`
    if (isOne) return lines.push(line) > 0
    this.details = undefined
    this.failures.push({ name, details: lines.slice(1).map(text => text.slice(indent.length)).join('\n') })
    return !isFirst
  }

  /** At the end of the output: what is left in hand counts as well. */
  end(): void {
    this.read('\n')
    if (this.details !== undefined) this.readDetails(this.details, `${this.details.indent}...`)
  }
}

function unescape(name: string): string {
  return name.trim().replaceAll(/\\([#\\])/g, '$1')
}
