// The states of a connection, with memcached's names. This is the only table of them: the log of -vvv, `stats conns` and the
// shared table of connections use it.

export const enum ConnectionState { Read, Nread, Swallow, Mwrite, Closing, ParseCmd, Watch, Http }

/** The names, by state. */
export const STATE_NAMES: Readonly<Record<ConnectionState, string>> = {
  /** Waits for a request, or for the rest of a line. */
  [ConnectionState.Read]: 'conn_read',
  /** Receives a value. */
  [ConnectionState.Nread]: 'conn_nread',
  /** Discards a value that was refused. */
  [ConnectionState.Swallow]: 'conn_swallow',
  /** Waits until the client takes the replies, or serves a long get in turns. */
  [ConnectionState.Mwrite]: 'conn_mwrite',
  [ConnectionState.Closing]: 'conn_closing',
  /** Is being served at this moment, or writes a listing in turns. */
  [ConnectionState.ParseCmd]: 'conn_parse_cmd',
  /** Watches events, or writes a listing of the crawler. */
  [ConnectionState.Watch]: 'conn_watch',
  /** Speaks HTTP, which memcached has no name for. */
  [ConnectionState.Http]: 'conn_http',
}
