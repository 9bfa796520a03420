// `-u`: root becomes another user before anything is opened.
import { execFileSync } from 'node:child_process'
import { MemslabError } from '../errors.js'

/** Changes the process to the user's ids and groups for good. Only root can: another user gets a warning. */
export function becomeUser(user: string, complain: (line: string) => void): void {
  if (process.getuid?.() !== 0) {
    complain('WARNING: -u/--user: has no effect, only root can change the user')
    return
  }
  const [uid = 0] = idsOf(user, '-u')
  const [gid = 0] = idsOf(user, '-g')
  process.setgroups?.(idsOf(user, '-G'))
  process.setgid?.(gid)
  process.setuid?.(uid)
}

/** The ids of a user. The command `id` finds them and the groups in any user database, while Node.js cannot look up ids. */
function idsOf(user: string, which: '-u' | '-g' | '-G'): number[] {
  try {
    const ids = execFileSync('id', [which, '--', user], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
    return ids.trim().split(' ').map(Number)
  } catch {
    throw new MemslabError('ENOUSER', `can't find the user ${user} to switch to`)
  }
}
