import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { WindowBatch } from '../src/corpus/windows.js'
import { loadKernels } from '../src/kernels/load.js'
import { modelConfigSchema } from '../src/model/model-config.js'
import { createOptimizer } from '../src/model/optimizer.js'
import { backward, createTransformer, createWorkspace, forward, loss } from '../src/model/transformer.js'
import { Random } from '../src/random/random.js'
import { machine } from './machine.js'

/** One figure with the one that it is compared with. */
export interface BenchResult {
  name: string
  value: number
  unit: string
  /** what it is compared with, and that one's value; absent when the peer could not run */
  peer?: string
  peerValue?: number
  ratio?: number
  note: string
}

/** The defaults of `monosem model train` and of the corpus. */
const config = { ...modelConfigSchema.parse({}), vocabularySize: 4096 }
const ROUNDS = 5
const STEPS_PER_ROUND = 6

/** Seconds that a number of training steps takes. */
type Runner = (steps: number) => Promise<number>

/**
 * Training tokens per second of the default transformer, beside the same model and step in eager PyTorch when
 * MONOSEM_PYTHON names a Python that has torch. Both run in turns, with as many threads; the figure is the
 * best round of each. Prints it unless the command line has --json.
 */
export async function benchTransformer(): Promise<BenchResult[]> {
  const kernels = await loadKernels()
  const ours = await ourRunner(kernels)
  const peer = process.env.MONOSEM_PYTHON
    ? await torchRunner(process.env.MONOSEM_PYTHON, kernels.threads)
    : null
  await ours(2)
  await peer?.run(2)
  const best = { ours: Infinity, peer: Infinity }
  for (let round = 0; round < ROUNDS; round++) {
    best.ours = Math.min(best.ours, await ours(STEPS_PER_ROUND))
    if (peer) best.peer = Math.min(best.peer, await peer.run(STEPS_PER_ROUND))
  }
  peer?.end()
  const tokens = config.batchSize * config.context * STEPS_PER_ROUND
  const note = `${kernels.description}; batch ${config.batchSize} x ${config.context}; ${machine()}`
  const result: BenchResult = {
    name: 'transformer training',
    value: tokens / best.ours,
    unit: 'tokens/s',
    note: peer ? note : `${note}; set MONOSEM_PYTHON to a Python with torch for the comparison`,
  }
  if (peer)
    Object.assign(result, { peer: peer.name, peerValue: tokens / best.peer, ratio: best.peer / best.ours })
  print(result)
  return [result]
}

/** Whole training steps, as `trainModel` enqueues them. */
async function ourRunner(kernels: Awaited<ReturnType<typeof loadKernels>>): Promise<Runner> {
  const model = createTransformer(kernels, config, 0)
  const optimizer = createOptimizer(model, config)
  const workspace = createWorkspace(model, config.batchSize, config.context)
  const batch = randomBatch()
  let step = 0
  return async (steps) => {
    const began = performance.now()
    for (let i = 0; i < steps; i++) {
      forward(model, workspace, batch)
      const losses = kernels.readF32(loss(model, workspace))
      optimizer.zeroGradients()
      backward(model, workspace, optimizer.gradients, 1 / batch.targets.length)
      optimizer.update(++step, 1e-3)
      await losses
    }
    await kernels.finish()
    return (performance.now() - began) / 1000
  }
}

function randomBatch(): WindowBatch {
  const random = Random.named(0, 'bench')
  const ids = () =>
    Int32Array.from({ length: config.batchSize * config.context }, () => random.int(config.vocabularySize))
  return { tokens: ids(), targets: ids(), starts: new Int32Array(config.batchSize * config.context) }
}

/** Starts the PyTorch process, which waits between rounds without using the processor. */
async function torchRunner(
  python: string,
  threads: number,
): Promise<{ name: string; run: Runner; end(): void }> {
  // This file runs from dist/bench.
  const script = fileURLToPath(new URL('../../bench/peers/transformer_step.py', import.meta.url))
  const child = spawn(python, [script], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, OMP_NUM_THREADS: String(threads) },
  })
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  const ask = async (line: string) => {
    child.stdin.write(`${line}\n`)
    const { value, done } = await lines.next()
    if (done) throw new Error(`${python} ${script} ended without an answer`)
    return JSON.parse(value)
  }
  await once(child, 'spawn')
  const { version, attention } = await ask(JSON.stringify({ ...config, threads }))
  return {
    name: `PyTorch ${version} eager, ${attention}, ${threads} threads`,
    run: (steps) => ask(String(steps)),
    end: () => child.stdin.end(),
  }
}

/** Plain lines, unless the caller asked for JSON. */
function print({ name, value, unit, peer, peerValue, ratio, note }: BenchResult): void {
  if (process.argv.includes('--json')) return
  console.log(`${name}: ${Math.round(value)} ${unit} (${note})`)
  if (peer && peerValue && ratio)
    console.log(`  ${peer}: ${Math.round(peerValue)} ${unit}; ours is ${ratio.toFixed(2)} times as fast`)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const results = await benchTransformer()
  if (process.argv.includes('--json')) console.log(JSON.stringify(results))
}
