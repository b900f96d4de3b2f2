import { existsSync } from 'node:fs'
import { chromium } from 'playwright-core'

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

/** The browser that the tests use; undefined: there is none, and they are skipped, which scripts/run-tests.mjs says at the end. */
export const browserPath = known.find((path) => path !== undefined && path !== '' && existsSync(path))
