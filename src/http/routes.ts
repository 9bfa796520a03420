// The paths that a server answers, a row each.
import { existsSync, readFileSync } from 'node:fs'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { type Clock } from '../clock.js'
import { Place } from '../insight/places.js'
import { Size } from '../memory/layout.js'
import { OWN_REPORTS } from '../protocol/reports.js'
import { ServerState, type Settings } from '../server/settings.js'
import { EXPOSITION_TYPE } from '../stats/exposition.js'
import { type Access } from './access.js'
import { type Events } from './events.js'
import { everything, objectOf, REPORTS } from './everything.js'
import { type Exchange } from './exchange.js'
import { answerKeys } from './keys.js'

/** The parts of a thread that answers need. */
export interface Answering {
  readonly clock: Clock
  readonly settings: Settings
  readonly access: Access
  readonly events: Events
}

interface Route {
  readonly path: string
  /** True if clients need no password. */
  readonly isOpen?: true
  /** What it needs a place for; undefined for what is never refused. */
  readonly place?: Place
  /** True if it shows keys of clients, so that -X forbids it. */
  readonly showsKeys?: true
  readonly answer: (exchange: Exchange, parts: Answering) => void
}

const ROUTES: readonly Route[] = [
  { path: '/', place: Place.Request, answer: page },
  { path: '/healthz', isOpen: true, answer: healthz },
  { path: '/readyz', isOpen: true, answer: readyz },
  { path: '/metrics', answer: exchange => exchange.send(200, EXPOSITION_TYPE, exchange.host.metrics()) },
  { path: '/stats', place: Place.Request, answer: (exchange, { clock }) =>
    exchange.work(everything(exchange.host, clock), all => exchange.sendJson(all)) },
  { path: '/keys', place: Place.Request, showsKeys: true, answer: answerKeys },
  { path: '/explain', place: Place.Request, showsKeys: true, answer: explain },
  { path: '/events', place: Place.Stream, answer: (exchange, { events }) => events.add(exchange) },
]

/** A report of `stats`. What is asked for often has a path of its own. */
const REPORT_PATH = /^\/(?:stats\/(\w+)|(refused))$/

/** Answers a request. */
export function answer(exchange: Exchange, parts: Answering): void {
  const { path, request: { method }, host } = exchange
  const route = ROUTES.find(route => route.path === path) ?? reportRoute(path)
  exchange.log()
  const refusal = parts.access.refusal(exchange.request, route?.isOpen === true)
  if (refusal !== undefined) {
    const headers = refusal.status === 401 ? { 'WWW-Authenticate': 'Basic realm="memslab", charset="UTF-8"' } : {}
    return exchange.say(refusal.status, refusal.sentence, headers)
  }
  if (route === undefined) return exchange.say(404, `There is nothing here. ${PATHS}`)
  if (method !== 'GET' && method !== 'HEAD') return exchange.say(405, 'Only GET and HEAD are answered.', { Allow: 'GET, HEAD' })
  if (route.showsKeys === true && !host.options.dumpEnabled) {
    return exchange.say(403, 'This shows keys, which the option -X forbids.')
  }
  if (route.place !== undefined && !exchange.takePlace(route.place)) {
    return exchange.say(503, BUSY[route.place], { 'Retry-After': 1 })
  }
  route.answer(exchange, parts)
}

const BUSY: Readonly<Record<Place, string>> = {
  [Place.Request]: 'The server answers as many requests as it may at one time. Ask again.',
  [Place.Stream]: 'The server sends as many event streams as it may at one time.',
}

const PATHS = `Try ${ROUTES.map(({ path }) => path).join(', ')} or /stats/general.`

/** The route of one report of `stats`. */
function reportRoute(path: string): Route | undefined {
  const [, listed, short, name = listed ?? short ?? ''] = REPORT_PATH.exec(path) ?? []
  const common = Object.hasOwn(REPORTS, name) ? REPORTS[name] : undefined
  const own = OWN_REPORTS.find(row => row.name === name && row.isAboutKey !== true)
  if (common === undefined && own === undefined) return undefined
  return {
    path, place: Place.Request, ...own?.showsKeys && { showsKeys: true },
    answer: exchange => {
      const { host } = exchange
      const parts = own === undefined ? common!(host) : host.reportOwn(own.name)
      exchange.work(objectOf(parts), report => exchange.sendJson(report))
    },
  }
}

/** What became of a key, which is in the query. */
function explain(exchange: Exchange): void {
  const key = exchange.query.get('key')
  if (key === undefined || key.length === 0) return exchange.say(400, 'Which key? Ask /explain?key=...')
  if (key.length > Size.KeyMax) return exchange.say(400, `A key has at most ${Size.KeyMax} bytes.`)
  exchange.work(objectOf(exchange.host.reportOwn('explain', key)), report => exchange.sendJson(report))
}

/** Whether the server serves: not any more once it closes. */
function healthz(exchange: Exchange, { settings }: Answering): void {
  if (settings.serverState === ServerState.Stopping) exchange.say(503, 'stopping')
  else exchange.say(200, 'ok')
}

/** Whether all threads serve. */
function readyz(exchange: Exchange, { settings }: Answering): void {
  if (settings.serverState === ServerState.Serving) exchange.say(200, 'ok')
  else exchange.say(503, settings.serverState === ServerState.Stopping ? 'stopping' : 'starting')
}

// The page

/** The page, and the rules that let a browser run its own scripts and styles, and nothing else. */
interface Page { readonly html: Buffer, readonly policy: string }

let loaded: Page | undefined

function page(exchange: Exchange): void {
  loaded ??= loadPage()
  exchange.send(200, 'text/html; charset=utf-8', loaded.html, { 'Content-Security-Policy': loaded.policy })
}

function loadPage(): Page {
  // in the bundle, `__dirname` is the folder of the bundle
  const path = [join(__dirname, 'page.html'), join(__dirname, 'http', 'page.html')].find(existsSync)
  const html = readFileSync(path!)
  const hashes = (element: string): string => {
    const parts = html.toString().matchAll(new RegExp(`<${element}>([^]*?)</${element}>`, 'g'))
    return Array.from(parts, ([, text = '']) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`).join(' ')
  }
  return {
    html,
    policy: `default-src 'none'; script-src ${hashes('script') || "'none'"}; style-src ${hashes('style')}; img-src data:; ` +
      "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  }
}
