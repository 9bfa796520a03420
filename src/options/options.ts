// Every option of the server: the door to options/, a leaf that anyone may import. What a worker thread needs comes
// from values.ts and settings.ts themselves, as its start waits for each file that is loaded.
export { type Address, parseAddress } from './address.js'
export { checkOptions } from './check.js'
export { embeddingProblems } from './embedded.js'
export { helpText, optionTable, versionText } from './help.js'
export { type CommandLine, parseArguments } from './parse.js'
export { type OptionRow, optionRows, optionSections, printSize } from './rows.js'
export { type RunningSettings as LiveSettings, settingsReport } from './settings.js'
export { completeOptions, defaultOptions, LOOPBACK, type Options, type ProtocolName } from './values.js'
