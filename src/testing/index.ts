// The public interface of `memslab/testing`: a real memcached under the control of a test. Anything that is not exported here may
// change at any time.
export { ERROR_CODES, MemslabError, type MemslabErrorCode } from '../errors.js'
export { type ServerAddress } from '../options/address.js'
export { type Options, type ProtocolName } from '../options/values.js'
export { type TestClock } from './clock.js'
export { type TestServerOptions } from './options.js'
export { TestServer, type RestartOptions } from './server.js'
