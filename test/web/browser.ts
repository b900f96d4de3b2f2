import { existsSync } from 'node:fs'
import { type TestContext, test } from 'node:test'
import { type Browser, chromium, type Page } from 'playwright-core'

/** Browsers that may be on a machine, best first. */
const known = [
  process.env.CHROMIUM_PATH,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  chromium.executablePath(),
]

export const browserPath = known.find((path) => path !== undefined && path !== '' && existsSync(path))

if (browserPath === undefined)
  console.error(
    '\n*** No Chromium was found: the browser tests are SKIPPED. Install one (Debian: apt-get install chromium) or set CHROMIUM_PATH. ***\n',
  )

/** A test in a real browser; skipped, and said so, where there is none. */
export function browserTest(name: string, body: (t: TestContext, browser: Browser) => Promise<void>): void {
  test(name, { skip: browserPath === undefined ? 'no Chromium was found' : false }, async (t) => {
    const browser = await chromium.launch({
      executablePath: browserPath,
      args: [
        '--no-sandbox',
        '--disable-quic',
        '--disable-background-networking',
        '--disable-component-update',
      ],
    })
    t.after(() => browser.close())
    await body(t, browser)
  })
}

export interface OpenedPage {
  page: Page
  /** errors on the console, exceptions, and requests that failed or were answered with an error: must stay empty */
  complaints: string[]
}

/** A fresh page that writes down everything that goes wrong on it. */
export async function openPage(
  browser: Browser,
  url: string,
  options: Parameters<Browser['newPage']>[0] = {},
): Promise<OpenedPage> {
  const page = await browser.newPage(options)
  const complaints: string[] = []
  page.on('console', (message) => {
    // Without a GPU the browser itself copies what WebGL drew, and says so.
    if (message.text().includes('GPU stall due to ReadPixels')) return
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.on('requestfailed', (request) =>
    complaints.push(`${request.method()} ${request.url()} failed: ${request.failure()?.errorText}`),
  )
  page.on('response', (response) => {
    if (response.status() >= 400) complaints.push(`${response.url()} was answered ${response.status()}`)
  })
  await page.goto(url)
  return { page, complaints }
}
