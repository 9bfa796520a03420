// Other programs, run to their end.

import { spawn } from 'node:child_process'
import { once } from 'node:events'

export async function runProgram(program: string, args: readonly string[]): Promise<{ code: number | null, output: string }> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => { output += text })
  const [code] = await once(child, 'close') as [number | null]
  return { code, output }
}
