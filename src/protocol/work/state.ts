// What a connection is doing, in memcached's words. This is the one table of them: the log of -vvv, `stats conns` and the
// shared table of connections all take the name from here.

export const enum ConnectionState { Read, Nread, Swallow, Mwrite, Closing, ParseCmd, Watch }

/** The names, by state. */
export const STATE_NAMES: Readonly<Record<ConnectionState, string>> = {
  /** Waits for a request. */
  [ConnectionState.Read]: 'conn_read',
  /** Receives a value. */
  [ConnectionState.Nread]: 'conn_nread',
  /** Throws away a value that was refused. */
  [ConnectionState.Swallow]: 'conn_swallow',
  /** Waits until the client takes its answer. */
  [ConnectionState.Mwrite]: 'conn_mwrite',
  [ConnectionState.Closing]: 'conn_closing',
  /** Is being served at this moment, or writes a long answer in turns. */
  [ConnectionState.ParseCmd]: 'conn_parse_cmd',
  /** Watches events, or has the crawler list keys. */
  [ConnectionState.Watch]: 'conn_watch',
}
