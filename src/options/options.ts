// Every option of the server: the door to options/, a leaf that anyone may import. What a worker thread needs comes
// from values.ts and settings.ts themselves, as its start waits for each file that is loaded.
//
//   values.ts           Options: what a server is set to, and the defaults
//   rows.ts             one row an option: what it is called, what it takes, what it sets, how help describes it
//   parse.ts            argv -> Options, with all problems in words
//   read.ts             one argument -> the fields that it sets
//   numbers.ts          numbers as memcached reads them
//   check.ts            what is wrong with a set of Options
//   doubts.ts           what is worth a warning
//   contradictions.ts   which of them cannot go together
//   embedded.ts         what a program cannot hand in
//   guess.ts            which option was meant
//   users.ts            where the users are read from
//   sections.ts         which of them belong together, for people
//   help.ts             `--help` and the table of the README, out of the rows
//   settings.ts         `stats settings`, out of the rows
//   address.ts          one address of `-l`
export { type Address, parseAddress } from './address.js'
export { checkOptions } from './check.js'
export { embeddingProblems } from './embedded.js'
export { helpText, optionTable, versionText } from './help.js'
export { optionSections } from './sections.js'
export { type CommandLine, parseArguments } from './parse.js'
export { type OptionRow, optionRows, printSize } from './rows.js'
export { type RunningSettings as LiveSettings, settingsReport } from './settings.js'
export { completeOptions, defaultOptions, LOOPBACK, type Options, type ProtocolName } from './values.js'
