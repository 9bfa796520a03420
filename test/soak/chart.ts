// Draws how numbers went over time, as a picture in SVG: a panel for each row of numbers, one below the other over the same
// time, with both axes named, their units, and lines at round numbers.

/** One row of numbers, a value for each moment. */
export interface Row {
  readonly name: string
  readonly unit: string
  readonly values: readonly number[]
}

export interface Chart {
  readonly title: string
  /** Minutes from the beginning, ascending: the moments. */
  readonly minutes: readonly number[]
  readonly rows: readonly Row[]
}

// Everything in pixels.
const WIDTH = 960
const LEFT = 90
const RIGHT = 20
const TOP = 50
const PANEL = 150
const GAP = 46
const BOTTOM = 30
const TEXT = 12
const PLOT = WIDTH - LEFT - RIGHT

/** About so many lines across a panel, and along the time. */
const LINES_Y = 4
const LINES_X = 10

export function draw({ title, minutes, rows }: Chart): string {
  const height = TOP + rows.length * (PANEL + GAP) + BOTTOM
  const last = minutes.at(-1) ?? 0
  const panels = rows.map((row, index) => drawPanel(row, minutes, last, TOP + index * (PANEL + GAP)))
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" ` +
      `font-family="sans-serif" font-size="${TEXT}">`,
    `<rect width="${WIDTH}" height="${height}" fill="white"/>`,
    `<text x="${LEFT}" y="20" font-size="16">${escape(title)}</text>`,
    ...panels,
    '</svg>',
  ].join('\n') + '\n'
}

function drawPanel({ name, unit, values }: Row, minutes: readonly number[], last: number, top: number): string {
  const heights = ticks(Math.max(0, ...values), LINES_Y)
  const times = ticks(last, LINES_X)
  const most = heights.at(-1)! || 1
  const end = Math.max(last, Number.MIN_VALUE)
  const x = (minute: number): string => (LEFT + minute / end * PLOT).toFixed(1)
  const y = (value: number): string => (top + PANEL - value / most * PANEL).toFixed(1)
  const points = values.map((value, index) => `${x(minutes[index] ?? 0)},${y(value)}`)
  return [
    `<text x="${LEFT}" y="${top - 6}" font-weight="bold">${escape(name)} (${escape(unit)})</text>`,
    ...heights.map(value => `<path d="M${LEFT} ${y(value)}h${PLOT}" stroke="#ddd"/>` +
      `<text x="${LEFT - 6}" y="${y(value)}" dy="4" text-anchor="end">${print(value)}</text>`),
    ...times.filter(minute => minute <= last).map(minute => `<path d="M${x(minute)} ${top}v${PANEL}" stroke="#eee"/>` +
      `<text x="${x(minute)}" y="${top + PANEL + 16}" text-anchor="middle">${print(minute)}</text>`),
    `<text x="${WIDTH - RIGHT}" y="${top + PANEL + 30}" text-anchor="end">minutes</text>`,
    `<path d="M${LEFT} ${top}v${PANEL}h${PLOT}" fill="none" stroke="black"/>`,
    `<polyline points="${points.join(' ')}" fill="none" stroke="#0060a0" stroke-width="1.5"/>`,
    ...points.map(point => `<circle cx="${point.split(',')[0]}" cy="${point.split(',')[1]}" r="2" fill="#0060a0"/>`),
  ].join('\n')
}

/** Round numbers from 0 on, about `count` of them, the last of which is not below `most`. */
export function ticks(most: number, count: number): number[] {
  if (most <= 0) return [0]
  const rough = most / count
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = [1, 2, 5, 10].map(factor => factor * power).find(each => each >= rough)!
  return Array.from({ length: Math.ceil(most / step - 1e-9) + 1 }, (_, index) => Number((index * step).toPrecision(12)))
}

function print(value: number): string {
  return value.toString().replace(/\B(?=(\d{3})+$)/, ',')
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
