import { formatNumber } from '../progress/rate.js'
import { formatBytes } from '../storage/free-space.js'
import { type Column, renderTable } from '../terminal/table.js'
import type { CostEstimate, SizeCost } from './estimate-cost.js'
import { formatCount, formatFlop, longTime } from './figures.js'

/** The estimate for a terminal of 100 columns. */
export function renderCost(cost: CostEstimate): string {
  const { config, sizes, stepTime, modelSeconds, rankBytes } = cost
  const { architecture, d, tokens, k, batchSize } = config
  return [
    `${architecture}, D = ${d}, ${formatCount(tokens)} tokens in steps of ${formatNumber(batchSize)}, ${k} active features a token`,
    describeProbe(cost),
    renderTable(
      columns(
        'features',
        'parameters',
        'FLOP, dense',
        'FLOP, ours',
        'time here',
        'memory',
        'checkpoint',
        'on disk',
      ),
      sizes.map((size) => [
        formatCount(size.features),
        formatCount(size.parameters),
        formatFlop(size.flops.dense * tokens),
        formatFlop(size.flops.sparse * tokens),
        size.seconds === null ? '–' : longTime(size.seconds),
        formatBytes(size.memory.total),
        `+ ${formatBytes(size.memory.checkpoint)}`,
        formatBytes(size.disk.autoencoder + size.disk.checkpoint),
      ]),
    ),
    `stored activations: ${formatBytes(sizes[0].disk.activations)}; without storing them, the model runs while the autoencoder trains`,
    ...(modelSeconds === null
      ? []
      : [`the model's forward passes: at least ${longTime(modelSeconds)} more (at the processor's peak)`]),
    `features sharded over ranks of ${formatBytes(rankBytes)} each, the fewest that hold them with a checkpoint:`,
    renderTable(
      columns(
        'features',
        'ranks',
        'features each',
        'memory each',
        'exchanged a step',
        'data parallel',
        'hours',
      ),
      sizes.map(rankRow),
    ),
    ...(stepTime === null ? [] : ['time on ranks: if each were this machine and exchanging took no time.']),
  ].join('\n\n')
}

const columns = (...headings: string[]): Column[] => headings.map((heading) => ({ heading }))

function describeProbe({ stepTime, sizes }: CostEstimate): string {
  if (stepTime === null) return 'no step was timed (--no-probe), so there are no times'
  const probes = stepTime.probes.map(
    ({ features, seconds }) => `${formatCount(features)} features ${(1000 * seconds).toFixed(1)} ms`,
  )
  const beyond = Math.max(...sizes.map(({ beyondProbe }) => beyondProbe ?? 0))
  const peak = stepTime.peak > 0 ? `; peak ${(stepTime.peak / 1e9).toFixed(0)} GFLOP/s in fp32` : ''
  const line = `timed here, ${stepTime.precision}: ${probes.join(', ')} a step${peak}`
  return beyond > 1
    ? `${line}\nextrapolated along a line in the number of features, by a factor of up to ${formatCount(Math.round(beyond))}: no measurement`
    : line
}

function rankRow({ features, split, rankSeconds }: SizeCost): string[] {
  if (split === null) return [formatCount(features), 'none suffice', '', '', '', '', '']
  return [
    formatCount(features),
    String(split.ranks),
    formatCount(split.features),
    formatBytes(split.memory.total + split.memory.checkpoint),
    formatBytes(split.bytesPerStep),
    formatBytes(split.dataParallelBytesPerStep),
    rankSeconds === null ? '–' : longTime(rankSeconds),
  ]
}
