// The public interface of `memslab/testing` for `import`: exports what index.ts exports, as src/index.mts says.
export {
  ERROR_CODES, MemslabError, TestServer,
  type MemslabErrorCode, type Options, type ProtocolName, type RestartOptions, type ServerAddress, type TestClock,
  type TestServerOptions,
} from './index.js'
