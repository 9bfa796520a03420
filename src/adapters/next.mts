// The entry `memslab/next` for `import`: exports what next.ts exports.
export {
  createHandler, MemslabCacheHandler, MemslabCacheHandler as default, type NextCacheControl, type NextCacheEntry,
  type NextCacheHandler, type NextCacheHandlerClass, type NextGetContext, type NextHandlerContext, type NextSetContext,
} from './next.js'
