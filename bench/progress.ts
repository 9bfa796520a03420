// How far a run is: one line on stderr that is written over, where that is a terminal, and where it is asked for a line now and
// then. Standard output never has any of it.

export interface Screen {
  readonly isTTY?: boolean
  write(text: string): unknown
}

const LINES_EVERY = 10          // seconds, where they stay
const LINE_START = '\r\x1b[K'   // and what stood in the line is gone

export class Progress {
  private row = 0
  private name = ''
  private isShown = false
  private shownAt = -Infinity

  // `expected` is about how many seconds each of the rows takes, as compared with the others; what they do take is found out.
  constructor(private readonly screen: Screen, private readonly isAsked: boolean, private readonly expected: readonly number[],
    private readonly now = (): number => performance.now() / 1000, private readonly startedAt = now()) {}

  // Rows are counted from 0.
  begin(row: number, name: string): void {
    this.row = row
    this.name = name
    this.tell('', 0)
  }

  // So much of the row is done, 0 to 1.
  tell(step: string, share: number): void {
    const isTerminal = this.screen.isTTY === true
    if (!isTerminal && (!this.isAsked || share > 0 && this.now() - this.shownAt < LINES_EVERY)) return
    this.shownAt = this.now()
    const { row, name, expected } = this
    const left = this.secondsLeft(share)
    const text = [`row ${row + 1} of ${expected.length}, ${name}`, ...(step === '' ? [] : [step]),
      ...(left === undefined ? [] : [`about ${duration(left)} left`])].join(', ')
    this.screen.write(isTerminal ? LINE_START + text : `${text}\n`)
    this.isShown = true
  }

  // Before anything else is printed, which may be to the same terminal.
  clear(): void {
    if (this.isShown && this.screen.isTTY === true) this.screen.write(LINE_START)
    this.isShown = false
  }

  // Unknown while hardly anything was measured.
  private secondsLeft(share: number): number | undefined {
    const { expected, row } = this
    const done = sum(expected.slice(0, row)) + expected[row]! * share
    return done === 0 ? undefined : (this.now() - this.startedAt) * (sum(expected) - done) / done
  }
}

function duration(seconds: number): string {
  return seconds < 90 ? `${Math.ceil(seconds)} s` : `${Math.ceil(seconds / 60)} min`
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
