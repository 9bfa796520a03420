// The public interface of the package for `import`: passes on what index.ts exports. All of src is CommonJS, which each Node from 20
// on can both import and require. So a program that does both has one memslab: one class of each error, and each module's state
// once. A further entry of the package needs such a pair of files too, and a pair of conditions in package.json.
export {
  createServer, ERROR_CODES, MemslabError, PACKAGE_VERSION, PROTOCOL_VERSION, Server, SystemClock,
  type Clock, type MemslabErrorCode, type Options, type Origin, type ProtocolName, type ServerAddress, type ServerParts,
} from './index.js'
