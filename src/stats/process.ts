// What the system says of this process, with the names that Prometheus's process collector gives it. What a system does not say
// is left out: only Linux says everything.
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { monotonicMilliseconds, SystemClock } from '../clock.js'
import { filesAllowed } from '../process/limits.js'
import { metricOf } from './exposition.js'

/** The fields of /proc/self/stat behind the name of the program, whose own number is 2. */
const FIELD_AFTER_NAME = 3
const FIELD_VIRTUAL_BYTES = 23
/** Where open files have to be listed to be counted, they are counted no more often than this. A thousand take a millisecond. */
const LISTING_MS = 1000

/** The second at which the process began, as Unix time. */
let beganAt: number | undefined
let listed = { files: 0, atMs: -Infinity }

/** The metrics of the process. */
export function processMetrics(prefix: string): string {
  const { userCPUTime, systemCPUTime } = process.resourceUsage()
  beganAt ??= new SystemClock().milliseconds() / 1000 - process.uptime()
  const filesMax = filesAllowed()
  const gauge = (name: string, help: string, value: number | undefined): string =>
    metricOf(prefix + name, 'gauge', help, value === undefined ? [] : [['', value]])
  return metricOf(`${prefix}cpu_seconds_total`, 'counter', 'Seconds of CPU time, of the process and of the system for it',
    [['', (userCPUTime + systemCPUTime) / 1e6]]) +
    gauge('open_fds', 'Open file descriptors', filesOpen()) +
    gauge('max_fds', 'File descriptors that the process may open', filesMax === Infinity ? undefined : filesMax) +
    gauge('virtual_memory_bytes', 'Bytes of virtual memory', virtualBytes()) +
    gauge('resident_memory_bytes', 'Bytes of memory in use', process.memoryUsage.rss()) +
    gauge('start_time_seconds', 'Unix time of the start of the process', beganAt)
}

function filesOpen(): number | undefined {
  try {
    // Linux 6.2 and newer count them
    return statSync('/proc/self/fd').size || filesListed()
  } catch { return undefined }
}

function filesListed(): number {
  const now = monotonicMilliseconds()
  // reading the folder needs one itself
  if (now - listed.atMs >= LISTING_MS) listed = { files: readdirSync('/proc/self/fd').length - 1, atMs: now }
  return listed.files
}

function virtualBytes(): number | undefined {
  try {
    const text = readFileSync('/proc/self/stat', 'latin1')
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return Number(fields[FIELD_VIRTUAL_BYTES - FIELD_AFTER_NAME])
  } catch { return undefined }
}
