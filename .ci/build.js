// What the compiler leaves to the build: it copies what is no source, makes the command a program, and removes the compiled
// files of sources that are gone, which the compiler leaves where they are. It makes the bundle, from which the command is
// loaded, and has two servers make its caches, see src/cli.ts. `npm run build` runs it after the compiler.
import { spawn } from 'node:child_process'
import { chmodSync, copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { bundle } from './bundle.js'

/** Compiled files, and the folders of their sources. */
const FOLDERS = { dist: 'src', 'dist-test/test': 'test', 'dist-bench': 'bench' }
const ENDING = /(\.d)?\.([cm]?)[jt]s(\.map)?$/
const BUNDLE = 'dist/memslab.bundle'
/** Without caches a build is good too, only slower to start. */
const CACHE_MS_MAX = 10_000

copyFileSync('src/package.json', 'dist/package.json')
copyFileSync('src/http/page.html', 'dist/http/page.html')
chmodSync('dist/cli.js', 0o755)
for (const [compiled, sources] of Object.entries(FOLDERS)) if (existsSync(compiled)) removeOrphans(compiled, sources)
makeBundle()
// the command itself does not run what its workers do
for (const [entry, threads] of [['command', 1], ['server-worker', 2]]) if (!hasCache(entry)) await makeCache(entry, threads)

function removeOrphans(compiled, sources) {
  for (const name of readdirSync(compiled, { recursive: true })) {
    const source = name.replace(ENDING, '.$2ts')
    if (source !== name && !existsSync(join(sources, source))) rmSync(join(compiled, name))
  }
}

function makeBundle() {
  const script = bundle('dist')
  if (existsSync(BUNDLE) && readFileSync(BUNDLE, 'utf8') === script) return
  for (const name of readdirSync('dist')) if (name.includes('.cache')) rmSync(join('dist', name))
  writeFileSync(BUNDLE, script)
}

function hasCache(entry) {
  const { version, platform, arch } = process
  const ending = `.${version}-${platform}-${arch}.cache`
  return readdirSync('dist').some(name => name.includes(`.${entry}.`) && name.endsWith(ending))
}

/** Starts a server that writes its cache, and asks it something, so that the code which answers is in the cache too. */
async function makeCache(entry, threads) {
  const folder = mkdtempSync(join(tmpdir(), 'memslab-build-'))
  const portFile = join(folder, 'port')
  const server = spawn(process.execPath, ['dist/cli.js', '-l', '127.0.0.1', '-p', '-1', '-m', '64', '-t', threads],
    { stdio: 'ignore', env: { ...process.env, MEMCACHED_PORT_FILENAME: portFile } })
  server.once('error', () => {})
  try {
    const end = Date.now() + CACHE_MS_MAX
    let client
    while (!hasCache(entry) && server.exitCode === null && Date.now() < end) {
      await sleep(10)
      if (client === undefined && existsSync(portFile)) client = ask(Number(/\d+$/m.exec(readFileSync(portFile, 'utf8'))))
    }
    client?.destroy()
  } finally {
    server.kill('SIGKILL')
    rmSync(folder, { recursive: true })
  }
}

function ask(port) {
  const client = connect(port, '127.0.0.1').on('error', () => {})
  client.write('version\r\nset k 0 0 1\r\nv\r\nget k\r\n')
  return client
}
