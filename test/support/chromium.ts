// A real browser, without a window: Chromium, driven over its DevTools protocol by Node's own WebSocket. A browser is ended with
// its test.
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Test } from 'tap'
import { until } from './patience.js'

/** Where Debian and others have it. */
const PATHS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

const path = PATHS.find(existsSync)

/** The part of the WebSocket of browsers that Node.js 22 has, which the types of Node.js 20 do not know. */
interface Socket {
  onopen: (() => void) | null
  onmessage: ((event: { readonly data: string }) => void) | null
  send(text: string): void
  close(): void
}
const { WebSocket } = globalThis as { WebSocket?: new (url: string) => Socket }

/** Why there is no browser for tests here; undefined if there is one. */
export const whyNoBrowser = WebSocket === undefined ? 'this Node.js has no WebSocket'
  : path === undefined ? 'no Chromium' : undefined

type Fields = Readonly<Record<string, unknown>>

/** A message of the protocol: the answer to a command, which bears its number, or an event. */
interface Message {
  readonly id?: number
  readonly result?: Fields
  readonly error?: { readonly message: string }
  readonly method?: string
  readonly params?: Fields
}

export class Page {
  /** The addresses of all requests, and what went wrong: exceptions, and what the browser itself complains about. */
  readonly requests: string[] = []
  readonly complaints: string[] = []
  private readonly waiting = new Map<number, (message: Message) => void>()
  private count = 0

  private constructor(private readonly socket: Socket) {
    socket.onmessage = ({ data }) => this.hear(JSON.parse(data) as Message)
  }

  /** Starts a browser with one page. */
  static async start(t: Test): Promise<Page> {
    const folder = mkdtempSync(join(tmpdir(), 'memslab-chromium-'))
    // without the sandbox it runs as root, too
    const browser = spawn(path!, ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run',
      '--disable-background-networking', '--hide-scrollbars', '--remote-debugging-port=0', `--user-data-dir=${folder}`,
      'about:blank'],
    { stdio: 'ignore' })
    const ended = new Promise(resolve => browser.once('close', resolve))
    t.teardown(async () => {
      browser.kill('SIGKILL')
      await ended
      // its other processes may still write
      rmSync(folder, { recursive: true, force: true, maxRetries: 10 })
    })
    const portFile = join(folder, 'DevToolsActivePort')
    const portIn = () => existsSync(portFile) ? /^\d+(?=\n)/.exec(readFileSync(portFile, 'utf8'))?.[0] : undefined
    await until('the browser listens', () => portIn() !== undefined)
    const targets = await (await fetch(`http://127.0.0.1:${portIn()}/json`)).json() as
      { type: string, webSocketDebuggerUrl: string }[]
    const socket = new WebSocket!(targets.find(({ type }) => type === 'page')!.webSocketDebuggerUrl)
    await new Promise<void>(resolve => { socket.onopen = resolve })
    const page = new Page(socket)
    t.teardown(() => socket.close())
    for (const domain of ['Page', 'Runtime', 'Log', 'Network']) await page.command(`${domain}.enable`)
    return page
  }

  private hear({ id, method, params = {}, ...rest }: Message): void {
    if (id !== undefined) return this.waiting.get(id)?.({ id, ...rest })
    if (method === 'Network.requestWillBeSent') this.requests.push((params['request'] as { url: string }).url)
    if (method === 'Runtime.exceptionThrown' || method === 'Runtime.consoleAPICalled' || method === 'Log.entryAdded') {
      this.complaints.push(JSON.stringify(params))
    }
  }

  /** Sends a command of the protocol; rejects if the browser refuses it. */
  async command(method: string, params: Fields = {}): Promise<Fields> {
    const id = ++this.count
    const message = await new Promise<Message>(resolve => {
      this.waiting.set(id, resolve)
      this.socket.send(JSON.stringify({ id, method, params }))
    })
    this.waiting.delete(id)
    if (message.error !== undefined) throw new Error(`${method}: ${message.error.message}`)
    return message.result ?? {}
  }

  /** The size of the window, and whether the person likes it dark. */
  async look({ width = 1280, height = 900, dark = false }): Promise<void> {
    await this.command('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: false })
    await this.command('Emulation.setEmulatedMedia',
      { features: [{ name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' }] })
  }

  /** Goes to an address, and returns when it has been loaded. */
  async open(url: string): Promise<void> {
    await this.command('Page.navigate', { url })
    await until('the page is loaded', async () => await this.run<string>('document.readyState') === 'complete' &&
      await this.run<string>('location.href') !== 'about:blank')
  }

  /** The value of an expression, or of the promise that it is, in the page. */
  async run<Value>(expression: string): Promise<Value> {
    const { result, exceptionDetails } = await this.command('Runtime.evaluate',
      { expression, awaitPromise: true, returnByValue: true }) as { result: { value: Value }, exceptionDetails?: Fields }
    if (exceptionDetails !== undefined) throw new Error(`${expression}: ${JSON.stringify(exceptionDetails)}`)
    return result.value
  }

  /** Waits until an expression is true in the page. */
  async until(expression: string): Promise<void> { await until(expression, () => this.run<boolean>(`Boolean(${expression})`)) }

  /** The text of the first element that a selector finds, as a person sees it. */
  async text(selector: string): Promise<string> {
    return await this.run<string>(`document.querySelector(${JSON.stringify(selector)})?.innerText ?? ''`)
  }

  /** Presses keys: a name such as Tab or Enter, or a character. */
  async press(...keys: string[]): Promise<void> {
    for (const key of keys) {
      const text = key === 'Enter' ? '\r' : key.length === 1 ? key : undefined
      const code = { Tab: 9, Enter: 13, Escape: 27 }[key]
      const event = { key, code: key, windowsVirtualKeyCode: code, ...text !== undefined && { text } }
      await this.command('Input.dispatchKeyEvent', { type: 'keyDown', ...event })
      await this.command('Input.dispatchKeyEvent', { type: 'keyUp', ...event })
    }
  }

  /** A picture of the window. */
  async picture(format: 'png' | 'webp'): Promise<Buffer> {
    return Buffer.from((await this.command('Page.captureScreenshot', { format, quality: 85 }))['data'] as string, 'base64')
  }
}
