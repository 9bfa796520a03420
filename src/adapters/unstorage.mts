// The entry `memslab/unstorage` for `import`: exports what unstorage.ts exports.
export {
  memslabDriver, memslabDriver as default, type MemslabDriver, type MemslabDriverOptions, type MemslabItemOptions,
} from './unstorage.js'
