import { spawn } from 'node:child_process'
import { once } from 'node:events'

/** Starts a process that writes for ever and prints a number for each finished write; kills it after some, and returns the last number. */
export async function killWriter(script: string, args: readonly string[], after: number): Promise<number> {
  const child = spawn(process.execPath, [script, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  let printed = ''
  for await (const text of child.stdout) {
    printed += text
    if (printed.split('\n').length > after) break
  }
  child.kill('SIGKILL')
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  return Number(printed.trim().split('\n').at(-1))
}
