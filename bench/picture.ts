// One SVG with ratios as bars, for bench/README.md: a bar for each series of each row, rows in groups by what was measured. It
// has a background of its own, light or dark as the reader's system is. Widths of texts are estimates for the widest of the usual
// fonts, so that none is cut off.

import { ratiosByRow, type Series } from './saved.js'

export const SERIES_MAX = 4      // as many as there are colours

const CHAR_WIDTH = 7.4
const MARGIN = 16
const LINE_HEIGHT = 20
const GROUP_GAP = 10
const BAR_HEIGHT = 13
const BAR_STEP = 15
const ROW_GAP = 9
const RATIO_WIDTH = 210          // of a bar for the ratio 1
const RATIO_MAX = 2              // a longer bar is cut off there, and its number says how long it is
const NUMBER_WIDTH = 50          // of what stands behind a bar
const TICKS = [0, 0.5, 1, 1.5, 2]

const STYLE = `
  text { font: 12px system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif; fill: #1f2328 }
  .title { font-weight: 600 }
  .number { paint-order: stroke; stroke: #ffffff; stroke-width: 3px }
  .quiet { fill: #59636e }
  .ground { fill: #ffffff; stroke: #d1d9e0 }
  .tick { stroke: #d1d9e0 }
  .one { stroke: #1f2328 }
  .bar0 { fill: #2f6fd0 } .bar1 { fill: #c4701c } .bar2 { fill: #2c8a5b } .bar3 { fill: #8a4fc0 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .quiet { fill: #9198a1 }
    .number { stroke: #0d1117 }
    .ground { fill: #0d1117; stroke: #3d444d }
    .tick { stroke: #3d444d }
    .one { stroke: #e6edf3 }
    .bar0 { fill: #6ea4f5 } .bar1 { fill: #e79a4f } .bar2 { fill: #5cc08f } .bar3 { fill: #b98be6 }
  }
`

export function pictureOf(series: readonly Series[]): string {
  const rows = ratiosByRow(series)
  const groups = [...new Set(rows.map(({ cost }) => cost))]
  const title = 'What memslab needs, divided by what the other needs: under 1 memslab needs less'
  const labels = series.map(({ label }) => `the other: ${label}`)
  const places = [...new Set(series.map(placeOf))]
  const left = MARGIN + widthOf(rows.map(({ row }) => row))
  const width = Math.max(left + RATIO_MAX * RATIO_WIDTH + NUMBER_WIDTH,
    2 * MARGIN + widthOf([title, ...labels, ...places, ...groups]))
  const x = (ratio: number): number => left + Math.min(ratio, RATIO_MAX) * RATIO_WIDTH

  let y = MARGIN
  const nextLine = (): number => (y += LINE_HEIGHT) - 6   // where its text stands
  const head = [
    text(MARGIN, nextLine(), title, 'title'),
    ...labels.flatMap((label, index) => [bar(index, MARGIN, y + 4, BAR_HEIGHT), text(MARGIN + 20, nextLine(), label)]),
    ...TICKS.map(tick => text(x(tick), y + LINE_HEIGHT, String(tick), 'quiet', 'middle')),
  ]
  y += LINE_HEIGHT
  const top = y + 4
  const bars = groups.flatMap(group => {
    y += GROUP_GAP
    return [
      text(MARGIN, nextLine(), group, 'title'),
      ...rows.filter(({ cost }) => cost === group).flatMap(({ row, ratios }) => {
        const rowTop = y
        y += ratios.length * BAR_STEP + ROW_GAP
        return [
          text(left - 8, rowTop + ratios.length * BAR_STEP / 2 + 3, row, '', 'end'),
          ...ratios.flatMap((ratio, index) => ratio === undefined ? [] : [
            bar(index, left, rowTop + index * BAR_STEP, x(ratio.ratio) - left),
            text(x(ratio.ratio) + 5, rowTop + index * BAR_STEP + 11, ratio.ratio.toFixed(2), 'number'),
          ]),
        ]
      }),
    ]
  })
  const ticks = TICKS.map(tick => `<path class="${tick === 1 ? 'one' : 'tick'}" d="M${x(tick)} ${top}V${y}"/>`)
  const foot = places.map(place => text(MARGIN, nextLine(), place, 'quiet'))
  return svg(width, y + MARGIN, title, [...head, ...ticks, ...bars, ...foot])
}

function placeOf({ run: { facts } }: Series): string {
  return `${facts.machine}, Node.js ${facts.node}, ${facts.date?.slice(0, 10)}`
}

function svg(width: number, height: number, title: string, parts: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">`,
    `<title>${escaped(title)}</title>`,
    `<style>${STYLE}</style>`,
    `<rect class="ground" x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="6"/>`,
    ...parts,
    '</svg>\n',
  ].join('\n')
}

function bar(index: number, x: number, y: number, width: number): string {
  return `<rect class="bar${index}" x="${x}" y="${y}" width="${width.toFixed(1)}" height="${BAR_HEIGHT}"/>`
}

function text(x: number, y: number, words: string, kind = '', anchor: 'start' | 'middle' | 'end' = 'start'): string {
  return `<text class="${kind}" text-anchor="${anchor}" x="${x.toFixed(1)}" y="${y.toFixed(1)}">${escaped(words)}</text>`
}

function widthOf(texts: readonly string[]): number {
  return Math.ceil(Math.max(0, ...texts.map(({ length }) => length)) * CHAR_WIDTH) + 12
}

function escaped(words: string): string {
  return words.replace(/[&<>"]/g, character => `&#${character.charCodeAt(0)};`)
}
