import { spawn } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Kernels, Tensor } from '../src/kernels/kernels.js'
import { createNativeKernels } from '../src/kernels/native.js'
import {
  cachedForward,
  createKeyValueCache,
  freeKeyValueCache,
  rowLogits,
} from '../src/model/cached-forward.js'
import {
  createTransformer,
  createWorkspace,
  forward,
  freeWorkspace,
  type Transformer,
} from '../src/model/transformer.js'
import type { TransformerConfig } from '../src/model/transformer-config.js'
import { Random } from '../src/random/random.js'
import { machine } from './machine.js'

/**
 * A model of GPT-2 small's shape with random weights, beside GPT2LMHeadModel of transformers in eager PyTorch when MONOSEM_PYTHON names a
 * Python that has both: forward passes with logits, decoding with a cache of keys and values, memory. Both sides run in turns; a figure is the
 * best round, the peer's the best of its attention implementations, thread counts and batch sizes.
 */
export async function benchHuggingFace(): Promise<HuggingFaceResult[]> {
  const kernels = createNativeKernels()
  const peer = process.env.MONOSEM_PYTHON ? await startPeer(process.env.MONOSEM_PYTHON) : null
  const report = createReport()
  report.line(
    `GPT-2 small's shape, random weights; ${kernels.description}; ${peer?.name ?? 'no peer: set MONOSEM_PYTHON'}; ${machine()}`,
  )
  const limits = await measureLimits(kernels)
  report.line(
    `limits: ${(limits.flops / 1e9).toFixed(0)} GFLOP/s in fp32, ${(limits.bandwidth / 1e9).toFixed(1)} GB/s read`,
  )
  const model = createTransformer(kernels, GPT2, 0)
  await kernels.finish()
  const peerForward: Record<number, PeerBest> = {}
  const peerDecode: Record<number, PeerBest> = {}
  for (const weights of ['fp32', 'bf16'] as const) {
    if (weights === 'bf16') await roundWeights(model)
    for (const [context, batches] of Object.entries(FORWARD)) {
      const t = Number(context)
      const ours = await bestForward(model, t, batches, weights === 'fp32' ? peer : null, peerForward)
      report.figure({
        name: `forward, context ${t}, ${weights}`,
        tokensPerSecond: ours.tokensPerSecond,
        peer: peerForward[t],
        limit: `${((100 * ours.tokensPerSecond * flopsPerToken(model.config, t)) / limits.flops).toFixed(0)}% of the fp32 peak, batch ${ours.batch}`,
      })
    }
    for (const batch of DECODE) {
      const rate = await bestDecode(model, batch, weights === 'fp32' ? peer : null, peerDecode)
      const share = ((rate / batch) * weightBytes(model)) / limits.bandwidth
      report.figure({
        name: `decoding, batch ${batch}, ${weights}`,
        tokensPerSecond: rate,
        peer: peerDecode[batch],
        limit: `weights pass at ${(100 * share).toFixed(0)}% of the read bandwidth`,
      })
    }
    report.line(await memoryLine(model, weights))
  }
  peer?.end()
  return report.results
}

const GPT2 = {
  layers: 12,
  dModel: 768,
  heads: 12,
  dMlp: 3072,
  context: 1024,
  vocabularySize: 50257,
  tiedEmbeddings: true,
}

/** batch sizes by context */
const FORWARD: Record<number, readonly number[]> = { 128: [1, 4, 8], 1024: [1, 2] }
const DECODE = [1, 8]
const PROMPT = 128
const STEPS = 32
const ROUNDS = 4

export interface HuggingFaceResult {
  name: string
  tokensPerSecond: number
  /** the peer's best, and what it was reached with; absent without a peer */
  peer?: PeerBest
  /** how near to what the machine can do */
  limit: string
}

interface PeerBest {
  tokensPerSecond: number
  how: string
}

// ---- ours ----

const randomTokens = (count: number): Int32Array => {
  const random = Random.named(0, 'bench')
  return Int32Array.from({ length: count }, () => random.int(GPT2.vocabularySize))
}

