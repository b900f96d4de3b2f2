import type { TokenCorpus } from '../../corpus/corpus.js'
import type { Transformer } from '../../model/transformer.js'
import type { StageContext } from '../../progress/progress.js'
import type { Sae } from '../../sae/sae.js'
import type { Evidence, UnitEvidence } from '../collect-evidence.js'
import type { ShortenedExample } from './rules.js'
import { type ContextRequest, shortestContexts } from './shortest-context.js'

/** Strong examples of a unit that are shortened. */
const examplesPerUnit = 4

/** The strongest examples that explain each unit, with the tokens that they need. */
export async function shortenExamples(
  { features, neurons }: Evidence,
  { model, sae, corpus }: { model: Transformer; sae: Sae; corpus: Pick<TokenCorpus, 'tokenizer'> },
  context: StageContext,
): Promise<Record<'features' | 'neurons', Map<number, ShortenedExample[]>>> {
  const requests = [...requestsOf('feature', features), ...(neurons ? requestsOf('neuron', neurons) : [])]
  const lengths = await shortestContexts(
    requests,
    { model, sae, startOfText: corpus.tokenizer.startOfText },
    context,
  )
  const shortened = {
    features: new Map<number, ShortenedExample[]>(),
    neurons: new Map<number, ShortenedExample[]>(),
  }
  requests.forEach(({ kind, unit, example }, i) => {
    const units = shortened[kind === 'feature' ? 'features' : 'neurons']
    units.set(unit, [...(units.get(unit) ?? []), { example, length: lengths[i] }])
  })
  return shortened
}

const requestsOf = (kind: ContextRequest['kind'], evidence: UnitEvidence): ContextRequest[] =>
  evidence.ids.flatMap((unit) =>
    evidence.strongest(unit, examplesPerUnit).map((example) => ({ kind, unit, example })),
  )
