// Turns results into lines of text: a line for each server of a row, and one with their ratios, see compare.ts.

import { cpuRatio, cpuRatioRange, figureOf, ratioOf } from './compare.js'
import type { GarbageResult } from './garbage.js'
import type { Sample } from './load.js'
import type { FootprintResult, GarbageResults, HeldResult, HitsResult, IdleResult, LayerResults, LocksResult, Result,
  SkippedResult, SpeedResult, StartResult, StripesResults, WaitsResult } from './measure.js'
import { ratiosOf } from './ratios.js'
import type { Target } from './targets.js'
import { traceLine } from './traces/report.js'

const NAME_WIDTH = 31
const columns = ['server', 'req/s', 'CPU µs/req', 'busy', 'p50 µs', 'p99 µs', 'p99.9 µs', 'RSS MiB', 'answers'] as const

export function heading(): string {
  return line('', columns)
}

export function linesOf(result: Result): string[] {
  switch (result.kind) {
    case 'speed': return speedLines(result)
    case 'skipped': return skippedLines(result)
    case 'held': return heldLines(result)
    case 'footprint': return footprintLines(result)
    case 'idle': return [...idleLines(result), ...ratioLines(result)]
    case 'start': return [...startLines(result), ...ratioLines(result)]
    case 'hits': return hitsLines(result)
    case 'trace': return [traceLine(result)]
    case 'waits': return waitLines(result)
    case 'garbage': return garbageLines(result)
    case 'layers': return layerLines(result)
    case 'locks': return lockLines(result)
    case 'stripes': return stripeLines(result)
  }
}

export function targetLine({ name, limit, measured, isMet }: Target): string {
  return `${name.padEnd(NAME_WIDTH + 2)} ${limit.padEnd(30)} ${measured.padStart(10)}   ${isMet ? 'met' : 'NOT MET'}`
}

export function whole(number: number): string {
  return Math.round(number).toLocaleString('en-US')
}

function speedLines(result: SpeedResult): string[] {
  const { workload: { name }, sides } = result
  const lines = sides.map(({ server, samples }, index) => line(index === 0 ? name : '', [
    server,
    whole(figureOf(samples, 'requestsPerSecond')),
    figureOf(samples, 'cpu').toFixed(2),
    percent(figureOf(samples, 'busy'), 0),
    whole(figureOf(samples, 'p50')),
    whole(figureOf(samples, 'p99')),
    whole(figureOf(samples, 'p999')),
    mebibytes(figureOf(samples, 'rssBytes')),
    whole(sum(samples, 'requests')),
  ]) + (sum(samples, 'refused') === 0 ? '' : `  ${whole(sum(samples, 'refused'))} refused`))
  return sides.length < 2 ? lines : [...lines, ratioLine(result)]
}

// Of rows other than those of speed.
function ratioLines(result: Result): string[] {
  return ratiosOf(result).map(({ row, cost, ratio }) => line('', ['ratio']) + `  ${ratio.toFixed(3)}, ${row}: ${cost}`)
}

function ratioLine(result: SpeedResult): string {
  const cells = (['requestsPerSecond', 'cpu', 'busy', 'p50', 'p99', 'p999'] as const).map(figure => {
    if (figure === 'busy') return ''
    return ratioOf(result, figure).toFixed(figure === 'cpu' ? 3 : 2)
  })
  const [low, middle] = [0.1, 0.5].map(share => cpuRatio(result, share).toFixed(3))
  const [least, most] = cpuRatioRange(result)
  return line('', ['ratio', ...cells]) +
    `  CPU ${low} at 10 %, ${middle} at 50 %; rounds ${least.toFixed(3)} to ${most.toFixed(3)}`
}

function skippedLines({ workload: { name }, reason }: SkippedResult): string[] {
  return [line(name, ['skipped']) + `  ${reason}`]
}

function heldLines({ workload, sides }: HeldResult): string[] {
  const [subject, other] = sides
  return [
    ...sides.map(({ server, items, itemBytes, evictions, rssBytes }, index) =>
      line(index === 0 ? workload.name : '', [server]) +
      `  ${whole(items)} items of ${mebibytes(itemBytes)} MiB held in ${workload.megabytes} MiB after ` +
      `${whole(evictions)} evictions, RSS ${mebibytes(rssBytes)} MiB`),
    ...(subject === undefined || other === undefined ? []
      : [line('', ['ratio']) + `  ${(subject.items / other.items).toFixed(3)}`]),
  ]
}

function footprintLines(result: FootprintResult): string[] {
  const servers = [...new Set(result.sides.map(({ server }) => server))]
  return servers.flatMap((server, index) => {
    const [first = '', ...lines] = footprintsOf(result, server)
    return [line(index === 0 ? result.workload.name : '', [server]) + first, ...lines.map(text => line('', ['']) + text)]
  })
}

