// The public interface for who imports it. All of src is CommonJS, which every Node from 20 on can `require` as well as import:
// so a program has one memslab however often and by whichever way it loads it, with one class of each error and one proof of
// how sockets are written to. This passes on what index.ts exports, by name; each later entry of the package has such a pair.
export {
  createServer, MemslabError, PACKAGE_VERSION, PROTOCOL_VERSION, Server, SystemClock,
  type Clock, type Options, type ServerAddress, type ServerParts,
} from './index.js'
