// A server runs short of everything, one after the other, while clients that are there go on, and gets it back: descriptors,
// taken away at run time; the disk that its log, its pid file and its port file lie on; memory, as a container is short of it.
// Whoever is connected is served all the while, or once there is enough again; nobody loses what is stored. A second each;
// MEMSLAB_SHORTAGE_SECONDS makes it longer.
//
//   MEMSLAB_SHORTAGE_SECONDS=60 npm test -- soak/shortage

import { spawn, spawnSync } from 'node:child_process'
import {
  existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync, statSync, writeFileSync,
} from 'node:fs'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import t, { type Test } from 'tap'

import { spawnServer } from '../clients/server.js'
import type { SpawnedServer } from '../clients/server.js'
import { Client } from '../support/client.js'
import { until } from '../support/patience.js'
import { CLI } from '../support/places.js'
import { runProgram } from './program.js'
import { Steady } from './steady.js'

const SECONDS = Number(process.env['MEMSLAB_SHORTAGE_SECONDS'] ?? 1)
const SEED = Number(process.env['MEMSLAB_SEED'] ?? 20261128)
const STEADY_CLIENTS = 8
const ANSWERS = 200
const ARGS = ['-t', '4', '-m', '256']
const MIB = 2 ** 20
/** How many more descriptors the server may have than it has, and how many clients come for them. */
const SPARE_DESCRIPTORS = 4
const NEWCOMERS = 40
/** The disk, in KiB. */
const DISK_KIB = 64
/** How much memory there is beyond what the process takes: some of it is wanted for what goes on, and more for what comes. */
const SPARE_MIB = 2
/** What is stored while memory is short: pages that have not been touched. */
const GROWTH_BYTES = 400_000
const GROWTH_COUNT = 60
const PAUSE_MS = 20
const CGROUP = '/sys/fs/cgroup/memory'

const hasRoot = process.platform === 'linux' && process.getuid?.() === 0

t.test('descriptors run out and come back', { skip: !hasProgram('prlimit', '--version') && 'no prlimit' }, async t => {
  const server = await spawnServer(t, ARGS)
  const steady = await begin(t, () => server.client())
  const open = readdirSync(`/proc/${server.pid}/fd`).map(Number)
  const limit = Math.max(...open) + 1 + SPARE_DESCRIPTORS
  await limitFiles(server.pid, limit)
  const newcomers = Array.from({ length: NEWCOMERS }, () => new Newcomer(server.socket()))
  t.teardown(() => { for (const newcomer of newcomers) newcomer.leave() })
  await sleep(SECONDS * 1000)
  await steady.progress(ANSWERS)
  t.ok(newcomers.filter(({ isAnswered }) => isAnswered).length <= limit - open.length, 'there is no place for most who came')
  await limitFiles(server.pid, limit + 2 * NEWCOMERS)
  await until('who came before is answered, or is told to go',
    () => newcomers.every(({ isAnswered, isGone }) => isAnswered || isGone))
  const late = await server.client()
  await late.says('mn\r\n', 'MN\r\n')
  await late.hangUp()
  await steady.progress(ANSWERS)
  await steady.end()
  t.ok(server.isAlive, 'it lives')
})

t.test('the disk is full and gets room again', { skip: !hasRoot && 'only root can mount a small disk' }, async t => {
  const disk = new Disk(t)
  disk.fill()
  const { port, isAlive, stop } = await startOn(t, disk)
  t.ok(isPidFileWhole(disk.folder), 'there is no half of a pid file')
  const steady = await begin(t, () => Client.connect({ host: '127.0.0.1', port }))
  await sleep(SECONDS * 1000)
  await steady.progress(ANSWERS)
  disk.free()
  const before = disk.logBytes
  await steady.progress(ANSWERS)
  const talker = await Client.connect({ host: '127.0.0.1', port })
  await talker.says('mn\r\n', 'MN\r\n')
  await talker.hangUp()
  await until('what is logged is written again', () => disk.logBytes > before)
  disk.fill()
  await sleep(SECONDS * 1000)
  await steady.progress(ANSWERS)
  await steady.end()
  t.ok(isAlive(), 'it lives')
  await stop()
  t.strictSame(readdirSync(disk.folder).filter(name => name !== 'log' && name !== 'filler'), [], 'it leaves nothing behind')
})

t.test('memory is used up and there is some again', { skip: !canLimitMemory() && 'no group whose memory can be limited' },
  async t => {
  const server = await spawnServer(t, ARGS)
  const steady = await begin(t, () => server.client())
  const group = new Group(t, server.pid)
  group.limit(SPARE_MIB * MIB)
  const growth = grow(server)
  await until('memory is used up', () => group.isShort)
  await sleep(SECONDS * 1000)
  group.unlimit()
  t.comment(`${await growth} connections were lost`)
  await steady.progress(ANSWERS)
  await steady.end()
  t.ok(server.isAlive, 'it lives')
  t.equal(server.log, '', 'it has nothing to say about it')
})

async function begin(t: Test, client: () => Promise<Client>): Promise<Steady> {
  const steady = await Steady.start(await Promise.all(Array.from({ length: STEADY_CLIENTS }, client)), SEED)
  t.teardown(() => steady.stop())
  await steady.progress(ANSWERS)
  return steady
}

function hasProgram(program: string, ...args: string[]): boolean { return spawnSync(program, args).status === 0 }

