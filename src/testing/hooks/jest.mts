// `memslab/jest` for `import`, as src/index.mts says.
export { memcached, globalSetup, globalSetup as default } from './jest.js'
