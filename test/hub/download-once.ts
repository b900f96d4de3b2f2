// Downloads a repository in a process of its own, so that a test can kill it: node download-once.js <endpoint> <cache> <source>
import { resolveSource } from '../../src/hub/resolve-source.js'

const [endpoint, cacheDirectory, source] = process.argv.slice(2)
const { directory } = await resolveSource(source, () => true, { endpoint, cacheDirectory, offline: false })
process.stdout.write(directory)
