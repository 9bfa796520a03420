// A command line taken apart, and what a row of a table of differences says about such lines.

import { CAS } from './request.js'
import type { Request } from './request.js'

export interface Difference {
  /** A recorded block that 1.6.18 does not pass because of it; none where 1.6.18 gets such a block right only by chance. */
  readonly block?: string
  readonly reason: string
  readonly covers: (line: Line) => boolean
  /** The answer of 1.6.45, given that of 1.6.18. Without it such lines are not sent, as what they do differs too. */
  readonly answer?: (older: string) => string
}

export const BAD_LINE = 'CLIENT_ERROR bad command line format\r\n'

/** A command line, taken apart. */
export class Line {
  readonly text: string
  readonly words: readonly string[]
  readonly command: string
  readonly hasNoreply: boolean

  constructor(private readonly request: Request, line: string) {
    this.text = line.replaceAll(CAS, '1')
    this.words = this.text.replace(/\r$/, '').split(' ').filter(word => word !== '')
    this.command = this.words[0] ?? ''
    this.hasNoreply = this.words.at(-1) === 'noreply'
  }

  get leftover(): string {
    return this.request.leftover ?? ''
  }

  word(index: number): string {
    return this.words[index] ?? ''
  }

  get isStore(): boolean {
    return ['set', 'add', 'replace', 'append', 'prepend'].includes(this.command)
  }

  get isCas(): boolean {
    return this.command === 'cas'
  }

  get isMeta(): boolean {
    return /^m[gsdaen]$/.test(this.command)
  }

  /** The flags of a meta command, each with its token. */
  get flags(): readonly string[] {
    return this.isMeta ? this.words.slice(this.command === 'ms' ? 3 : 2) : []
  }

  /** Words that the command needs, its name included; undefined for commands without arguments and unknown ones. */
  get wordsMin(): number | undefined {
    if (this.isStore) return 5
    return { cas: 6, get: 2, gets: 2, gat: 3, gats: 3, delete: 2, incr: 3, decr: 3, touch: 3, verbosity: 2 }[this.command]
  }

  /** A storage command with all its arguments, whose length says how many bytes belong to it. */
  get hasData(): boolean {
    if (this.command === 'ms') return this.words.length >= 3 && isInteger(this.length, 31)
    return (this.isStore || this.isCas) && this.words.length >= (this.wordsMin ?? 0) && isInteger(this.length, 31)
  }

  /** How long the data is, as announced. */
  get length(): string {
    return this.word(this.command === 'ms' ? 2 : 4)
  }

  /** The data block could be read as one more command line, an unknown one. */
  get isFollowedByALine(): boolean {
    return this.request.isWhole === true && Number(this.length) < 1000
  }

  get hasBadArgument(): boolean {
    if (this.word(1).length > 250) return true
    if (this.command === 'ms') return false
    return !isInteger(this.word(2), 64) || this.word(2).startsWith('-') || !isInteger(this.word(3), 63)
      || this.isCas && !/^\d{1,22}$/.test(this.word(5)) || this.isCas && !isInteger(this.word(5), 64)
  }
}

/** Whether it reads as a whole number of at most so many bits, whatever its sign. */
export function isInteger(word: string, bits: number): boolean {
  return /^[+-]?\d+$/.test(word) && BigInt(word.replace(/^[+-]/, '')) < 2n ** BigInt(bits)
}