/** The best batch size of each side, measured in turns. */
async function bestForward(
  model: Transformer,
  context: number,
  batches: readonly number[],
  peer: Peer | null,
  peerBest: Record<number, PeerBest>,
): Promise<{ tokensPerSecond: number; batch: number }> {
  let best = { tokensPerSecond: 0, batch: 0 }
  for (const batch of batches) {
    const workspace = createWorkspace(model, batch, context, { keep: [] })
    const tokens = randomTokens(batch * context)
    const window = { tokens, targets: tokens, starts: new Int32Array(tokens.length) }
    for (let round = 0; round <= ROUNDS; round++) {
      const began = performance.now()
      forward(model, workspace, window)
      await model.kernels.finish()
      const tokensPerSecond = (1000 * tokens.length) / (performance.now() - began)
      // the first round allocates
      if (round > 0 && tokensPerSecond > best.tokensPerSecond) best = { tokensPerSecond, batch }
      await askPeer(peer, { batch, context, steps: 0 }, tokens.length, context, peerBest)
    }
    freeWorkspace(model, workspace)
  }
  return best
}

/** Greedy steps of several sequences after a prompt, tokens of all of them per second. */
async function bestDecode(
  model: Transformer,
  batch: number,
  peer: Peer | null,
  peerBest: Record<number, PeerBest>,
): Promise<number> {
  const cache = createKeyValueCache(model, batch, { keep: [] })
  let best = 0
  for (let round = 0; round < ROUNDS; round++) {
    let next = await decodeStep(model, cache, batch, randomTokens(batch * PROMPT), 0)
    const began = performance.now()
    for (let step = 0; step < STEPS; step++) next = await decodeStep(model, cache, batch, next, PROMPT + step)
    best = Math.max(best, (1000 * batch * STEPS) / (performance.now() - began))
    await askPeer(peer, { batch, context: PROMPT, steps: STEPS }, batch * STEPS, batch, peerBest)
  }
  freeKeyValueCache(model, cache)
  return best
}

/** Adds equally many tokens to each sequence, from a position on; the most probable next token of each. */
async function decodeStep(
  model: Transformer,
  cache: ReturnType<typeof createKeyValueCache>,
  batch: number,
  tokens: Int32Array,
  position: number,
): Promise<Int32Array> {
  const each = tokens.length / batch
  const pass = cachedForward(model, cache, {
    tokens,
    sequences: tokens.map((_, n) => Math.floor(n / each)),
    positions: tokens.map((_, n) => position + (n % each)),
  })
  const last = Int32Array.from({ length: batch }, (_, b) => (b + 1) * each - 1)
  const tensor = rowLogits(model, pass, last)
  const logits = await model.kernels.readF32(tensor)
  model.kernels.free(tensor)
  const V = model.config.vocabularySize
  return last.map((_, b) => mostProbable(logits.subarray(b * V, (b + 1) * V)))
}

function mostProbable(logits: Float32Array): number {
  let best = 0
  for (let i = 1; i < logits.length; i++) if (logits[i] > logits[best]) best = i
  return best
}

/** Matrices in bf16, as `weights: 'bf16'` keeps them. */
async function roundWeights({ kernels, params }: Transformer): Promise<void> {
  for (const [name, tensor] of Object.entries(params)) {
    if (tensor.shape.length < 2) continue
    params[name] = kernels.zeros(tensor.shape, 'bf16')
    kernels.copy(params[name], tensor)
    kernels.free(tensor)
  }
  await kernels.finish()
}

// ---- what the machine and the model need ----

async function measureLimits(kernels: Kernels): Promise<{ flops: number; bandwidth: number }> {
  const flops = await kernels.measurePeak()
  const floats = 1 << 26
  const [big, out] = [kernels.zeros([floats]), kernels.zeros([2])]
  let seconds = Infinity
  for (let round = 0; round < 5; round++) {
    const began = performance.now()
    kernels.clipNorm(out, [big], 1)
    await kernels.finish()
    seconds = Math.min(seconds, (performance.now() - began) / 1000)
  }
  for (const t of [big, out]) kernels.free(t)
  return { flops, bandwidth: (4 * floats) / seconds }
}

