// Which cores the servers get and which the load: as many as a server has threads, and the others, where there are
// others and `taskset`. Where there are too few, load and servers share them and the figures are those of both. Without
// `taskset` or a second core nothing is pinned and the figures are only noisier.

import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'

export interface Placement {
  readonly servers: string | undefined   // as taskset takes it; undefined: not pinned, as the load
  readonly load: string | undefined
  readonly loadThreads: number
  readonly text: string
}

const LOAD_THREADS_MAX = 3   // for each thread of a server: enough to saturate it
const cores = allowedCores()
const canPin = cores.length >= 2 && spawnSync('taskset', ['-V']).status === 0
let pinnedTo: string | undefined

export function placementFor(threads: number): Placement {
  const others = cores.slice(threads)
  // load that shares its cores with the servers is to leave them most of the time
  const loadCores = others.length > 0 ? others.length : Math.floor(cores.length / 2)
  const loadThreads = Math.min(Math.max(loadCores, 1), LOAD_THREADS_MAX * threads)
  if (!canPin) return { servers: undefined, load: undefined, loadThreads, text: `nothing pinned, ${cores.length} cores` }
  const servers = cores.slice(0, threads).join(',')
  if (others.length > 0) {
    const load = others.join(',')
    return { servers, load, loadThreads, text: `servers on ${named(servers)}, load on ${named(load)}` }
  }
  const fewer = cores.length < threads ? ', fewer than threads' : ''
  const text = `servers on ${named(servers)}${fewer}, load on the same, as there are no others`
  return { servers, load: servers, loadThreads, text }
}

// The main thread, the threads it has and those it starts later go where the load belongs.
export function pinLoad({ load }: Placement): void {
  if (load === undefined || load === pinnedTo) return
  spawnSync('taskset', ['-a', '-p', '-c', load, String(process.pid)])
  pinnedTo = load
}

function named(list: string): string {
  return `${list.includes(',') ? 'cores' : 'core'} ${list}`
}

// Read once, before anything is pinned.
function allowedCores(): number[] {
  const all = Array.from({ length: availableParallelism() }, (_, core) => core)
  try {
    const list = /^Cpus_allowed_list:\s+(\S+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]
    return list === undefined ? all : list.split(',').flatMap(range)
  } catch {
    return all   // no /proc
  }
}

// '2-4' is 2, 3, 4
function range(text: string): number[] {
  const [first = 0, last = first] = text.split('-').map(Number)
  return Array.from({ length: last - first + 1 }, (_, index) => first + index)
}
