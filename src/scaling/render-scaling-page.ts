import { formatNumber } from '../progress/rate.js'
import { type Block, renderReportPage } from '../report/report-page.js'
import {
  describeLaws,
  extrapolationHeadings,
  extrapolationRows,
  frontierHeadings,
  frontierRows,
  lossName,
  sparsityName,
  warningsOf,
} from './describe-laws.js'
import { formatCount, formatFit, formatFlop } from './figures.js'
import type { SparsityLaws } from './fit-laws.js'
import { lossOfCompute, lossOfSize, lossOfSteps, optima } from './scaling-figures.js'
import type { ScalingReport } from './scaling-report.js'

/** report.html of the `scaling` stage. */
export async function renderScalingPage(report: ScalingReport): Promise<string> {
  const { architecture, hookName, d, jobs, heldOutTokens, batchSize } = report
  const blocks: Block[] = warningsOf(report).map((text) => ({ kind: 'warning', text }))
  for (const laws of report.laws) blocks.push(...(await lawBlocks(report, laws)))
  blocks.push(...jobBlocks(report))
  return renderReportPage({
    title: 'Scaling laws',
    lead:
      `${jobs.length} ${architecture} autoencoders on ${hookName} (D = ${d}, ${formatNumber(batchSize)} tokens a step), each trained from start to end on the same stream and ` +
      `measured on ${formatNumber(heldOutTokens)} tokens of text that none was trained on. Loss: ${lossName(report)}.`,
    blocks,
  })
}

async function lawBlocks(report: ScalingReport, laws: SparsityLaws): Promise<Block[]> {
  const extrapolated = extrapolationRows(laws)
  return [
    { kind: 'heading', text: `${sparsityName(report, laws.sparsity)}: what compute buys` },
    { kind: 'figures', figures: [await lossOfCompute(laws), await lossOfSize(laws)] },
    {
      kind: 'table',
      caption: 'The best of each compute budget (10 D F FLOP a token)',
      columns: frontierHeadings.map((heading) => ({ heading })),
      rows: frontierRows(laws),
    },
    { kind: 'heading', text: `${sparsityName(report, laws.sparsity)}: the laws` },
    ...lawTables(laws),
    ...(extrapolated.length > 0
      ? [
          {
            kind: 'table' as const,
            caption: 'Extrapolated, not measured: 10 and 100 times the largest compute',
            columns: extrapolationHeadings.map((heading) => ({ heading })),
            rows: extrapolated,
          },
        ]
      : []),
    {
      kind: 'figures',
      figures: [...(await optima(laws)), await lossOfSteps(laws)],
    },
  ]
}

/** The laws that were fitted, and why others were not. */
function lawTables(laws: SparsityLaws): Block[] {
  const rows = describeLaws(laws)
  const fitted = rows.filter(({ reason }) => reason === null)
  const table: Block = {
    kind: 'table',
    caption:
      'Least squares of relative differences, with 95% intervals from a residual bootstrap. Compute is proportional to size times steps, so the exponents of best size and best steps add up to 1.',
    columns: [
      { heading: 'law', align: 'left' },
      { heading: 'formula', align: 'left' },
      { heading: 'exponent' },
      { heading: '95% interval' },
      { heading: 'irreducible loss L∞' },
      { heading: '95% interval' },
      { heading: 'error (rms)' },
    ],
    rows: fitted.map((row) => [
      ...[row.name, row.formula, row.exponent, row.exponentInterval],
      ...[row.irreducible, row.irreducibleInterval, row.error],
    ]),
  }
  const missing: Block[] = rows.flatMap(({ name, reason }) =>
    reason === null ? [] : [{ kind: 'warning' as const, text: `No law for the ${name}: ${reason}.` }],
  )
  return fitted.length > 0 ? [table, ...missing] : missing
}

function jobBlocks(report: ScalingReport): Block[] {
  return [
    { kind: 'heading', text: 'Every job' },
    ...(report.leftOut.length > 0
      ? [{ kind: 'text' as const, text: `Left out of the plan: ${report.leftOut.join('; ')}.` }]
      : []),
    {
      kind: 'table',
      columns: [
        ...['features', 'steps', 'tokens', 'compute, FLOP', 'sparsity', 'seed', 'learning rate'],
        ...['loss', 'normalised squared error', 'L0', 'dead features'],
      ].map((heading) => ({ heading })),
      rows: report.jobs.map((job) => [
        ...[
          formatNumber(job.features),
          formatNumber(job.steps),
          formatCount(job.tokens),
          formatFlop(job.compute),
        ],
        ...[
          sparsityName(report, job.sparsity),
          String(job.seed),
          formatFit(job.learningRate),
          job.loss.toFixed(4),
        ],
        ...[job.normalizedMse.toFixed(4), job.l0.toFixed(1), `${(100 * job.deadFraction).toFixed(0)}%`],
      ]),
    },
  ]
}
