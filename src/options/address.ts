// One address of `-l`: a host, or a host and a port.
import { isIPv6 } from 'node:net'

export interface Address {
  /** An IPv4 or IPv6 address without brackets, or a name to look up; '*' means every address of the machine. */
  host: string
  /** undefined: the port of `-p`. */
  port: number | undefined
}

/** Reads `host`, `host:port`, `[::1]`, `[::1]:port` or a bare `::1`; a string says what is wrong with it. */
export function parseAddress(text: string): Address | string {
  const { host, port } = split(text)
  if (host === '') return `"${text}" names no address`
  if (/^(tag|proto)\[/.test(host)) return `"${text}": tags and protocols of listeners are not supported yet`
  if (/^notls$/i.test(host) || /^notls:/i.test(text)) return `"${text}": TLS is not supported yet, so there is no "notls"`
  if (port === undefined) return host.includes(':') && !isIPv6(host) ? `"${text}" is not an address` : { host, port }
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65535) return `"${text}": "${port}" is not a port number`
  return { host, port: Number(port) }
}

function split(text: string): { host: string, port: string | undefined } {
  const bracketed = /^\[([^\]]*)\](?::(.*))?$/.exec(text)
  if (bracketed) return { host: bracketed[1] ?? '', port: bracketed[2] }
  const colon = text.indexOf(':')
  const isBareIPv6 = colon !== text.lastIndexOf(':')
  if (colon < 0 || isBareIPv6) return { host: text, port: undefined }
  return { host: text.slice(0, colon), port: text.slice(colon + 1) }
}
