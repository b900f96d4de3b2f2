import { MonosemError } from '../../errors/monosem-error.js'
import type { WebFiles } from '../web-files.js'
import type { SiteWriter } from './site-writer.js'

/** As the server's, but for what a page cannot say about itself: that nobody may frame it. */
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'"

const head = `<head>
    <meta http-equiv="Content-Security-Policy" content="${policy}" />
    <meta name="monosem-export" content="1" />`

/** Stands where the style sheet could not be read, which hides it: browsers load nothing beside a page that was opened from the disk. */
const unserved = `<body>
    <p class="unserved">
      These pages have to come from a file server; browsers do not load them from the disk. For example: npx serve, or python3 -m http.server, in their folder.
    </p>`

/** Writes the built app, its start page marked as an export. */
export async function writeSiteApp(writer: SiteWriter, web: WebFiles): Promise<void> {
  for (const [address, { content }] of web)
    if (!address.startsWith('/login'))
      await writer.file(
        address.slice(1),
        address === '/index.html' ? exportedPage(content.toString('utf8')) : content,
      )
}

/** The start page of an export. */
function exportedPage(html: string): string {
  if (!html.includes('<head>') || !html.includes('<body>'))
    throw new MonosemError('corrupt', 'index.html of the app: expected <head> and <body>', {
      hint: 'build it again: npm run build',
    })
  return html
    .replace('<base href="/">', '')
    .replace('<head>', head)
    .replace('<body>', unserved)
    .replace(/The same data is at [^<]*/, '')
}
