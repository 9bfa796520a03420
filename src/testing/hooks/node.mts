// `memslab/node-test` for `import`, as src/index.mts says.
export { globalSetup, globalTeardown, memcached } from './node.js'
