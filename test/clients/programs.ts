// Runs client programs in other languages. Each program beside this file takes the server's address as its argument
// and prints TAP, so that every check appears in the report under its own name; it can be run by hand as well, against
// any server: python3 test/clients/pymemcache_client.py 127.0.0.1:11211

import { execFile, spawnSync } from 'node:child_process'
import type { Test } from 'tap'
import { inProject } from '../support/places.js'
import { spawnServer } from './server.js'

export interface Language {
  /** Interpreters to try, in order: a distribution's packages may belong to another than the first in the PATH. */
  readonly interpreters: readonly string[]
  /** Arguments with which an interpreter shows whether it has a library. */
  readonly probe: (library: string) => readonly string[]
}

export const PYTHON: Language = {
  interpreters: ['python3', '/usr/bin/python3'],
  probe: library => ['-c', `import ${library}`]
}
export const PERL: Language = {
  interpreters: ['perl', '/usr/bin/perl'],
  probe: library => ['-e', `use ${library}`]
}
export const PHP: Language = {
  interpreters: ['php', '/usr/bin/php'],
  probe: library => ['-r', `exit(extension_loaded('${library}') ? 0 : 1);`]
}
export const RUBY: Language = {
  interpreters: ['ruby', '/usr/bin/ruby'],
  probe: library => ['-r', library, '-e', '']
}

export interface ClientProgram {
  readonly language: Language
  /** What the interpreter must be able to load, else the test is skipped. */
  readonly libraries: readonly string[]
  readonly file: string
  /** What follows the server's address. */
  readonly args?: readonly string[]
  /** Options of the server. */
  readonly server?: readonly string[]
  /** Whether it is run over TCP only. */
  readonly tcpOnly?: boolean
}

/** Runs a program twice, against a fresh server over TCP and one over a Unix socket. */
export async function runClientProgram(t: Test, program: ClientProgram): Promise<void> {
  const interpreter = interpreterWith(program)
  const { libraries, file, args = [], server: options = [], tcpOnly = false } = program
  for (const unix of tcpOnly ? [false] : [false, true]) {
    const name = [file, ...args, unix ? 'over a Unix socket' : 'over TCP'].join(' ')
    if (interpreter === undefined) {
      t.pass(name, { skip: `no ${program.language.interpreters[0]} with ${libraries.join(', ')} is installed` })
      continue
    }
    await t.test(name, async t => {
      const server = await spawnServer(t, options, { unix })
      await t.spawn(interpreter, [pathOf(file), server.address, ...args], 'every check')
    })
  }
}

/** The path of a program in this folder. */
export function pathOf(file: string): string {
  return inProject(`test/clients/${file}`)
}

export interface Finished {
  readonly code: number | string | undefined
  readonly output: string
}

/** Runs a tool to its end; output is stdout as Latin-1, one character a byte. */
export function runTool(command: string, args: readonly string[]): Promise<Finished> {
  return new Promise(resolve => {
    execFile(command, args, { encoding: 'latin1', maxBuffer: 2 ** 24 }, (error, output) => {
      resolve({ code: error === null ? 0 : error.code ?? undefined, output })
    })
  })
}

/** For a test's `skip`: false where a command is in the PATH, otherwise the reason. */
export function skipWithout(command: string): string | false {
  return spawnSync('sh', ['-c', `command -v ${command}`]).status === 0 ? false : `${command} is not installed`
}

/** The interpreter that has all libraries of a program; undefined if none has. */
export function interpreterWith({ language, libraries }: Pick<ClientProgram, 'language' | 'libraries'>): string | undefined {
  return language.interpreters.find(interpreter =>
    libraries.every(library => spawnSync(interpreter, language.probe(library)).status === 0))
}
