import { formatNumber } from '../progress/rate.js'
import { formatBytes } from '../storage/free-space.js'
import { percent } from '../terminal/figures.js'
import { renderTable } from '../terminal/table.js'
import { formatCount, longTime } from './figures.js'
import type { ClusterPlan, Limit, MeshPlan } from './plan-cluster.js'
import { shortTime } from './render-comm.js'

const limits: Record<Limit, string> = {
  arithmetic: 'arithmetic',
  memory: 'memory bandwidth',
  latency: 'latency of exchanges',
  transfer: 'bandwidth of exchanges',
}

/** The plan for a terminal of 100 columns. */
export function renderPlan(plan: ClusterPlan): string {
  const { config, ranks, chosen, meshes, steps, warnings, readPerStep } = plan
  const { architecture, features, d, tokens, k, batchSize, nodes, ranksPerNode } = config
  return [
    `${architecture}, ${formatCount(features)} features of width ${d}, ${formatCount(tokens)} tokens in ${formatCount(steps)} steps of ${formatNumber(batchSize)}, ` +
      `${k} active features a token; ${formatNumber(ranks)} rank${ranks > 1 ? 's' : ''} (nodes x ranks of each: ${nodes} x ${ranksPerNode})`,
    describeSpeed(plan),
    `${arrangement(chosen)}: ${formatCount(chosen.features)} features and ${formatNumber(chosen.rows)} tokens of a batch on each rank`,
    renderMemory(plan),
    renderSent(chosen),
    `where activations are stored, every rank reads ${formatBytes(readPerStep)} of them a step`,
    ...renderTime(chosen),
    ...(meshes.length > 1 ? [renderMeshes(meshes, chosen)] : []),
    ...warnings.map((text) => `WARNING: ${text}`),
  ].join('\n\n')
}

const arrangement = ({ featureRanks, dataRanks }: MeshPlan): string =>
  `--feature-ranks ${featureRanks} --data-ranks ${dataRanks}`

function describeSpeed({ speed, comm }: ClusterPlan): string {
  const rank =
    speed === null
      ? 'speed of a rank: not known'
      : `speed of a rank: ${speed.threads} thread${speed.threads > 1 ? 's' : ''} of ${formatNumber(speed.flopsPerThread / 1e9)} GFLOP/s each, ` +
        `${formatBytes(speed.memoryBandwidth)}/s of memory`
  const exchanges =
    comm === null
      ? 'exchanges: not measured'
      : `exchanges: as measured between ${comm.ranks} ranks, ${comm.ranksPerNode} on a machine (${comm.machine})`
  return `${rank}\n${exchanges}`
}

const twoColumns = [{ heading: '', align: 'left' as const }, { heading: '' }]

function renderMemory({ chosen: { memory, fits }, rankBytes }: ClusterPlan): string {
  const rows: [string, number][] = [
    ['parameters', memory.parameters],
    ["Adam's moments", memory.moments],
    ['encoder, packed', memory.packed],
    ['shuffle buffer', memory.buffer],
    ['batches, errors, codes', memory.batches + memory.otherRows],
    ['candidates', memory.candidates],
    ['exchange buffers, gradients that cross', memory.exchange],
    ['Node.js and scratch', memory.node],
    ['while a checkpoint is written', memory.checkpoint],
  ]
  const cells = rows.filter(([, bytes]) => bytes > 0).map(([name, bytes]) => [name, formatBytes(bytes)])
  const verdict = `${formatBytes(memory.peak)} of ${formatBytes(rankBytes)}${fits ? '' : ': does NOT fit'}`
  return `memory of a rank: ${verdict}\n${renderTable(twoColumns, cells)}`
}

function renderSent({ sent, sentForDead }: MeshPlan): string {
  const { total, ...parts } = sent
  const cells = Object.entries(parts)
    .filter(([, bytes]) => bytes > 0)
    .map(([name, bytes]) => [name, formatBytes(bytes)])
  if (sentForDead > 0) cells.push(['besides, while features are dead (AuxK)', formatBytes(sentForDead)])
  const list = cells.length > 0 ? `\n${renderTable(twoColumns, cells)}` : ''
  return `a rank sends ${formatBytes(total)} a step${list}`
}

function renderTime({ step, seconds, limit, efficiency }: MeshPlan): string[] {
  if (step === null || seconds === null || limit === null) return []
  const part = (name: string, value: number | null): string[] =>
    value === null ? [] : [`${name} ${shortTime(value)}`]
  const parts = [
    ...part('arithmetic', step.arithmetic),
    ...part('memory', step.memory),
    ...part('latency', step.latency),
    ...part('transfer', step.transfer),
  ]
  return [
    `a step takes ${shortTime(step.total)} (${parts.join(', ')}): the limit is the ${limits[limit]}\n` +
      `the whole training takes ${longTime(seconds)}` +
      (efficiency === null ? '' : `, at ${percent(efficiency, 0)} of as many times one rank's speed`),
  ]
}

function renderMeshes(meshes: readonly MeshPlan[], chosen: MeshPlan): string {
  const rows = meshes.map((mesh) => [
    mesh === chosen ? '>' : '',
    String(mesh.featureRanks),
    String(mesh.dataRanks),
    `${formatBytes(mesh.memory.peak)}${mesh.fits ? '' : ' !'}`,
    formatBytes(mesh.sent.total),
    mesh.step === null ? '–' : shortTime(mesh.step.total),
    mesh.seconds === null ? '–' : longTime(mesh.seconds),
    percent(mesh.efficiency, 0),
    mesh.limit === null ? '–' : limits[mesh.limit],
  ])
  const table = renderTable(
    [
      { heading: '', align: 'left' },
      { heading: 'features', group: 'ranks' },
      { heading: 'data', group: 'ranks' },
      { heading: 'memory' },
      { heading: 'sent a step' },
      { heading: 'a step' },
      { heading: 'training' },
      { heading: 'efficiency' },
      { heading: 'limit', align: 'left' },
    ],
    rows,
  )
  return meshes.every(({ fits }) => fits) ? table : `${table}\n! does not fit`
}