function footprintsOf({ workload: { megabytes }, sides }: FootprintResult, server: string): string[] {
  const own = sides.filter(side => side.server === server)
  const [first, last] = [own[0]!, own.at(-1)!]
  const perThread = (figure: 'emptyBytes' | 'fullBytes'): string =>
    mebibytes((last[figure] - first[figure]) / (last.threads - first.threads), 1)
  return [
    ...own.map(({ threads, emptyBytes, fullBytes }) =>
      `  -t ${threads}: ${mebibytes(emptyBytes, 1)} MiB empty, ${mebibytes(fullBytes, 1)} MiB full, ` +
      `which is ${mebibytes(fullBytes - megabytes * 2 ** 20, 1)} MiB beyond -m ${megabytes}`),
    ...(own.length < 2 ? []
      : [`  each further thread: ${perThread('emptyBytes')} MiB empty, ${perThread('fullBytes')} MiB full`]),
  ]
}

function idleLines({ workload: { name }, sides }: IdleResult): string[] {
  return sides.map(({ server, threads, rssBytes, aboveNodeBytes }, index) => line(index === 0 ? name : '', [server]) +
    (index === 0 ? `  RSS ${mebibytes(rssBytes, 1)} MiB` :
      `  -t ${threads}: RSS ${mebibytes(rssBytes, 1)} MiB, ${mebibytes(Math.abs(aboveNodeBytes), 1)} MiB ` +
      `${aboveNodeBytes < 0 ? 'below' : 'above'} bare node's`))
}

function startLines({ workload: { name }, sides }: StartResult): string[] {
  return sides.map(({ server, ms, rssBytes }, index) =>
    line(index === 0 ? name : '', [server]) + `  ${ms.toFixed(1)} ms to the first answer, RSS ${mebibytes(rssBytes)} MiB`)
}

function hitsLines({ workload, sides }: HitsResult): string[] {
  return sides.map(({ server, gets, hitRatio }, index) =>
    line(index === 0 ? workload.name : '', [server]) +
    `  ${percent(hitRatio, 2)} hits, ${whole(gets)} gets, zipf ${workload.zipfExponent}, ` +
    `${workload.timesMemory} times more data than memory` +
    (workload.onceShare === undefined ? '' : `, and ${percent(workload.onceShare, 0)} of keys that come once`))
}

function waitLines({ workload: { name }, sides }: WaitsResult): string[] {
  return sides.flatMap(({ server, items, waits }, index) => [
    line(index === 0 ? name : '', [server]) + `  ${whole(items)} items; the longest that another client waits`,
    ...waits.map(({ command, answer, answerMs, longestMs, quietMs }) => line('', ['']) +
      `  ${command.padEnd(26)} ${longestMs.toFixed(1).padStart(8)} ms, without ${quietMs.toFixed(1).padStart(8)} ms, ` +
      `answered after ${answerMs.toFixed(1).padStart(8)} ms: ${answer}`),
  ])
}

function garbageLines({ sides }: GarbageResults): string[] {
  return sides.flatMap(garbageLinesOf)
}

function garbageLinesOf({ server, served, heap }: GarbageResult): string[] {
  return [
    ...served.map(({ name, requests, collections, pauseMs }, index) =>
      line(index === 0 ? 'garbage' : '', [server]) +
      `  ${whole(requests)} x ${name}: ${collections} collections, ${pauseMs.toFixed(1)} ms`),
    ...heap.map(({ items, bytes }) => line('', [server]) + `  heap with ${whole(items)} items: ${mebibytes(bytes, 2)} MiB`),
  ]
}

function layerLines({ layers }: LayerResults): string[] {
  return layers.map(({ name, ns, collectionsPerMillion, checksum }, index) =>
    line(index === 0 ? 'layers' : '', ['']) +
    `  ${name.padEnd(18)} ${ns.toFixed(1).padStart(9)} ns, ${collectionsPerMillion.toFixed(1)} collections a million, ` +
    `checksum ${checksum}`)
}

function lockLines({ layers }: LocksResult): string[] {
  return layers.map(({ name, ownNs, sharedNs, ratio }, index) =>
    line(index === 0 ? 'locks' : '', ['']) +
    `  ${name.padEnd(18)} ${ownNs.toFixed(1).padStart(9)} ns alone, ` +
    `${sharedNs.toFixed(1).padStart(9)} ns with locks and shared memory, ` +
    `ratio ${ratio.toFixed(3)}`)
}

function stripeLines({ cases }: StripesResults): string[] {
  return cases.map(({ name, threads, cpuNs, wallNs }, index) =>
    line(index === 0 ? 'locks, stripe' : '', ['']) +
    `  ${`${threads} x ${name}`.padEnd(22)} ${cpuNs.toFixed(1).padStart(8)} ns CPU for each, ` +
    `one every ${wallNs.toFixed(1).padStart(8)} ns`)
}

function line(name: string, cells: readonly string[]): string {
  const [server = '', ...figures] = cells
  return `${name.padEnd(NAME_WIDTH)} ${server.padEnd(10)}${figures.map(figure => figure.padStart(11)).join('')}`
}

function sum(samples: readonly Sample[], figure: 'requests' | 'refused'): number {
  return samples.reduce((total, sample) => total + sample[figure], 0)
}

function percent(share: number, digits: number): string {
  return `${(share * 100).toFixed(digits)} %`
}

function mebibytes(bytes: number, digits = 0): string {
  return (bytes / 2 ** 20).toFixed(digits)
}
