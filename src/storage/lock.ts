import { existsSync, readFileSync } from 'node:fs'
import { open, readFile, rm, utimes } from 'node:fs/promises'
import { hostname } from 'node:os'
import { resolve } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { MonosemError } from '../errors/monosem-error.js'
import { storageError } from './atomic-file.js'

/** Locks of this very process. A killed process may have had our id (containers hand out the same ones again and again). */
const held = new Set<string>()

/** What a process id belongs to: this machine since its start (under Linux) by its name, which containers of one machine do not share. */
const bootId = '/proc/sys/kernel/random/boot_id'
const startedAs = existsSync(bootId) ? `${readFileSync(bootId, 'utf8').trim()}/` : ''
const thisMachine = `${startedAs}${hostname().replace(/\s/g, '-')}`

/** How often the owner of a lock touches it, milliseconds, which other machines see. */
const heartbeat = 4000

/**
 * Keeps two processes from writing one directory: creates `lock` with our process id and machine. A lock whose process is gone
 * (killed) is taken over; whether a process of another machine is gone, e.g. after a node was lost, is seen by its lock, which nobody touches any more.
 * Returns the function that removes the lock.
 * @param silence after how many milliseconds without a touch a process of another machine is gone
 * @throws MonosemError busy
 */
export async function lockDirectory(directory: string, silence = 20_000): Promise<() => Promise<void>> {
  const path = resolve(directory, 'lock')
  for (let attempt = 0; ; attempt++) {
    try {
      const handle = await open(path, 'wx')
      await handle.writeFile(`${process.pid} ${thisMachine}`)
      await handle.close()
      return hold(path)
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw storageError('lock', path, cause)
      const owner = await readOwner(path)
      if (attempt > 0 || (await isHeld(path, owner, silence)))
        throw new MonosemError('busy', `${directory} is being written by process ${owner.pid}`, {
          cause,
          hint: `wait for it to end, or stop it (or remove ${path} if process ${owner.pid} is something else)`,
        })
      await rm(path, { force: true })
    }
  }
}

function hold(path: string): () => Promise<void> {
  held.add(path)
  const beat = setInterval(() => utimes(path, new Date(), new Date()).catch(() => {}), heartbeat)
  beat.unref()
  return async () => {
    clearInterval(beat)
    held.delete(path)
    await rm(path, { force: true })
  }
}

interface Owner {
  pid: number
  /** undefined in a lock of before it was noted */
  machine: string | undefined
}

async function isHeld(path: string, { pid, machine }: Owner, silence: number): Promise<boolean> {
  if (machine !== undefined && machine !== thisMachine) return isTouched(path, silence)
  return pid === process.pid ? held.has(path) : staysAlive(pid)
}

/** How long a process that was killed may take to go, milliseconds: launchers end their ranks and do not wait for them. */
const lastMoment = 1000

async function staysAlive(pid: number): Promise<boolean> {
  for (let waited = 0; waited < lastMoment; waited += 50) {
    if (!isAlive(pid)) return false
    await setTimeout(50)
  }
  return isAlive(pid)
}

/** Whether its owner touches a lock while we look. */
async function isTouched(path: string, silence: number): Promise<boolean> {
  const before = await touchedAt(path)
  await setTimeout(silence)
  return (await touchedAt(path)) !== before
}

/** Opens it: that makes network file systems ask their server. */
async function touchedAt(path: string): Promise<number> {
  const handle = await open(path).catch(() => null)
  if (!handle) return 0
  try {
    return (await handle.stat()).mtimeMs
  } finally {
    await handle.close()
  }
}

/** Who wrote a lock. Its writer creates the file first and writes a moment later: wait for that once. */
async function readOwner(path: string): Promise<Owner> {
  const read = (): Promise<string> => readFile(path, 'utf8').catch(() => '')
  let text = await read()
  if (text === '') {
    await setTimeout(100)
    text = await read()
  }
  const [pid, machine] = text.split(' ')
  return { pid: Number(pid), machine }
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0 || isZombie(pid)) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** Whether a process has ended and nobody has asked how, under Linux: in containers such ones can stay for ever. */
function isZombie(pid: number): boolean {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return ['Z', 'X'].includes(text[text.lastIndexOf(')') + 2])
  } catch {
    return false
  }
}
