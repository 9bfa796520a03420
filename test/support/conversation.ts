// The .wire files: what is sent to a memcached and what it answers. This reads
// their notation into steps; replay.ts plays the steps against a server.
//
//   # server: OPTIONS      command line of the server that the file wants
//   # file NAME: TEXT      a file whose path stands for {NAME} in it
//   ## name [flush]        begins a block: new connections, nothing else needed
//   > bytes                sent; neighbouring lines in one write
//   < bytes  ? regex       the answer, its lines in one piece; a lone < is silence
//   ~ 1500                 wait, milliseconds
//   ! closed               the server closes the connection
//   @ 2                    go on with connection 2
//
// In > and <: \r \n \t \\ \xHH and \*N{text}. (?<name>...) in a ? line keeps
// what it matched, \{name} in a later line is that text.

import { readFileSync } from 'node:fs'
import { basename } from 'node:path'

import { unescape } from './bytes.js'

export interface WireFile {
  readonly name: string
  /** The server's command line, as words. */
  readonly arguments: readonly string[]
  /** Texts of the files that the command line names. */
  readonly files: ReadonlyMap<string, string>
  readonly blocks: readonly Block[]
}

export interface Block {
  readonly file: string
  readonly name: string
  /** Everything stored is flushed before it begins. */
  readonly flush: boolean
  /** The server ends by itself in this block. */
  readonly stops: boolean
  readonly steps: readonly Step[]
}

export type Step =
  | { readonly kind: 'send'; readonly line: number; readonly bytes: Template }
  | { readonly kind: 'answer'; readonly line: number; readonly parts: readonly Part[] }
  | { readonly kind: 'silence'; readonly line: number }
  | { readonly kind: 'wait'; readonly line: number; readonly milliseconds: number }
  | { readonly kind: 'closed'; readonly line: number }
  | { readonly kind: 'connection'; readonly line: number; readonly id: number }

/** A line as it stands in the file; `\{name}` is filled in when the block runs. */
export type Template = string
export interface Part { readonly isPattern: boolean; readonly text: Template }

/** What the named groups of earlier answers matched. */
export type Kept = ReadonlyMap<string, string>

export function readWireFile(path: string): WireFile {
  return parseWireFile(basename(path, '.wire'), readFileSync(path, 'latin1'))
}

export function parseWireFile(name: string, text: string): WireFile {
  let serverArguments: string[] = []
  const files = new Map<string, string>()
  const blocks: { file: string; name: string; flush: boolean; stops: boolean; steps: Step[] }[] = []
  for (const [index, line] of text.split('\n').entries()) {
    const steps = blocks.at(-1)?.steps
    if (line.startsWith('## ')) {
      const [blockName = '', ...marks] = line.slice(3).split(' ')
      blocks.push({ file: name, name: blockName, flush: marks.includes('[flush]'), stops: marks.includes('[stops]'), steps: [] })
    } else if (line.startsWith('# server: ')) {
      serverArguments = line.slice('# server: '.length).trim().split(/ +/)
    } else if (line.startsWith('# file ')) {
      const [, fileName = '', fileText = ''] = /^# file (\w+): (.*)$/.exec(line) ?? []
      files.set(fileName, unescape(fileText))
    } else if (line !== '' && !line.startsWith('#')) {
      if (steps === undefined) throw new Error(`${name}.wire:${index + 1}: a step outside of a block`)
      addStep(steps, line, `${name}.wire`, index + 1)
    }
  }
  return { name, arguments: serverArguments, files, blocks }
}

function addStep(steps: Step[], text: string, file: string, line: number): void {
  const rest = text.slice(2)
  const last = steps.at(-1)
  switch (text.slice(0, 2)) {
    case '> ':
      if (last?.kind === 'send') steps.splice(-1, 1, { ...last, bytes: last.bytes + rest })
      else steps.push({ kind: 'send', line, bytes: rest })
      return
    case '<':
      steps.push({ kind: 'silence', line })
      return
    case '< ':
    case '? ': {
      const part = { isPattern: text.startsWith('?'), text: rest }
      if (last?.kind === 'answer') steps.splice(-1, 1, { ...last, parts: [...last.parts, part] })
      else steps.push({ kind: 'answer', line, parts: [part] })
      return
    }
    case '~ ':
      steps.push({ kind: 'wait', line, milliseconds: Number(rest) })
      return
    case '@ ':
      steps.push({ kind: 'connection', line, id: Number(rest) })
      return
  }
  if (text === '! closed') steps.push({ kind: 'closed', line })
  else throw new Error(`${file}:${line}: cannot read ${JSON.stringify(text)}`)
}

/** The bytes of a > line, one character a byte. */
export function fill(template: Template, kept: Kept): string {
  return template.split(/\\\{(\w+)\}/).map((part, index) => index % 2 === 0 ? unescape(part) : look(kept, part)).join('')
}

/** An answer that has only < lines: the exact bytes. Otherwise undefined. */
export function literalOf(parts: readonly Part[], kept: Kept): string | undefined {
  return parts.some(part => part.isPattern) ? undefined : parts.map(part => fill(part.text, kept)).join('')
}

/** Regular expressions for the lines of an answer, as Latin-1 text. */
export function patternsOf(parts: readonly Part[], kept: Kept): string[] {
  return parts.map(part => part.isPattern
    ? `(?:${part.text.replace(/\\\{(\w+)\}/g, (_, name: string) => quote(look(kept, name)))})`
    : shorten(quote(fill(part.text, kept))))
}

/** Counts what is repeated for long: a regular expression may not be as long as a value. */
function shorten(source: string): string {
  return source.replace(/(\w)\1{99,}/g, (run, character: string) => `${character}{${run.length}}`)
}

function look(kept: Kept, name: string): string {
  const text = kept.get(name)
  if (text === undefined) throw new Error(`nothing was kept as ${name}`)
  return text
}

function quote(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/\n\r]/g, character =>
    character === '\n' ? '\\n' : character === '\r' ? '\\r' : '\\' + character)
}
