import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { loadKernels } from '../../../src/kernels/load.js'
import { createReferenceKernels } from '../../../src/kernels/reference.js'
import { loadSae } from '../../../src/sae/sae.js'
import { assertSame, goldenDirectory, goldenLayouts, readGolden, runOn } from './golden-sae.js'

const native = await loadKernels()
for (const layout of goldenLayouts)
  for (const kernels of native.name === 'native' ? [native, createReferenceKernels()] : [native])
    test(`${layout} with ${kernels.name} kernels: f and x_hat are those of the program it comes from`, async () => {
      const directory = join(goldenDirectory, layout)
      const golden = await readGolden(directory)
      const sae = await loadSae(kernels, directory)
      const found = await runOn(sae, golden)
      assertSame('f', found.f, golden.f)
      assertSame('x_hat', found.xHat, golden.xHat)
      assertSame('x_hat in one go', found.again, golden.xHat)
      const squares = golden.xHat.map((value, i) => (value - golden.x[i]) ** 2)
      for (let n = 0; n < golden.n; n++) {
        const loss = squares.subarray(n * golden.d, (n + 1) * golden.d).reduce((a, b) => a + b, 0)
        assert.ok(Math.abs(found.losses[n] - loss) < 1e-4 * (1 + loss), `loss of token ${n}`)
      }
    })
