// The entry `memslab/keyv` for `import`: exports what keyv.ts exports.
export { KeyvMemslab, KeyvMemslab as default, type KeyvEntry, type KeyvMemslabOptions } from './keyv.js'
