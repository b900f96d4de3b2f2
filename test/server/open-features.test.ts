import assert from 'node:assert/strict'
import { cp, mkdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { openFeatures } from '../../src/server/open-features.js'
import { openServedRun } from '../../src/server/served-run.js'
import { sha256 } from '../../src/storage/atomic-file.js'
import type { Manifest } from '../../src/storage/stage.js'
import { smallRun, sparseArrays } from '../small-run.js'
import { fileLifetime, temporaryDirectory } from '../temporary-directory.js'

const lifetime = fileLifetime()
const { root } = await smallRun(lifetime, { arrays: sparseArrays() })

test('a run that is not there, is a file, or one part of a run, is named with what to do', async (t) => {
  const none = await temporaryDirectory(t)
  await writeFile(join(none, 'file'), '')
  await assert.rejects(openFeatures(join(none, 'no')), {
    code: 'missing',
    message: `${join(none, 'no')}: no such run directory`,
    hint: /monosem demo --out .*no makes a run there/,
  })
  await assert.rejects(openFeatures(join(none, 'file')), { code: 'missing', message: /got a file/ })
  await assert.rejects(openFeatures(join(root, 'features')), {
    code: 'missing',
    message: /is one part of a run/,
    hint: `pass the directory around it: monosem serve ${root}`,
  })
})

test('features that are missing or not finished come with the command that makes them', async (t) => {
  const run = await temporaryDirectory(t)
  const build = `monosem features build --run ${run}`
  await assert.rejects(openFeatures(run), {
    code: 'missing',
    message: `${run} has no features`,
    hint: `make them: ${build}`,
  })
  await mkdir(join(run, 'features.partial'))
  await assert.rejects(openFeatures(run), {
    code: 'missing',
    message: `${run}: its features are not finished`,
    hint: `finish them: ${build}`,
  })
})

test('features that are damaged or of another version are named with what to do', async (t) => {
  const run = await temporaryDirectory(t)
  const features = join(run, 'features')
  const hint = `remove ${features} and make it again: monosem features build --run ${run}`
  const damaged = async (damage: () => Promise<void>, code: string, message: RegExp) => {
    await rm(features, { recursive: true, force: true })
    await cp(join(root, 'features'), features, { recursive: true })
    await damage()
    await assert.rejects(
      openServedRun(run, 'x'),
      (error: { code: string; message: string; hint: string }) => {
        assert.equal(error.code, code)
        assert.match(error.message, message)
        assert.ok(error.message.includes(features))
        assert.match(error.hint, /monosem features build --run/)
        if (code !== 'format') assert.equal(error.hint, hint)
        return true
      },
    )
  }
  const file = (name: string): string => join(features, name)
  await damaged(() => truncate(file('features-0000.parquet'), 10), 'corrupt', /expected \d+ bytes, got 10/)
  await damaged(() => writeFile(file('manifest.json'), '{'), 'corrupt', /manifest.json: expected JSON/)
  await damaged(() => rm(file('tokenizer.json')), 'missing', /tokenizer.json/)
  await damaged(() => rename(file('manifest.json'), file('old.json')), 'missing', /not a finished/)
  const changeManifest = async (change: (manifest: Manifest) => void): Promise<void> => {
    const manifest = JSON.parse(await readFile(file('manifest.json'), 'utf8')) as Manifest
    change(manifest)
    await writeFile(file('manifest.json'), JSON.stringify(manifest))
  }
  const newer = () => changeManifest((manifest) => Object.assign(manifest, { version: 2 }))
  await damaged(newer, 'format', /another version: expected layout 1, got 2/)
  await damaged(() => changeManifest((m) => Object.assign(m, { stage: 'eval' })), 'missing', /got a eval/)
  // Tables of a version with other columns, and hashes that are right.
  const otherTables = async () => {
    const content = await readFile(file('tokens-0000.parquet'))
    await writeFile(file('features-0000.parquet'), content)
    const entry = { sha256: sha256(content), bytes: content.length }
    await changeManifest(({ files }) => Object.assign(files, { 'features-0000.parquet': entry }))
  }
  await damaged(otherTables, 'format', /was made by another version/)
})

test('a model that cannot be read leaves the features to be shown', async (t) => {
  const run = await temporaryDirectory(t)
  await cp(root, run, { recursive: true })
  await writeFile(join(run, 'model', 'model.json'), '{')
  const opened = await openServedRun(run, 'x')
  t.after(() => opened.close())
  assert.deepEqual([opened.info.has.model, opened.info.context], [false, null])
})
