// The version of this package, and of the memcached that it is compatible with. A leaf: any file may import it.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The version of memcached whose protocol and behaviour memslab has. The `version` command answers with it. */
export const PROTOCOL_VERSION = '1.6.45'

let version: string | undefined

/** The version of this package, from its package.json, which few starts need to read. */
export function packageVersion(): string { return version ??= readPackageVersion() }

function readPackageVersion(): string {
  const description: unknown = JSON.parse(readFileSync(join(__dirname, '../package.json'), 'utf8'))
  const isNamed = typeof description === 'object' && description !== null && 'version' in description
  return isNamed ? String(description.version) : 'unknown'
}
