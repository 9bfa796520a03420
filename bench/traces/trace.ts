// Traces: which keys a program asked its cache for, in order. A file NAME.ids.gz is gzip of unsigned 32-bit little-endian
// numbers, one a request; equal numbers are the same key. Where no file is named there are traces made up from a seed.

import { readFileSync, statSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { Prng, Zipf } from '../random.js'
import type { TraceWorkload } from '../workloads.js'

const ENDING = '.ids.gz'
const VALUE_BYTES = 1000
const MEGABYTES = 8

// How traces that are known are replayed where nothing else is said.
const known: Readonly<Record<string, { valueBytes: number, megabytes: number }>> = {
  web07: { valueBytes: 4000, megabytes: 16 },   // product pages of a web shop, one of the traces of Caffeine's simulator
}

const SEED = 14
const MADE_REQUESTS = 300_000
const MADE_KEYS = 40_000
const EXPONENT = 0.9
const SCAN_EVERY = 20_000   // requests
const SCAN_LENGTH = 5000
const DRIFT_EVERY = 50      // requests: one key becomes less popular

const made: Readonly<Record<string, () => number[]>> = { 'made, zipf': zipf, 'made, scans': scans, 'made, drift': drift }

// Each place is a file, or a folder of files, either perhaps with `:VALUE-BYTES:MEGABYTES`.
export function traceRows(places: readonly string[]): TraceWorkload[] {
  if (places.length > 0) return places.flatMap(rowsAt)
  return Object.keys(made).map(name => ({ kind: 'trace', name, valueBytes: VALUE_BYTES, megabytes: MEGABYTES }))
}

function rowsAt(place: string): TraceWorkload[] {
  const [, path = place, valueBytes, megabytes] = /^(.*):(\d+):(\d+)$/.exec(place) ?? []
  const files = statSync(path).isDirectory() ? filesIn(path) : [path]
  return files.map(file => {
    const name = basename(file, ENDING)
    const usual = known[name] ?? { valueBytes: VALUE_BYTES, megabytes: MEGABYTES }
    const asked = valueBytes === undefined ? {} : { valueBytes: Number(valueBytes), megabytes: Number(megabytes) }
    return { kind: 'trace', name, file, ...usual, ...asked }
  })
}

function filesIn(folder: string): string[] {
  const names = readdirSync(folder).filter(name => name.endsWith(ENDING)).sort()
  if (names.length === 0) throw new TypeError(`${folder} has no files *${ENDING}`)
  return names.map(name => join(folder, name))
}

// The key of each request. Keys are numbered by their first use: 0, 1, 2, …
export function keysOf({ name, file }: TraceWorkload): Uint32Array {
  const numbers = new Map<number, number>()
  return (file === undefined ? Uint32Array.from(made[name]!()) : readIds(file)).map(id => {
    const number = numbers.get(id) ?? numbers.size
    numbers.set(id, number)
    return number
  })
}

function readIds(file: string): Uint32Array {
  const bytes = gunzipSync(readFileSync(file))
  return Uint32Array.from({ length: bytes.length >> 2 }, (_, index) => bytes.readUInt32LE(4 * index))
}

function zipf(): number[] {
  const ranks = new Zipf(MADE_KEYS, EXPONENT, new Prng(SEED))
  return Array.from({ length: MADE_REQUESTS }, () => ranks.next())
}

// Now and then somebody reads through many keys that are asked for only then.
function scans(): number[] {
  return zipf().flatMap((key, at) => at % SCAN_EVERY > 0 ? [key]
    : Array.from({ length: SCAN_LENGTH }, (_, index) => MADE_KEYS + at / SCAN_EVERY * SCAN_LENGTH + index))
}

// What is popular today is less so tomorrow.
function drift(): number[] {
  return zipf().map((rank, at) => rank + Math.floor(at / DRIFT_EVERY))
}