/** Multiplications and additions of one token: every weight of a matrix once, and half of the T x T attention. */
function flopsPerToken(config: TransformerConfig, t: number): number {
  const { layers, dModel, dMlp, vocabularySize } = config
  return 2 * (layers * (4 * dModel * dModel + 2 * dModel * dMlp + t * dModel) + vocabularySize * dModel)
}

const bytes = ({ shape, dtype }: Tensor): number => shape.reduce((a, b) => a * b, dtype === 'bf16' ? 2 : 4)

const weightBytes = ({ params }: Transformer): number =>
  Object.values(params).reduce((sum, tensor) => sum + bytes(tensor), 0)

/** Resident memory of this process after a forward pass, beside weights and activations. */
async function memoryLine(model: Transformer, weights: string): Promise<string> {
  const workspace = createWorkspace(model, 1, GPT2.context, { keep: [] })
  const tokens = randomTokens(GPT2.context)
  forward(model, workspace, { tokens, targets: tokens, starts: new Int32Array(tokens.length) })
  await model.kernels.finish()
  collectGarbage()
  const held = weightBytes(model) + workspace.owned.reduce((sum, tensor) => sum + bytes(tensor), 0)
  const { rss } = process.memoryUsage()
  freeWorkspace(model, workspace)
  const mebibytes = (count: number): string => `${(count / 2 ** 20).toFixed(0)} MiB`
  return `memory, ${weights}, context ${GPT2.context}: ${mebibytes(rss)} resident, ${mebibytes(held)} of them weights and activations: ${(rss / held).toFixed(2)} times`
}

/** What JavaScript no longer refers to would be counted as resident until it happens to be collected. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
}

// ---- the peer ----

interface Peer {
  name: string
  ask(question: object): Promise<number>
  end(): void
}

/** Starts the PyTorch process, which waits between questions without using the processor. */
async function startPeer(python: string): Promise<Peer> {
  // This file runs from dist/bench.
  const script = fileURLToPath(new URL('../../bench/peers/huggingface_forward.py', import.meta.url))
  const child = spawn(python, [script], { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  const answer = async () => {
    const { value, done } = await lines.next()
    if (done) throw new Error(`${python} ${script} ended without an answer`)
    return JSON.parse(value)
  }
  const { torch, transformers } = await answer()
  return {
    name: `PyTorch ${torch} eager, transformers ${transformers}`,
    async ask(question) {
      child.stdin.write(`${JSON.stringify(question)}\n`)
      return (await answer()).seconds
    },
    end: () => child.stdin.end(),
  }
}

/** One round of the peer with each attention implementation and with half and all of the processors. */
async function askPeer(
  peer: Peer | null,
  question: { batch: number; context: number; steps: number },
  tokens: number,
  key: number,
  best: Record<number, PeerBest>,
): Promise<void> {
  if (!peer) return
  const processors = availableParallelism()
  for (const threads of new Set([Math.ceil(processors / 2), processors]))
    for (const attention of ['sdpa', 'eager']) {
      const tokensPerSecond = tokens / (await peer.ask({ ...question, threads, attention }))
      if (tokensPerSecond > (best[key]?.tokensPerSecond ?? 0))
        best[key] = { tokensPerSecond, how: `${attention}, ${threads} threads, batch ${question.batch}` }
    }
}

// ---- what is printed ----

/** Plain lines, unless the caller asked for JSON. */
function createReport() {
  const results: HuggingFaceResult[] = []
  const line = (text: string): void => {
    if (!process.argv.includes('--json')) console.log(text)
  }
  return {
    results,
    line,
    figure(result: HuggingFaceResult): void {
      results.push(result)
      line(`${result.name}: ${result.tokensPerSecond.toFixed(0)} tokens/s (${result.limit})`)
      if (result.peer)
        line(
          `  peer: ${result.peer.tokensPerSecond.toFixed(0)} tokens/s (${result.peer.how}); ours is ${(result.tokensPerSecond / result.peer.tokensPerSecond).toFixed(2)} times as fast`,
        )
    },
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const results = await benchHuggingFace()
  if (process.argv.includes('--json')) console.log(JSON.stringify(results))
}
