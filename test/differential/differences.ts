// How memcached 1.6.18, which can be installed, differs from 1.6.45, which
// memslab is compatible with, in the text protocols: the rows of the classic one,
// and those of meta-differences.ts. Nearly every row follows from a recorded
// conversation (test/conversations) that 1.6.18 does not pass. The binary
// protocol needs no rows: binary.ts does not make what differs.

import { BAD_LINE, isInteger, Line } from './line.js'
import type { Difference } from './line.js'
import { metaDifferences } from './meta-differences.js'
import type { Request } from './request.js'

/** The version that the table is about. */
export const OLDER_VERSION = '1.6.18'

const ERROR = 'ERROR\r\n'
const KNOWN = new RegExp('^(set|add|replace|append|prepend|cas|gets?|gats?|delete|incr|decr|touch|flush_all|verbosity|version|' +
  'stats|quit|shutdown|cache_memlimit)$')

const classicDifferences: readonly Difference[] = [
  // any line
  {
    block: 'command-line-ends-with-two-carriage-returns', reason: 'only one \\r belongs to the line end',
    covers: line => line.text.endsWith('\r\r') && line.text.length > 2,
  },
  {
    block: 'key-with-a-nul-byte', reason: 'a NUL no longer ends the line',
    covers: line => line.text.includes('\0'),
  },
  {
    block: 'get-after-100-spaces-without-an-end', reason: 'spaces before a command are no longer skipped',
    covers: line => line.text.startsWith(' ') && line.command.length > 1,
  },
  {
    block: 'commands-of-other-servers', reason: 'bget is no longer a name of get',
    covers: line => line.command === 'bget',
  },
  {
    block: 'line-of-one-letter', reason: 'a line of fewer than three bytes is a bad one',
    covers: line => line.text.length < 3,
    answer: () => BAD_LINE,
  },
  {
    block: 'data-longer-by-one', reason: 'the same for what a data block leaves over',
    covers: line => /^[^\n]{0,2}\n$/.test(line.leftover),
    answer: older => older.endsWith(ERROR) ? older.slice(0, -ERROR.length) + BAD_LINE : older,
  },
  {
    block: 'unknown-command-with-noreply', reason: 'noreply silences an unknown command',
    covers: line => line.hasNoreply && !KNOWN.test(line.command) && !line.isMeta,
    answer: () => '',
  },

  // too few arguments
  {
    block: 'cas-noreply-in-place-of-the-number', reason: 'noreply in the place of an argument',
    covers: line => line.hasNoreply && line.wordsMin !== undefined && line.words.length <= line.wordsMin &&
      !line.command.startsWith('get'),
  },
  {
    block: 'gat-without-a-key', reason: 'too few arguments are a bad command line',
    covers: line => line.wordsMin !== undefined && line.words.length < line.wordsMin,
    answer: older => BAD_LINE + older.slice(older.indexOf('\r\n') + 2),
  },

  // storage
  {
    block: 'bad-flags-swallow-a-data-block-of-the-right-size', reason: 'the data of a bad storage command is swallowed',
    covers: line => line.hasData && line.hasBadArgument && line.isFollowedByALine,
    answer: older => older.startsWith(BAD_LINE) ? BAD_LINE : '',
  },
  {
    block: 'bad-flags-swallow-a-data-block-of-the-right-size',
      reason: 'the same, and nobody can tell what was read as commands instead',
    covers: line => line.hasData && line.hasBadArgument,
  },
  {
    block: 'noreply-does-not-hide-a-bad-length-error', reason: 'a bad length is told in spite of noreply',
    covers: line => (line.isStore || line.isCas) && line.hasNoreply && !isInteger(line.word(4), 31),
    answer: older => BAD_LINE + older,
  },
  {
    block: 'length-4294967299', reason: 'a length beyond 32 bits no longer loses its upper bits',
    covers: line => (line.isStore || line.isCas) && isInteger(line.word(4), 1000) && !isInteger(line.word(4), 31),
  },
  {
    block: 'set-with-two-extra-tokens', reason: 'any number of words too many is ignored',
    covers: line => line.isStore && line.words.length > 6 || line.isCas && line.words.length > 7,
  },
  {
    block: 'cas-number-of-twenty-three-digits', reason: 'a number for cas is digits only, and not too many',
    covers: line => line.isCas && /^(\+|\d{23})/.test(line.word(5)),
  },

  // the others
  {
    block: 'cas-number-of-twenty-three-digits', reason: 'the same for the numbers of incr and decr',
    covers: line => /^(incr|decr)$/.test(line.command) && /^(\+|\d{23})/.test(line.word(2)),
  },
  {
    block: 'set-with-two-extra-tokens', reason: 'any number of words too many is ignored, here too',
    covers: line => /^(incr|decr|touch)$/.test(line.command) && line.words.length > 4 ||
      /^(verbosity|flush_all)$/.test(line.command) && line.words.length > 3,
  },
  {
    block: 'delete-with-three-arguments', reason: 'what follows the key of delete is ignored',
    covers: line => line.command === 'delete' && line.words.length > 2 && !/^(0|noreply)$/.test(line.words.slice(2).join(' ')),
  },
  {
    block: 'touch-time-2147483648', reason: 'a time for touch and gat has at most 31 bits and no plus sign',
    covers: line => {
      const time = line.word(line.command === 'touch' ? 2 : 1)
      return /^(touch|gats?)$/.test(line.command) && (/^\+|\d{12}/.test(time) || isInteger(time, 1000) && !isInteger(time, 31))
    },
  },
  {
    block: 'verbosity-beyond-32-bits', reason: 'a level beyond 32 bits is a bad one',
    covers: line => line.command === 'verbosity' && isInteger(line.word(1), 1000) && !isInteger(line.word(1), 32),
    answer: older => older === 'OK\r\n' ? BAD_LINE : older,
  },
  {
    reason: 'a key too long in get no longer takes the answers to earlier commands with it',
    covers: line => /^g(et|at)s?$/.test(line.command) && line.words.slice(1).some(word => word.length > 250),
    answer: older => older,
  },
]

export const differences: readonly Difference[] = [...classicDifferences, ...metaDifferences]

/** The row that a request falls under, if any; one that keeps it from being sent goes first. */
export function differenceOf(request: Request): Difference | undefined {
  if (request.line === undefined) return undefined
  const line = new Line(request, request.line)
  const rows = differences.filter(row => row.covers(line))
  return rows.find(row => row.answer === undefined) ?? rows[0]
}
