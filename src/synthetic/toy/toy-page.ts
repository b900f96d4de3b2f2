import { type Block, renderReportPage } from '../../report/report-page.js'
import { arrowsFigure, gramFigure, normsFigure, phaseFigure, sparsityFigure } from './figures.js'
import { dictionaryCurves, sparsityCurves } from './recovery-figures.js'
import { describeModel, recoveryLegend, recoveryTable } from './render-toy.js'
import type { ToyGeometry, ToyPicture, ToyRecovery, ToyReport } from './toy-report.js'

/** The stage's report as a page. */
export async function renderToyPage({ claim, sweeps, geometry }: ToyReport): Promise<string> {
  return renderReportPage({
    title: 'Toy models of superposition',
    lead: `${describeModel(claim)}. Autoencoders see only its hidden activations h = W x; how many of the true directions W_i do they find?`,
    blocks: [
      { kind: 'heading', text: 'Are the features found?' },
      table([claim], recoveryLegend),
      ...warnings(claim),
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

function warnings({ features, represented, recoveries }: ToyRecovery): Block[] {
  const texts: string[] = []
  if (represented < features)
    texts.push(
      `The toy model represents only ${represented} of its ${features} features: nothing of the others is in h for an autoencoder to find. ` +
        'The share of those represented is the one that says something about the autoencoders.',
    )
  if (recoveries.includes(null)) texts.push('An autoencoder diverged and is left out.')
  return texts.map((text) => ({ kind: 'warning', text }))
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
  const [{ norms, dimensions }] = sparsity
  return [
    { kind: 'heading', text: 'Features in two dimensions' },
    {
      kind: 'figures',
      figures: [
        await arrowsFigure(
          plane,
          'Five features in two dimensions, importance 0.9^i, at feature density p = 1 - S. Without sparsity the two most important ones get ' +
            'a dimension each; the sparser features are, the more of them share the plane, up to a pentagon.',
        ),
        await arrowsFigure(
          correlated,
          'Four features of equal importance at density 0.1; 1 and 2 are a pair, and so are 3 and 4. Features that are active together ' +
            'prefer right angles, features that never are prefer to be opposite.',
          correlation,
        ),
      ],
    },
    { kind: 'heading', text: 'Importance and sparsity: 20 features in 5 dimensions, importance 0.7^i' },
    {
      kind: 'figures',
      figures: [
        await gramFigure(
          importance,
          'WᵀW, the most important feature first, at density p. The diagonal is ‖W_i‖² (dark red: 1, a feature that is represented); ' +
            'off it, what features do to one another (blue: -1, an antipodal pair; white: 0).',
        ),
      ],
    },
    {
      kind: 'figures',
      figures: [
        await normsFigure(
          importance,
          'Norms of the same features. Yellow features have a dimension of their own (D_i = 1), green ones half of one, dark ones little.',
        ),
      ],
    },
    { kind: 'heading', text: 'Phases and plateaus' },
    {
      kind: 'figures',
      figures: [
        await phaseFigure(
          phases,
          'Two features in one dimension: what becomes of the second one. In between of being left out and having the dimension to itself, and only ' +
            'where features are sparse, it shares the dimension with the first, at the other end of it.',
        ),
        await sparsityFigure(
          sparsity,
          `${norms.length} features of equal importance in ${dimensions} dimensions. Line: D* = m / ‖W‖², dimensions per feature; dots: the ` +
            "features' own D_i. They stick to the values of regular arrangements, above all to 1/2, where features are pairs.",
        ),
      ],
    },
  ]
}
