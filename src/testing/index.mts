// The public interface of `memslab/testing` for `import`: exports what index.ts exports, as src/index.mts says.
export {
  ERROR_CODES, MemslabError, TestCluster, TestServer, faults,
  type CacheKey, type Call, type ConnectionOfCall, type Duration, type Fault, type FaultOptions, type Match,
  type MemslabErrorCode, type NodeOrIndex, type Options, type ProfileName, type ProtocolFault, type ProtocolName,
  type RestartOptions, type ServerAddress, type TestClock, type TestClusterOptions, type TestItem, type TestServerOptions,
  type Toxic, type ToxicAttributes, type ToxicOptions, type UsedFault, type WaitOptions, type WriteOptions,
} from './index.js'
