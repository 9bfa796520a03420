// The public interface of the package for `import`: exports what index.ts exports. All of src is CommonJS, which Node.js from
// version 20 on can both import and require. So a program that does both has one memslab: one class of each error, and each
// module's state once. Each entry point of the package is such a pair of files, with a pair of conditions in package.json;
// test/exports.test.ts compares.
export {
  Cache, createServer, ERROR_CODES, MemslabError, PACKAGE_VERSION, PROTOCOL_VERSION, Server, SystemClock,
  type CacheConstructor, type CacheEvent, type CacheEventName, type CacheHandle, type CacheItem, type CacheKey,
  type CacheListener, type CacheOptions, type CacheStats, type Clock, type Codec, type CountOptions, type DuplexStream,
  type Duration, type GetOrSetOptions, type LeaveReason, type MemslabErrorCode, type Options, type Origin, type ProfileName,
  type ProtocolName, type ServerAddress, type ServerOptions, type ServerParts, type WriteOptions,
} from './index.js'
