import { type Block, renderReportPage } from '../../report/report-page.js'
import { arrowsFigure, gramFigure, normsFigure, phaseFigure, sparsityFigure } from './figures.js'
import { dictionaryCurves, sparsityCurves } from './recovery-figures.js'
import { describeModel, recoveryTable } from './render-toy.js'
import type { ToyGeometry, ToyPicture, ToyRecovery, ToyReport } from './toy-report.js'

/** The stage's report as a page. */
export async function renderToyPage({ claim, sweeps, geometry }: ToyReport): Promise<string> {
  return renderReportPage({
    title: 'Toy models of superposition',
    lead: `${describeModel(claim)}. Autoencoders see only its hidden activations h = W x; how many of the true directions W_i do they find?`,
    blocks: [
      { kind: 'heading', text: 'Are the features found?' },
      table([claim]),
      ...(sweeps ? await sweepBlocks(claim, sweeps) : []),
      ...(geometry ? await geometryBlocks(geometry) : []),
    ],
  })
}

const table = (models: readonly ToyRecovery[], caption?: string): Block => {
  const { columns, rows } = recoveryTable(models)
  const headings = columns.map(({ heading, group, align }) => ({
    heading: group ? `${group}, ${heading}` : heading,
    ...(align && { align }),
  }))
  return { kind: 'table', columns: headings, rows, ...(caption && { caption }) }
}

async function sweepBlocks(claim: ToyRecovery, sweeps: NonNullable<ToyReport['sweeps']>): Promise<Block[]> {
  return [
    { kind: 'heading', text: 'Sparsity and overcompleteness' },
    { kind: 'figures', figures: await sparsityCurves(sweeps.models) },
    table(sweeps.models),
    { kind: 'heading', text: 'Dictionary size, lambda and k' },
    { kind: 'figures', figures: await dictionaryCurves(claim, sweeps.dictionaries) },
    table([sweeps.dictionaries]),
  ]
}

async function geometryBlocks(geometry: ToyGeometry): Promise<Block[]> {
  const { plane, correlated, importance, sparsity, phases } = geometry
  const correlation = ({ distribution }: ToyPicture): string => distribution.correlation
  return [
    { kind: 'heading', text: 'Features in two dimensions' },
    {
      kind: 'figures',
      figures: [
        await arrowsFigure(plane, 'Five features in two dimensions, importance 0.9^i, by density p.'),
        await arrowsFigure(
          correlated,
          'Four features in two dimensions; 1 and 2, and 3 and 4, are a pair.',
          correlation,
        ),
      ],
    },
    { kind: 'heading', text: 'Importance and sparsity' },
    {
      kind: 'figures',
      figures: [
        await gramFigure(importance, 'W^T W of 20 features in 5 dimensions, importance 0.7^i, by density p.'),
      ],
    },
    { kind: 'figures', figures: [await normsFigure(importance, 'Norms of the same features.')] },
    { kind: 'figures', figures: [await phaseFigure(phases, 'Two features in one dimension.')] },
    { kind: 'heading', text: 'Dimensions per feature' },
    {
      kind: 'figures',
      figures: [
        await sparsityFigure(
          sparsity,
          `${sparsity[0].norms.length} features of equal importance in ${sparsity[0].dimensions} dimensions.`,
        ),
      ],
    },
  ]
}
