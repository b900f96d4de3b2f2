import { spawn } from 'node:child_process'

/** Programs that open an address in the user's browser. */
const openers: Partial<Record<NodeJS.Platform, string>> = { linux: 'xdg-open', darwin: 'open' }

/**
 * Opens an address in the user's browser. Where that does not work it says so: the address has been printed anyway.
 * @param environment for tests
 */
export function openBrowser(
  url: string,
  note: (text: string) => void,
  environment: NodeJS.ProcessEnv = process.env,
): void {
  const opener = openers[process.platform]
  const failed = (): void => note(`no browser could be opened; the address is ${url}`)
  if (opener === undefined) {
    failed()
    return
  }
  const child = spawn(opener, [url], { detached: true, stdio: 'ignore', env: environment })
  child.on('error', failed)
  child.on('exit', (code) => {
    if (code !== 0) failed()
  })
  child.unref()
}
