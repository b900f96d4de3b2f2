import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { loadKernels } from '../../../src/kernels/load.js'
import { createReferenceKernels } from '../../../src/kernels/reference.js'
import { convertSae } from '../../../src/sae/formats/convert-sae.js'
import { loadSae } from '../../../src/sae/sae.js'
import { temporaryDirectory } from '../../temporary-directory.js'
import { goldenDirectory, goldenLayouts, readGolden, runOn } from './golden-sae.js'

const native = await loadKernels()

for (const layout of goldenLayouts)
  for (const kernels of native.name === 'native' ? [native, createReferenceKernels()] : [native])
    test(`${layout} converted to SAELens gives the same bits with ${kernels.name} kernels`, async (t) => {
      const source = join(goldenDirectory, layout)
      const out = join(await temporaryDirectory(t), 'converted')
      const golden = await readGolden(source)
      const conversion = await convertSae(source, out)
      assert.equal(conversion.reused, false)
      const before = await loadSae(kernels, source)
      const after = await loadSae(kernels, out)
      assert.deepEqual(await runOn(after, golden), await runOn(before, golden))
      const { format: _, ...known } = before.conventions
      assert.deepEqual(
        { format: 'saelens', ...known, dtype: 'F32' },
        { ...after.conventions, ...folded(known) },
      )
    })

/** What was folded on reading is no more to be folded in what was written. */
const folded = ({ decoderNorms, thresholdSpace }: { decoderNorms: string; thresholdSpace: string }) => ({
  decoderNorms,
  thresholdSpace,
})
