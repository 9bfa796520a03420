// Asks a server by HTTP, as a program does, on a connection of its own.
import { request, type IncomingHttpHeaders } from 'node:http'
import { text } from 'node:stream/consumers'

export interface Answered { readonly status: number, readonly headers: IncomingHttpHeaders, readonly body: string }

export interface Asked {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly socketPath?: string
}

export async function ask(port: number, path: string, { method = 'GET', headers = {}, socketPath }: Asked = {}): Promise<Answered> {
  const to = socketPath === undefined ? { host: '127.0.0.1', port } : { socketPath }
  return await new Promise((resolve, reject) => {
    const asked = request({ ...to, path, method, headers, agent: false }, response => {
      text(response).then(body => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }), reject)
    })
    asked.on('error', reject).end()
  })
}

/** The report of `/stats/NAME`, or everything. */
export async function askJson(port: number, path: string): Promise<Record<string, unknown>> {
  const { status, body } = await ask(port, path)
  if (status !== 200) throw new Error(`${path}: ${status} ${body}`)
  return JSON.parse(body) as Record<string, unknown>
}

/** The first answer that a client has in full: its status and its body. */
export const ANSWER = /HTTP\/1\.1 (\d+) [^]*?\r\n\r\n([^]*)/
