// How memcached 1.6.18 differs from 1.6.45 in the meta commands.

import { comparableTime } from './answers.js'
import { BAD_LINE, isInteger } from './line.js'
import type { Difference, Line } from './line.js'

/** Flags that 1.6.45 takes, or takes and ignores, and 1.6.18 refuses. */
const NEW_FLAGS: Readonly<Record<string, RegExp>> = { mg: /^[IFMxDJCSE]/, ms: /^[xRJDNE]/, md: /^[xFENJDMR]/, ma: /^[xFIRE]/ }
/** A line of more words than this may have more flags than one of the two takes. */
const WORDS_MAX = 16

function has(line: Line, letter: string): boolean {
  return line.flags.some(flag => flag.startsWith(letter))
}

/** Whether md refuses its flags, which it does in other words than before. */
function hasBadFlag({ flags, words }: Line): boolean {
  const isGood = (flag: string): boolean => /^([qkbIvsfthlcu]|[OPL].*|C\d+|T-?\d+)$/.test(flag) &&
    (!flag.startsWith('C') || isInteger(flag.slice(1), 64))
  const letters = flags.map(flag => flag.charAt(0))
  const isBadBase64 = letters.includes('b') && Buffer.from(words[1] ?? '', 'base64').toString('base64') !== words[1]
  return !flags.every(isGood) || new Set(letters).size < letters.length || isBadBase64
}

export const metaDifferences: readonly Difference[] = [
  {
    block: 'mg-without-a-key', reason: 'a meta command without a key is known as one',
    covers: line => /^m[gsda]$/.test(line.command) && line.words.length < 2,
    answer: () => BAD_LINE,
  },
  {
    block: 'mg-unknown-flag-sign-after-good-ones', reason: 'a line with a sign for a flag is not understood at all',
    covers: line => line.flags.some(flag => !/^[0-9A-Za-z_]/.test(flag)),
  },
  {
    block: 'ms-return-chosen-cas', reason: 'E chooses the cas number',
    covers: line => has(line, 'E'),
  },
  {
    block: 'mg-set-flags-are-accepted', reason: 'a command takes the flags of the others, and some have learned new ones',
    covers: line => line.flags.some(flag => NEW_FLAGS[line.command]?.test(flag)),
  },
  {
    block: 'ms-return-size', reason: 'ms returns the size with s',
    covers: line => line.command === 'ms' && has(line, 's'),
  },
  {
    block: 'arithmetic-names-one-error-for-all', reason: 'ma says no more of a key that is too long than of a flag',
    covers: line => line.command === 'ma' && line.word(1).length > 250,
    answer: () => 'CLIENT_ERROR invalid or duplicate flag\r\n',
  },
  {
    block: 'ma-mode-words', reason: 'the first letter of a mode is enough, but it must have one',
    covers: line => line.flags.some(flag => /^M(..|$)/.test(flag)),
  },
  {
    block: 'md-duplicate-flag', reason: 'md says what is wrong with a flag',
    covers: line => line.command === 'md' && hasBadFlag(line),
  },
  {
    block: 'me-with-a-time-to-live', reason: 'me tells the time to live without a minus sign',
    covers: line => line.command === 'me',
    answer: older => older.replace(/(?<= exp=)-(\d{2,})/, (_, seconds: string) => comparableTime(Number(seconds))),
  },
  {
    block: 'ms-client-flags-4294967296', reason: 'client flags have 32 bits',
    covers: line => line.flags.some(flag => flag.startsWith('F') && !isInteger(flag.slice(1), 32)),
  },
  {
    block: 'mg-touch-beyond-31-bits', reason: 'a time has at most 31 bits',
    covers: line => line.flags.some(flag => /^[TNR]-?\d/.test(flag) && !isInteger(flag.slice(1), 31)),
  },
  {
    block: 'ms-length-with-a-plus-sign', reason: 'a number has no plus sign',
    covers: line => line.isMeta && (line.length.startsWith('+') || line.flags.some(flag => /^[CDEFJNRT]\+/.test(flag))),
  },
  {
    block: 'ms-twenty-tokens', reason: 'a command may have more flags',
    covers: line => line.isMeta && line.words.length > WORDS_MAX,
  },
  {
    block: 'ma-quiet-vivify', reason: 'quiet hides the making of a counter, too',
    covers: line => line.command === 'ma' && has(line, 'q') && has(line, 'N'),
  },
  {
    reason: 'a known defect, which 1.6.45 seems to share: a new time is lost when the number needs a longer item',
    covers: line => line.command === 'ma' && has(line, 'T'),
  },
  {
    reason: 'memslab finds an opaque that is too long before it has done anything, except for ma',
    covers: line => line.flags.some(flag => /^O.{32}/s.test(flag)),
  },
]
