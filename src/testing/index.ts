// The public interface of `memslab/testing`: a real memcached under the control of a test. Anything that is not exported here may
// change at any time.
export { ERROR_CODES, MemslabError, type MemslabErrorCode } from '../errors.js'
export { type ServerAddress } from '../options/address.js'
export { type Options, type ProfileName, type ProtocolName } from '../options/values.js'
export { type TestClock } from './clock.js'
export { type Call, type ConnectionOfCall } from '../faults/calls.js'
export * as faults from '../faults/faults.js'
export {
  type Duration, type Fault, type FaultOptions, type Match, type ProtocolFault, type Toxic, type ToxicAttributes,
  type ToxicOptions, type UsedFault, type WaitOptions,
} from '../faults/faults.js'
export { type CacheKey, type WriteOptions } from '../embed/interface.js'
export { TestCluster, type NodeOrIndex, type TestClusterOptions } from './cluster.js'
export { type RestartOptions, type TestItem, type TestServerOptions } from './interface.js'
export { TestServer } from './server.js'
