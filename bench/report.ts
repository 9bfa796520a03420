// Turns results into lines of text: a line for each server of a row, one with their ratios, and at the end the limits
// that the project has set itself, met or not. Figures are medians over the rounds; a ratio is the median of the ratios
// of neighbouring measurements, with the smallest and the largest after it.

import type { GarbageResult } from './garbage.js'
import type { Sample } from './load.js'
import type { GarbageResults, HeldResult, HitsResult, LayerResults, Result, SpeedResult } from './measure.js'
import { median } from './numbers.js'

export interface Target {
  readonly name: string
  readonly limit: string
  readonly measured: string
  readonly isMet: boolean
}

const HITS_LOST_MAX = 0.005
const COLLECTIONS_MAX = 10     // of a million requests
const HEAP_GROWTH_MAX = 1      // MiB
const NAME_WIDTH = 29
const columns = ['server', 'req/s', 'CPU µs/req', 'busy', 'p50 µs', 'p99 µs', 'p99.9 µs', 'RSS MiB', 'answers'] as const

export function heading(): string {
  return line('', columns)
}

export function linesOf(result: Result): string[] {
  switch (result.kind) {
    case 'speed': return speedLines(result)
    case 'held': return heldLines(result)
    case 'hits': return hitsLines(result)
    case 'garbage': return garbageLines(result)
    case 'layers': return layerLines(result)
  }
}

// The targets that the result says something about. Most need a server to compare with.
export function targetsOf(result: Result): Target[] {
  switch (result.kind) {
    case 'speed': return speedTargets(result)
    case 'held': return heldTargets(result)
    case 'hits': return hitsTargets(result)
    case 'garbage': return garbageTargets(result)
    case 'layers': return []
  }
}

export function targetLine({ name, limit, measured, isMet }: Target): string {
  return `${name.padEnd(NAME_WIDTH + 2)} ${limit.padEnd(26)} ${measured.padStart(10)}   ${isMet ? 'met' : 'NOT MET'}`
}

// CPU time a request of the first server ÷ that of the second, a number for each round
export function cpuRatios({ sides: [subject, other] }: SpeedResult): number[] {
  if (subject === undefined || other === undefined) return []
  return subject.samples.map((sample, round) => sample.cpuUsPerRequest / other.samples[round]!.cpuUsPerRequest)
}

function speedLines(result: SpeedResult): string[] {
  const { workload: { name }, sides } = result
  const lines = sides.map(({ server, samples }, index) => line(index === 0 ? name : '', [
    server,
    whole(of(samples, 'requestsPerSecond')),
    of(samples, 'cpuUsPerRequest').toFixed(2),
    percent(of(samples, 'busy'), 0),
    whole(of(samples, 'p50')),
    whole(of(samples, 'p99')),
    whole(of(samples, 'p999')),
    mebibytes(of(samples, 'rssBytes')),
    whole(sum(samples, 'requests')),
  ]) + (sum(samples, 'refused') === 0 ? '' : `  ${whole(sum(samples, 'refused'))} refused`))
  const ratios = cpuRatios(result)
  if (ratios.length === 0) return lines
  const [subject, other] = sides.map(side => side.samples)
  const rates = subject!.map((sample, round) => sample.requestsPerSecond / other![round]!.requestsPerSecond)
  const spread = `CPU ${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}`
  return [...lines, line('', ['ratio', median(rates).toFixed(2), median(ratios).toFixed(2)]) + '  ' + spread]
}

function heldLines({ workload, sides }: HeldResult): string[] {
  return sides.map(({ server, items, evictions, rssBytes }, index) =>
    line(index === 0 ? workload.name : '', [server]) +
    `  ${whole(items)} items held in ${workload.megabytes} MiB after ${whole(evictions)} evictions, RSS ${mebibytes(rssBytes)} MiB`)
}

function hitsLines({ workload, sides }: HitsResult): string[] {
  return sides.map(({ server, gets, hitRatio }, index) =>
    line(index === 0 ? workload.name : '', [server]) +
    `  ${percent(hitRatio, 2)} hits, ${whole(gets)} gets, zipf ${workload.zipfExponent}, ${workload.timesMemory} times more data than memory`)
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
    `  ${name.padEnd(18)} ${ns.toFixed(1).padStart(9)} ns, ${collectionsPerMillion.toFixed(1)} collections a million, checksum ${checksum}`)
}

function speedTargets(result: SpeedResult): Target[] {
  const { workload: { name, cpuLimit } } = result
  const ratios = cpuRatios(result)
  if (cpuLimit === undefined || ratios.length === 0) return []
  const ratio = median(ratios)
  return [{ name, limit: `CPU/request x ${cpuLimit.toFixed(2)}`, measured: ratio.toFixed(2), isMet: ratio <= cpuLimit }]
}

function heldTargets({ workload: { name }, sides: [subject, other] }: HeldResult): Target[] {
  if (subject === undefined || other === undefined) return []
  const ratio = subject.items / other.items
  return [{ name, limit: 'at least as many items', measured: ratio.toFixed(3), isMet: ratio >= 1 }]
}

function hitsTargets({ workload: { name }, sides: [subject, other] }: HitsResult): Target[] {
  if (subject === undefined || other === undefined) return []
  const gained = subject.hitRatio - other.hitRatio
  return [{ name, limit: 'at most half a point less', measured: `${(gained * 100).toFixed(2)} pt`, isMet: gained >= -HITS_LOST_MAX }]
}

// Of the first server only: one request at a time costs Node some garbage for each write, which is not ours.
function garbageTargets({ sides: [subject] }: GarbageResults): Target[] {
  if (subject === undefined) return []
  const grown = (subject.heap.at(-1)!.bytes - subject.heap[0]!.bytes) / 2 ** 20
  return [
    ...subject.served.filter(({ depth }) => depth > 1).map(({ name, requests, collections }) => ({
      name: `garbage, ${name}`, limit: `at most ${COLLECTIONS_MAX} collections/M`,
      measured: (collections / requests * 1e6).toFixed(1), isMet: collections / requests * 1e6 <= COLLECTIONS_MAX,
    })),
    { name: `heap with ${whole(subject.heap.at(-1)!.items)} items`, limit: `at most ${HEAP_GROWTH_MAX} MiB more`, measured: `${grown.toFixed(2)} MiB`, isMet: grown <= HEAP_GROWTH_MAX },
  ]
}

function line(name: string, cells: readonly string[]): string {
  const [server = '', ...figures] = cells
  return `${name.padEnd(NAME_WIDTH)} ${server.padEnd(10)}${figures.map(figure => figure.padStart(11)).join('')}`
}

function of(samples: readonly Sample[], figure: keyof Sample): number {
  return median(samples.map(sample => sample[figure]))
}

function sum(samples: readonly Sample[], figure: keyof Sample): number {
  return samples.reduce((total, sample) => total + sample[figure], 0)
}

function whole(number: number): string {
  return Math.round(number).toLocaleString('en-US')
}

function percent(share: number, digits: number): string {
  return `${(share * 100).toFixed(digits)} %`
}

function mebibytes(bytes: number, digits = 0): string {
  return (bytes / 2 ** 20).toFixed(digits)
}