// Descriptors

async function limitFiles(pid: number, count: number): Promise<void> {
  const { code, output } = await runProgram('prlimit', ['--pid', String(pid), `--nofile=${count}:`])
  if (code !== 0) throw new Error(output)
}

/** Somebody who comes when there may be no place, asks for nothing much, and waits. */
class Newcomer {
  isAnswered = false
  isGone = false

  constructor(private readonly socket: Socket) {
    socket.on('data', () => { this.isAnswered = true })
    socket.on('error', () => {})
    socket.on('close', () => { this.isGone = true })
    socket.write('mn\r\n')
  }

  leave(): void { this.socket.destroy() }
}

// A disk

class Disk {
  readonly folder = mkdtempSync(join(tmpdir(), 'memslab-disk-'))

  constructor(t: Test) {
    const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_KIB}k`, 'none', this.folder])
    if (status !== 0) throw new Error(stderr.toString())
    t.teardown(() => {
      spawnSync('umount', ['-l', this.folder])
      rmSync(this.folder, { recursive: true, force: true })
    })
  }

  fill(): void {
    try {
      writeFileSync(this.filler, Buffer.alloc(DISK_KIB * 1024))
    } catch { /* as much of it as there is room for */ }
  }

  free(): void { rmSync(this.filler) }

  get logBytes(): number { return existsSync(join(this.folder, 'log')) ? statSync(join(this.folder, 'log')).size : 0 }

  private get filler(): string { return join(this.folder, 'filler') }
}

interface Started { readonly port: number, isAlive(): boolean, stop(): Promise<void> }

/** A server whose log and pid file lie on a disk, and that has much to say. */
async function startOn(t: Test, { folder }: Disk): Promise<Started> {
  const elsewhere = mkdtempSync(join(tmpdir(), 'memslab-'))
  t.teardown(() => rmSync(elsewhere, { recursive: true, force: true }))
  const portFile = join(elsewhere, 'port')
  const command = [process.execPath, CLI, '-u', 'root', '-p', '-1', '-l', '127.0.0.1', '-vv', '-P', join(folder, 'pid'), ...ARGS]
  const child = spawn('bash', ['-c', `exec "$@" 2>>${folder}/log`, 'bash', ...command],
    { stdio: 'ignore', env: { ...process.env, MEMCACHED_PORT_FILENAME: portFile } })
  t.teardown(() => child.kill('SIGKILL'))
  const isAlive = (): boolean => child.exitCode === null && child.signalCode === null
  const portOf = (): number => existsSync(portFile)
    ? Number(/^TCP INET: (\d+)$/m.exec(readFileSync(portFile, 'latin1'))?.[1] ?? 0) : 0
  await until('the server listens', () => {
    if (!isAlive()) throw new Error(`the server ended with ${child.exitCode ?? child.signalCode}`)
    return portOf() !== 0
  })
  return {
    port: portOf(), isAlive,
    stop: async () => {
      child.kill('SIGTERM')
      await until('the server ends', () => !isAlive())
    },
  }
}

function isPidFileWhole(folder: string): boolean {
  const files = readdirSync(folder).filter(name => name.startsWith('pid'))
  return files.every(name => /^\d+\n$/.test(readFileSync(join(folder, name), 'latin1')))
}

// Memory

function canLimitMemory(): boolean { return hasRoot && existsSync(`${CGROUP}/memory.oom_control`) }

/**
 * Stores what needs more and more memory. Where there is none the system refuses to read into it, which ends a connection;
 * then it comes again. Answers how often.
 */
async function grow(server: SpawnedServer): Promise<number> {
  let lost = 0
  let client = await server.client()
  for (let count = 0; count < GROWTH_COUNT;) {
    try {
      await client.says(`set growth-${count} 0 0 ${GROWTH_BYTES}\r\n${'x'.repeat(GROWTH_BYTES)}\r\n`, 'STORED\r\n')
      count++
    } catch (error) {
      if (!server.isAlive) throw error
      lost++
      await sleep(PAUSE_MS)
      client = await server.client()
    }
  }
  return lost
}

/** A group of processes, as a container is one, which wait where there is no more memory rather than being ended. */
class Group {
  private readonly folder = `${CGROUP}/memslab-test-${process.pid}`

  constructor(t: Test, pid: number) {
    mkdirSync(this.folder)
    t.teardown(() => {
      this.unlimit()
      writeFileSync(`${CGROUP}/cgroup.procs`, String(pid))
      rmdirSync(this.folder)
    })
    writeFileSync(`${this.folder}/memory.oom_control`, '1')
    // what it has already does not count
    writeFileSync(`${this.folder}/cgroup.procs`, String(pid))
  }

  /** Lets it have so many bytes more. */
  limit(bytes: number): void { writeFileSync(`${this.folder}/memory.limit_in_bytes`, String(this.usedBytes + bytes)) }

  private get usedBytes(): number { return Number(readFileSync(`${this.folder}/memory.usage_in_bytes`, 'latin1')) }

  unlimit(): void { writeFileSync(`${this.folder}/memory.limit_in_bytes`, '-1') }

  /** Whether somebody waits for memory. */
  get isShort(): boolean { return /^under_oom 1$/m.test(readFileSync(`${this.folder}/memory.oom_control`, 'latin1')) }
}
