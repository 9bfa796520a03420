// `memslab/vitest` for `import`, as src/index.mts says.
export { memcached, globalSetup, globalSetup as default, type VitestProject } from './vitest.js'
